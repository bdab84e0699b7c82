//! The forced sync and the verification: one at a time, started by a person, watched on the page and read afterwards.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract::dataset::{DatasetClass, Group};
use contract::sync::{Progress, SyncError};
use contract::task::{DifferenceInfo, LogLine, MAX_DIFFERENCES, Scope, TaskKind, TaskReport, TaskState};
use contract::{Denied, Lang, Outcome, Rule, SCHEMA, Text};
use replication::{Difference, Replica};
use serde_json::json;

use crate::door::Act;
use crate::node::Node;
use crate::random;
use crate::sync::meter::Meter;
use crate::sync::pull::Manner;
use crate::sync::replica::Copy;
use crate::sync::sync_error;

/// *Ultimi 2 mesi*: 61 days, by this machine's clock. A wrong clock keeps too much or too little of what the Master has
/// deleted; it loses nothing that the Master has.
const RECENT: Duration = Duration::from_secs(61 * 86_400);

/// The last task, running or ended, and the last of each kind. They outlive the process: see [`super::kept`].
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    last: Mutex<Option<TaskReport>>,
    ended: Mutex<BTreeMap<TaskKind, TaskReport>>,
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

    /// Takes a task over that has ended.
    pub(super) fn take_over(&self, report: TaskReport) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_none_or(|last| last.started_at <= report.started_at) {
            *last = Some(report.clone());
        }
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).insert(report.kind, report);
    }

    fn change(&self, change: impl FnOnce(&mut TaskReport)) {
        if let Some(report) = &mut *self.last.lock().unwrap_or_else(PoisonError::into_inner) {
            change(report);
        }
    }
}

/// The line of the console about an error: what it means first, the machine's words after it.
fn failure_line(name: &str, error: &SyncError) -> Text {
    let line = |lang| format!("{name}: {} ({})", contract::sync::error_sentence(&error.code, lang), error.message);
    Text::new(line(Lang::It), line(Lang::En))
}

/// In which way something differs: the engine's word, and both values where it has them.
pub(super) fn word(difference: &Difference) -> String {
    let kind = serde_json::to_value(difference.what).ok().and_then(|word| word.as_str().map(str::to_owned));
    let kind = kind.unwrap_or_default();
    if difference.detail.is_empty() { kind } else { format!("{kind} ({})", difference.detail) }
}

impl Node {
    pub(crate) async fn sync_full(
        self: &Arc<Self>,
        act: Act<'_>,
        scope: Scope,
        only: Option<Group>,
    ) -> Result<Outcome, Denied> {
        self.start_task(act, TaskKind::Full, scope, only).await
    }

    pub(crate) async fn sync_verify(self: &Arc<Self>, act: Act<'_>, only: Option<Group>) -> Result<Outcome, Denied> {
        self.start_task(act, TaskKind::Verify, Scope::All, only).await
    }

