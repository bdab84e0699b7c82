//! What the monitor looks at. Each condition is a cause (a kind of alarm and its subject) that is good or bad now; what
//! becomes of it is the business of the hysteresis.

use std::collections::BTreeMap;

use contract::alarm::AlarmKind;
use contract::licence::{LicenceReport, LicenceState};
use contract::run::RunState;
use contract::state::NodeState;
use contract::threshold::Threshold;
use contract::{Denied, Lang, NodeRole, Text, Timestamp};

use super::Probe;
use crate::alarms::Cause;
use crate::node::Node;
use crate::thresholds::Limits;

/// How long before its end a licence is worth a word.
const LICENCE_NOTICE: std::time::Duration = std::time::Duration::from_secs(30 * 86_400);

/// As many characters of a command's words as a message carries.
const BRIEF: usize = 120;

/// How a condition looks now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// As it should be.
    Good,
    /// Not as it should be; the deciding fact.
    Bad(Text),
    /// Nobody can tell: an alarm that stands goes on standing.
    Unknown,
}

impl Seen {
    fn bad_if(bad: bool, detail: impl FnOnce() -> Text) -> Self {
        if bad { Self::Bad(detail()) } else { Self::Good }
    }
}

impl Node {
    /// Looks at everything once.
    pub(crate) async fn conditions(&self, probes: &[Probe], limits: &Limits) -> Result<BTreeMap<Cause, Seen>, Denied> {
        let mut seen = BTreeMap::new();
        probes.iter().for_each(|probe| self.look_at_machine(probe, &mut seen));
        self.look_at_mandate(&mut seen).await?;
        if self.info.role == NodeRole::Client && !probes.is_empty() {
            self.look_at_replicas(limits, &mut seen).await?;
        }
        if self.info.role == NodeRole::Client {
            self.look_at_damage(&mut seen).await?;
        }
        self.look_at_services(&mut seen);
        self.look_at_disk(limits, &mut seen);
        self.look_at_run(&mut seen);
        let left = self.steps_left_names().await?.join(", ");
        let bad = Seen::bad_if(!left.is_empty(), || Text::new(left.clone(), left.clone()));
        seen.insert((AlarmKind::StepsLeft, self.info.name.clone()), bad);
        self.look_at_drills(limits, &mut seen).await?;
        look_at_licence(&self.licence().await?, self.was_licensed().await?, self.clock.now(), &mut seen);
        Ok(seen)
    }

    fn look_at_machine(&self, probe: &Probe, seen: &mut BTreeMap<Cause, Seen>) {
        let kind = match self.info.role {
            _ if probe.machine.sibling => AlarmKind::SiblingUnreachable,
            NodeRole::Master => AlarmKind::ClientUnreachable,
            NodeRole::Client => AlarmKind::MasterUnreachable,
        };
        let silent = Seen::bad_if(probe.silent.is_some(), || {
            let why = probe.silent.clone().unwrap_or_default();
            Text::new(why.clone(), why)
        });
        seen.insert((kind, probe.name.clone()), silent);
        let contact = self.link.contact(probe.machine.seat);
        let misfit = contact.who.as_ref().and_then(|who| self.incompatible(who)).map(|refused| refused.detail);
        let misfit = Seen::bad_if(misfit.is_some(), || {
            let told = misfit.clone().unwrap_or_default();
            Text::new(told.clone(), told)
        });
        seen.insert((AlarmKind::VersionMismatch, probe.name.clone()), misfit);
    }

