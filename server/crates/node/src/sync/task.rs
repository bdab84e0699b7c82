//! The forced sync and the verification ([`super::verify`]): one at a time, started by a person, watched on the page,
//! cancelled there, and read afterwards.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract::dataset::{DatasetClass, Group};
use contract::sync::{Progress, SyncError};
use contract::task::{LogLine, Scope, TaskKind, TaskReport, TaskState};
use contract::{Denied, Lang, Outcome, Rule, SCHEMA, Text};
use serde_json::json;
use tokio::sync::MutexGuard;
use tokio_util::sync::CancellationToken;

use crate::door::Act;
use crate::mandate::file::Seat;
use crate::node::Node;
use crate::random;
use crate::sync::pull::Manner;
use crate::sync::replica::Copy;

/// *Ultimi 2 mesi*: 61 days, by this machine's clock. A wrong clock keeps too much or too little of what the Master has
/// deleted; it loses nothing that the Master has.
const RECENT: Duration = Duration::from_secs(61 * 86_400);

/// The last task, running or ended, and the last of each kind. They outlive the process: see [`super::kept`].
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    last: Mutex<Option<TaskReport>>,
    ended: Mutex<BTreeMap<TaskKind, TaskReport>>,
    /// Ends the task that runs.
    cancel: Mutex<CancellationToken>,
}

impl Tasks {
    /// The task of that id, or the last one.
    pub(crate) fn report(&self, id: Option<&str>) -> Option<TaskReport> {
        let report = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        report.filter(|report| id.is_none_or(|id| id == report.id))
    }

    /// The last task of a kind, running or ended.
    pub(super) fn latest(&self, kind: TaskKind) -> Option<TaskReport> {
        let ended = || self.ended.lock().unwrap_or_else(PoisonError::into_inner).get(&kind).cloned();
        self.report(None).filter(|report| report.kind == kind).or_else(ended)
    }

    /// What the task that runs must look at.
    pub(super) fn token(&self) -> CancellationToken {
        self.cancel.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the task of that id; a later one goes on.
    fn stop(&self, id: &str) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_some_and(|task| task.id == id && task.state == TaskState::Running) {
            self.token().cancel();
        }
    }

    /// Takes a task over that has ended.
    pub(super) fn take_over(&self, report: TaskReport) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_none_or(|last| last.started_at <= report.started_at) {
            *last = Some(report.clone());
        }
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).insert(report.kind, report);
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut TaskReport)) {
        if let Some(report) = &mut *self.last.lock().unwrap_or_else(PoisonError::into_inner) {
            change(report);
        }
    }
}

/// The line of the console about an error: what it means first, the machine's words after it.
pub(super) fn failure_line(name: &str, error: &SyncError) -> Text {
    let line = |lang| format!("{name}: {} ({})", contract::sync::error_sentence(&error.code, lang), error.message);
    Text::new(line(Lang::It), line(Lang::En))
}

impl Node {
    pub(crate) async fn sync_full(
        self: &Arc<Self>,
        act: Act<'_>,
        scope: Scope,
        only: Option<Group>,
    ) -> Result<Outcome, Denied> {
        self.start_task(act, TaskKind::Full, scope, only, None).await
    }

    pub(crate) async fn sync_verify(
        self: &Arc<Self>,
        act: Act<'_>,
        only: Option<Group>,
        point: Option<&str>,
    ) -> Result<Outcome, Denied> {
        if let Some(point) = point {
            self.verifiable(point)?;
        }
        self.start_task(act, TaskKind::Verify, Scope::All, only, point).await
    }

    /// Ends the task that runs, as soon as it can be ended.
    pub(crate) async fn sync_cancel(&self, act: Act<'_>) -> Result<Outcome, Denied> {
        let Some(task) = self.tasks.report(None).filter(|task| task.state == TaskState::Running) else {
            return Err(Denied::rule(Rule::StateIllegal, &self.info.name, "no_task"));
        };
        let tx = self.store.begin().await?;
        let outcome = act.done(tx, None, Some(json!({ "task": task.id }))).await?;
        self.tasks.stop(&task.id);
        Ok(outcome)
    }

