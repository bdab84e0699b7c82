//! A forced sync or a verification: a task that a person starts, watches and reads afterwards.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::dataset::Group;
use crate::field::Problem;
use crate::lang::{Lang, Text};
use crate::sync::Progress;

/// What a forced sync covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// *Tutto*.
    #[default]
    All,
    /// *Configurazione e ultimi 2 mesi*: older history is neither copied again nor deleted.
    Recent,
}

impl Scope {
    /// Both, in the page's order.
    pub const ALL: [Self; 2] = [Self::All, Self::Recent];

    /// The word in commands, forms and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Recent => "recent",
        }
    }

    /// The vendor's words.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::All => lang.pick("Tutto", "Everything"),
            Self::Recent => lang.pick("Configurazione e ultimi 2 mesi", "Configuration and last 2 months"),
        }
    }
}

impl std::str::FromStr for Scope {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(Problem::NotOneOf("all, recent".into()))
    }
}

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskKind {
    /// The forced sync: re-reads and re-hashes everything, heals what differs.
    Full,
    /// Compares and changes nothing.
    Verify,
}

impl TaskKind {
    /// The word in JSON.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Verify => "verify",
        }
    }

    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Full => lang.pick("Sincronizzazione forzata", "Forced sync"),
            Self::Verify => lang.pick("Verifica", "Verification"),
        }
    }
}

/// How a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// It is at work.
    Running,
    /// It ended well.
    Done,
    /// It ended with an error, or (verification) found differences.
    Failed,
}

/// One line of the console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub text: Text,
}

/// One thing that differs between Master and replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DifferenceInfo {
    /// The dataset.
    pub dataset: String,
    /// The path inside it, escaped where it is not UTF-8.
    pub path: String,
    /// In which way, in the engine's words.
    pub what: String,
}

/// A task as shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// Its id.
    pub id: String,
    /// What it does.
    pub kind: TaskKind,
    /// What it covers.
    pub scope: Scope,
    /// The group it is limited to.
    pub only: Option<Group>,
    /// The restore point that is verified; `null` for the replica as it is now.
    #[serde(default)]
    pub point: Option<String>,
    /// How it stands.
    pub state: TaskState,
    /// Who started it.
    pub started_by: String,
    /// When.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How far it is.
    pub progress: Progress,
    /// The console.
    pub log: Vec<LogLine>,
    /// What a verification found (the first [`MAX_DIFFERENCES`]).
    pub differences: Vec<DifferenceInfo>,
    /// How many it found.
    pub differences_total: u64,
}

/// The last task of each kind, running or ended; `null` where there was none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TasksReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// The last forced sync.
    pub full: Option<TaskReport>,
    /// The last verification.
    pub verify: Option<TaskReport>,
}

/// As many differences as a report lists.
pub const MAX_DIFFERENCES: usize = 1000;