    async fn look_at_replicas(&self, limits: &Limits, seen: &mut BTreeMap<Cause, Seen>) -> Result<(), Denied> {
        let switches = self.switches().await?;
        // A DR that serves, or is about to, takes no data in: that is no fault, and nothing has caught up by it, either.
        let receives = self.may_receive();
        for report in self.replica_reports(switches) {
            if !receives {
                for kind in [AlarmKind::SyncStopped, AlarmKind::LagWarning, AlarmKind::LagExceeded] {
                    seen.insert((kind, report.name.clone()), Seen::Unknown);
                }
                continue;
            }
            let on = report.switch.is_on();
            // A cut link has its own alarm; the replica is then late, not broken.
            let error = report.last_error.as_ref().filter(|error| error.code != "connection_lost");
            let stopped = Seen::bad_if(!on || error.is_some(), || match error {
                _ if !on => off(report.switch_until),
                Some(error) => Text::new(
                    contract::sync::error_sentence(&error.code, Lang::It),
                    contract::sync::error_sentence(&error.code, Lang::En),
                ),
                None => Text::new("", ""),
            });
            seen.insert((AlarmKind::SyncStopped, report.name.clone()), stopped);
            let lag = report.lag_seconds.unwrap_or(0.0);
            let own = limits.lag(&report.name);
            let (soft, hard) = (lag > f64::from(own.soft_seconds), lag > f64::from(own.hard_seconds));
            let told = || duration(lag);
            // Beyond the hard limit the warning stands as well: it began first and ends last.
            seen.insert((AlarmKind::LagWarning, report.name.clone()), Seen::bad_if(soft, told));
            seen.insert((AlarmKind::LagExceeded, report.name), Seen::bad_if(hard, told));
        }
        Ok(())
    }

    async fn look_at_damage(&self, seen: &mut BTreeMap<Cause, Seen>) -> Result<(), Denied> {
        for (dataset, damage) in self.damages_to_tell().await? {
            seen.insert((AlarmKind::ReplicaDamaged, dataset), Seen::Bad(damage.brief()));
        }
        Ok(())
    }

    fn look_at_services(&self, seen: &mut BTreeMap<Cause, Seen>) {
        for wrong in self.wrong_services() {
            let words = wrong.detail.map(|detail| format!(" ({})", brief(&detail))).unwrap_or_default();
            let (it, en) = [Lang::It, Lang::En]
                .map(|lang| (wrong.desired.label(lang).to_lowercase(), wrong.observed.label(lang).to_lowercase()))
                .into();
            let told = Text::new(
                format!("dovrebbe essere {}, risulta {}{words}", it.0, it.1),
                format!("it should be {}, it is {}{words}", en.0, en.1),
            );
            seen.insert((AlarmKind::ServiceWrong, wrong.name), Seen::Bad(told));
        }
    }

    fn look_at_run(&self, seen: &mut BTreeMap<Cause, Seen>) {
        let Some(run) = self.open_run_as_told() else { return };
        let told = |lang| {
            let step = run.step.as_deref().map(|step| contract::run::step_label(step, lang)).unwrap_or_default();
            format!("{}, «{step}»", run.kind.label(lang))
        };
        let stuck = Seen::bad_if(run.state == RunState::Stuck, || Text::new(told(Lang::It), told(Lang::En)));
        seen.insert((AlarmKind::RunStuck, run.id.clone()), stuck);
        let waiting = self.runs.waiting();
        let asks = |lang: Lang| {
            let Some(waiting) = &waiting else { return String::new() };
            let (by, until) = (waiting.approval.asked_by.told(), waiting.approval.until.strftime("%Y-%m-%d %H:%M UTC"));
            let kind = waiting.kind.label(lang);
            let reason = &waiting.reason;
            match lang {
                Lang::It => format!("{kind}, chiesta da {by} fino al {until}: {reason}"),
                Lang::En => format!("{kind}, asked for by {by} until {until}: {reason}"),
            }
        };
        let awaited = Seen::bad_if(waiting.is_some(), || Text::new(asks(Lang::It), asks(Lang::En)));
        seen.insert((AlarmKind::ApprovalAwaited, run.id), awaited);
    }

