//! When a replica is tidied up: old generations go ([`super::prune`]), and their trees are made ready to become new ones.
//! It refuses to stand in the way of a change: what can wait does so until nothing has changed for a moment.

use std::sync::Arc;
use std::time::Duration;

use contract::sync::SyncError;
use replication::{ErrorKind, Watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::node::Node;
use crate::sync::replica::Copy;
use crate::sync::turn::LARGE;

/// How long a reader that resolved the target may go on reading a superseded generation.
pub(super) const GRACE: Duration = Duration::from_secs(60);
/// A moment without a change.
const QUIET: Duration = Duration::from_secs(1);
/// How often old generations go while there is no such moment.
const PRUNE_EVERY: Duration = Duration::from_secs(1);
/// How long trees that are kept ready may hold what is gone at the source while there is no such moment.
const FRESHEN_EVERY: Duration = Duration::from_secs(60);
/// Between two pieces of work for which nobody waits.
const BREATH: Duration = Duration::from_millis(50);

/// What is still to be tidied up after the last pulls.
#[derive(Debug, Default)]
pub(super) struct Tidying {
    /// When it is time to go on; `None` when all is done.
    due: Option<Instant>,
    pruned: Option<Instant>,
    freshened: Option<Instant>,
    /// Generations have come since the last prune.
    behind: bool,
}

impl Tidying {
    /// Waits for the moment without a change; for ever, when there is nothing to do.
    pub(super) async fn quiet(&self) {
        match self.due {
            Some(due) => tokio::time::sleep_until(due).await,
            None => std::future::pending().await,
        }
    }

    /// A pull has ended. Does what must not wait: after a failure, which a full disk may have caused, and where there was
    /// no quiet moment for too long. Whoever cut it off has other things to do with the replica.
    pub(super) async fn after_pull(&mut self, node: &Arc<Node>, copy: &Copy, pulled: Result<(), &SyncError>) {
        if pulled.is_err_and(|error| error.code == "cancelled" || error.code == LARGE) || !node.may_receive() {
            self.behind = true;
            self.due = Some(Instant::now() + QUIET);
            return;
        }
        let failed = pulled.is_err();
        let long_ago = |last: Option<Instant>, most| last.is_none_or(|last| last.elapsed() >= most);
        self.behind = true;
        if failed || long_ago(self.pruned, PRUNE_EVERY) {
            self.prune(node, copy, !failed).await;
        }
        if failed || long_ago(self.freshened, FRESHEN_EVERY) {
            self.freshened = Some(Instant::now());
            node.freshen(copy).await;
        }
        self.due = Some(Instant::now() + QUIET);
    }

    /// Does the next piece of what could wait. Whoever uses the replica now comes first.
    pub(super) async fn go_on(&mut self, node: &Arc<Node>, copy: &Copy) {
        if !node.may_receive() {
            // A run is under way, or this machine serves: the next pull begins it again.
            self.due = None;
            return;
        }
        let Ok(_busy) = copy.busy.try_lock() else {
            self.due = Some(Instant::now() + QUIET);
            return;
        };
        if self.behind {
            // Much may have happened since the pull: only one that has just ended brings the replica forward.
            self.prune(node, copy, false).await;
        }
        if self.freshened.is_none_or(|last| last.elapsed() >= FRESHEN_EVERY) {
            self.freshened = Some(Instant::now());
            node.freshen(copy).await;
        }
        let more = node.stock_up(copy).await;
        self.due = more.then(|| Instant::now() + BREATH);
    }

    async fn prune(&mut self, node: &Arc<Node>, copy: &Copy, came_forward: bool) {
        (self.pruned, self.behind) = (Some(Instant::now()), false);
        node.prune(copy, came_forward).await;
    }
}

impl Node {
    /// Lets trees that are kept ready give back the space of what is gone at the source.
    pub(super) async fn freshen(self: &Arc<Self>, copy: &Copy) {
        let watch = Waiting::on(self, copy);
        tidied(copy, self.with_engine(copy, move |replica| replica.freshen(&watch)).await);
    }

    /// Makes trees ready for many changes that follow each other; gives whether there is more to do.
    async fn stock_up(self: &Arc<Self>, copy: &Copy) -> bool {
        let watch = Waiting::on(self, copy);
        tidied(copy, self.with_engine(copy, move |replica| replica.stock_up(&watch)).await).unwrap_or(false)
    }
}

/// Ends what nobody waits for as soon as a run opens, or the dataset is taken back.
struct Waiting {
    node: Arc<Node>,
    stop: CancellationToken,
}

impl Waiting {
    fn on(node: &Arc<Node>, copy: &Copy) -> Self {
        Self { node: Arc::clone(node), stop: copy.stop.clone() }
    }
}

impl Watch for Waiting {
    fn cancelled(&self) -> bool {
        self.stop.is_cancelled() || !self.node.may_receive()
    }
}

fn tidied<T>(copy: &Copy, done: Option<replication::Result<T>>) -> Option<T> {
    match done? {
        Ok(done) => Some(done),
        Err(error) if error.kind() == ErrorKind::Cancelled => None,
        Err(error) => {
            tracing::warn!(dataset = copy.dataset.name, %error, "the replica could not be made ready for changes");
            None
        }
    }
}