    async fn start_task(
        self: &Arc<Self>,
        act: Act<'_>,
        kind: TaskKind,
        scope: Scope,
        only: Option<Group>,
    ) -> Result<Outcome, Denied> {
        if self.peer().await?.pair.is_none() {
            return Err(Denied::rule(Rule::PairNotAssociated, &self.info.name, ""));
        }
        let report = TaskReport {
            schema: SCHEMA,
            id: random::id(),
            kind,
            scope,
            only,
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
            last.replace(report)
        };
        let started = async {
            // A run that begins at the same moment sees this task, or this task sees the run.
            if let Some(run) = self.runs.open() {
                return Err(Denied::rule(Rule::RunInProgress, &self.info.name, run.kind.as_str()));
            }
            let tx = self.store.begin().await?;
            act.done(tx, None, Some(json!({ "task": id, "scope": scope, "only": only }))).await
        };
        if let Err(error) = started.await {
            *self.tasks.last.lock().unwrap_or_else(PoisonError::into_inner) = before;
            return Err(error);
        }
        self.keep_task().await;
        let node = Arc::clone(self);
        self.tasks_running.spawn(async move {
            let good = match kind {
                TaskKind::Full => node.run_full(scope, only).await,
                TaskKind::Verify => node.run_verify(only).await,
            };
            let now = node.clock.now();
            let line = match (good, kind) {
                (true, TaskKind::Full) => Text::new("Sincronizzazione completata", "Synchronisation completed"),
                (true, TaskKind::Verify) => {
                    Text::new("Verifica completata: nessuna differenza", "Verification completed: no difference")
                }
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

    fn say(&self, it: impl Into<String>, en: impl Into<String>) {
        let line = LogLine { at: self.clock.now(), text: Text::new(it, en) };
        self.tasks.change(|task| task.log.push(line));
        self.poke();
    }

    /// Databases first, as the vendor does.
    fn affected(&self, only: Option<Group>) -> Vec<Arc<Copy>> {
        let mut copies = self.copies.all();
        copies.retain(|copy| only.is_none_or(|group| group == copy.dataset.kind.group()));
        copies.sort_by_key(|copy| (copy.dataset.kind.group(), copy.dataset.name.clone()));
        copies
    }

    fn check_versions(&self) -> bool {
        let contact = self.link.contact();
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

    async fn run_full(self: &Arc<Self>, scope: Scope, only: Option<Group>) -> bool {
        if !self.check_versions() {
            return false;
        }
        let mut good = true;
        for copy in self.affected(only) {
            let name = &copy.dataset.name;
            let stop = self.stop.child_token();
            let _busy = copy.busy.lock().await;
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
            let manner = Manner { rehash: deep, heal: deep, keep_older, forced: true };
            let damage = self.unhealed(name).await.ok().flatten();
            let watched = self.follow_pull(&copy);
            let pulled = tokio::select! {
                pulled = self.pull(&copy, manner, &stop) => pulled,
                never = watched => match never {},
            };
            match pulled {
                Ok(done) => {
                    if let Some(damage) = damage.filter(|_| deep) {
                        self.healed(name, damage).await;
                    }
                    let (generation, bytes) = (done.commit.generation, done.received_bytes);
                    self.say(
                        format!("{name}: generazione {generation} completa, ricevuti {bytes} byte"),
                        format!("{name}: generation {generation} complete, {bytes} bytes received"),
                    );
                }
                Err(error) => {
                    good = false;
                    self.tasks.change(|task| task.log.push(LogLine { at: error.at, text: failure_line(name, &error) }));
                }
            }
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

    async fn run_verify(self: &Arc<Self>, only: Option<Group>) -> bool {
        let mut good = self.check_versions();
        for copy in self.affected(only) {
            let name = copy.dataset.name.clone();
            self.say(format!("{name}: rilettura della replica…"), format!("{name}: re-reading the replica…"));
            let _busy = copy.busy.lock().await;
            match self.verify_one(&copy).await {
                Ok(found) if found.is_empty() => self.say(format!("{name}: uguale"), format!("{name}: equal")),
                Ok(found) => {
                    good = false;
                    let total = found.len();
                    self.say(format!("{name}: {total} differenze"), format!("{name}: {total} differences"));
                    self.tasks.change(|task| {
                        task.differences_total += total as u64;
                        let room = MAX_DIFFERENCES.saturating_sub(task.differences.len());
                        task.differences.extend(found.iter().take(room).map(|difference| DifferenceInfo {
                            dataset: name.clone(),
                            path: difference.path.clone(),
                            what: word(difference),
                        }));
                    });
                }
                Err(error) => {
                    good = false;
                    self.tasks
                        .change(|task| task.log.push(LogLine { at: error.at, text: failure_line(&name, &error) }));
                }
            }
        }
        good
    }

    /// What is wrong on the replica's disk, and what the Master has otherwise. While the switch is on, what the Master
    /// changed meanwhile is synced first: that is work to do, not a difference.
    async fn verify_one(self: &Arc<Self>, copy: &Arc<Copy>) -> Result<Vec<Difference>, SyncError> {
        let stop = self.stop.child_token();
        let meter = Arc::new(Meter::new(stop.clone()));
        let now = self.clock.now();
        let damage = {
            let seen = Arc::clone(&meter);
            let watched = async {
                let mut ticks = tokio::time::interval(Duration::from_millis(250));
                loop {
                    ticks.tick().await;
                    if let Some(progress) = meter.shown() {
                        self.tasks.change(|task| task.progress = progress);
                        self.poke();
                    }
                }
            };
            let verified = self.with_engine(copy, move |replica: &mut Replica| replica.verify(&*seen));
            tokio::select! { verified = verified => verified, () = watched => None }
        };
        let nothing =
            || SyncError { code: "unseeded".into(), message: "there is no complete generation yet".into(), at: now };
        let mut found = damage.ok_or_else(nothing)?.map_err(|error| sync_error(&error, now))?;
        if !found.is_empty()
            && let Err(error) = self.note_damage(&copy.dataset.name, &found).await
        {
            tracing::error!(?error, "a damage could not be noted");
        }
        let on = self.switches().await.is_ok_and(|switches| switches.of(copy.dataset.kind.group()).is_on());
        if on {
            self.pull(copy, Manner { rehash: true, forced: true, ..Manner::default() }, &stop).await?;
        } else {
            let manifest = self.fetch_manifest(copy).await?;
            let compared = self.with_engine(copy, move |replica: &mut Replica| replica.compare(&manifest, &*meter));
            found.extend(compared.await.ok_or_else(nothing)?.map_err(|error| sync_error(&error, now))?);
        }
        Ok(found)
    }
}
