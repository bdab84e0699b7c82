//! Whether the node IP of the cluster is on this machine: what a member has to know of its cluster, and all it asks of it.

use std::fs;
use std::net::IpAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract::status::ClusterInfo;
use contract::{Denied, NodeRole};
use tokio::time::timeout;

use crate::mandate::file::Seat;
use crate::node::Node;
use crate::process::{End, Group, command};
use crate::store::db;

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long a command may take to answer; then it has said no.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is declared of the cluster, and what was seen last.
#[derive(Debug, Default)]
pub(crate) struct NodeIp(Mutex<Option<Seen>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    node_ip: IpAddr,
    here: bool,
}

impl NodeIp {
    fn set(&self, seen: Option<Seen>) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = *last != seen;
        *last = seen;
        changed
    }
}

impl Node {
    /// Whether this member of a cluster serves: the node IP is on it. `None` of a machine that stands alone.
    pub(crate) fn serves_site(&self) -> Option<bool> {
        self.node_ip.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|seen| seen.here)
    }

    /// The node IP as declared, and the command that says whether it is here.
    pub(crate) async fn cluster_row(&self) -> Result<Option<(IpAddr, Option<String>)>, Denied> {
        let row: Option<(String, Option<String>)> = sqlx::query_as("SELECT node_ip, serves FROM cluster")
            .fetch_optional(self.store.pool())
            .await
            .map_err(db("read the cluster"))?;
        let Some((ip, serves)) = row else { return Ok(None) };
        Ok(Some((ip.parse().map_err(|error| Denied::failed("read the cluster", error))?, serves)))
    }

    /// Client: the node IP of the Master site, where that has two members.
    pub(crate) async fn node_ip_across(&self) -> Option<IpAddr> {
        let row = self.cluster_row().await.ok().flatten().filter(|_| self.info.role == NodeRole::Client);
        row.map(|(node_ip, _)| node_ip)
    }

    pub(crate) async fn cluster_info(&self) -> Result<Option<ClusterInfo>, Denied> {
        let Some((node_ip, check)) = self.cluster_row().await? else { return Ok(None) };
        let machines = self.machines().await?;
        let source = machines.iter().find(|one| !one.sibling && Some(one.seat) == self.link.source());
        Ok(Some(ClusterInfo {
            node_ip,
            check,
            serves: self.serves_site(),
            source: source.filter(|_| self.info.role == NodeRole::Client).map(|machine| machine.address.ip),
            sibling: machines.iter().find(|machine| machine.sibling).map(|machine| self.machine_info(machine)),
        }))
    }

    /// Looks at once.
    pub(crate) async fn look_for_node_ip(&self) {
        let row = match self.cluster_row().await {
            Ok(row) => row.filter(|_| self.is_sibling(Seat::Second)),
            Err(error) => return tracing::error!(?error, "the cluster cannot be read"),
        };
        let seen = match row {
            Some((node_ip, check)) => Some(Seen { node_ip, here: is_here(node_ip, check.as_deref()).await }),
            None => None,
        };
        if self.node_ip.set(seen.clone()) {
            if let Some(seen) = seen {
                tracing::info!(node_ip = %seen.node_ip, here = seen.here, "the node IP");
            }
            // Whoever beats tells it at once.
            self.feeds.changed.notify_one();
            self.poke();
        }
    }

    /// Goes on looking until the node stops.
    pub(crate) async fn keep_looking_for_node_ip(self: Arc<Self>) {
        loop {
            self.look_for_node_ip().await;
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}

/// Whether the node IP is here: the command says so, or it is an address of an interface.
async fn is_here(node_ip: IpAddr, check: Option<&str>) -> bool {
    let Some(check) = check else { return is_assigned(node_ip) };
    let argv = ["/bin/sh", "-c", check].map(str::to_owned);
    let mut said = command(&argv, Stdio::null(), Stdio::null());
    said.env("TVOX_DR_NODE_IP", node_ip.to_string());
    let Ok(mut group) = Group::start(said) else { return false };
    match timeout(PATIENCE, group.ended()).await {
        Ok(end) => end == End::Code(0),
        Err(_) => {
            group.put_down().await;
            false
        }
    }
}

/// Whether an address is assigned to an interface of this machine, as the kernel tells it. That a socket can be bound to
/// it proves nothing: who fails over allows that beforehand (`ip_nonlocal_bind`).
fn is_assigned(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            fs::read_to_string("/proc/net/fib_trie").is_ok_and(|table| is_local_v4(&table, &v4.to_string()))
        }
        IpAddr::V6(v6) => {
            let hex: String = v6.octets().iter().map(|octet| format!("{octet:02x}")).collect();
            fs::read_to_string("/proc/net/if_inet6")
                .is_ok_and(|table| table.lines().any(|line| line.split_whitespace().next() == Some(hex.as_str())))
        }
    }
}

/// Whether the kernel's routing table (`/proc/net/fib_trie`) has that very address as a local one.
fn is_local_v4(table: &str, ip: &str) -> bool {
    let mut leaf = "";
    table.lines().map(str::trim).any(|line| {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address;
        }
        leaf == ip && line == "/32 host LOCAL"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 10.0.0.0\n        /24 link UNICAST\n     |-- 10.0.0.9\n        \
        /32 link UNICAST\nLocal:\n  +-- 0.0.0.0/0 2 0 2\n     |-- 10.0.0.7\n        /32 host LOCAL\n     |-- 10.0.0.255\n        \
        /32 link BROADCAST\n";

    #[test]
    fn only_an_address_of_this_machine_is_here_and_not_one_it_can_reach() {
        assert!(is_local_v4(TABLE, "10.0.0.7"));
        for other in ["10.0.0.9", "10.0.0.0", "10.0.0.255", "10.0.0.70", "0.0.0.7"] {
            assert!(!is_local_v4(TABLE, other), "{other}");
        }
        assert!(is_assigned(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)), "as the kernel tells it");
        assert!(!is_assigned("192.0.2.1".parse().unwrap()));
    }

    #[tokio::test]
    async fn a_command_says_whether_it_is_here_and_one_that_fails_says_no() {
        let ip: IpAddr = "192.0.2.1".parse().unwrap();
        assert!(is_here(ip, Some("test $TVOX_DR_NODE_IP = 192.0.2.1")).await);
        assert!(!is_here(ip, Some("exit 3")).await && !is_here(ip, Some("no-such-program")).await);
    }
}
