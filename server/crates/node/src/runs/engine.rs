//! The engine: takes a run step by step to its end. Every event is on disk before its effect is claimed; whatever the
//! process dies in the middle of is looked at again after the restart.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use contract::audit::AuditOutcome;
use contract::run::RunState;
use contract::{Actor, Denied};
use serde_json::json;

use super::injector::{self, Moment};
use super::log::{Event, Next, Plan, State};
use super::own::own_remedy;
use super::procedure::Step;
use super::step::{Stop, try_again};
use super::{Run, store};
use crate::audit;
use crate::mandate::rules;
use crate::node::Node;
use crate::store::{Tx, db};

/// How often a postcondition is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How long to wait before the disk is tried again.
const DISK: Duration = Duration::from_secs(1);

impl Node {
    /// Takes a run to its end, or until the node stops. A run that is stuck waits for an operator.
    pub(super) async fn drive(self: Arc<Self>, run: Arc<Run>) {
        let mut book = self.book.watch();
        loop {
            book.mark_unchanged();
            let moved = match self.ground_is_lost(&run) {
                Some(epoch) => self.log_run(&run, vec![Event::Superseded { epoch }]).await,
                None => match run.look(State::next) {
                    Next::Over => break,
                    Next::Finish => self.log_run(&run, vec![Event::Finished]).await,
                    Next::GiveUp => self.log_run(&run, vec![Event::Aborted]).await,
                    Next::Do(step) if !self.runs.is_behind(&run) && !self.must_wait(&run) => {
                        self.attempt(&run, &step).await
                    }
                    Next::Undo(step) => self.take_back(&run, &step).await,
                    Next::Do(_) | Next::Rest => {
                        tokio::select! {
                            () = self.stop.cancelled() => return,
                            () = run.wake.notified() => {}
                            _ = book.changed() => {}
                        }
                        Ok(())
                    }
                },
            };
            if let Err(error) = moved {
                tracing::error!(?error, "a run cannot be written down; it is tried again");
                tokio::time::sleep(DISK).await;
            }
            if self.stop.is_cancelled() {
                return;
            }
        }
        self.let_the_one_behind_go_on();
        self.mandate_changed();
        self.verdict_is_stale();
    }

    /// One attempt at a step.
    async fn attempt(self: &Arc<Self>, run: &Arc<Run>, step: &Step) -> Result<(), Denied> {
        let (id, plan) = (step.to_string(), run.plan());
        self.log_run(run, vec![Event::Began { step: step.clone() }]).await?;
        injector::kill(&id, Moment::Before);
        let at_work = run.works();
        let outcome = tokio::select! {
            // What speaks against it comes first: then not a hand is moved.
            biased;
            // Somebody else holds the mandate now: nothing may start any more.
            () = self.ground_lost(run) => return Ok(()),
            () = self.runs.gets_behind(run) => return Ok(()),
            () = self.gate_closes_on(run) => return Ok(()),
            () = self.stop.cancelled() => return Ok(()),
            outcome = tokio::time::timeout(step.limit(&plan), self.carry_out(run, &plan, step)) => outcome,
        };
        drop(at_work);
        let step = step.clone();
        let outcome = outcome.unwrap_or_else(|_| Err(too_long(&step, &plan)));
        let is_done = outcome.is_ok();
        let events = match outcome {
            Ok(output) => self.told_by(&plan, &step).into_iter().chain([Event::Done { step, output }]).collect(),
            Err(Stop { output, remedy }) => vec![Event::Failed { step, output, remedy }],
        };
        self.log_run(run, events).await?;
        if is_done {
            injector::kill(&id, Moment::AfterEvent);
        }
        Ok(())
    }

    /// Does a step unless it is done, and returns when that was observed.
    async fn carry_out(self: &Arc<Self>, run: &Arc<Run>, plan: &Plan, step: &Step) -> Result<String, Stop> {
        let id = step.to_string();
        injector::fail(&id)?;
        let said = self.do_until_seen(run, plan, step).await?;
        injector::fail_after(&id)?;
        injector::kill(&id, Moment::AfterDo);
        Ok(said)
    }

