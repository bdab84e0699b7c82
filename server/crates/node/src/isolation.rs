//! Isolation: what each machine of the other site says of itself, or what its silence is worth.

use contract::isolation::MachineIsolation;

use crate::node::Node;

impl Node {
    /// Probes every machine of the other site.
    pub(crate) async fn probe_machines(&self) -> Vec<MachineIsolation> {
        Vec::new()
    }
}
