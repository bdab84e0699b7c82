//! Runs: the long operations behind the button, as append-only logs that replay. One is open at a time.
//!
//! [`log`] says what may follow what, [`procedure`] which steps there are, [`engine`] takes one after the other and writes
//! down what came of it. A step is done when its postcondition was observed; what cannot be observed is stuck and says
//! what to do. After a crash the log is replayed and the step at hand is looked at again.

mod approval;
mod commands;
mod engine;
mod evidence;
mod failback;
mod giving;
mod guards;
pub(crate) mod injector;
mod log;
mod older_point;
mod own;
mod procedure;
mod serving;
mod step;
mod store;
mod taking;
mod telephony;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use contract::approval::Waiting;
use contract::run::{RunBrief, RunKind, RunReport, RunsReport};
use contract::telephony::Expected;
use contract::{Denied, SCHEMA, Timestamp};
use tokio::sync::Notify;

use crate::node::Node;
use evidence::Testimony;
use failback::Travel;
use log::{Plan, State};
use procedure::Step;

/// The last run, which is the one that is not over if there is one.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    last: Mutex<Option<Arc<Run>>>,
    /// Held by whoever begins one.
    pub(crate) beginning: tokio::sync::Mutex<()>,
}

/// One run as this process knows it.
#[derive(Debug)]
pub(crate) struct Run {
    state: Mutex<State>,
    /// Held by whoever appends to the log.
    writing: tokio::sync::Mutex<()>,
    /// An operator has spoken.
    wake: Notify,
    /// Set before it is written down that the run is given up: a mandate is not written any more from here on.
    giving_up: AtomicBool,
    testimony: Mutex<Testimony>,
    travel: Mutex<Travel>,
}

/// The run that has brought the service to this machine, or is about to.
#[derive(Debug, Clone)]
pub(crate) struct Bringing {
    pub(crate) id: String,
    /// When it was over; `None` while it goes on.
    pub(crate) ended_at: Option<Timestamp>,
    /// How many phones were expected at the press.
    pub(crate) expected: Option<Expected>,
}

impl Runs {
    /// The run that is not over: running or stuck.
    pub(crate) fn open(&self) -> Option<RunBrief> {
        self.current().map(|run| run.look(State::brief))
    }

    /// The run that is at its work: open, and not waiting for a second person before it begins.
    pub(crate) fn at_work(&self) -> Option<RunBrief> {
        self.current().filter(|run| !run.look(State::awaits_approval)).map(|run| run.look(State::brief))
    }

    /// The run that waits for a second person.
    pub(crate) fn waiting(&self) -> Option<Waiting> {
        self.current()?.look(State::waiting)
    }

    /// Whether the return gate may ask: no run is at work, or one that has the mandate waits for it since the machine booted.
    pub(crate) fn lets_the_gate_ask(&self) -> bool {
        let takes = |state: &State| matches!(state.plan.kind, RunKind::Activation | RunKind::Takeover);
        let waits = |state: &State| !takes(state) || state.is_done(&Step::Mandate) || state.awaits_approval();
        self.current().is_none_or(|run| run.look(waits))
    }

    /// The run that takes the service or gives it back, and stands in the way of every other one. A failback whose mandate
    /// is written has given it: what is left of it is to see the Master serve.
    pub(crate) fn in_the_way(&self) -> Option<RunBrief> {
        self.current().filter(|run| !run.look(State::has_given)).map(|run| run.look(State::brief))
    }

    /// The same, once it has begun its work.
    pub(crate) fn moving_service(&self) -> Option<RunBrief> {
        self.in_the_way().filter(|_| self.at_work().is_some())
    }

    /// The failback that has given the service, and waits for the Master.
    fn given(&self) -> Option<Arc<Run>> {
        self.current().filter(|run| run.look(State::has_given))
    }

    /// The failback that sends content home.
    pub(crate) fn sending(&self) -> Option<String> {
        let run = self.current()?;
        run.look(|state| {
            let begun = !state.awaits_approval() && !state.is_aborting();
            let sends = state.plan.kind == RunKind::Failback && begun && !state.is_done(&Step::Mandate);
            sends.then(|| state.plan.id.clone())
        })
    }

    fn current(&self) -> Option<Arc<Run>> {
        self.last().filter(|run| !run.look(|state| state.state.is_over()))
    }

    fn last(&self) -> Option<Arc<Run>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, run: Option<Arc<Run>>) -> Option<Arc<Run>> {
        std::mem::replace(&mut *self.last.lock().unwrap_or_else(PoisonError::into_inner), run)
    }
}

impl Run {
    fn new(state: State, testimony: Testimony) -> Self {
        Self {
            state: Mutex::new(state),
            writing: tokio::sync::Mutex::default(),
            wake: Notify::new(),
            giving_up: AtomicBool::new(false),
            testimony: Mutex::new(testimony),
            travel: Mutex::default(),
        }
    }

    fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Events are on disk: this is what they make of it.
    fn settle(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn plan(&self) -> Plan {
        self.look(|state| state.plan.clone())
    }

    fn travel<T>(&self, change: impl FnOnce(&mut Travel) -> T) -> T {
        change(&mut self.travel.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn testify<T>(&self, change: impl FnOnce(&mut Testimony) -> T) -> T {
        change(&mut self.testimony.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Node {
    /// Reads the last run, and goes on with it if it is not over. What an operator vouched for before is void.
    pub(crate) async fn take_up_run(self: &Arc<Self>) {
        match store::load(self.store.pool(), None).await {
            Ok(Some(state)) => {
                let run = Arc::new(Run::new(state, Testimony::after_restart()));
                self.runs.set(Some(Arc::clone(&run)));
                if self.runs.open().is_some() {
                    self.tasks_running.spawn(Arc::clone(self).go_on(run));
                }
            }
            Ok(None) => {}
            // The button must work all the same.
            Err(error) => tracing::error!(?error, "the log of the last run cannot be read: it is left as it is"),
        }
    }

    /// Whoever was replaced while it was down learns it before it goes on.
    async fn go_on(self: Arc<Self>, run: Arc<Run>) {
        tokio::select! {
            () = self.stop.cancelled() => return,
            () = self.first_word() => {}
        }
        self.drive(run).await;
    }

    pub(crate) async fn runs_report(&self) -> Result<RunsReport, Denied> {
        let runs = store::load_all(self.store.pool()).await?;
        Ok(RunsReport { schema: SCHEMA, runs: runs.iter().map(State::entry).collect() })
    }

    pub(crate) async fn run_report(&self, id: Option<&str>) -> Result<Option<RunReport>, Denied> {
        let known = self.runs.last().filter(|run| id.is_none_or(|id| run.look(|state| state.plan.id == id)));
        let report = match (known, id) {
            (Some(run), _) => Some(run.look(State::report)),
            (None, Some(_)) => store::load(self.store.pool(), id).await?.as_ref().map(State::report),
            (None, None) => None,
        };
        match report {
            Some(report) => Ok(Some(self.with_phones(report).await?)),
            None => Ok(None),
        }
    }

    /// The run that has brought the service here, from its first service on; `None` where the last run is another one.
    pub(crate) fn run_that_serves(&self) -> Option<Bringing> {
        let run = self.runs.last().filter(|run| run.look(State::brings_service))?;
        Some(run.look(|state| Bringing {
            id: state.plan.id.clone(),
            ended_at: state.ended_at(),
            expected: state.plan.expected,
        }))
    }

    /// The run in progress, or the last one.
    pub(crate) async fn run_brief(&self) -> Result<Option<RunBrief>, Denied> {
        Ok(self.runs.last().map(|run| run.look(State::brief)))
    }
}