    async fn do_until_seen(self: &Arc<Self>, run: &Arc<Run>, plan: &Plan, step: &Step) -> Result<String, Stop> {
        let twice = injector::twice();
        if !twice && let Some(seen) = self.observe_step(run, plan, step).await? {
            return Ok(seen);
        }
        let mut said = self.do_step(run, plan, step).await?;
        if twice {
            said = self.do_step(run, plan, step).await?;
        }
        if step.is_its_own_proof(plan) {
            return Ok(said);
        }
        loop {
            if let Some(seen) = self.observe_step(run, plan, step).await? {
                return Ok(if seen.is_empty() { said } else { seen });
            }
            if run.giving_up.load(Ordering::SeqCst) {
                return Err(Stop::new("given up", try_again()));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn take_back(&self, run: &Run, step: &Step) -> Result<(), Denied> {
        let (id, plan) = (format!("undo:{step}"), run.plan());
        injector::kill(&id, Moment::Before);
        let undo = async {
            injector::fail(&id)?;
            self.undo_step(run, &plan, step).await?;
            if injector::twice() {
                self.undo_step(run, &plan, step).await?;
            }
            injector::fail_after(&id)?;
            injector::kill(&id, Moment::AfterDo);
            Ok(())
        };
        let undone = tokio::select! {
            undone = tokio::time::timeout(step.limit(&plan), undo) => undone,
            () = self.stop.cancelled() => return Ok(()),
        };
        let step = step.clone();
        let undone = undone.unwrap_or_else(|_| Err(too_long(&step, &plan)));
        let is_undone = undone.is_ok();
        let event = match undone {
            Ok(()) => Event::Undone { step, output: String::new() },
            Err(Stop { output, remedy }) => Event::NotUndone { step, output, remedy },
        };
        self.log_run(run, vec![event]).await?;
        if is_undone {
            injector::kill(&id, Moment::AfterEvent);
        }
        Ok(())
    }

    /// Whether the next step must wait for the return gate.
    fn must_wait(&self, run: &Run) -> bool {
        let (mission, boot) = (run.look(State::mission), self.book.boot());
        self.book.look(|record| mission.must_wait(record, &boot))
    }

    /// Whether this machine may serve in this boot.
    pub(super) fn may_serve(&self) -> bool {
        let boot = self.book.boot();
        self.book.look(|record| rules::may_serve(record, &boot))
    }

    /// The epoch of the mandate under which a run has lost its sense.
    pub(super) fn ground_is_lost(&self, run: &Run) -> Option<u64> {
        let mission = run.look(|state| (!state.state.is_over()).then(|| state.mission()))?;
        let later = self.runs.last().filter(|later| !std::ptr::eq(Arc::as_ptr(later), run));
        let later = later.map(|later| later.look(|state| state.plan.mandate.clone()));
        let boot = self.book.boot();
        self.book.look(|record| mission.ground_is_lost(record, &boot, later.as_deref()))
    }

    /// Returns once the right is lost by which the step at hand is taken.
    async fn gate_closes_on(&self, run: &Run) {
        let mut book = self.book.watch();
        while !self.must_wait(run) {
            if book.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    async fn ground_lost(&self, run: &Run) {
        let mut book = self.book.watch();
        while self.ground_is_lost(run).is_none() && !run.look(|state| state.state.is_over()) {
            if book.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Writes events down, each with its audit row, all or none of them.
    pub(super) async fn log_run(&self, run: &Run, events: Vec<Event>) -> Result<(), Denied> {
        let _writing = run.writing.lock().await;
        let mut tx = self.store.begin().await?;
        let state = self.log_run_in(&mut tx, run, &events).await?;
        tx.commit().await.map_err(db("commit a step"))?;
        run.settle(state);
        self.poke();
        Ok(())
    }

    /// The same in somebody's transaction: what the run has come to once that is committed. The caller holds `writing`.
    pub(super) async fn log_run_in(&self, tx: &mut Tx, run: &Run, events: &[Event]) -> Result<State, Denied> {
        let mut state = run.look(Clone::clone);
        let (at, epoch, system) = (self.clock.now(), self.mandate_info().map(|info| info.epoch), Actor::system());
        for event in events {
            let seq = state.events;
            state.apply(at, event).map_err(|illegal| Denied::failed("go on with a run", illegal))?;
            store::append(tx, &state.plan.id, seq, at, event).await?;
            for row in rows(&system, &state, event) {
                audit::append(tx, at, audit::Event { epoch, ..row }).await?;
            }
        }
        Ok(state)
    }
}

/// What the audit log says of an event: each outcome of a step, and how the run ended.
fn rows<'a>(system: &'a Actor, state: &State, event: &Event) -> Vec<audit::Event<'a>> {
    let row = |action, subject: String, outcome| {
        let run = Some(state.plan.id.clone());
        audit::Event { outcome, run, ..audit::Event::done(system, action, Some(subject)) }
    };
    let whole = |action, outcome| {
        let report = state.report();
        let after = report.rto_seconds.map(|seconds| json!({ "rto_seconds": seconds }));
        audit::Event { reason: Some(report.reason), after, ..row(action, report.kind.as_str().to_owned(), outcome) }
    };
    let stuck = (state.state == RunState::Stuck).then(|| whole("run.stuck", AuditOutcome::Failed));
    match event {
        Event::Done { step, .. } => vec![row("run.step", step.to_string(), AuditOutcome::Done)],
        Event::Undone { step, .. } => vec![row("run.undo", step.to_string(), AuditOutcome::Done)],
        Event::Failed { step, .. } => {
            [row("run.step", step.to_string(), AuditOutcome::Failed)].into_iter().chain(stuck).collect()
        }
        Event::NotUndone { step, .. } => {
            [row("run.undo", step.to_string(), AuditOutcome::Failed)].into_iter().chain(stuck).collect()
        }
        Event::Finished => vec![whole("run.done", AuditOutcome::Done)],
        Event::Aborted => vec![whole("run.aborted", AuditOutcome::Done)],
        Event::Superseded { .. } => vec![whole("run.aborted", AuditOutcome::Failed)],
        Event::Lapsed => vec![row("run.lapsed", state.plan.id.clone(), AuditOutcome::Failed)],
        // The operator's own command has its own row; the rest is part of a step.
        _ => Vec::new(),
    }
}

fn too_long(step: &Step, plan: &Plan) -> Stop {
    let seconds = step.limit(plan).as_secs();
    let remedy = if step.is_own() { own_remedy(step) } else { try_again() };
    Stop::new(format!("not seen done within {seconds} seconds"), remedy)
}
