//! Filling a replica: one worker for each dataset pulls when the Master says that something changed, when time has
//! passed, or when it failed before; what it commits is what the target shows.

use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use contract::dataset::DatasetKind;
use contract::sync::SyncError;
use contract::{Rule, Timestamp};
use replication::{Limits, PullOptions, Replica};
use tokio_util::io::SyncIoBridge;
use tokio_util::sync::CancellationToken;

use crate::link::message::Purpose;
use crate::node::Node;
use crate::sync::line::{DataStream, Heard, Line, content, hear};
use crate::sync::meter::Meter;
use crate::sync::noting::Noting;
use crate::sync::offer::cut_when;
use crate::sync::prune::promoted_from;
use crate::sync::replica::{Copy, Pulling};
use crate::sync::source::kind;
use crate::sync::sync_error;
use crate::sync::turn::LARGE;

/// What a missed notification costs at most.
pub(super) const SCAN_EVERY: Duration = Duration::from_secs(30);
/// Longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long a reader that resolved the target may go on reading a superseded generation.
pub(super) const GRACE: Duration = Duration::from_secs(60);
/// Bytes left free on the replica's disk.
pub(crate) const RESERVE: u64 = 64 << 20;
/// Bytes left free beside a copy that is to serve: none. On that day it is what the disk is for, the preflight asks for no
/// more, and the node has room of its own put by.
pub(crate) const RESERVE_OF_SERVING: u64 = 0;
/// What superseded generations may hold of the free disk: one part in so many.
const GRACE_SHARE: u64 = 20;
/// Longest wait before a dataset that changes all the time is pulled again.
const LONGEST_REST: Duration = Duration::from_secs(10);
/// Pause before the Master is dialled again where nothing speaks against it.
const AGAIN: Duration = Duration::from_secs(1);
/// Silence after which the connection on which the Master would say something is given up: it says something sooner.
const SILENT: Duration = Duration::from_secs(90);

/// How thoroughly to pull.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Manner {
    /// The Master reads and hashes everything again instead of trusting what it read before.
    pub(crate) rehash: bool,
    /// The Client re-reads what it has and heals what is damaged.
    pub(crate) heal: bool,
    /// What the Master has no more stays here when it was last written before this.
    pub(crate) keep_older: Option<Timestamp>,
    /// Started by a person, who may do so although the switch is off.
    pub(crate) forced: bool,
    /// The most bytes that it may fetch; with more it comes to its end with [`LARGE`].
    pub(super) most: Option<u64>,
}

/// Whether a refusal is only for the moment: the mandate is still on its way, or services are still being stopped.
fn passes(error: &SyncError) -> bool {
    [Rule::SyncMandate, Rule::SyncReceiverServing, Rule::SyncMemberPassive]
        .iter()
        .any(|rule| rule.as_str() == error.code)
}

/// What came of a pull: why it came to nothing, as shown.
pub(crate) type Pulled = Result<replication::Pulled, SyncError>;

impl Node {
    /// Why a pull came to nothing, as of now.
    pub(super) fn error(&self, code: &str, message: impl std::fmt::Display) -> SyncError {
        SyncError { code: code.to_owned(), message: message.to_string(), at: self.clock.now() }
    }

