//! Two machines in networks of their own, and a third network with the phones.

use std::net::SocketAddr;

use crate::machines::{Machine, Pair, until};
use crate::networks::Networks;

pub(crate) const MASTER: usize = 0;
pub(crate) const CLIENT: usize = 1;
pub(crate) const PHONES: usize = 2;

/// A pair that talks. The networks go last.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) pair: Pair,
    pub(crate) networks: Networks,
}

impl Site {
    /// `None` where the environment says that there are no networks here.
    pub(crate) fn new(what: &str) -> Option<Self> {
        let networks = Networks::new(what, &["m", "d", "p"])?;
        networks.connect();
        let root = tempfile::tempdir().unwrap();
        let link = |side| SocketAddr::from((Networks::address(side), 5461));
        let machine = |side, role, name| {
            let panel = SocketAddr::from(([127, 0, 0, 1], 8443));
            let mut machine = Machine::init_at(&root.path().join(name), root.path(), (role, name), panel, link(side));
            machine.within = networks.within(side);
            machine.start();
            machine.license(root.path());
            machine.ok(&["threshold", "set", "disk.min_free_percent", "0"]);
            machine
        };
        let (master, client) = (machine(MASTER, "master", "master1"), machine(CLIENT, "client", "dr1"));
        master.ok(&["peer", "set", &link(CLIENT).to_string()]);
        client.ok(&["peer", "set", &link(MASTER).to_string()]);
        let pair = Pair { master, client, root };
        let joined = pair.client.run_with(&["peer", "join", "-"], &pair.token());
        assert_eq!(joined.code, 0, "{joined:?}");
        let reachable = |machine: &Machine| machine.status()["pair"]["peer"]["machines"][0]["reachable"] == true;
        until("the pair talks", || reachable(&pair.master) && reachable(&pair.client));
        Some(Self { pair, networks })
    }
}

/// How many alarms of a code are open.
pub(crate) fn open_alarms(machine: &Machine, code: &str) -> usize {
    let report = machine.ok(&["alarm", "list", "--json"]).json();
    report["alarms"].as_array().unwrap().iter().filter(|one| one["code"] == code && one["cleared_at"].is_null()).count()
}
