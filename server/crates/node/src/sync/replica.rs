//! The Client's half of the sync: one worker for each dataset pulls when the Master says that something changed, when
//! time has passed, or when it failed before; what it commits is what the target shows.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use contract::dataset::Dataset;
use contract::sync::SyncError;
use contract::{Denied, Timestamp};
use replication::{Commit, Limits, Manifest, PullOptions, Replica, RestorePoint};
use tokio::sync::{Notify, Semaphore};
use tokio_util::io::SyncIoBridge;
use tokio_util::sync::CancellationToken;

use crate::link::DialError;
use crate::link::message::{self, Capture, Pulse, Purpose, Reply};
use crate::node::Node;
use crate::store::db;
use crate::sync::meter::Meter;
use crate::sync::offer::cut_when;
use crate::sync::source::kind;
use crate::sync::{dataset, sync_error};

/// What a missed notification costs at most.
const SCAN_EVERY: Duration = Duration::from_secs(30);
/// Longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Generations kept to go back to.
const KEEP: usize = 5;
/// How long a reader that resolved the target may go on reading a superseded generation.
const GRACE: Duration = Duration::from_secs(60);
/// Bytes left free on the replica's disk.
const RESERVE: u64 = 64 << 20;

/// What is known of one replica at this moment.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    pub(crate) commit: Option<Commit>,
    pub(crate) points: Vec<RestorePoint>,
    /// Until when the replica is known to equal the Master, by the Master's clock.
    pub(crate) confirmed: Option<Timestamp>,
    pub(crate) error: Option<SyncError>,
    pub(crate) pulling: Option<Pulling>,
    /// What the Master left out of its last capture: path and reason.
    pub(crate) skipped: Vec<(String, String)>,
    /// The Master has something that the replica has not.
    wanted: bool,
}

/// A pull under way.
#[derive(Debug, Clone)]
pub(crate) struct Pulling {
    /// Counts the Client's own work; before it begins, what the Master said of its reading.
    pub(crate) meter: Arc<Meter>,
    pub(crate) reading: Option<(u64, u64)>,
}

/// One dataset on the Client.
#[derive(Debug)]
pub(crate) struct Copy {
    pub(crate) dataset: Dataset,
    store: PathBuf,
    engine: Arc<Mutex<Option<Replica>>>,
    /// Held by whoever pulls or verifies.
    pub(crate) busy: tokio::sync::Mutex<()>,
    standing: Mutex<Standing>,
    wake: Notify,
    stop: CancellationToken,
}

/// All datasets on the Client.
#[derive(Debug)]
pub(crate) struct Copies {
    all: Mutex<BTreeMap<String, Arc<Copy>>>,
    /// Large copies one after the other, and a place for a small one beside them.
    slots: Semaphore,
    /// The Master's clock as last told, and when that was on ours.
    clock: Mutex<Option<(Timestamp, Instant)>>,
}

impl Default for Copies {
    fn default() -> Self {
        Self { all: Mutex::default(), slots: Semaphore::new(2), clock: Mutex::default() }
    }
}

impl Copies {
    pub(crate) fn all(&self) -> Vec<Arc<Copy>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(crate) fn wake_all(&self) {
        self.all().iter().for_each(|copy| copy.wake.notify_one());
    }

    /// The Master's clock now, as far as can be known: what it said, and the time passed since on a clock nobody sets.
    pub(crate) fn masters_now(&self) -> Option<Timestamp> {
        let (told, at) = (*self.clock.lock().unwrap_or_else(PoisonError::into_inner))?;
        told.checked_add(at.elapsed()).ok()
    }
}

