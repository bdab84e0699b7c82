//! What an order gives back.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::power::PowerReading;

/// What a command gives back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is done.
    Done,
    /// It is done, and what the server on the other end said to it.
    Answered {
        /// Its words.
        words: String,
    },
    /// The join token, shown once.
    Token(JoinToken),
    /// A task was started.
    Task {
        /// Its id, for [`crate::query::Task`].
        id: String,
    },
    /// The power of a machine was read, or could not be.
    Power(PowerReading),
    /// A run was begun, or goes on.
    Run {
        /// Its id, for [`crate::query::Run`].
        id: String,
    },
}

/// `tvox-dr peer token --json`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinToken {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// To paste on the Client.
    pub token: String,
    /// 15 minutes after it was made.
    pub expires_at: Timestamp,
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}
