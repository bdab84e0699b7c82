//! Whose turn it is. Few trees are copied at the same time, so that one of them is complete early; what has little to fetch
//! goes past those that have much.

use std::sync::Arc;

use contract::dataset::Group;
use contract::sync::SyncError;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::node::Node;
use crate::sync::line::{DataStream, Heard};
use crate::sync::pull::Manner;
use crate::sync::replica::Copy;

/// Trees that are copied at the same time, however large they are.
const ANY: usize = 2;
/// And beside them those that have little to fetch.
const SMALL: usize = 4;
/// More bytes than this are much to fetch.
const MUCH: u64 = 16 << 20;
/// How a pull ends that found that it has much to fetch, and had a place among the small ones.
pub(super) const LARGE: &str = "large";

/// The places of those that are copied now.
#[derive(Debug)]
pub(super) struct Turns {
    any: Semaphore,
    small: Semaphore,
}

impl Default for Turns {
    fn default() -> Self {
        Self { any: Semaphore::new(ANY), small: Semaphore::new(SMALL) }
    }
}

impl Turns {
    /// A place, and the most bytes that may be fetched from it. Never closed: there always comes one.
    async fn next(&self) -> Option<(SemaphorePermit<'_>, Option<u64>)> {
        tokio::select! {
            biased;
            place = self.any.acquire() => Some((place.ok()?, None)),
            place = self.small.acquire() => Some((place.ok()?, Some(MUCH))),
        }
    }
}

impl Node {
    /// One pull, when its turn has come. Whoever waits holds nothing: a person who forces a sync goes before it.
    pub(super) async fn pull_in_turn(
        &self,
        heard: Option<Heard>,
        copy: &Arc<Copy>,
        manner: Manner,
    ) -> Result<(replication::Pulled, DataStream), SyncError> {
        let stopped = || self.error("cancelled", "stopped");
        // A database waits for no tree, however large that one is: it goes first on the line, too.
        if copy.dataset.kind.group() == Group::Database {
            let _busy = copy.busy.lock().await;
            return self.pull_on(heard, copy, manner, &copy.stop).await;
        }
        let turns = &self.copies.turns;
        {
            let next = copy.stop.run_until_cancelled(turns.next()).await.flatten();
            let (_place, most) = next.ok_or_else(stopped)?;
            let _busy = copy.busy.lock().await;
            match self.pull_on(heard, copy, Manner { most, ..manner }, &copy.stop).await {
                Err(error) if error.code == LARGE => {}
                done => return done,
            }
        }
        tracing::info!(dataset = copy.dataset.name, "there is much to fetch: it waits for another large copy to end");
        let place = copy.stop.run_until_cancelled(turns.any.acquire()).await.and_then(Result::ok);
        let _place = place.ok_or_else(stopped)?;
        let _busy = copy.busy.lock().await;
        self.pull_on(None, copy, manner, &copy.stop).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_has_little_to_fetch_finds_a_place_beside_the_large_ones() {
        let turns = Turns::default();
        let large = [turns.next().await.unwrap(), turns.next().await.unwrap()];
        assert!(large.iter().all(|(_, most)| most.is_none()), "nobody is in the way: no limit");
        let (small, most) = turns.next().await.unwrap();
        assert_eq!(most, Some(MUCH));
        drop((large, small));
        assert_eq!(turns.next().await.unwrap().1, None);
    }
}
