//! A run on one of the two, what its take stands on, and what the product's rules say of both.

use contract::NodeRole;
use contract::run::RunKind;
use node::mandate::evidence::{self, Ground, Since};
use node::mandate::mission::{Mission, Next};

use crate::mission::mission;
use crate::rule::Rule;
use crate::world::Side;

/// A run that is not over. Its log survives everything; its evidence survives nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Run {
    pub giving: bool,
    pub evidence: Option<Evidence>,
    /// It has asked the other machine to yield.
    pub asked: bool,
    /// The number of the mandate that it has written.
    pub written: Option<u8>,
}

/// What a take stands on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Evidence {
    pub ground: Ground,
    /// The mandate that was the newest known when it was found.
    pub head: Option<String>,
    /// What was heard of the other machine since.
    pub since: Since,
    /// In truth: an operator said that a machine is off which was on.
    pub wrong: bool,
}

impl Side {
    /// Its run, as the product's rules see it. After a boot nothing is left to be stopped.
    fn mission(&self, without: Option<Rule>) -> Option<Mission> {
        let run = self.run.as_ref()?;
        let kind = match (run.giving, self.record.site) {
            (true, _) => RunKind::Deactivation,
            (false, NodeRole::Client) => RunKind::Activation,
            (false, NodeRole::Master) => RunKind::Takeover,
        };
        let next = match run.written {
            Some(_) => Next::Serve,
            None if run.giving && !self.services && without != Some(Rule::OnlyTheRightGives) => Next::Mandate,
            None => Next::Other,
        };
        Some(mission(kind, run.written, next))
    }

    pub fn must_wait(&self, without: Option<Rule>) -> bool {
        self.mission(without).is_some_and(|mission| mission.must_wait(&self.record, &self.boot_id()))
    }

    pub fn lets_the_gate_ask(&self) -> bool {
        self.mission(None).is_none_or(|mission| mission.lets_the_gate_ask())
    }

    pub fn waits_at_gate(&self, without: Option<Rule>) -> bool {
        let waits = |mission: Mission| mission.waits_at_gate(&self.record, &self.boot_id());
        without != Some(Rule::WhoWaitsStandsAside) && self.mission(without).is_some_and(waits)
    }

    /// The run that moves the service at this moment.
    pub fn moves_service(&self, without: Option<Rule>) -> Option<RunKind> {
        self.mission(without).filter(|_| !self.waits_at_gate(without)).map(|mission| mission.kind)
    }

    pub fn ground_is_lost(&self) -> bool {
        let lost = |mission: Mission| mission.ground_is_lost(&self.record, &self.boot_id(), None);
        self.mission(None).and_then(lost).is_some()
    }

    /// Whether what its take stands on still is evidence.
    pub fn evidence_holds(&self, without: Option<Rule>) -> bool {
        let Some(found) = self.run.as_ref().and_then(|run| run.evidence.as_ref()) else { return false };
        let lasts = without == Some(Rule::YieldLastsWhileSaid);
        let since = Since {
            lived: found.since.lived && without != Some(Rule::WordIsVoidByLife),
            stands_down: found.since.stands_down || lasts,
        };
        // Whoever says otherwise may say so with a newer mandate: either would do.
        let head = if lasts { self.head() } else { found.head.as_deref() };
        evidence::holds(head, &self.record, [(Some(found.ground), since)])
    }

    /// The run has found something to stand on.
    pub fn finds(&mut self, ground: Ground, wrong: bool) {
        let head = self.head().map(str::to_owned);
        let told = ground == Ground::StoodDown;
        if let Some(run) = &mut self.run {
            run.evidence = Some(Evidence { ground, head, since: Since { lived: told, stands_down: told }, wrong });
        }
    }
}
