//! What is replicated: the declaration of one dataset, made on the Master and learnt by the Client.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::field::{FieldError, Problem};
use crate::lang::Lang;
use crate::name;

/// How a dataset is captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatasetKind {
    /// A tree of files.
    Files,
    /// A live SQLite database, by its online backup, never by copying the file.
    Sqlite,
}

impl DatasetKind {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::Files, Self::Sqlite];

    /// The word in commands, tables and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Sqlite => "sqlite",
        }
    }

    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Files => lang.pick("Albero di file", "File tree"),
            Self::Sqlite => lang.pick("Database SQLite", "SQLite database"),
        }
    }

    /// The row of the Replicazione page it belongs to.
    #[must_use]
    pub const fn group(self) -> Group {
        match self {
            Self::Files => Group::Files,
            Self::Sqlite => Group::Database,
        }
    }
}

impl FromStr for DatasetKind {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(Problem::NotOneOf("files, sqlite".into()))
    }
}

/// The two rows of the Replicazione page, each with its own ON/OFF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// *Database*.
    Database,
    /// *File di sistema*.
    Files,
}

impl Group {
    /// Both groups, in the page's order.
    pub const ALL: [Self; 2] = [Self::Database, Self::Files];

    /// The word in commands, tables and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Files => "files",
        }
    }

    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Database => "Database",
            Self::Files => lang.pick("File di sistema", "System files"),
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Group {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        Self::ALL.into_iter().find(|group| group.as_str() == text).ok_or(Problem::NotOneOf("database, files".into()))
    }
}

/// What a dataset is to the service: needed to start, or the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatasetClass {
    /// Needed to serve.
    #[default]
    Configuration,
    /// Calls, recordings, logs.
    History,
}

impl DatasetClass {
    /// Both classes.
    pub const ALL: [Self; 2] = [Self::Configuration, Self::History];

    /// The word in commands, tables and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::History => "history",
        }
    }

    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Configuration => lang.pick("Configurazione", "Configuration"),
            Self::History => lang.pick("Storico", "History"),
        }
    }
}

impl FromStr for DatasetClass {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let unknown = || Problem::NotOneOf("configuration, history".into());
        Self::ALL.into_iter().find(|class| class.as_str() == text).ok_or_else(unknown)
    }
}

/// What makes a file's owner the same one on both machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Owners {
    /// The number, as on the disk.
    #[default]
    Numbers,
    /// The name of the account: its number may be another one on the DR.
    Names,
}

impl Owners {
    /// Both ways.
    pub const ALL: [Self; 2] = [Self::Numbers, Self::Names];

    /// The word in commands, tables and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Numbers => "numbers",
            Self::Names => "names",
        }
    }

    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Numbers => lang.pick("Per numero", "By number"),
            Self::Names => lang.pick("Per nome", "By name"),
        }
    }
}

impl FromStr for Owners {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        Self::ALL.into_iter().find(|owners| owners.as_str() == text).ok_or(Problem::NotOneOf("numbers, names".into()))
    }
}

/// One dataset as declared. Paths are text: what is typed in a panel or a shell is UTF-8, the names *inside* the tree
/// need not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    /// Its name, unique in the pair.
    pub name: String,
    /// How it is captured.
    pub kind: DatasetKind,
    /// What it is to the service.
    pub class: DatasetClass,
    /// The absolute path on the Master.
    pub source: String,
    /// The absolute path on the Client where the replica is read; the source's path unless declared.
    pub target: String,
    /// Globs relative to the source that stay out.
    pub excludes: Vec<String>,
    /// What makes an owner the same one on both machines.
    #[serde(default)]
    pub owners: Owners,
}

/// A dataset as typed, before it is checked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DatasetForm {
    /// Its name.
    pub name: String,
    /// `files` or `sqlite`.
    pub kind: String,
    /// `configuration`, `history`, or empty for the default.
    pub class: String,
    /// Where it is on the Master.
    pub source: String,
    /// Where it is read on the Client; empty for the source's path.
    pub target: String,
    /// Globs that stay out.
    pub excludes: Vec<String>,
    /// `numbers`, `names`, or empty for the default.
    #[serde(default)]
    pub owners: String,
}

impl DatasetForm {
    /// Checks everything that can be checked without looking at a disk.
    ///
    /// # Errors
    /// One [`FieldError`] for each field that cannot be taken.
    pub fn check(&self) -> Result<Dataset, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut keep = |field: &str, problem: Problem| errors.push(FieldError::new(field, problem));
        if let Err(problem) = name::check(&self.name) {
            keep("name", problem);
        }
        let kind = self.kind.parse().map_err(|p| keep("kind", p)).ok();
        let class = if self.class.is_empty() { Ok(DatasetClass::default()) } else { self.class.parse() };
        let class = class.map_err(|p| keep("class", p)).ok();
        let owners = if self.owners.is_empty() { Ok(Owners::default()) } else { self.owners.parse() };
        let owners = owners.map_err(|p| keep("owners", p)).unwrap_or_default();
        let source = absolute(&self.source).map_err(|p| keep("source", p)).ok();
        let target = if self.target.trim().is_empty() {
            source.clone()
        } else {
            absolute(&self.target).map_err(|p| keep("target", p)).ok()
        };
        let excludes: Vec<String> =
            self.excludes.iter().map(|glob| glob.trim().to_owned()).filter(|glob| !glob.is_empty()).collect();
        match (kind, class, source, target) {
            (Some(kind), Some(class), Some(source), Some(target)) if errors.is_empty() => {
                Ok(Dataset { name: self.name.clone(), kind, class, source, target, excludes, owners })
            }
            _ => Err(errors),
        }
    }
}

/// An absolute path without `.`, `..` or a NUL in it; a trailing slash is dropped.
fn absolute(typed: &str) -> Result<String, Problem> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Err(Problem::Required);
    }
    let mut parts = typed.split('/').skip(1).filter(|part| !part.is_empty()).peekable();
    let clean = typed.starts_with('/') && !typed.contains('\0') && parts.peek().is_some();
    if !clean || parts.clone().any(|part| part == ".." || part == ".") {
        return Err(Problem::NotAbsolute);
    }
    Ok(parts.fold(String::new(), |path, part| path + "/" + part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(source: &str, target: &str) -> DatasetForm {
        DatasetForm {
            name: "conf".into(),
            kind: "files".into(),
            source: source.into(),
            target: target.into(),
            ..DatasetForm::default()
        }
    }

    #[test]
    fn the_target_is_the_sources_path_unless_typed() {
        let target = |s: &str, t: &str| form(s, t).check().map(|d| d.target);
        assert_eq!(target("/etc/kamailio/", ""), Ok("/etc/kamailio".into()));
        assert_eq!(target("/etc/kamailio", " /srv//replica/etc "), Ok("/srv/replica/etc".into()));
    }

    #[test]
    fn every_bad_field_is_named_at_once() {
        let bad = DatasetForm {
            name: "Conf".into(),
            kind: "mysql".into(),
            class: "x".into(),
            source: "etc".into(),
            target: "/a/../b".into(),
            excludes: vec![],
            owners: "both".into(),
        };
        let fields: Vec<_> = bad.check().unwrap_err().into_iter().map(|e| e.field).collect();
        assert_eq!(fields, ["name", "kind", "class", "owners", "source", "target"]);
        assert!(form("/", "").check().is_err(), "the whole disk is no dataset");
    }
}
