//! Who a person is to the panel, and which side of the pair a machine is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::field::Problem;
use crate::lang::Lang;

/// What a person may do. The order is the order of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads everything, the audit log included.
    Viewer,
    /// Also acknowledges, syncs, activates, deactivates, resumes.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// All roles, from the weakest.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// The word used in commands, tables and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The word a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Viewer => lang.pick("Osservatore", "Viewer"),
            Self::Operator => lang.pick("Operatore", "Operator"),
            Self::Admin => lang.pick("Amministratore", "Administrator"),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(Problem::NotOneOf("admin, operator, viewer".into()))
    }
}

/// Which side of the pair this machine is. It never changes after `init`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeRole {
    /// The productive machine: it feeds the replica.
    Master,
    /// The machine at the other site: it pulls, watches, and is activated by hand.
    Client,
}

impl NodeRole {
    /// The word used in commands, tables and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Client => "client",
        }
    }

    /// The vendor's name of this machine, the same in both languages.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Master => "TVox Master",
            Self::Client => "TVox DR Client",
        }
    }

    /// The licence module that this side needs.
    #[must_use]
    pub const fn module(self) -> &'static str {
        match self {
            Self::Master => "DISASTER_RECOVERY",
            Self::Client => "CLIENT_DISASTER_RECOVERY",
        }
    }

    /// The side that this one is paired with.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Master => Self::Client,
            Self::Client => Self::Master,
        }
    }
}

impl fmt::Display for NodeRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for NodeRole {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        match text {
            "master" => Ok(Self::Master),
            "client" => Ok(Self::Client),
            _ => Err(Problem::NotOneOf("master, client".into())),
        }
    }
}
