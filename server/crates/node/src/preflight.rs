//! What would happen if the button were pressed now.

use std::sync::Arc;

use contract::Denied;
use contract::preflight::{PreflightReport, Take};

use crate::node::Node;

/// What was found out last.
#[derive(Debug, Default)]
pub(crate) struct Lookout {}

impl Node {
    /// Looks ahead again and again, until the node stops.
    pub(crate) async fn keep_looking_ahead(self: Arc<Self>) {
        self.stop.cancelled().await;
    }

    /// Something was changed that the verdict depends on: it is stale until it was found out again.
    pub(crate) fn verdict_is_stale(&self) {}

    /// Finds out, for what an operator would bring.
    pub(crate) async fn dry_run(&self, _take: &Take) -> Result<PreflightReport, Denied> {
        Err(Denied::failed("look ahead", "not built yet"))
    }

    /// What was found out last, without anything that an operator would bring.
    pub(crate) fn preflight(&self) -> Option<PreflightReport> {
        None
    }
}
