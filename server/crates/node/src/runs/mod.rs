//! Runs: the long operations behind the button, as append-only logs that replay. One is open at a time.
//!
//! [`log`] says what may follow what, [`procedure`] which steps there are, [`engine`] takes one after the other and writes
//! down what came of it. A step is done when its postcondition was observed; what cannot be observed is stuck and says
//! what to do. After a crash the log is replayed and the step at hand is looked at again.

mod approval;
mod at_gate;
mod at_home;
mod commands;
mod drill;
mod dry_run;
mod engine;
mod evidence;
mod failback;
mod giving;
mod guards;
pub(crate) mod injector;
mod left_over;
mod log;
mod older_point;
mod own;
mod procedure;
mod retiring;
mod serving;
mod step;
mod store;
mod taking;
mod telephony;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract::approval::Waiting;
use contract::run::{RunBrief, RunEntry, RunKind, RunReport, RunsReport};
use contract::telephony::Expected;
use contract::{Denied, SCHEMA, Timestamp};
use tokio::sync::{Notify, watch};

use crate::node::Node;
use evidence::Testimony;
use failback::Travel;
use left_over::LeftOver;
use log::{Plan, State};
use procedure::Step;
pub(crate) use taking::damage;

/// How often is looked whether something has come to pass that tells nobody.
const LOOK: Duration = Duration::from_millis(200);

/// The last run, which is the one that is not over if there is one.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    last: watch::Sender<Option<Arc<Run>>>,
    /// One that was waiting for the other side when a later run began to take the service past it: where that is given
    /// up, it goes on.
    behind: Mutex<Option<Arc<Run>>>,
    /// Own steps that an activation has left behind, as they were found last.
    left_over: Mutex<Option<LeftOver>>,
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
    /// A step is being done at this moment.
    at_work: AtomicBool,
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

    /// The run that is not over and does more than to try.
    pub(crate) fn in_earnest(&self) -> Option<RunBrief> {
        self.open().filter(|run| run.kind != RunKind::Drill)
    }

    /// The run that is at its work: open, and not waiting for a second person before it begins. One that only tidies up or
    /// tries, or has handed the service over, is in the way of nothing.
    pub(crate) fn at_work(&self) -> Option<RunBrief> {
        let works = |state: &State| !state.awaits_approval() && !state.stands_aside() && !state.has_handed_over();
        self.current().filter(|run| run.look(works)).map(|run| run.look(State::brief))
    }

    /// Whether a run at its work stops the services, and has not been given up: then they are started again.
    pub(crate) fn stops_services(&self) -> bool {
        let stops = |kind| matches!(kind, RunKind::Deactivation | RunKind::Failback | RunKind::Suspension);
        let run = self.current().filter(|run| !run.look(State::awaits_approval));
        run.is_some_and(|run| run.look(|state| stops(state.plan.kind) && !state.is_aborting()))
    }

    /// Whether a suspension is given up at this moment.
    pub(crate) fn takes_suspension_back(&self) -> bool {
        let given_up = |state: &State| state.plan.kind == RunKind::Suspension && state.is_aborting();
        self.current().is_some_and(|run| run.look(given_up))
    }

    /// The run that waits for a second person.
    pub(crate) fn waiting(&self) -> Option<Waiting> {
        self.current()?.look(State::waiting)
    }

    /// Whether the return gate may ask: no run is at work, or one that has the mandate waits for it since the machine booted.
    pub(crate) fn lets_the_gate_ask(&self) -> bool {
        self.current().is_none_or(|run| run.look(State::mission).lets_the_gate_ask())
    }

    /// The run that takes the service or gives it back, and stands in the way of every other one. One that has given it is
    /// not: what is left is to see the Master serve, and to undo the customer's own steps.
    pub(crate) fn in_the_way(&self) -> Option<RunBrief> {
        let moves = |state: &State| !state.has_given() && !state.stands_aside();
        self.current().filter(|run| run.look(moves)).map(|run| run.look(State::brief))
    }

    /// The same, once it has begun its work.
    pub(crate) fn moving_service(&self) -> Option<RunBrief> {
        self.in_the_way().filter(|_| self.at_work().is_some())
    }

    /// Whether a run starts or stops the services of this machine itself at this moment.
    pub(crate) fn has_the_services(&self) -> bool {
        self.current().is_some_and(|run| !run.look(State::leaves_services_to_the_keeper))
    }

    fn behind(&self) -> Option<Arc<Run>> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put_behind(&self, run: Option<Arc<Run>>) {
        if run.is_some() {
            *self.behind.lock().unwrap_or_else(PoisonError::into_inner) = run;
        }
    }

    fn is_behind(&self, run: &Arc<Run>) -> bool {
        self.last().is_some_and(|last| !Arc::ptr_eq(&last, run))
    }

    /// Returns once another run is before this one.
    async fn gets_behind(&self, run: &Arc<Run>) {
        let mut last = self.last.subscribe();
        let other = |last: &Option<Arc<Run>>| last.as_ref().is_some_and(|last| !Arc::ptr_eq(last, run));
        let nobody_tells = last.wait_for(other).await.is_err();
        if nobody_tells {
            std::future::pending::<()>().await;
        }
    }

    /// The run before it has ended without taking anything: it goes on. One that is over itself is only forgotten.
    fn bring_forward(&self) {
        if self.current().is_some() {
            return;
        }
        let behind = self.behind.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(run) = behind.filter(|run| !run.look(|state| state.state.is_over())) {
            self.set(Some(Arc::clone(&run)));
            run.wake.notify_one();
        }
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
        self.last.borrow().clone()
    }

    fn set(&self, run: Option<Arc<Run>>) -> Option<Arc<Run>> {
        self.last.send_replace(run)
    }
}