    async fn look_at_drills(&self, limits: &Limits, seen: &mut BTreeMap<Cause, Seen>) -> Result<(), Denied> {
        let every = limits.get(Threshold::DrillEvery);
        // Who serves has other things to do, and a Master has no drill.
        if self.info.role != NodeRole::Client || self.state() != NodeState::Standby {
            return Ok(());
        }
        let last = if every > 0 { self.last_drill_passed().await? } else { None };
        let days = last.map(|at| self.clock.now().duration_since(at).as_hours() / 24);
        let overdue = every > 0 && days.is_none_or(|days| days >= i64::from(every));
        let told = |lang: Lang| match days {
            Some(days) => {
                let (passed, ago) =
                    (lang.pick("l'ultima riuscita", "the last one passed"), lang.pick("giorni fa", "days ago"));
                format!("{passed} {days} {ago}")
            }
            None => lang.pick("nessuna è mai riuscita", "none has ever passed").to_owned(),
        };
        let bad = Seen::bad_if(overdue, || Text::new(told(Lang::It), told(Lang::En)));
        seen.insert((AlarmKind::DrillOverdue, self.info.name.clone()), bad);
        Ok(())
    }

    fn look_at_disk(&self, limits: &Limits, seen: &mut BTreeMap<Cause, Seen>) {
        let Some((free, total)) = self.disk() else { return };
        let percent = free.saturating_mul(100) / total.max(1);
        let low = percent < u64::from(limits.get(Threshold::DiskMinFree));
        let path = self.dir.root().display().to_string();
        let told = || Text::new(format!("{percent}%"), format!("{percent}%"));
        seen.insert((AlarmKind::DiskLow, path), Seen::bad_if(low, told));
    }

    /// Free and total bytes of the disk that holds the data directory.
    pub(crate) fn disk(&self) -> Option<(u64, u64)> {
        let told = rustix::fs::statvfs(self.dir.root()).ok()?;
        Some((told.f_bavail.saturating_mul(told.f_frsize), told.f_blocks.saturating_mul(told.f_frsize)))
    }
}

fn look_at_licence(licence: &LicenceReport, was_licensed: bool, now: Timestamp, seen: &mut BTreeMap<Cause, Seen>) {
    if !was_licensed {
        return;
    }
    let subject = licence.needed.clone();
    let summary = &licence.summary;
    let bad = summary.state != LicenceState::Valid || !licence.granted;
    let label = |lang: Lang| {
        if summary.state == LicenceState::Valid {
            lang.pick("manca il modulo", "the module is missing").to_owned()
        } else {
            summary.state.label(lang).to_owned()
        }
    };
    let told = || Text::new(label(Lang::It), label(Lang::En));
    seen.insert((AlarmKind::LicenceExpired, subject.clone()), Seen::bad_if(bad, told));
    let soon = summary.expires.filter(|end| !bad && now.checked_add(LICENCE_NOTICE).is_ok_and(|limit| *end < limit));
    let day = soon.map(|end| end.strftime("%Y-%m-%d").to_string()).unwrap_or_default();
    seen.insert((AlarmKind::LicenceExpiring, subject), Seen::bad_if(soon.is_some(), || Text::new(day.clone(), day)));
}

/// The end of what a command said, as much as fits a message.
fn brief(words: &str) -> String {
    let words: Vec<char> = words.split_whitespace().collect::<Vec<_>>().join(" ").chars().collect();
    words[words.len().saturating_sub(BRIEF)..].iter().collect()
}

/// OFF, and until when where it ends by itself.
fn off(until: Option<Timestamp>) -> Text {
    let Some(until) = until else { return Text::new("OFF", "OFF") };
    let told = until.strftime("%Y-%m-%d %H:%M UTC");
    Text::new(format!("OFF fino al {told}"), format!("OFF until {told}"))
}

/// A lag in words.
fn duration(seconds: f64) -> Text {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole seconds for people")]
    let seconds = seconds.max(0.0) as u64;
    if seconds < 120 {
        Text::new(format!("{seconds} secondi"), format!("{seconds} seconds"))
    } else if seconds < 7200 {
        Text::new(format!("{} minuti", seconds / 60), format!("{} minutes", seconds / 60))
    } else {
        Text::new(format!("{} ore", seconds / 3600), format!("{} hours", seconds / 3600))
    }
}
