//! Two sites, each a network of its own, and one link between them. Only the link fails: both machines run on, and each
//! must tell its own people that it has lost the other.

#![allow(clippy::panic, clippy::unwrap_used, reason = "test code")]

mod machines;
mod networks;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use machines::{Machine, until};
use networks::{Networks, ip};
use serde_json::Value;

/// The defaults of the Soglie page.
const BAD_LOOKS: u32 = 3;
const GOOD_LOOKS: u32 = 2;
const INTERVAL: Duration = Duration::from_secs(1);
/// A probe into silence takes this long until it has failed.
const PATIENCE: Duration = Duration::from_secs(1);
/// For a machine that runs other tests meanwhile, and for the looks of this one.
const SLACK: Duration = Duration::from_secs(4);

/// The ways in which a link fails.
#[derive(Debug, Clone, Copy)]
enum Cut {
    /// The cable is out: the machines' network cards see it.
    Unplugged,
    /// Somewhere on the way packets vanish: nothing tells the machines.
    Silent,
}

/// Two networks with a cable between them; gone when dropped.
#[derive(Debug)]
struct Sites(Networks);

impl Sites {
    /// `None` where the environment says that there are no namespaces here.
    fn new() -> Option<Self> {
        let sites = Self(Networks::new("a cut link", &["a", "b"])?);
        let [a, b] = [0, 1].map(|site| sites.0.name(site));
        ip(&format!("-n {a} link add wan type veth peer name wan netns {b}")).unwrap();
        for (site, name) in [a, b].into_iter().enumerate() {
            ip(&format!("-n {name} addr add {}/24 dev wan", Self::address(site).ip())).unwrap();
            ip(&format!("-n {name} link set wan up")).unwrap();
        }
        Some(sites)
    }

    /// The peer link of a site (0 or 1).
    fn address(site: usize) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, if site == 0 { 1 } else { 2 }], 5461))
    }

    fn cut(&self, how: Cut) {
        match how {
            Cut::Unplugged => self.0.plug(0, false),
            // Every packet goes to a card that is not there.
            Cut::Silent => self.neighbours("replace", " lladdr 02:00:00:00:00:99 nud permanent"),
        }
    }

    fn mend(&self, how: Cut) {
        match how {
            Cut::Unplugged => self.0.plug(0, true),
            Cut::Silent => self.neighbours("del", ""),
        }
    }

    fn neighbours(&self, verb: &str, more: &str) {
        for site in 0..2 {
            let name = self.0.name(site);
            ip(&format!("-n {name} neigh {verb} {} dev wan{more}", Self::address(1 - site).ip())).unwrap();
        }
    }

    /// A licensed machine at a site (0 or 1).
    fn machine(&self, root: &Path, site: usize, role: &'static str, name: &str) -> Machine {
        let panel = SocketAddr::from(([127, 0, 0, 1], 8443));
        let mut machine = Machine::init_at(&root.join(name), root, (role, name), panel, Self::address(site));
        machine.within = self.0.within(site);
        machine.start();
        machine.license(root);
        machine
    }
}

/// The alarms about the other machine, all or only the open ones.
fn alarms(machine: &Machine, code: &str, only_open: bool) -> Vec<Value> {
    let report = machine.ok(&["alarm", "list", "--all", "--json"]).json();
    let all = report["alarms"].as_array().unwrap().iter();
    all.filter(|one| one["code"] == code && !(only_open && one["cleared_at"].is_string())).cloned().collect()
}

#[test]
fn a_cut_link_raises_the_alarm_on_both_sides_and_its_return_clears_both() {
    let Some(sites) = Sites::new() else { return };
    let root = tempfile::tempdir().unwrap();
    let master = sites.machine(root.path(), 0, "master", "master1");
    let client = sites.machine(root.path(), 1, "client", "dr1");
    master.ok(&["peer", "set", &Sites::address(1).to_string()]);
    client.ok(&["peer", "set", &Sites::address(0).to_string()]);
    let token = master.ok(&["peer", "token", "--json"]).json()["token"].as_str().unwrap().to_owned();
    assert_eq!(client.run_with(&["peer", "join", "-"], &token).code, 0);
    let both = [(&master, "dr.client.unreachable", 5), (&client, "dr.master.unreachable", 6)];
    let reachable = |machine: &Machine| machine.status()["pair"]["peer"]["machines"][0]["reachable"] == true;
    until("the pair talks", || both.iter().all(|(machine, ..)| reachable(machine)));

    for (round, how) in [Cut::Unplugged, Cut::Silent].into_iter().enumerate() {
        sites.cut(how);
        let began = Instant::now();
        let is_open = |machine, code| alarms(machine, code, true).len() == 1;
        until("both sides raise their alarm", || both.iter().all(|(machine, code, _)| is_open(machine, code)));
        let raised = began.elapsed();
        // A look may be just over when the link goes, and each look into silence lasts as long as its patience.
        let longest = INTERVAL + BAD_LOOKS * INTERVAL.max(PATIENCE) + SLACK;
        assert!(raised < longest, "{how:?}: {raised:?}, more than {longest:?}");
        for (machine, code, priority) in both {
            assert_eq!(alarms(machine, code, true)[0]["priority"], priority);
            until("the status says so, too", || !reachable(machine));
        }

        sites.mend(how);
        let began = Instant::now();
        until("both sides clear their alarm", || both.iter().all(|(machine, code, _)| !is_open(machine, code)));
        let cleared = began.elapsed();
        let longest = INTERVAL + GOOD_LOOKS * INTERVAL + PATIENCE + SLACK;
        assert!(cleared < longest, "{how:?}: {cleared:?}, more than {longest:?}");
        eprintln!("{how:?}: raised on both sides after {raised:.1?}, cleared {cleared:.1?} after its return");
        for (machine, code, _) in both {
            assert_eq!(alarms(machine, code, false).len(), round + 1, "one alarm for one cut");
        }
        until("the pair talks again", || both.iter().all(|(machine, ..)| reachable(machine)));
    }
}
