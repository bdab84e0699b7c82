//! One pull: from the dial to the flip of the target; what it commits is what the target shows.

use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use contract::sync::SyncError;
use contract::{Rule, Timestamp};
use replication::{Limits, PullOptions, Replica};
use tokio_util::io::SyncIoBridge;
use tokio_util::sync::CancellationToken;

use crate::link::message::Purpose;
use crate::node::Node;
use crate::sync::line::{DataStream, Heard, content};
use crate::sync::meter::Meter;
use crate::sync::noting::Noting;
use crate::sync::offer::cut_when;
use crate::sync::prune::promoted_from;
use crate::sync::replica::{Copy, Pulling};
use crate::sync::source::kind;
use crate::sync::sync_error;
use crate::sync::turn::LARGE;

/// Bytes left free on the replica's disk.
pub(crate) const RESERVE: u64 = 64 << 20;
/// Bytes left free beside a copy that is to serve: none. On that day it is what the disk is for, the preflight asks for no
/// more, and the node has room of its own put by.
pub(crate) const RESERVE_OF_SERVING: u64 = 0;

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

/// What was asked ahead is not what is lacking now, or nobody took what was answered: who was busy with something else
/// dials again.
const OVERTAKEN: &str = "overtaken";

/// Whether what came of it is only for the moment: the mandate is still on its way, services are still being stopped, or
/// another pull was faster.
pub(super) fn passes(error: &SyncError) -> bool {
    error.code == OVERTAKEN
        || [Rule::SyncMandate, Rule::SyncReceiverServing, Rule::SyncMemberPassive]
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

    /// One pull for itself, on a new connection, and tidied up after. The caller holds `busy`.
    pub(crate) async fn pull(&self, copy: &Arc<Copy>, manner: Manner, stop: &CancellationToken) -> Pulled {
        let pulled = self.pull_on(None, copy, manner, stop).await.map(|(done, _)| done);
        self.prune(copy, pulled.is_ok()).await;
        pulled
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
        let in_order = copy.change(|standing| {
            let in_order = standing.commit.is_some() && standing.error.is_none();
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
            in_order
        });
        self.poke();
        match &pulled {
            Ok((done, _)) if done.changed && in_order => self.lookout.content_moved(),
            Ok((done, _)) if done.changed => self.lookout.look_again(),
            _ => {}
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
        if !copy.is_open() {
            self.open_engine(copy).await?;
        }
        let mut given_up = None;
        let asked = heard.as_ref().and_then(|heard| heard.asked.clone());
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
        let is_asked = asked.is_some();
        let mut work = tokio::task::spawn_blocking(move || {
            let mut engine = engine.lock().unwrap_or_else(PoisonError::into_inner);
            let replica = engine.as_mut()?;
            if asked.is_some() && replica.request().ok() != asked {
                return None;
            }
            let now = || clock.now();
            let options = PullOptions {
                heal: manner.heal,
                reserve_bytes: RESERVE,
                now: &now,
                limits: Limits::default(),
                keep_older: manner.keep_older,
                // Only a forced sync of everything does all of this; a healing or a verification alone does not.
                forget_older: manner.rehash && manner.heal && manner.keep_older.is_none(),
                asked: asked.as_deref(),
            };
            let pulled = replica.pull(&mut bridge, &options, &seen);
            let points = replica.restore_points();
            Some(pulled.and_then(|pulled| Ok((pulled, points?, bridge.into_inner()))))
        });
        let ended = loop {
            tokio::select! {
                Some(finding) = findings.recv() => damage = self.note_finding(&copy.dataset.name, finding).await.or(damage),
                ended = &mut work => break ended,
            }
        };
        match ended {
            Ok(Some(Ok((done, points, stream)))) => {
                copy.change(|standing| standing.points = points);
                if let Some(damage) = damage {
                    self.healed(&copy.dataset.name, damage).await;
                }
                if given_up.is_some() {
                    self.consent_was_used(copy, done.commit.generation).await;
                }
                Ok((done, stream))
            }
            Ok(Some(Err(error))) if is_asked && error.kind() == replication::ErrorKind::ConnectionLost => {
                Err(self.error(OVERTAKEN, error.chain()))
            }
            Ok(Some(Err(error))) => Err(sync_error(&error, self.clock.now())),
            Ok(None) if is_asked => Err(self.error(OVERTAKEN, "another pull came between")),
            Ok(None) => Err(self.error("store_damaged", "the replica is not open")),
            Err(error) => Err(self.error("io", error)),
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
        let kept = self.pinned(&copy.dataset.name).await.unwrap_or_default();
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
