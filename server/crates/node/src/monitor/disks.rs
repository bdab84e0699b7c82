//! The file systems that the product writes on, measured beside the monitor's looks: a file system that hangs must not
//! keep the monitor from seeing the rest.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use contract::monitor::DiskInfo;
use contract::threshold::Threshold;
use contract::{Denied, NodeRole};

use crate::node::Node;

/// How often they are measured.
const INTERVAL: Duration = Duration::from_secs(5);

/// One file system as measured.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    paths: Vec<String>,
    free_bytes: u64,
    total_bytes: u64,
}

impl Node {
    /// Measures until the node stops.
    pub(crate) async fn measure_disks(self: Arc<Self>) {
        loop {
            let places = self.places();
            if let Ok(measured) = tokio::task::spawn_blocking(move || measure(&places)).await {
                self.watch.measured(measured);
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    /// The file systems as last measured, with the limit that holds now.
    pub(crate) async fn disks(&self) -> Result<Vec<DiskInfo>, Denied> {
        let limit_percent = self.limits().await?.get(Threshold::DiskMinFree);
        let told = |one: Measured| DiskInfo {
            paths: one.paths,
            free_bytes: one.free_bytes,
            total_bytes: one.total_bytes,
            limit_percent,
        };
        Ok(self.watch.disks().into_iter().map(told).collect())
    }

    /// The data directory, and on the Client where the replicas' links stand.
    fn places(&self) -> Vec<PathBuf> {
        let mut places = vec![self.dir.root().to_owned()];
        if self.info.role == NodeRole::Client {
            let parent = |target: &str| Path::new(target).parent().map(Path::to_owned);
            places.extend(self.copies.all().iter().filter_map(|copy| parent(&copy.dataset.target)));
        }
        places
    }
}

/// One row for each file system, whatever number of places is on it. A place that is not there yet counts where it will be.
fn measure(places: &[PathBuf]) -> Vec<Measured> {
    let mut order = Vec::new();
    let mut found: BTreeMap<u64, Measured> = BTreeMap::new();
    for place in places {
        let Some((there, about)) = place.ancestors().find_map(|path| Some((path, fs::metadata(path).ok()?))) else {
            continue;
        };
        let shown = place.display().to_string();
        if let Some(known) = found.get_mut(&about.dev()) {
            if !known.paths.contains(&shown) {
                known.paths.push(shown);
            }
            continue;
        }
        let Ok(told) = rustix::fs::statvfs(there) else { continue };
        let one = Measured {
            paths: vec![shown],
            free_bytes: told.f_bavail.saturating_mul(told.f_frsize),
            total_bytes: told.f_blocks.saturating_mul(told.f_frsize),
        };
        order.push(about.dev());
        found.insert(about.dev(), one);
    }
    order.into_iter().filter_map(|device| found.remove(&device)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_on_one_file_system_are_one_row_and_one_to_come_counts_where_it_will_be() {
        let dir = tempfile::tempdir().unwrap();
        let to_come = dir.path().join("not/yet");
        let measured = measure(&[dir.path().to_owned(), to_come.clone(), dir.path().to_owned()]);
        assert_eq!(measured.len(), 1);
        assert_eq!(measured[0].paths, [dir.path().display().to_string(), to_come.display().to_string()]);
        assert!(measured[0].total_bytes >= measured[0].free_bytes && measured[0].total_bytes > 0);
    }
}