impl Run {
    fn new(state: State, testimony: Testimony) -> Self {
        Self {
            state: Mutex::new(state),
            writing: tokio::sync::Mutex::default(),
            wake: Notify::new(),
            giving_up: AtomicBool::new(false),
            at_work: AtomicBool::new(false),
            testimony: Mutex::new(testimony),
            travel: Mutex::default(),
        }
    }

    /// Says that a step is being done, until dropped.
    fn works(&self) -> AtWork<'_> {
        self.at_work.store(true, Ordering::SeqCst);
        AtWork(self)
    }

    fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns once an operator gives it up.
    async fn gives_up(&self) {
        while !self.giving_up.load(Ordering::SeqCst) {
            tokio::time::sleep(LOOK).await;
        }
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

struct AtWork<'a>(&'a Run);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.at_work.store(false, Ordering::SeqCst);
    }
}

impl Node {
    /// Reads the last run, and goes on with it if it is not over. What an operator vouched for before is void.
    pub(crate) async fn take_up_run(self: &Arc<Self>) {
        match self.last_runs().await {
            Ok((last, behind)) => {
                let known = |state| Arc::new(Run::new(state, Testimony::after_restart()));
                let (last, behind) = (last.map(known), behind.map(known));
                self.runs.set(last.clone());
                self.runs.put_behind(behind.clone());
                self.let_the_one_behind_go_on();
                let open = last.into_iter().chain(behind).filter(|run| !run.look(|state| state.state.is_over()));
                open.for_each(|run| drop(self.tasks_running.spawn(Arc::clone(self).go_on(run))));
            }
            // The button must work all the same.
            Err(error) => tracing::error!(?error, "the log of the last run cannot be read: it is left as it is"),
        }
    }

    /// The last run, and the one before it that is not over.
    async fn last_runs(&self) -> Result<(Option<State>, Option<State>), Denied> {
        let mut runs = store::load_all(self.store.pool()).await?.into_iter();
        let last = runs.next();
        Ok((last, runs.find(|state| !state.state.is_over())))
    }

    /// A run that stood behind another one goes on once that is over, unless that one has taken the service past it.
    fn let_the_one_behind_go_on(&self) {
        if self.runs.behind().is_none_or(|behind| self.ground_is_lost(&behind).is_none()) {
            self.runs.bring_forward();
        }
    }

    /// Whoever was replaced while it was down learns it before it goes on.
    async fn go_on(self: Arc<Self>, run: Arc<Run>) {
        // One that has lost its sense ends at once: nobody waits for it.
        if self.ground_is_lost(&run).is_none() {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.first_word() => {}
            }
        }
        self.drive(run).await;
    }

    pub(crate) async fn runs_report(&self) -> Result<RunsReport, Denied> {
        let runs = store::load_all(self.store.pool()).await?;
        let told = |state: &State| {
            let entry = state.entry();
            RunEntry { brief: self.as_told(entry.brief), ..entry }
        };
        Ok(RunsReport { schema: SCHEMA, runs: runs.iter().map(told).collect() })
    }

    pub(crate) async fn run_report(&self, id: Option<&str>) -> Result<Option<RunReport>, Denied> {
        let known = self.runs.last().filter(|run| id.is_none_or(|id| run.look(|state| state.plan.id == id)));
        let report = match (known, id) {
            (Some(run), _) => {
                let report = self.report_as_told(run.look(State::report));
                // On disk, although the step that wrote it may not have come to its end.
                let can_abort = report.can_abort && self.mandate_is_written(&run.plan()).is_none();
                Some(RunReport { can_abort, ..report })
            }
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
        Ok(self.runs.last().map(|run| self.as_told(run.look(State::brief))))
    }
}