    async fn start_task(
        self: &Arc<Self>,
        act: Act<'_>,
        kind: TaskKind,
        scope: Scope,
        only: Option<Group>,
        point: Option<&str>,
    ) -> Result<Outcome, Denied> {
        if self.pair_id().await?.is_none() {
            return Err(Denied::rule(Rule::PairNotAssociated, &self.info.name, ""));
        }
        let report = TaskReport {
            schema: SCHEMA,
            id: random::id(),
            kind,
            scope,
            only,
            point: point.map(str::to_owned),
            state: TaskState::Running,
            started_by: act.actor.name.clone(),
            started_at: self.clock.now(),
            ended_at: None,
            progress: Progress::default(),
            log: Vec::new(),
            differences: Vec::new(),
            differences_total: 0,
        };
        let id = report.id.clone();
        let before = {
            let mut last = self.tasks.last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.as_ref().is_some_and(|task| task.state == TaskState::Running) {
                return Err(Denied::rule(Rule::RunInProgress, &self.info.name, kind.code()));
            }
            *self.tasks.cancel.lock().unwrap_or_else(PoisonError::into_inner) = self.stop.child_token();
            last.replace(report)
        };
        let started = async {
            // A run that begins at the same moment sees this task, or this task sees the run.
            if let Some(run) = self.runs.in_earnest() {
                return Err(Denied::rule(Rule::RunInProgress, &self.info.name, run.kind.as_str()));
            }
            let tx = self.store.begin().await?;
            act.done(tx, None, Some(json!({ "task": id, "scope": scope, "only": only, "point": point }))).await
        };
        if let Err(error) = started.await {
            *self.tasks.last.lock().unwrap_or_else(PoisonError::into_inner) = before;
            return Err(error);
        }
        self.keep_task().await;
        let (node, point) = (Arc::clone(self), point.map(str::to_owned));
        self.tasks_running.spawn(async move {
            let good = match (kind, point) {
                (TaskKind::Full, _) => node.run_full(scope, only).await,
                (TaskKind::Verify, None) => node.run_verify(only).await,
                (TaskKind::Verify, Some(point)) => node.run_verify_point(&point, only).await,
            };
            let now = node.clock.now();
            let line = match (good, kind) {
                (true, TaskKind::Full) => Text::new("Sincronizzazione completata", "Synchronisation completed"),
                (true, TaskKind::Verify) => {
                    Text::new("Verifica completata: nessuna differenza", "Verification completed: no difference")
                }
                (false, _) if node.tasks.token().is_cancelled() => Text::new(
                    "Interrotta da un operatore. Ciò che era arrivato resta valido.",
                    "Cancelled by an operator. What had arrived stays good.",
                ),
                (false, _) => Text::new("Terminato con problemi", "Ended with problems"),
            };
            node.tasks.change(|task| {
                task.log.push(LogLine { at: now, text: line });
                task.state = if good { TaskState::Done } else { TaskState::Failed };
                task.ended_at = Some(now);
            });
            if let Some(report) = node.tasks.report(None) {
                node.tasks.take_over(report);
            }
            node.keep_task().await;
            node.poke();
        });
        Ok(Outcome::Task { id })
    }

    pub(super) fn say(&self, it: impl Into<String>, en: impl Into<String>) {
        let line = LogLine { at: self.clock.now(), text: Text::new(it, en) };
        self.tasks.change(|task| task.log.push(line));
        self.poke();
    }

    /// Databases first, as the vendor does.
    pub(super) fn affected(&self, only: Option<Group>) -> Vec<Arc<Copy>> {
        let mut copies = self.copies.all();
        copies.retain(|copy| only.is_none_or(|group| group == copy.dataset.kind.group()));
        copies.sort_by_key(|copy| (copy.dataset.kind.group(), copy.dataset.name.clone()));
        copies
    }

