//! What the Master wrote last, of each dataset: measured while it does not serve, told to both panels, and kept aside by
//! whatever replaces it. It is compared with what the DR says to have, so it is not known before the two have talked.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use contract::NodeRole;
use contract::last_written::LastWritten;

use super::Home;
use crate::mandate::file::Seat;
use crate::node::Node;

/// How long a measurement is good for. Nobody serves here, so nothing should be written: whoever does all the same is seen
/// within this.
const GOOD_FOR: Duration = Duration::from_secs(300);

/// One dataset as it was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Measured {
    /// The mandate that named the other side, and what that side had then.
    against: (String, Option<String>),
    at: Instant,
    verdict: Option<LastWritten>,
}

impl Home {
    /// What is known of each dataset.
    pub(crate) fn last_written(&self) -> BTreeMap<String, LastWritten> {
        self.written(|all| all.iter().filter_map(|(name, one)| Some((name.clone(), one.verdict?))).collect())
    }

    fn written<T>(&self, change: impl FnOnce(&mut BTreeMap<String, Measured>) -> T) -> T {
        change(&mut self.written.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Node {
    /// What the Master wrote last, of each dataset: measured here, or as the Master has said.
    pub(crate) fn last_written(&self) -> BTreeMap<String, LastWritten> {
        match self.info.role {
            NodeRole::Master => self.home.last_written(),
            NodeRole::Client if self.book.look(|record| record.is_holder()) => {
                let said = Seat::ALL.into_iter().filter_map(|seat| self.link.last_standing(seat));
                said.map(|told| told.last_written).find(|written| !written.is_empty()).unwrap_or_default()
            }
            NodeRole::Client => BTreeMap::new(),
        }
    }

    /// Measures what was not measured yet, or too long ago. Dropped before its end, it has measured what it came to.
    pub(super) async fn measure_what_was_written(self: &Arc<Self>) {
        let Some((mandate, both)) = self.serves_elsewhere().filter(|_| self.services_are_down()) else {
            return self.home.written(BTreeMap::clear);
        };
        let Some(told) = self.link.last_standing(Seat::First) else { return };
        let feeds = self.feeds.all();
        self.home.written(|all| all.retain(|name, _| feeds.iter().any(|feed| feed.dataset.name == *name)));
        for feed in feeds {
            let name = feed.dataset.name.clone();
            let against = (mandate.clone(), told.contents.get(&name).cloned());
            let known = |all: &mut BTreeMap<String, Measured>| {
                all.get(&name).is_some_and(|one| one.against == against && one.at.elapsed() < GOOD_FOR)
            };
            if self.home.written(known) {
                continue;
            }
            let (live, _) = self.look_at_live(&feed).await;
            let verdict = live.map(|live| LastWritten::of(&live, against.1.as_deref(), both));
            self.home.written(|all| all.insert(name, Measured { against, at: Instant::now(), verdict }));
            self.poke();
        }
    }

    /// The mandate that names the other side, and whether this machine served beside it.
    fn serves_elsewhere(&self) -> Option<(String, bool)> {
        self.book.look(|record| {
            let head =
                record.mandate.as_ref().filter(|head| head.holder != record.site && record.receiving.is_none())?;
            let beside = |id: &String| *id == head.id || head.ancestors.contains(id);
            Some((head.id.clone(), record.rival.is_some() || record.overlapped.as_ref().is_some_and(beside)))
        })
    }
}