    pub(super) async fn work(self: Arc<Self>, copy: Arc<Copy>) {
        let mut failures = 0_u32;
        if let Err(error) = self.open_engine(&copy).await {
            copy.change(|standing| standing.error = Some(error));
        }
        copy.wake.notify_one();
        let after = |pause: Duration| tokio::time::Instant::now() + pause;
        let mut due = after(SCAN_EVERY);
        let mut line: Option<Line> = None;
        while !copy.stop.is_cancelled() {
            // Whatever ends what was allowed comes before anything that was offered under it.
            let heard = tokio::select! {
                biased;
                () = copy.stop.cancelled() => break,
                () = copy.cut.notified() => {
                    line = None;
                    due = after(AGAIN);
                    continue;
                }
                heard = hear(&mut line) => match heard {
                    Some(heard) => Some(heard),
                    // It restarts, or has other things to say: it is dialled again.
                    None => {
                        due = after(AGAIN);
                        continue;
                    }
                },
                () = copy.wake.notified() => None,
                () = tokio::time::sleep_until(due) => {
                    line = None;
                    None
                }
            };
            if !self.may_pull(&copy).await {
                line = None;
                due = after(SCAN_EVERY);
                continue;
            }
            if line.is_some() {
                // The Master says itself when there is something.
                continue;
            }
            let began = Instant::now();
            let pulled = self.pull_in_turn(heard, &copy, Manner::default()).await;
            due = match pulled {
                Ok((done, stream)) => {
                    failures = 0;
                    let rest = self.rest(&copy, &done, began.elapsed()).await;
                    self.prepare(&copy).await;
                    tokio::select! { () = copy.stop.cancelled() => {} () = tokio::time::sleep(rest) => {} }
                    line = Some(self.listen_on(&copy, stream).await);
                    after(SILENT)
                }
                Err(error) if error.code == "cancelled" => after(SCAN_EVERY),
                Err(error) if passes(&error) => after(AGAIN),
                Err(_) => {
                    failures = failures.saturating_add(1);
                    after(Duration::from_secs(1 << failures.min(5)).min(LONGEST_PAUSE))
                }
            };
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

    /// How long to wait before the same dataset is pulled again, however often it changes: at most half of the time is
    /// spent pulling, and what readers may still hold of superseded generations stays within a share of the free disk
    /// and a number of trees.
    async fn rest(&self, copy: &Copy, done: &replication::Pulled, took: Duration) -> Duration {
        if !done.changed {
            return took.clamp(Duration::from_millis(100), LONGEST_REST);
        }
        let now = self.clock.now();
        let known = self.with_engine(copy, move |replica| (replica.free_bytes(), replica.rest(now, GRACE))).await;
        let (free, paced) = known.unwrap_or_default();
        // A database is a file of its own in each generation; of a tree only what changed is.
        let cost = if copy.dataset.kind == DatasetKind::Sqlite { done.commit.bytes } else { done.received_bytes };
        let share = (free / GRACE_SHARE).max(1);
        let held = GRACE.as_millis().saturating_mul(u128::from(cost)) / u128::from(share);
        let held = Duration::from_millis(u64::try_from(held).unwrap_or(u64::MAX));
        took.max(held).max(paced).min(LONGEST_REST)
    }

    pub(super) async fn may_pull(&self, copy: &Copy) -> bool {
        let on = match self.switches().await {
            Ok(switches) => match copy.dataset.kind.group() {
                contract::dataset::Group::Database => switches.database.is_on(),
                contract::dataset::Group::Files => switches.files.is_on(),
            },
            Err(_) => false,
        };
        on && self.may_receive()
            && self.link.source_is_reachable()
            && self.source_machine().await.is_ok_and(|machine| machine.pair.is_some())
    }

    /// One pull, from the dial to the flip of the target. The caller holds `busy`.
    pub(crate) async fn pull(&self, copy: &Arc<Copy>, manner: Manner, stop: &CancellationToken) -> Pulled {
        self.pull_on(None, copy, manner, stop).await.map(|(done, _)| done)
    }

    /// One pull, on a connection on which the Master has begun to offer something, or on a new one. The caller holds
    /// `busy`.
    pub(super) async fn pull_on(
        &self,
        heard: Option<Heard>,
        copy: &Arc<Copy>,
        manner: Manner,
        stop: &CancellationToken,
    ) -> Result<(replication::Pulled, DataStream), SyncError> {
        // Its own token: STOP, the end of the association and a Master that fell silent end this pull, not the worker.
        let stop = &stop.child_token();
        let _ended = stop.clone().drop_guard();
        let meter = Arc::new(Meter::up_to(manner.most, stop.clone()));
        let forced = manner.forced;
        let pulling = Pulling { meter: Arc::clone(&meter), reading: None, forced, cancel: stop.clone() };
        copy.change(|standing| standing.pulling = Some(pulling));
        // A run that opened, or a STOP that was pressed, cuts off what it sees; what it did not see yet, sees it: whoever
        // waited for its turn may have been allowed to pull when it began to wait, and not any more.
        if self.runs.at_work().is_some() || !(forced || self.may_pull(copy).await) {
            stop.cancel();
        }
        self.poke();
        let pulled = tokio::select! {
            biased;
            pulled = self.pull_through(heard, copy, manner, &meter, stop) => pulled,
            () = stop.cancelled() => Err(self.error("cancelled", "stopped")),
            () = meter.exceeded() => {
                stop.cancel();
                Err(self.error(LARGE, "it waits for its turn"))
            }
        };
        self.prune(copy, pulled.is_ok()).await;
        copy.change(|standing| {
            standing.pulling = None;
            match &pulled {
                Ok((done, _)) => {
                    standing.commit = Some(done.commit.clone());
                    standing.error = None;
                    standing.wanted = false;
                    standing.confirmed = Some(done.captured_at);
                }
                Err(error) if error.code == "cancelled" || error.code == LARGE || passes(error) => {}
                Err(error) => {
                    tracing::warn!(dataset = copy.dataset.name, code = error.code, error.message, "the sync failed");
                    standing.error = Some(error.clone());
                }
            }
        });
        self.poke();
        if pulled.as_ref().is_ok_and(|(done, _)| done.changed) {
            self.lookout.look_again();
        }
        pulled
    }

    async fn pull_through(
        &self,
        heard: Option<Heard>,
        copy: &Arc<Copy>,
        manner: Manner,
        meter: &Arc<Meter>,
        stop: &CancellationToken,
    ) -> Result<(replication::Pulled, DataStream), SyncError> {
        self.open_engine(copy).await?;
        let mut given_up = None;
        let stream = match heard {
            Some(heard) => self.until_ready(copy, heard).await?,
            None => {
                let here = copy.standing(|standing| standing.commit.clone());
                let asked = self.given_up(copy, here.as_ref()).await;
                given_up = asked.map_err(|error| self.error("io", error.text(contract::Lang::En)))?;
                let (dataset, content) = (copy.dataset.name.clone(), content(copy));
                let purpose = Purpose::Pull { dataset, rehash: manner.rehash, content, given_up };
                self.dial_data(copy, &purpose).await?
            }
        };
        let _cut = cut_when(stop.clone(), stream.get_ref().0).map_err(|error| self.error("io", error))?;
        let mut damage = if manner.heal { self.unhealed(&copy.dataset.name).await.ok().flatten() } else { None };
        let (seen, mut findings) = Noting::new(Arc::clone(meter));
        let (engine, clock) = (Arc::clone(&copy.engine), Arc::clone(&self.clock));
        let mut bridge = SyncIoBridge::new(stream);
        let mut work = tokio::task::spawn_blocking(move || {
            let mut engine = engine.lock().unwrap_or_else(PoisonError::into_inner);
            let replica = engine.as_mut()?;
            let now = || clock.now();
            let options = PullOptions {
                heal: manner.heal,
                reserve_bytes: RESERVE,
                now: &now,
                limits: Limits::default(),
                keep_older: manner.keep_older,
                // Only a forced sync of everything does all of this; a healing or a verification alone does not.
                forget_older: manner.rehash && manner.heal && manner.keep_older.is_none(),
            };
            let pulled = replica.pull(&mut bridge, &options, &seen);
            Some(pulled.map(|pulled| (pulled, bridge.into_inner())))
        });
        let ended = loop {
            tokio::select! {
                Some(finding) = findings.recv() => damage = self.note_finding(&copy.dataset.name, finding).await.or(damage),
                ended = &mut work => break ended,
            }
        };
        match ended {
            Ok(Some(Ok((done, stream)))) => {
                if let Some(damage) = damage {
                    self.healed(&copy.dataset.name, damage).await;
                }
                if given_up.is_some() {
                    self.consent_was_used(copy, done.commit.generation).await;
                }
                Ok((done, stream))
            }
            Ok(Some(Err(error))) => Err(sync_error(&error, self.clock.now())),
            Ok(None) => Err(self.error("store_damaged", "the replica is not open")),
            Err(error) => Err(self.error("io", error)),
        }
    }

    /// Makes the store ready for the next change, when the last one has been shown.
    async fn prepare(&self, copy: &Copy) {
        let meter = Meter::new(copy.stop.clone());
        let prepared = self.with_engine(copy, move |replica| replica.prepare(&meter)).await;
        if let Some(Err(error)) = prepared {
            tracing::warn!(dataset = copy.dataset.name, %error, "the replica could not be made ready for the next change");
        }
    }

    /// Opens the replica's store and sets its target, once; a failure is tried again at the next pull.
    pub(super) async fn open_engine(&self, copy: &Arc<Copy>) -> Result<(), SyncError> {
        let (engine, store, dataset) = (Arc::clone(&copy.engine), copy.store.clone(), copy.dataset.clone());
        let opened = tokio::task::spawn_blocking(move || {
            let mut engine = engine.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(replica) = &*engine {
                let points = replica.restore_points()?;
                return Ok((replica.committed().cloned(), points, replica.dr_points(), promoted_from(replica), Ok(())));
            }
            let mut replica = Replica::open(store, kind(&dataset))?;
            let (commit, points) = (replica.committed().cloned(), replica.restore_points()?);
            let (dr_points, pinned) = (replica.dr_points(), promoted_from(&replica));
            // What is here is told also when it cannot be shown at its target.
            let shown = replica.set_target(Some(Path::new(&dataset.target)));
            if shown.is_ok() {
                *engine = Some(replica);
            }
            Ok((commit, points, dr_points, pinned, shown))
        });
        let told = |error: replication::Error| sync_error(&error, self.clock.now());
        let (commit, points, dr_points, pinned, shown) =
            opened.await.map_err(|error| self.error("io", error))?.map_err(told)?;
        // What cannot be read is not shown as pinned, and kept all the same.
        let kept = self.pinned(&copy.dataset.name, self.clock.now()).await.unwrap_or_default();
        copy.change(|standing| {
            standing.confirmed = standing.confirmed.max(commit.as_ref().map(|commit| commit.captured_at));
            standing.commit = commit;
            standing.points = points;
            standing.dr_points = dr_points;
            standing.pinned = pinned.into_iter().chain(kept).collect();
        });
        shown.map_err(told)
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