impl Copy {
    pub(crate) fn standing<T>(&self, look: impl FnOnce(&Standing) -> T) -> T {
        look(&self.standing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Standing) -> T) -> T {
        change(&mut self.standing.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How thoroughly to pull.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Manner {
    /// The Master reads and hashes everything again instead of trusting what it read before.
    pub(crate) rehash: bool,
    /// The Client re-reads what it has and heals what is damaged.
    pub(crate) heal: bool,
    /// What the Master has no more stays here when it was last written before this.
    pub(crate) keep_older: Option<Timestamp>,
}

/// What came of a pull: why it came to nothing, as shown.
pub(crate) type Pulled = Result<replication::Pulled, SyncError>;

impl Node {
    fn error(&self, code: &str, message: impl std::fmt::Display) -> SyncError {
        SyncError { code: code.to_owned(), message: message.to_string(), at: self.clock.now() }
    }

    /// Starts the workers of the datasets that were known before the last stop.
    pub(crate) async fn resume_replicas(self: &Arc<Self>) -> Result<(), Denied> {
        let known = self.datasets().await?;
        self.align(&known);
        Ok(())
    }

    /// Hears what the Master has: learns new declarations, wakes who must pull, and notes who is up to date.
    pub(crate) async fn replicas_hear(self: &Arc<Self>, pulse: Pulse) {
        let now = Instant::now();
        *self.copies.clock.lock().unwrap_or_else(PoisonError::into_inner) = Some((pulse.now, now));
        let declared: Vec<Dataset> = pulse.datasets.iter().map(|beat| beat.dataset.clone()).collect();
        match self.learn(&declared).await {
            Ok(true) => self.align(&declared),
            Ok(false) => {}
            Err(error) => tracing::error!(?error, "the Master's datasets could not be kept"),
        }
        for beat in &pulse.datasets {
            let copies = self.copies.all.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(copy) = copies.get(&beat.dataset.name).cloned() else { continue };
            drop(copies);
            let wake = copy.change(|standing| {
                let held = standing.commit.as_ref().map(|commit| commit.generation);
                let equal = !beat.dirty && held.is_some() && held == beat.generation;
                if equal && standing.pulling.is_none() {
                    standing.confirmed = Some(pulse.now);
                }
                standing.wanted = !equal;
                standing.skipped.clone_from(&beat.skipped);
                standing.wanted && standing.error.is_none() && standing.pulling.is_none()
            });
            if wake {
                copy.wake.notify_one();
            }
        }
    }

    /// Keeps the Master's list; true when it differs from the one that was kept.
    async fn learn(&self, declared: &[Dataset]) -> Result<bool, Denied> {
        if self.datasets().await? == declared {
            return Ok(false);
        }
        let mut tx = self.store.begin().await?;
        sqlx::query("DELETE FROM dataset").execute(&mut *tx).await.map_err(db("keep the Master's datasets"))?;
        for one in declared {
            // A Master of the pair is trusted with data, not with paths: the form's checks hold here too.
            let form = contract::dataset::DatasetForm {
                name: one.name.clone(),
                kind: one.kind.as_str().into(),
                class: one.class.as_str().into(),
                source: one.source.clone(),
                target: one.target.clone(),
                excludes: one.excludes.clone(),
            };
            match form.check() {
                Ok(checked) => dataset::insert(&mut tx, &checked).await?,
                Err(errors) => {
                    tracing::warn!(?errors, "the Master declares a dataset that cannot be one");
                    continue;
                }
            };
        }
        tx.commit().await.map_err(db("keep the Master's datasets"))?;
        Ok(true)
    }

    /// Brings the workers in line with what is declared. What is no longer declared loses its target; its data stays.
    fn align(self: &Arc<Self>, declared: &[Dataset]) {
        let mut copies = self.copies.all.lock().unwrap_or_else(PoisonError::into_inner);
        copies.retain(|name, copy| {
            let stays = declared.contains(&copy.dataset);
            if !stays {
                tracing::info!(dataset = name, "no longer declared as it was");
                copy.stop.cancel();
            }
            stays
        });
        for dataset in declared {
            if copies.contains_key(&dataset.name) {
                continue;
            }
            let copy = Arc::new(Copy {
                dataset: dataset.clone(),
                store: self.dir.replicas().join(format!("{}.{}", dataset.name, dataset.kind.as_str())),
                engine: Arc::default(),
                busy: tokio::sync::Mutex::default(),
                standing: Mutex::default(),
                wake: Notify::new(),
                stop: self.stop.child_token(),
            });
            copies.insert(dataset.name.clone(), Arc::clone(&copy));
            self.tasks_running.spawn(Arc::clone(self).work(copy));
        }
        drop(copies);
        self.poke();
    }

    async fn work(self: Arc<Self>, copy: Arc<Copy>) {
        let mut failures = 0_u32;
        copy.wake.notify_one();
        let mut pause = SCAN_EVERY;
        while !copy.stop.is_cancelled() {
            tokio::select! {
                () = copy.stop.cancelled() => break,
                () = copy.wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
            if !self.may_pull(&copy).await {
                pause = SCAN_EVERY;
                continue;
            }
            let began = Instant::now();
            let pulled = {
                let Ok(_slot) = self.copies.slots.acquire().await else { break };
                let _busy = copy.busy.lock().await;
                self.pull(&copy, Manner::default(), &copy.stop).await
            };
            match pulled {
                Ok(_) => {
                    failures = 0;
                    // A source that changes all the time is pulled at most half of the time.
                    let rest = began.elapsed().clamp(Duration::from_millis(100), Duration::from_secs(5));
                    tokio::select! { () = copy.stop.cancelled() => {} () = tokio::time::sleep(rest) => {} }
                    pause = SCAN_EVERY;
                }
                Err(_) => {
                    failures = failures.saturating_add(1);
                    pause = Duration::from_secs(1 << failures.min(5)).min(LONGEST_PAUSE);
                }
            }
        }
        let engine = Arc::clone(&copy.engine);
        let gone = !self.stop.is_cancelled();
        // Only a dataset that was taken back loses its target; a stop leaves everything as it is.
        let _ = tokio::task::spawn_blocking(move || {
            let mut engine = engine.lock().unwrap_or_else(PoisonError::into_inner);
            if gone
                && let Some(replica) = engine.take()
                && let Err(error) = replica.detach()
            {
                tracing::warn!(%error, "a target could not be taken away");
            }
        })
        .await;
    }

    async fn may_pull(&self, copy: &Copy) -> bool {
        let on = match self.switches().await {
            Ok(switches) => match copy.dataset.kind.group() {
                contract::dataset::Group::Database => switches.database.is_on(),
                contract::dataset::Group::Files => switches.files.is_on(),
            },
            Err(_) => false,
        };
        on && self.link.contact().reachable && self.peer().await.is_ok_and(|peer| peer.pair.is_some())
    }

    /// One pull, from the dial to the flip of the target. The caller holds `busy`.
    pub(crate) async fn pull(&self, copy: &Arc<Copy>, manner: Manner, stop: &CancellationToken) -> Pulled {
        let meter = Arc::new(Meter::new(stop.clone()));
        copy.change(|standing| standing.pulling = Some(Pulling { meter: Arc::clone(&meter), reading: None }));
        self.poke();
        let pulled = tokio::select! {
            pulled = self.pull_through(copy, manner, &meter, stop) => pulled,
            () = stop.cancelled() => Err(self.error("cancelled", "stopped")),
        };
        let seen = self.with_engine(copy, |replica| replica.restore_points().unwrap_or_default()).await;
        copy.change(|standing| {
            standing.pulling = None;
            if let Some(points) = seen {
                standing.points = points;
            }
            match &pulled {
                Ok(done) => {
                    standing.commit = Some(done.commit.clone());
                    standing.error = None;
                    standing.wanted = false;
                    standing.confirmed = standing.confirmed.max(Some(done.captured_at));
                }
                Err(error) if error.code == "cancelled" => {}
                Err(error) => {
                    tracing::warn!(dataset = copy.dataset.name, code = error.code, error.message, "the sync failed");
                    standing.error = Some(error.clone());
                }
            }
        });
        self.poke();
        pulled
    }

    async fn pull_through(
        &self,
        copy: &Arc<Copy>,
        manner: Manner,
        meter: &Arc<Meter>,
        stop: &CancellationToken,
    ) -> Pulled {
        self.open_engine(copy).await?;
        let purpose = Purpose::Pull { dataset: copy.dataset.name.clone(), rehash: manner.rehash };
        let stream = self.dial_data(copy, &purpose).await?;
        let _cut = cut_when(stop.clone(), stream.get_ref().0).map_err(|error| self.error("io", error))?;
        let (engine, seen, clock) = (Arc::clone(&copy.engine), Arc::clone(meter), Arc::clone(&self.clock));
        let mut bridge = SyncIoBridge::new(stream);
        let work = tokio::task::spawn_blocking(move || {
            let mut engine = engine.lock().unwrap_or_else(PoisonError::into_inner);
            let replica = engine.as_mut()?;
            let now = || clock.now();
            let options = PullOptions {
                heal: manner.heal,
                reserve_bytes: RESERVE,
                now: &now,
                limits: Limits::default(),
                keep_older: manner.keep_older,
            };
            let pulled = replica.pull(&mut bridge, &options, &*seen);
            if pulled.as_ref().is_ok_and(|pulled| pulled.changed)
                && let Err(error) = replica.prune(KEEP, now(), GRACE)
            {
                tracing::warn!(%error, "old generations could not be pruned");
            }
            Some(pulled)
        });
        match work.await {
            Ok(Some(pulled)) => pulled.map_err(|error| sync_error(&error, self.clock.now())),
            Ok(None) => Err(self.error("store_damaged", "the replica is not open")),
            Err(error) => Err(self.error("io", error)),
        }
    }

    /// Opens the replica's store and sets its target, once; a failure is tried again at the next pull.
    async fn open_engine(&self, copy: &Arc<Copy>) -> Result<(), SyncError> {
        let (engine, store, dataset) = (Arc::clone(&copy.engine), copy.store.clone(), copy.dataset.clone());
        let opened = tokio::task::spawn_blocking(move || {
            let mut engine = engine.lock().unwrap_or_else(PoisonError::into_inner);
            if engine.is_none() {
                let mut replica = Replica::open(store, kind(&dataset))?;
                replica.set_target(Some(Path::new(&dataset.target)))?;
                let commit = replica.committed().cloned();
                *engine = Some(replica);
                return Ok(commit);
            }
            Ok(engine.as_ref().and_then(|replica| replica.committed().cloned()))
        });
        let commit = opened
            .await
            .map_err(|error| self.error("io", error))?
            .map_err(|error: replication::Error| sync_error(&error, self.clock.now()))?;
        copy.change(|standing| {
            standing.confirmed = standing.confirmed.max(commit.as_ref().map(|commit| commit.captured_at));
            standing.commit = commit;
        });
        Ok(())
    }

    /// Dials for data and waits until the Master has read its source.
    async fn dial_data(
        &self,
        copy: &Copy,
        purpose: &Purpose,
    ) -> Result<tokio_rustls::client::TlsStream<tokio::net::TcpStream>, SyncError> {
        let lost = |error: &dyn std::fmt::Display| self.error("connection_lost", error);
        let peer = self.peer().await.map_err(|error| self.error("io", error.text(contract::Lang::En)))?;
        let (Some(address), Some(pair)) = (peer.address, peer.pair) else {
            return Err(self.error("connection_lost", "not associated"));
        };
        let dialled = self.dial(address, Some(&pair.fingerprint), purpose.clone()).await;
        let dialled = dialled.map_err(|error: DialError| lost(&error))?;
        if let Reply::Refused { refused, .. } = dialled.reply {
            let told = refused.iter().map(|r| r.finding(contract::Lang::En).to_string()).collect::<Vec<_>>();
            return Err(self.error("refused", told.join("; ")));
        }
        let mut stream = dialled.stream;
        loop {
            let next = tokio::time::timeout(Duration::from_secs(30), message::read::<Capture>(&mut stream));
            match next.await.map_err(|_| lost(&"the Master fell silent while reading its source"))? {
                Ok(Capture::Reading { files, bytes }) => {
                    copy.change(|standing| {
                        if let Some(pulling) = &mut standing.pulling {
                            pulling.reading = Some((files, bytes));
                        }
                    });
                }
                Ok(Capture::Ready { .. }) => return Ok(stream),
                Ok(Capture::Failed { code, message }) => return Err(self.error(&code, message)),
                Err(error) => return Err(lost(&error)),
            }
        }
    }

    /// The Master's list of one dataset's content, read and hashed anew.
    pub(crate) async fn fetch_manifest(&self, copy: &Copy) -> Result<Manifest, SyncError> {
        let stream = self.dial_data(copy, &Purpose::Manifest { dataset: copy.dataset.name.clone() }).await?;
        let mut bridge = SyncIoBridge::new(stream);
        let work = tokio::task::spawn_blocking(move || {
            replication::read_manifest(&mut bridge, Limits::default(), &replication::Unwatched)
        });
        let read = work.await.map_err(|error| self.error("io", error))?;
        read.map_err(|error| sync_error(&error, self.clock.now()))
    }

    /// Does something with the engine on a thread of its own; `None` while it is not open.
    pub(crate) async fn with_engine<T: Send + 'static>(
        &self,
        copy: &Copy,
        work: impl FnOnce(&mut Replica) -> T + Send + 'static,
    ) -> Option<T> {
        let engine = Arc::clone(&copy.engine);
        let done = tokio::task::spawn_blocking(move || {
            engine.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(work)
        });
        done.await.map_err(io::Error::other).ok().flatten()
    }
}
