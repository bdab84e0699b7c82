//! What the mandate means to a run, as pure decisions like those of `rules`: when it waits for the return gate, and when it
//! has lost its ground. The engine of the runs and the models call the same functions.

use contract::run::RunKind;

use super::file::Record;
use super::rules;

/// What a run does next, as far as that needs the right to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It writes its mandate.
    Mandate,
    /// It makes this machine serve, or looks that it does.
    Serve,
    /// Anything else, or nothing.
    Other,
}

/// A run that is not over, in plain data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mission {
    /// What it is for.
    pub kind: RunKind,
    /// The id of its mandate, chosen before that is written.
    pub mandate: String,
    /// Its log says that the mandate is written.
    pub written: bool,
    /// It has not begun: a second person is to agree.
    pub awaits_approval: bool,
    /// It was given up, and takes back what it did.
    pub aborting: bool,
    /// Its next step.
    pub next: Next,
    /// The last `tvox-dr rescue open` before it.
    pub rescued: Option<String>,
}

impl Mission {
    const fn takes(&self) -> bool {
        matches!(self.kind, RunKind::Activation | RunKind::Takeover)
    }

    /// Whether it has the mandate that it stands on: what is left of it is only to serve.
    const fn has_taken(&self) -> bool {
        match self.kind {
            RunKind::Activation | RunKind::Takeover => self.written,
            RunKind::Resumption => !self.aborting && !self.awaits_approval,
            RunKind::Deactivation
            | RunKind::Failback
            | RunKind::Suspension
            | RunKind::Retirement
            | RunKind::Undo
            | RunKind::Drill => false,
        }
    }

    /// Whether it has come to giving the mandate away, and has not: that needs the right to serve like serving itself.
    fn is_yet_to_give(&self, record: &Record) -> bool {
        let gives = matches!(self.kind, RunKind::Deactivation | RunKind::Failback) && !self.aborting;
        gives && self.next == Next::Mandate && !is_written(record, &self.mandate)
    }

    /// Whether its next step must wait for the return gate: the machine has booted since the mandate was written, or before
    /// it was given away, and then the other side may have taken it meanwhile.
    #[must_use]
    pub fn must_wait(&self, record: &Record, boot: &str) -> bool {
        let needs_right = match self.next {
            Next::Serve => true,
            Next::Mandate => self.is_yet_to_give(record),
            Next::Other => false,
        };
        needs_right && !rules::may_serve(record, boot)
    }

    /// Whether nothing but the gate, or another take, can move it: then it is in nobody's way.
    #[must_use]
    pub fn waits_at_gate(&self, record: &Record, boot: &str) -> bool {
        (self.has_taken() || self.is_yet_to_give(record)) && !rules::may_serve(record, boot)
    }

    /// Whether the return gate may ask beside it: a run that is taking the service decides itself.
    #[must_use]
    pub const fn lets_the_gate_ask(&self) -> bool {
        !self.takes() || self.written || self.awaits_approval
    }

    /// The epoch of the mandate under which it has lost its sense: somebody else holds what it began with, or what it
    /// wrote. `later` is the mandate of a run that was begun after it, written or not.
    #[must_use]
    pub fn ground_is_lost(&self, record: &Record, boot: &str, later: Option<&str>) -> Option<u64> {
        let head = record.mandate.as_ref()?;
        // Its own one, on disk before anybody wrote that down; one that was declared lost has nothing by it.
        let elsewhere = || !record.is_holder() && (head.id != self.mandate || head.holder == record.site);
        // An operator has taken the service past this run, with the node down: what it set out to do is over.
        let rescued = record.rescued.is_some() && self.rescued != record.rescued;
        let passed = later.is_some_and(|later| is_written(record, later));
        let lost = match self.kind {
            // While it waited for a second person the gate opened: this machine serves, there is nothing to take.
            RunKind::Activation | RunKind::Takeover if self.awaits_approval && rules::may_serve(record, boot) => true,
            RunKind::Activation | RunKind::Takeover => self.written && elsewhere(),
            RunKind::Deactivation => !self.written && elsewhere(),
            // What it wrote stands until somebody takes the service again.
            RunKind::Failback if self.written => head.id != self.mandate,
            RunKind::Failback | RunKind::Suspension | RunKind::Resumption | RunKind::Retirement => elsewhere(),
            // What was left over belongs here again.
            RunKind::Undo => record.is_holder(),
            // Whatever is meant in earnest ends it.
            RunKind::Drill => record.is_holder() || later.is_some(),
        };
        (rescued || passed || lost).then_some(head.epoch)
    }
}

/// Whether a mandate is the newest that is known here, or one of its ancestors.
#[must_use]
pub fn is_written(record: &Record, mandate: &str) -> bool {
    let known = |ancestors: &[String]| ancestors.iter().any(|ancestor| ancestor == mandate);
    record.mandate.as_ref().is_some_and(|head| head.id == mandate || known(&head.ancestors))
}

#[cfg(test)]
mod tests {
    use contract::mandate::MandateKind;
    use contract::{NodeRole, Timestamp};

    use super::*;
    use crate::mandate::Raise;
    use crate::mandate::file::{Opened, Opening};

    const BOOT: &str = "b";

