//! Failback: what was made on the DR travels home. What an operator brings, and what would happen.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::command::Secret;
use crate::lang::Lang;
use crate::preflight::PlannedStep;
use crate::rule::{Finding, Refused};
use crate::run::DatasetLedger;
use crate::status::MachineInfo;

/// What an operator brings to give the service back together with what was made on the DR.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Failback {
    /// The name of the machine on which the command runs, typed.
    pub confirm_name: String,
    /// Why.
    pub reason: String,
    /// Datasets that do not travel: the Master keeps its own content, what was made on the DR is exported and discarded.
    pub discard: Vec<String>,
    /// Consent to discard what was made on the DR in these.
    pub discard_dr_data: bool,
    /// Consent to replace what the Master wrote last and the DR never had.
    pub accept_data_loss: bool,
    /// Of a Master site of two machines the one that takes the content in, by name or IP; `None` leaves it to
    /// [`destination`].
    #[serde(default)]
    pub member: Option<String>,
    /// Why it cannot wait for a second person, where the house wants one; `None` waits.
    #[serde(default)]
    pub break_glass: Option<String>,
    /// The operator's own password again; asked of whoever comes through the panel.
    pub password: Option<Secret>,
}

/// The machine of the Master site that takes content in where nobody names one: the member that content came from, which
/// has the node IP; else the first that answers. A silent one only where all are.
#[must_use]
pub fn destination(machines: &[MachineInfo], source: Option<IpAddr>) -> Option<&MachineInfo> {
    let known = || machines.iter().filter(|machine| machine.associated);
    let answers: Vec<_> = known().filter(|machine| machine.reachable).collect();
    let source = answers.iter().find(|machine| Some(machine.ip) == source);
    source.or(answers.first()).copied().or_else(|| known().next())
}

/// What becomes of one dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The Master takes exactly what the DR holds.
    Home,
    /// The Master keeps what it has; what was made on the DR is exported there and discarded.
    Discard,
}

impl Choice {
    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Home => lang.pick("torna sul Master", "travels to the Master"),
            Self::Discard => lang.pick("resta quello del Master", "the Master keeps its own"),
        }
    }
}

/// One dataset before a failback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailbackDataset {
    /// Its name.
    pub dataset: String,
    /// What becomes of it.
    pub choice: Choice,
    /// What was made of it on the DR; `null` while that cannot be told.
    pub ledger: Option<DatasetLedger>,
    /// Whether the Master wrote something last that the DR never had; `null` while that cannot be told.
    pub tail: Option<bool>,
}

/// `tvox-dr failback --dry-run --json`, with `F` in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailbackReport<F = Refused> {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// Whether the command, as given, would be obeyed.
    pub allowed: bool,
    /// Why not, all of it.
    pub blocked: Vec<F>,
    /// Of a Master site of two machines the one that would take the content in; the other one serves only once it has the
    /// same. `null` where the Master is one machine.
    pub member: Option<String>,
    /// Every dataset that serves here.
    pub datasets: Vec<FailbackDataset>,
    /// Bytes that the Master's disk must take beside what lies there; `null` while the Master does not answer.
    pub needed_bytes: Option<u64>,
    /// Bytes free there.
    pub free_bytes: Option<u64>,
    /// Every step to come.
    pub steps: Vec<PlannedStep>,
}

impl FailbackReport<Refused> {
    /// The same, with its findings in words.
    #[must_use]
    pub fn in_words(self, lang: Lang) -> FailbackReport<Finding> {
        FailbackReport {
            schema: self.schema,
            allowed: self.allowed,
            blocked: self.blocked.iter().map(|refused| refused.finding(lang)).collect(),
            member: self.member,
            datasets: self.datasets,
            needed_bytes: self.needed_bytes,
            free_bytes: self.free_bytes,
            steps: self.steps,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(host: u8, reachable: bool, associated: bool) -> MachineInfo {
        MachineInfo {
            ip: [10, 0, 0, host].into(),
            port: 5461,
            reachable,
            since: None,
            last_seen: None,
            name: None,
            associated,
            state: None,
            serves: None,
        }
    }

    fn chosen(machines: &[MachineInfo], source: Option<u8>) -> Option<IpAddr> {
        destination(machines, source.map(|host| [10, 0, 0, host].into())).map(|machine| machine.ip)
    }

    #[test]
    fn content_goes_to_the_member_with_the_node_ip_or_to_one_that_answers() {
        let ip = |host: u8| Some(IpAddr::from([10, 0, 0, host]));
        let both = [machine(1, true, true), machine(2, true, true)];
        assert_eq!((chosen(&both, Some(2)), chosen(&both, None)), (ip(2), ip(1)));
        let one = [machine(1, false, true), machine(2, true, true)];
        assert_eq!((chosen(&one, None), chosen(&one, Some(1))), (ip(2), ip(2)), "it had the node IP a moment ago");
        let joined = [machine(1, true, false), machine(2, false, true)];
        assert_eq!(chosen(&joined, None), ip(2), "never to a stranger");
        assert_eq!(chosen(&[], None), None);
    }
}
