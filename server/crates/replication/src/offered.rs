//! What a source offered last, so that a replica which has it is sent what changed since. It refuses to grow: a replica
//! that is further behind is sent the whole list.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::manifest::{ContentId, Manifest};

/// Each costs the memory of a manifest. Two, because the one before may be what arrived when an answer was lost.
const REMEMBERED: usize = 2;

/// The manifests offered last, newest first.
#[derive(Debug, Default)]
pub(crate) struct Offered(Mutex<VecDeque<Manifest>>);

impl Offered {
    pub(crate) fn get(&self, id: ContentId) -> Option<Manifest> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|manifest| manifest.content_id() == id).cloned()
    }

    pub(crate) fn remember(&self, manifest: &Manifest) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|known| known.content_id() != manifest.content_id());
        all.push_front(manifest.clone());
        all.truncate(REMEMBERED);
    }
}
