//! The mail server as typed and as shown. The password goes in and never comes out.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::command::Secret;
use crate::field::{FieldError, Problem};
use crate::lang::Lang;
use crate::recipient::Channel;

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// Not at all.
    None,
    /// Begun in clear, then turned to TLS; refused where the server cannot.
    StartTls,
    /// TLS from the first byte.
    Tls,
}

impl Security {
    /// All of them, in the vendor's order.
    pub const ALL: [Self; 3] = [Self::Tls, Self::StartTls, Self::None];

    /// The word in commands, tables and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::StartTls => "starttls",
            Self::Tls => "tls",
        }
    }

    /// The vendor's word.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::None => lang.pick("Nessuno", "None"),
            Self::StartTls => "STARTTLS",
            Self::Tls => "SSL",
        }
    }

    /// The port that goes with it (RFC 5321, RFC 6409, RFC 8314).
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::None => 25,
            Self::StartTls => 587,
            Self::Tls => 465,
        }
    }
}

impl FromStr for Security {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let unknown = || Problem::NotOneOf("none, starttls, tls".into());
        Self::ALL.into_iter().find(|security| security.as_str() == text).ok_or_else(unknown)
    }
}

/// The mail server as typed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SmtpForm {
    /// Name or IP.
    pub server: String,
    /// Empty for the port that goes with the security.
    pub port: String,
    /// `none`, `starttls`, `tls`.
    pub security: String,
    /// The sender.
    pub from: String,
    /// Empty for no authentication.
    pub user: String,
    /// `None` leaves the one that is stored.
    pub password: Option<Secret>,
    /// The authority that signed the server's certificate, as PEM; empty for the system's.
    pub ca: String,
}

/// The mail server, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmtpSettings {
    /// Name or IP.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How it is protected.
    pub security: Security,
    /// The sender.
    pub from: String,
    /// The user, where it authenticates.
    pub user: Option<String>,
    /// The authority that signed its certificate, as PEM.
    pub ca: Option<String>,
}

impl SmtpForm {
    /// Checks everything that can be checked without asking the server.
    ///
    /// # Errors
    /// One [`FieldError`] for each field that cannot be taken.
    pub fn check(&self) -> Result<SmtpSettings, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut keep = |field: &str, problem: Problem| errors.push(FieldError::new(field, problem));
        let server = self.server.trim();
        let host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
        if server.is_empty() {
            keep("server", Problem::Required);
        } else if server.len() > 253 || !server.chars().all(host) {
            keep("server", Problem::NotAServer);
        }
        let security = self.security.parse::<Security>().map_err(|problem| keep("security", problem)).ok();
        let typed = self.port.trim();
        let port = match (typed.is_empty(), security) {
            (true, Some(security)) => Some(security.port()),
            (true, None) => None,
            (false, _) => match typed.parse::<u16>() {
                Ok(port) if port > 0 => Some(port),
                _ => {
                    keep("port", Problem::BadPort);
                    None
                }
            },
        };
        let from = Channel::Email.normalise(&self.from).map_err(|problem| keep("from", problem)).ok();
        let user = Some(self.user.trim()).filter(|user| !user.is_empty()).map(str::to_owned);
        let ca = Some(self.ca.trim()).filter(|ca| !ca.is_empty()).map(str::to_owned);
        match (security, port, from) {
            (Some(security), Some(port), Some(from)) if errors.is_empty() => {
                Ok(SmtpSettings { server: server.to_owned(), port, security, from, user, ca })
            }
            _ => Err(errors),
        }
    }
}

/// `tvox-dr smtp show --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmtpReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// `null` while none is set.
    pub smtp: Option<SmtpSettings>,
    /// Whether a password is stored.
    pub has_password: bool,
}