    pub(super) fn check_versions(&self) -> bool {
        let contact = self.link.contact(self.link.source().unwrap_or(Seat::First));
        let ours = &self.info.version;
        match contact.who.filter(|_| contact.reachable) {
            None => {
                self.say("Controllo versione… il Master non risponde", "Checking version… the Master does not answer");
                false
            }
            Some(who) if self.incompatible(&who).is_some() => {
                let theirs = who.version;
                self.say(
                    format!("Controllo versione… diverse: {ours} qui, {theirs} sul Master"),
                    format!("Checking version… they differ: {ours} here, {theirs} on the Master"),
                );
                false
            }
            Some(_) => {
                self.say(
                    format!("Controllo versione… fatto: entrambe {ours}"),
                    format!("Checking version… done: both are {ours}"),
                );
                true
            }
        }
    }

    /// The replica for this task alone, when the copy under way has ended; `None` when the task is cancelled before.
    pub(super) async fn alone<'c>(&self, copy: &'c Copy) -> Option<MutexGuard<'c, ()>> {
        if let Ok(busy) = copy.busy.try_lock() {
            return Some(busy);
        }
        let name = &copy.dataset.name;
        self.say(
            format!("{name}: attende la fine della copia in corso…"),
            format!("{name}: waits for the copy under way to end…"),
        );
        let stop = self.tasks.token();
        tokio::select! {
            biased;
            () = stop.cancelled() => None,
            busy = copy.busy.lock() => Some(busy),
        }
    }

    async fn run_full(self: &Arc<Self>, scope: Scope, only: Option<Group>) -> bool {
        if !self.check_versions() {
            return false;
        }
        self.say(
            "Arresto servizi… non serve: la replica si aggiorna senza fermare nulla",
            "Stopping services… not needed: the replica is brought up to date without stopping anything",
        );
        let mut good = true;
        for copy in self.affected(only) {
            let name = &copy.dataset.name;
            let stop = self.tasks.token();
            if stop.is_cancelled() {
                return false;
            }
            let Some(_busy) = self.alone(&copy).await else { return false };
            // History is not read again from the beginning of time: what changed of it travels all the same.
            let deep = scope == Scope::All || copy.dataset.class == DatasetClass::Configuration;
            if deep {
                self.say(
                    format!("{name}: lettura completa sul Master…"),
                    format!("{name}: reading everything on the Master…"),
                );
            } else {
                self.say(
                    format!("{name}: storico, solo ciò che è cambiato…"),
                    format!("{name}: history, only what has changed…"),
                );
            }
            let keep_older = if deep { None } else { self.clock.now().checked_sub(RECENT).ok() };
            let manner = Manner { rehash: deep, heal: deep, keep_older, forced: true, most: None };
            let watched = self.follow_pull(&copy);
            let pulled = tokio::select! {
                pulled = self.pull(&copy, manner, &stop) => pulled,
                never = watched => match never {},
            };
            match pulled {
                Ok(done) => {
                    let (generation, bytes) = (done.commit.generation, done.received_bytes);
                    self.say(
                        format!("{name}: scaricamento… fatto: ricevuti {bytes} byte"),
                        format!("{name}: downloading… done: {bytes} bytes received"),
                    );
                    self.say(
                        format!("{name}: generazione {generation} completa e visibile"),
                        format!("{name}: generation {generation} complete and visible"),
                    );
                }
                Err(error) => {
                    good = false;
                    self.tasks.change(|task| task.log.push(LogLine { at: error.at, text: failure_line(name, &error) }));
                }
            }
        }
        if good {
            self.say("Pulizia… fatto", "Cleaning up… done");
            self.say(
                "Avvio servizi… non serve: nessuno è stato fermato",
                "Starting services… not needed: none was stopped",
            );
        }
        good
    }

    /// Copies the progress of a pull into the task, for as long as it is polled.
    async fn follow_pull(&self, copy: &Copy) -> std::convert::Infallible {
        let mut ticks = tokio::time::interval(Duration::from_millis(250));
        loop {
            ticks.tick().await;
            if let Some(pulling) = copy.standing(|standing| standing.pulling.clone()) {
                let reading = pulling.reading.map(|(files, bytes)| Progress {
                    files_done: files,
                    bytes_done: bytes,
                    ..Progress::default()
                });
                if let Some(progress) = pulling.meter.shown().or(reading) {
                    self.tasks.change(|task| task.progress = progress);
                    self.poke();
                }
            }
        }
    }
}
