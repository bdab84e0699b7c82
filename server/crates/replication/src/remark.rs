//! What an administrator should know of a tree beside its content: names that are not replicated, and such as are but
//! deserve a word.

/// A name that is not replicated, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Relative to the root, escaped for display.
    pub path: String,
    /// Why.
    pub why: SkipReason,
}

/// Why a name is not replicated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SkipReason {
    /// A socket: its server makes it anew.
    Socket,
    /// A device node.
    Device,
    /// Belongs to the product itself.
    Forbidden,
}

/// Something replicated that deserves a word to the administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Relative to the root, escaped for display.
    pub path: String,
    /// What about it.
    pub what: WarningKind,
}

/// What about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum WarningKind {
    /// A SQLite database copied as a plain file: it should be declared as a dataset of its own.
    UndeclaredDatabase,
    /// The file changed each time it was read.
    Unsettled,
}

impl WarningKind {
    /// Every kind, in order.
    pub const ALL: &[WarningKind] = &[Self::UndeclaredDatabase, Self::Unsettled];
}
