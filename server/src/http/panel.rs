//! What all requests share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use app::action::Action;
use contract::command::JoinToken;
use node::Node;
use tokio_util::sync::CancellationToken;
use tower_sessions::session::Id;

/// What the next page of one session says once: it is in memory only, because a join token must not reach a disk.
#[derive(Debug, Default)]
pub(super) struct Once {
    /// What was done.
    pub(super) done: Option<Action>,
    /// The token that was made.
    pub(super) token: Option<JoinToken>,
    /// What a server said to a test.
    pub(super) answer: Option<String>,
}

/// The panel of one node.
#[derive(Debug)]
pub(super) struct Panel {
    /// The node.
    pub(super) node: Arc<Node>,
    /// Ends the event streams.
    pub(super) shutdown: CancellationToken,
    once: Mutex<HashMap<Id, Once>>,
}

/// More sessions than any panel has: beyond it old messages are dropped.
const MANY: usize = 1000;

impl Panel {
    pub(super) fn new(node: Arc<Node>, shutdown: CancellationToken) -> Self {
        Self { node, shutdown, once: Mutex::new(HashMap::new()) }
    }

    /// Whether the browser speaks TLS with us.
    pub(super) fn is_secure(&self) -> bool {
        !self.node.config().insecure_http
    }

    /// Seconds since 1970, by the node's clock.
    pub(super) fn now(&self) -> i64 {
        self.node.clock().now().as_second()
    }

    /// Keeps something for the next page of a session.
    pub(super) fn say_once(&self, session: Option<Id>, once: Once) {
        let Some(session) = session else { return };
        let mut map = self.once.lock().unwrap_or_else(PoisonError::into_inner);
        if map.len() >= MANY {
            map.clear();
        }
        map.insert(session, once);
    }

    /// Takes what was kept.
    pub(super) fn take_once(&self, session: Option<Id>) -> Once {
        let mut map = self.once.lock().unwrap_or_else(PoisonError::into_inner);
        session.and_then(|id| map.remove(&id)).unwrap_or_default()
    }
}
