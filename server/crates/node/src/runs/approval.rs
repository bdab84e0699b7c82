//! The second person: a run waits for them before it does anything, and whatever they answer counts for that run alone.
//! While it waits it has not begun: data goes on coming in, the services are kept, the gate goes on asking. Whoever cannot
//! wait goes on alone, with a reason and an alarm to everybody.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use contract::alarm::AlarmKind;
use contract::approval::Person;
use contract::command::Secret;
use contract::run::RunKind;
use contract::{Denied, FieldError, Lang, Outcome, Problem, Rule, Text, Timestamp};
use serde_json::json;

use super::Run;
use super::log::{Asked, Event, Plan, State};
use super::procedure::Step;
use super::step::{Seen, Stop, try_again};
use crate::approval::person;
use crate::audit;
use crate::door::Act;
use crate::node::Node;
use crate::store::Tx;

/// How often a run that waits is looked at.
const LOOK: Duration = Duration::from_millis(200);

impl Node {
    /// What the house wants of a run that is about to begin.
    pub(super) async fn approval_of(
        &self,
        kind: RunKind,
        act: &Act<'_>,
        bypass: Option<&str>,
    ) -> Result<Option<Asked>, Denied> {
        let bypass = bypass.map(str::trim);
        if bypass == Some("") {
            return Err(Denied::field("break_glass", Problem::Required));
        }
        let policy = self.approval_policy().await?;
        let asked =
            || Asked { by: person(act.actor), wait_seconds: policy.wait_seconds, bypass: bypass.map(str::to_owned) };
        Ok(policy.asks_for(kind).then(asked))
    }

    /// Another person approves of the run that waits.
    pub(crate) async fn run_approve(
        self: &Arc<Self>,
        act: Act<'_>,
        id: &str,
        password: Option<&Secret>,
    ) -> Result<Outcome, Denied> {
        self.confirm_answer(&act, None, password).await?;
        let run = self.awaiting(id)?;
        let by = person(act.actor);
        if let Some(asked) = run.plan().approval.filter(|asked| !by.is_another_than(&asked.by)) {
            return Err(Denied::rule(Rule::ApprovalSamePerson, by.told(), asked.by.told()));
        }
        let approved = json!({ "by": by });
        self.answer_run(&run, act, Event::Approved { by }, approved).await
    }

    /// Somebody does not approve: the run is given up.
    pub(crate) async fn run_decline(self: &Arc<Self>, act: Act<'_>, id: &str, reason: &str) -> Result<Outcome, Denied> {
        let reason = reason.trim().to_owned();
        if reason.is_empty() {
            return Err(Denied::field("reason", Problem::Required));
        }
        let run = self.awaiting(id)?;
        let by = person(act.actor);
        let declined = json!({ "by": by });
        self.answer_run(&run, act, Event::Declined { by, reason }, declined).await
    }

    /// Goes on without the other person.
    pub(crate) async fn run_bypass(
        self: &Arc<Self>,
        act: Act<'_>,
        id: &str,
        reason: &str,
        password: Option<&Secret>,
    ) -> Result<Outcome, Denied> {
        self.confirm_answer(&act, Some(reason), password).await?;
        let run = self.awaiting(id)?;
        let (by, reason) = (person(act.actor), reason.trim().to_owned());
        let bypassed = json!({ "by": by });
        self.answer_run(&run, act, Event::Bypassed { by, reason }, bypassed).await
    }

    async fn confirm_answer(
        &self,
        act: &Act<'_>,
        reason: Option<&str>,
        password: Option<&Secret>,
    ) -> Result<(), Denied> {
        let mut errors = Vec::new();
        if reason.is_some_and(|reason| reason.trim().is_empty()) {
            errors.push(FieldError::new("reason", Problem::Required));
        }
        if let Err(problem) = self.confirm_password(act.actor, password).await? {
            errors.push(FieldError::new("password", problem));
        }
        if errors.is_empty() { Ok(()) } else { Err(Denied::Invalid(errors)) }
    }

