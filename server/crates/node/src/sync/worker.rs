//! One worker for each dataset pulls when the Master says that something changed, when time has passed, or when it failed
//! before. It refuses to let a dataset that changes all the time fill the disk or take the machine, and leaves to the
//! quiet that follows what can wait for it.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use contract::dataset::{DatasetKind, Group};
use tokio::time::Instant;

use crate::node::Node;
use crate::sync::line::{Line, hear};
use crate::sync::pull::{Manner, passes};
use crate::sync::replica::Copy;
use crate::sync::tidy::{GRACE, Tidying};

/// What a missed notification costs at most.
pub(super) const SCAN_EVERY: Duration = Duration::from_secs(30);
/// Longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What superseded generations may hold of the free disk: one part in so many.
const GRACE_SHARE: u64 = 20;
/// Longest wait before a dataset that changes all the time is pulled again.
const LONGEST_REST: Duration = Duration::from_secs(10);
/// Wait after a pull that found nothing new; the next one that finds nothing is followed by twice as long a wait.
const IN_VAIN: Duration = Duration::from_millis(10);
/// Longest such wait.
const LONGEST_IN_VAIN: Duration = Duration::from_millis(100);
/// Pause before the Master is dialled again where nothing speaks against it.
const AGAIN: Duration = Duration::from_secs(1);
/// Silence after which the connection on which the Master would say something is given up: it says something sooner.
const SILENT: Duration = Duration::from_secs(90);

fn after(pause: Duration) -> Instant {
    Instant::now() + pause
}

impl Node {
    pub(super) async fn work(self: Arc<Self>, copy: Arc<Copy>) {
        let (mut failures, mut in_vain) = (0_u32, 0_u32);
        if let Err(error) = self.open_engine(&copy).await {
            copy.change(|standing| standing.error = Some(error));
        }
        copy.wake.notify_one();
        let mut due = after(SCAN_EVERY);
        let mut line: Option<Line> = None;
        let mut tidying = Tidying::default();
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
                () = tidying.quiet() => {
                    tidying.go_on(&self, &copy).await;
                    continue;
                }
            };
            // What is heard comes under what was allowed when it was asked for, and is looked at again before it is taken.
            if heard.is_none() && !self.may_pull(&copy).await {
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
            tidying.after_pull(&self, &copy, pulled.as_ref().map(|_| ())).await;
            due = match pulled {
                Ok((done, stream)) => {
                    failures = 0;
                    in_vain = if done.changed { 0 } else { in_vain.saturating_add(1) };
                    let rest = match in_vain {
                        0 => self.rest(&copy, &done, began.elapsed()).await,
                        times => (IN_VAIN * (1 << times.min(8)) / 2).min(LONGEST_IN_VAIN),
                    };
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

    /// Makes ready for the next pull, and tells how long to wait before it, however often the dataset changes: at most
    /// half of the time is spent pulling, and what readers may still hold of superseded generations stays within a share
    /// of the free disk and a number of trees.
    async fn rest(&self, copy: &Copy, done: &replication::Pulled, took: Duration) -> Duration {
        let now = self.clock.now();
        let keep = self.retention().await.map_or(1, |policy| policy.newest as usize);
        let known = self.with_engine(copy, move |replica| {
            let prepared = replica.prepare(&replication::Unwatched);
            (prepared, replica.free_bytes(), replica.rest(now, GRACE, keep))
        });
        let Some((prepared, free, paced)) = known.await else { return LONGEST_REST };
        if let Err(error) = prepared {
            tracing::warn!(dataset = copy.dataset.name, %error, "the replica could not be made ready for the next change");
        }
        // A database is a file of its own in each generation, and so is what changed of a tree.
        let cost = if copy.dataset.kind == DatasetKind::Sqlite { done.commit.bytes } else { done.new_bytes };
        let share = (free / GRACE_SHARE).max(1);
        let held = GRACE.as_millis().saturating_mul(u128::from(cost)) / u128::from(share);
        let held = Duration::from_millis(u64::try_from(held).unwrap_or(u64::MAX));
        took.max(held).max(paced).min(LONGEST_REST)
    }

    pub(super) async fn may_pull(&self, copy: &Copy) -> bool {
        let on = match self.switches().await {
            Ok(switches) => match copy.dataset.kind.group() {
                Group::Database => switches.database.is_on(),
                Group::Files => switches.files.is_on(),
            },
            Err(_) => false,
        };
        on && self.may_receive()
            && self.link.source_is_reachable()
            && self.source_machine().await.is_ok_and(|machine| machine.pair.is_some())
    }
}
