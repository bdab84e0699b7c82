//! Services: what makes a machine the telephone system, as far as `tvox-dr` must start, stop and check it.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::field::{FieldError, Problem};
use crate::lang::Lang;
use crate::name;

/// How a service is handled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Handling {
    /// A systemd unit.
    Unit(String),
    /// Three shell commands (`/bin/sh -c`); the start command must return.
    Commands {
        /// Brings it up.
        start: String,
        /// Takes it down.
        stop: String,
        /// Exits 0 exactly when it is up.
        check: String,
    },
}

/// The default time limit of each command, in seconds.
pub const SERVICE_TIMEOUT: u32 = 30;
/// Least and greatest time limit, in seconds.
pub const SERVICE_TIMEOUT_RANGE: (u32, u32) = (1, 3600);
/// Greatest place in the order.
pub const SERVICE_ORDER_MAX: u32 = 10_000;

/// One service as declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its name, unique on the machine.
    pub name: String,
    /// How it is handled.
    pub handling: Handling,
    /// How long each of its commands may take, in seconds.
    pub timeout_seconds: u32,
    /// Started in this order, stopped in the reverse one; equal numbers by name.
    pub order: u32,
}

/// A service as typed, before it is checked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ServiceForm {
    /// Its name.
    pub name: String,
    /// A systemd unit; or the three commands.
    pub unit: String,
    /// Brings it up.
    pub start: String,
    /// Takes it down.
    pub stop: String,
    /// Tells whether it is up.
    pub check: String,
    /// Seconds; empty for the default.
    pub timeout: String,
    /// Its place; empty for the end.
    pub order: String,
}

impl ServiceForm {
    /// Checks everything that can be checked without running anything. `last` is the place of a service without one.
    ///
    /// # Errors
    /// One [`FieldError`] for each field that cannot be taken.
    pub fn check(&self, last: u32) -> Result<Service, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut keep = |field: &str, problem: Problem| errors.push(FieldError::new(field, problem));
        if let Err(problem) = name::check(&self.name) {
            keep("name", problem);
        }
        let [unit, start, stop, check] = [&self.unit, &self.start, &self.stop, &self.check].map(|text| text.trim());
        let handling = if unit.is_empty() {
            for (field, text) in [("start", start), ("stop", stop), ("check", check)] {
                if text.is_empty() {
                    keep(field, Problem::Required);
                }
            }
            Handling::Commands { start: start.to_owned(), stop: stop.to_owned(), check: check.to_owned() }
        } else {
            if [start, stop, check].iter().any(|text| !text.is_empty()) {
                keep("unit", Problem::UnitAndCommands);
            } else if !is_unit(unit) {
                keep("unit", Problem::NotAUnit);
            }
            Handling::Unit(unit.to_owned())
        };
        let number = |typed: &str, default: u32, (min, max): (u32, u32)| match typed.trim() {
            "" => Ok(default),
            typed => match typed.parse() {
                Ok(number) if (min..=max).contains(&number) => Ok(number),
                Ok(_) => Err(Problem::OutOfRange { min, max }),
                Err(_) => Err(Problem::NotANumber),
            },
        };
        let timeout = number(&self.timeout, SERVICE_TIMEOUT, SERVICE_TIMEOUT_RANGE);
        let order = number(&self.order, last, (0, SERVICE_ORDER_MAX));
        let timeout_seconds = timeout.map_err(|problem| keep("timeout", problem)).unwrap_or_default();
        let order = order.map_err(|problem| keep("order", problem)).unwrap_or_default();
        if errors.is_empty() {
            Ok(Service { name: self.name.clone(), handling, timeout_seconds, order })
        } else {
            Err(errors)
        }
    }
}

/// Whether a unit can be called so: the characters that systemd allows; never a leading dash, which would be an option.
#[must_use]
pub fn is_unit(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    text.len() <= 255 && !text.starts_with('-') && text.chars().all(allowed)
}

/// What a service is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Desired {
    /// Running.
    Up,
    /// Not running.
    Down,
}

impl Desired {
    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Up => lang.pick("Attivo", "Up"),
            Self::Down => lang.pick("Fermo", "Down"),
        }
    }
}

/// What its own check said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Observed {
    /// It runs.
    Up,
    /// It does not.
    Down,
    /// It was not checked yet, or the check itself did not end.
    Unknown,
}

impl Observed {
    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Up => lang.pick("Attivo", "Up"),
            Self::Down => lang.pick("Fermo", "Down"),
            Self::Unknown => lang.pick("Sconosciuto", "Unknown"),
        }
    }
}

impl From<Desired> for Observed {
    fn from(desired: Desired) -> Self {
        match desired {
            Desired::Up => Self::Up,
            Desired::Down => Self::Down,
        }
    }
}

/// How a service stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// Its name.
    pub name: String,
    /// What the state of the machine wants of it.
    pub desired: Desired,
    /// What its check said.
    pub observed: Observed,
    /// When it was last checked; `null` before.
    pub checked_at: Option<Timestamp>,
    /// The last words of the command that went wrong; `null` when all is well.
    pub detail: Option<String>,
}

/// `tvox-dr service list --json`, and the page Servizi.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicesReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// In starting order.
    pub services: Vec<ServiceEntry>,
}

/// A service with its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceEntry {
    /// The declaration.
    #[serde(flatten)]
    pub service: Service,
    /// How it stands.
    pub status: ServiceStatus,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> ServiceForm {
        ServiceForm { name: "pbx".into(), unit: "kamailio.service".into(), ..ServiceForm::default() }
    }

    #[test]
    fn a_unit_or_all_three_commands_and_never_both() {
        assert_eq!(form().check(7).map(|s| (s.timeout_seconds, s.order)), Ok((30, 7)));
        let both = ServiceForm { start: "x".into(), ..form() };
        assert_eq!(both.check(0).unwrap_err()[0].field, "unit");
        let half = ServiceForm { unit: String::new(), start: "x".into(), ..form() };
        let fields: Vec<_> = half.check(0).unwrap_err().into_iter().map(|e| e.field).collect();
        assert_eq!(fields, ["stop", "check"]);
    }

    #[test]
    fn what_would_be_an_option_or_a_path_is_no_unit() {
        for bad in ["-x.service", "a b", "a;b", "../x"] {
            let form = ServiceForm { unit: bad.into(), ..form() };
            assert!(form.check(0).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_named() {
        let form = ServiceForm { timeout: "0".into(), order: "x".into(), ..form() };
        let fields: Vec<_> = form.check(0).unwrap_err().into_iter().map(|e| e.field).collect();
        assert_eq!(fields, ["timeout", "order"]);
    }
}