    fn raised(record: &Record, id: &str, holder: NodeRole) -> Record {
        let raise = Raise {
            id: id.into(),
            kind: MandateKind::Activation,
            holder,
            operator: "anna".into(),
            reason: "fire".into(),
            evidence: Vec::new(),
            base: None,
            retired: Vec::new(),
        };
        let mut after = record.clone();
        let mandate = raise.mandate(record, "p", Timestamp::UNIX_EPOCH);
        crate::mandate::rules::raise(&mut after, mandate, BOOT, Timestamp::UNIX_EPOCH);
        after
    }

    /// A DR that serves under `m2`, and one that does not, under `m1`.
    fn active() -> (Record, Record) {
        let standby = raised(&Record::new("c", "roma", NodeRole::Client), "m1", NodeRole::Master);
        (raised(&standby, "m2", NodeRole::Client), standby)
    }

    fn mission(kind: RunKind, written: bool, next: Next) -> Mission {
        let mandate = "m2".into();
        Mission { kind, mandate, written, awaits_approval: false, aborting: false, next, rescued: None }
    }

    fn booted(record: &Record) -> Record {
        Record { opened: None, ..record.clone() }
    }

    #[test]
    fn after_a_boot_nothing_is_started_or_given_away_before_the_gate_has_opened() {
        let (active, _) = active();
        let takes = mission(RunKind::Activation, true, Next::Serve);
        let gives = Mission { mandate: "m3".into(), ..mission(RunKind::Deactivation, false, Next::Mandate) };
        for run in [takes, gives] {
            assert!(run.must_wait(&booted(&active), BOOT) && run.waits_at_gate(&booted(&active), BOOT), "{run:?}");
            assert!(!run.must_wait(&active, BOOT) && !run.waits_at_gate(&active, BOOT), "{run:?}");
        }
        let given = Mission { mandate: "m2".into(), ..mission(RunKind::Deactivation, false, Next::Mandate) };
        assert!(!given.must_wait(&booted(&active), BOOT), "what is on disk already needs nothing more");
    }

    #[test]
    fn whoever_is_taking_the_service_asks_no_gate_until_it_has_the_mandate() {
        let taking = mission(RunKind::Takeover, false, Next::Other);
        assert!(!taking.lets_the_gate_ask());
        assert!(Mission { written: true, ..taking.clone() }.lets_the_gate_ask());
        assert!(Mission { awaits_approval: true, ..taking.clone() }.lets_the_gate_ask(), "nothing has begun");
        assert!(Mission { kind: RunKind::Deactivation, ..taking }.lets_the_gate_ask());
    }

    #[test]
    fn a_run_loses_its_ground_once_somebody_else_holds_what_it_stands_on() {
        let (active, standby) = active();
        let back = raised(&active, "m3", NodeRole::Master);
        let lost = |run: &Mission, record: &Record| run.ground_is_lost(record, BOOT, None);
        let taking = mission(RunKind::Activation, false, Next::Other);
        assert_eq!(lost(&taking, &standby), None, "it has nothing to lose yet");
        let taken = mission(RunKind::Activation, true, Next::Serve);
        assert_eq!((lost(&taken, &active), lost(&taken, &back)), (None, Some(3)));
        let giving = Mission { mandate: "m3".into(), ..mission(RunKind::Deactivation, false, Next::Mandate) };
        assert_eq!((lost(&giving, &active), lost(&giving, &back)), (None, None), "its own one");
        let other = Mission { mandate: "m9".into(), ..giving };
        assert_eq!(lost(&other, &back), Some(3));
        assert_eq!(lost(&Mission { written: true, ..other }, &back), None, "it has given");
        let sent = Mission { mandate: "m3".into(), ..mission(RunKind::Failback, true, Next::Other) };
        assert_eq!((lost(&sent, &back), lost(&sent, &active)), (None, Some(2)), "taken again");
        assert_eq!(lost(&mission(RunKind::Undo, false, Next::Other), &active), Some(2));
        let drill = mission(RunKind::Drill, false, Next::Other);
        assert_eq!((lost(&drill, &standby), lost(&drill, &active)), (None, Some(2)));
        assert_eq!(
            drill.ground_is_lost(&standby, BOOT, Some("m9")),
            Some(1),
            "another run began, whatever comes of it"
        );
    }

    #[test]
    fn a_run_is_over_once_a_later_one_or_a_rescue_has_taken_the_service_past_it() {
        let (active, _) = active();
        let waits = mission(RunKind::Activation, true, Next::Serve);
        assert_eq!(waits.ground_is_lost(&active, BOOT, Some("m9")), None, "not written");
        assert_eq!(waits.ground_is_lost(&active, BOOT, Some("m1")), Some(2));
        let rescued = Record { rescued: Some("r".into()), ..active.clone() };
        assert_eq!(waits.ground_is_lost(&rescued, BOOT, None), Some(2));
        let after = Mission { rescued: Some("r".into()), ..waits };
        assert_eq!(after.ground_is_lost(&rescued, BOOT, None), None, "it was begun after that");
        let asked = Mission { awaits_approval: true, ..mission(RunKind::Takeover, false, Next::Other) };
        assert_eq!(asked.ground_is_lost(&active, BOOT, None), Some(2), "there is nothing to take any more");
        let held = Record { opened: None, ..active };
        assert_eq!(asked.ground_is_lost(&held, BOOT, None), None);
        let unverified = Opened { boot: BOOT.into(), at: Timestamp::UNIX_EPOCH, how: Opening::Unverified };
        let open = Record { opened: Some(unverified), ..held };
        assert_eq!(asked.ground_is_lost(&open, BOOT, None), Some(2));
    }
}
