//! Damage that a healing pull finds is written down before it is repaired: a node that dies in between still knows of it,
//! and so does the alarm.

use std::sync::Arc;

use replication::{Difference, Watch};
use tokio::sync::{mpsc, oneshot};

use crate::node::Node;
use crate::sync::meter::Meter;

/// What was found, and who waits until it is noted.
pub(super) struct Finding {
    found: Vec<Difference>,
    noted: oneshot::Sender<()>,
}

/// Watches a pull from the engine's own thread, which goes on only when what it has found is noted.
pub(super) struct Noting {
    meter: Arc<Meter>,
    findings: mpsc::Sender<Finding>,
}

impl Noting {
    pub(super) fn new(meter: Arc<Meter>) -> (Self, mpsc::Receiver<Finding>) {
        let (findings, found) = mpsc::channel(1);
        (Self { meter, findings }, found)
    }
}

impl Watch for Noting {
    fn progress(&self, progress: replication::Progress) {
        self.meter.progress(progress);
    }

    fn cancelled(&self) -> bool {
        self.meter.cancelled()
    }

    fn damaged(&self, found: &[Difference]) {
        let (noted, until) = oneshot::channel();
        // Nobody hears it any more: the pull was stopped, and repairs nothing.
        if self.findings.blocking_send(Finding { found: found.to_vec(), noted }).is_ok() {
            let _ = until.blocking_recv();
        }
    }
}

impl Node {
    /// Notes what a pull has found and lets it go on; how much is known now. A replica is repaired also where its damage
    /// cannot be noted.
    pub(super) async fn note_finding(&self, dataset: &str, finding: Finding) -> Option<i64> {
        if let Err(error) = self.note_damage(dataset, &finding.found).await {
            tracing::error!(?error, dataset, "a damage could not be noted");
        }
        let known = self.unhealed(dataset).await.ok().flatten();
        let _ = finding.noted.send(());
        known
    }
}
