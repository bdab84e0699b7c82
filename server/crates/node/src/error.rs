//! Why a node does not start, in one sentence and with its own exit code.

use std::path::PathBuf;

/// Why a node cannot be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The configuration file, or a value given to `init`, cannot be used. Exit code 5.
    #[error("the configuration {file} cannot be used: {why}")]
    Configuration {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The data directory is locked, corrupt, from a newer version, or not there. Exit code 6.
    #[error("the data directory {dir} cannot be used: {why}")]
    Unusable {
        /// Which directory.
        dir: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A value given to `init` cannot be taken. Exit code 2.
    #[error("{field}: {problem}")]
    Value {
        /// Which one.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// An address cannot be listened on. Exit code 5.
    #[error("cannot listen on {address} for {what}: {why}")]
    Listen {
        /// Which address.
        address: String,
        /// The panel or the peer link.
        what: &'static str,
        /// What the system says.
        why: String,
    },
}
