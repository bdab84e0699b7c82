//! The return gate and the state of the node that follows from mandate, gate and run.

use contract::gate::GateReport;
use contract::service::Desired;
use contract::state::NodeState;
use contract::{Denied, NodeRole, Outcome};

use crate::door::Act;
use crate::mandate::rules;
use crate::node::Node;

impl Node {
    /// What the services of this machine are to be; `None` while a run starts and stops them itself.
    pub(crate) fn desired(&self) -> Option<Desired> {
        let boot = self.book.boot();
        self.book.look(|record| {
            let up = match &record.mandate {
                None => record.site == NodeRole::Master && !record.missing,
                Some(_) => rules::may_serve(record, &boot) && !record.suspended,
            };
            Some(if up { Desired::Up } else { Desired::Down })
        })
    }

    /// What this node is doing.
    pub(crate) fn state(&self) -> NodeState {
        NodeState::initial(self.info.role)
    }

    pub(crate) async fn gate_report(&self) -> Result<Option<GateReport>, Denied> {
        Ok(None)
    }

    pub(crate) async fn gate_set(&self, _act: Act<'_>, _policy: &str, _wait: &str) -> Result<Outcome, Denied> {
        Err(Denied::failed("set the gate", "not built yet"))
    }
}
