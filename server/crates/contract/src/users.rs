//! The people who may log in to the panel.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::field::Problem;
use crate::role::Role;

/// Shortest password, in characters (NIST SP 800-63B-4 asks for at least 8 with a second factor; 12 stands without).
pub const PASSWORD_MIN: usize = 12;
/// Longest password, in characters: bounds the work of hashing.
pub const PASSWORD_MAX: usize = 256;

/// Checks a new password.
///
/// # Errors
/// [`Problem::TooShort`] or [`Problem::TooLong`]. No rule about digits and signs: length is what counts.
pub fn check_password(password: &str) -> Result<(), Problem> {
    match password.chars().count() {
        n if n < PASSWORD_MIN => Err(Problem::TooShort(PASSWORD_MIN as u32)),
        n if n > PASSWORD_MAX => Err(Problem::TooLong(PASSWORD_MAX as u32)),
        _ => Ok(()),
    }
}

/// One user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Whether the next login asks for a new password.
    pub must_change: bool,
    /// When they were added.
    pub created_at: Timestamp,
    /// When they last logged in.
    pub last_login: Option<Timestamp>,
}

/// `tvox-dr user list --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsersReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// By name.
    pub users: Vec<User>,
}
