//! The DR's content travels home. The DR dials and is the source ([`sender`]); the Master takes what comes into a store
//! beside its live data ([`receiver`]) and, once the mandate names exactly that content, puts it in its place
//! ([`settle`]).
//!
//! Of a Master site of two members one takes it in ([`destination`]); the other one is named by the same mandate and looks
//! whether it has the same by now ([`lacking`]).
//!
//! From the first errand until the content is in its place, or everything is as it was, the Master's record names the run:
//! as long as it does, nothing is served there, whoever may.

mod destination;
mod lacking;
mod last_written;
mod preserved;
mod receiver;
mod sender;
mod settle;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use contract::NodeRole;
use contract::dataset::Dataset;
use contract::status::TravelInfo;
use replication::Source;

use crate::cluster::SiblingContents;
use crate::node::Node;
use crate::sync::meter::Meter;

use last_written::Measured;
pub(crate) use sender::Serving;

/// What this node is doing about content that travels home.
#[derive(Debug, Default)]
pub(crate) struct Home {
    /// Master: held by whoever works on the stores and the sources.
    busy: tokio::sync::Mutex<()>,
    /// Master: why the content could not be put in its place so far.
    trouble: Mutex<Option<String>>,
    /// Counts what is under way.
    meter: Mutex<Option<(String, Arc<Meter>)>>,
    /// Master: what it wrote last, as it was measured.
    written: Mutex<BTreeMap<String, Measured>>,
    /// Member of a site of two: what the other one that serves has given.
    pub(crate) given_beside: SiblingContents,
    /// The same: the datasets that were found here as the mandate of that id wants them.
    found: Mutex<(String, BTreeSet<String>)>,
    /// DR: the copies that serve, as sources; they remember what they have read.
    sources: Mutex<BTreeMap<PathBuf, Arc<Mutex<Source>>>>,
}

impl Home {
    fn begin(&self, dataset: &str, meter: &Arc<Meter>) {
        *self.meter.lock().unwrap_or_else(PoisonError::into_inner) = Some((dataset.to_owned(), Arc::clone(meter)));
    }

    fn end(&self) {
        *self.meter.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Why the content is not in its place yet.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

impl Node {
    /// How content that travels home is getting on, as seen from here.
    pub(crate) fn travel_info(&self) -> Option<TravelInfo> {
        let run = match self.info.role {
            NodeRole::Master => self.book.look(|record| record.receiving.clone()),
            NodeRole::Client => self.runs.sending(),
        }?;
        let meter = self.home.meter.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (dataset, meter) = meter.unzip();
        let progress = meter.and_then(|meter| meter.shown());
        Some(TravelInfo { run, dataset, progress, trouble: self.home.trouble() })
    }

    /// Where one dataset waits until it is put in its place.
    fn homecoming_of(&self, dataset: &Dataset) -> PathBuf {
        self.dir.homecoming().join(format!("{}.{}", dataset.name, dataset.kind.as_str()))
    }

    /// Where one dataset's replaced content is kept.
    fn preserved_of(&self, run: &str, dataset: &Dataset) -> PathBuf {
        self.dir.preserved().join(run).join(format!("{}.{}", dataset.name, dataset.kind.as_str()))
    }
}