    /// The run of that id, while it waits.
    fn awaiting(&self, id: &str) -> Result<Arc<Run>, Denied> {
        let waits = |run: &Arc<Run>| run.look(|state| state.plan.id == id.trim() && state.awaits_approval());
        self.runs.current().filter(waits).ok_or_else(|| Denied::rule(Rule::ApprovalVoid, id.trim(), ""))
    }

    /// Writes an answer down with its audit row and, where it is none, with the alarm. Of two answers, and of an answer
    /// and the end of the wait, the first one counts.
    async fn answer_run(
        &self,
        run: &Run,
        act: Act<'_>,
        event: Event,
        said: serde_json::Value,
    ) -> Result<Outcome, Denied> {
        let _writing = run.writing.lock().await;
        if !run.look(State::awaits_approval) {
            return Err(Denied::rule(Rule::ApprovalVoid, run.plan().id, ""));
        }
        let mut tx = self.store.begin().await?;
        let state = self.log_run_in(&mut tx, run, std::slice::from_ref(&event)).await?;
        if let Event::Bypassed { by, reason } = &event {
            self.tell_of_bypass(&mut tx, &state.plan, by, reason).await?;
        }
        let id = state.plan.id.clone();
        act.done_in(&id, tx, Some(said)).await?;
        if matches!(event, Event::Declined { .. }) {
            run.giving_up.store(true, Ordering::SeqCst);
        }
        run.settle(state);
        run.wake.notify_one();
        self.outbox.wake();
        self.poke();
        Ok(Outcome::Run { id })
    }

    /// The alarm and the audit row of a run that goes on alone from its press.
    pub(super) async fn tell_of_bypass_at_press(&self, tx: &mut Tx, plan: &Plan, act: &Act<'_>) -> Result<(), Denied> {
        let Some(Asked { by, bypass: Some(reason), .. }) = &plan.approval else { return Ok(()) };
        let epoch = self.mandate_info().map(|info| info.epoch);
        let row = audit::Event {
            run: Some(plan.id.clone()),
            reason: Some(reason.clone()),
            epoch,
            ..audit::Event::done(act.actor, "run.bypass", Some(plan.id.clone()))
        };
        audit::append(tx, self.clock.now(), row).await?;
        self.tell_of_bypass(tx, plan, by, reason).await
    }

    async fn tell_of_bypass(&self, tx: &mut Tx, plan: &Plan, by: &Person, reason: &str) -> Result<(), Denied> {
        let told = |lang: Lang| format!("{}, {}: {reason}", plan.kind.label(lang), by.told());
        let detail = Text::new(told(Lang::It), told(Lang::En));
        self.raise_in(tx, AlarmKind::ApprovalBypassed, &plan.id, &detail).await.map(drop)
    }

    pub(super) fn approval_is_given(&self, run: &Run) -> Seen {
        run.look(State::approval_seen)
    }

    /// Waits for the answer. When the time is over the run gives itself up: by the clock of the machine, which goes on
    /// over a restart, or by the time that this process has waited, whichever comes first.
    pub(super) async fn await_approval(&self, run: &Run, plan: &Plan) -> Result<(), Stop> {
        let Some(asked) = &plan.approval else { return Ok(()) };
        let began = Instant::now();
        loop {
            if self.approval_is_given(run).is_some() {
                return Ok(());
            }
            if run.giving_up.load(Ordering::SeqCst) || run.look(State::is_aborting) {
                return Err(Stop::new("given up", try_again()));
            }
            let over = |now: Timestamp| run.look(|state| state.has_waited_long_enough(now));
            if over(self.clock.now()) || began.elapsed() >= asked.wait() {
                // An answer that came at the same moment has the log, and this is refused.
                match self.log_run(run, vec![Event::Lapsed]).await {
                    Ok(()) => {
                        let told = format!("nobody answered within {} seconds", asked.wait_seconds);
                        return Err(Stop::new(told, try_again()));
                    }
                    Err(error) => tracing::debug!(?error, "the end of a wait could not be written down"),
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Puts the wait for the other person before everything else, where one is wanted.
pub(super) fn with_approval(mut steps: Vec<Step>, wanted: bool) -> Vec<Step> {
    if wanted {
        steps.insert(0, Step::Approval);
    }
    steps
}
