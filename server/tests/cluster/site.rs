//! Two members `m1` and `m2` and the DR Client of both. Which of the two has the node IP stands in a file, as the cluster
//! would have it; what they serve lies on one disk, unless a test gives each its own.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::machines::{Machine, Ran, free_port, until};

pub(crate) const NODE_IP: &str = "127.0.0.9";

/// Two members `m1` and `m2` with one disk between them, and the DR Client of both.
pub(crate) struct Site {
    pub(crate) m1: Machine,
    pub(crate) m2: Machine,
    pub(crate) client: Machine,
    pub(crate) root: tempfile::TempDir,
}

impl Site {
    /// Licensed, with their addresses set, and strangers to each other. The node IP is on `m1`.
    pub(crate) fn strangers() -> Self {
        Self::unknown(false)
    }

    fn unknown(own_disks: bool) -> Self {
        let root = tempfile::tempdir().unwrap();
        let machine = |role, name: &str| made(root.path(), own_disks, role, name);
        let (m1, m2, client) = (machine("master", "m1"), machine("master", "m2"), machine("client", "dr1"));
        let site = Self { m1, m2, client, root };
        site.move_node_ip("m1");
        site.introduce(&site.m1, &site.m2);
        site.introduce(&site.m2, &site.m1);
        site.tell_client(&site.m1, &site.m2);
        site
    }

    /// A machine that was just initialised, with a disk of its own.
    pub(crate) fn fresh(&self, name: &str) -> Machine {
        made(self.root.path(), true, "master", name)
    }

    /// A member learns where its sibling and the Client are, and what puts the node IP on it.
    pub(crate) fn introduce(&self, member: &Machine, sibling: &Machine) {
        serve(member);
        until("the cluster runs", || up(member).exists());
        self.point_to_sibling(member, sibling);
        member.ok(&["peer", "set", &address(&self.client)]);
    }

    /// A member learns where its sibling is.
    pub(crate) fn point_to_sibling(&self, member: &Machine, sibling: &Machine) {
        // The node IP is where the cluster puts it, and nowhere while the cluster is stopped there.
        let here = format!("test \"$(cat {})\" = {}", self.node_ip().display(), name(member));
        let check = format!("{here} && test -e {}", up(member).display());
        member.ok(&["sibling", "set", &address(sibling), "--node-ip", NODE_IP, "--check", &check]);
    }

    /// The Client learns where the two members are.
    pub(crate) fn tell_client(&self, one: &Machine, other: &Machine) {
        let members = [address(one), address(other)];
        self.client.ok(&["peer", "set", NODE_IP, "--member", &members[0], "--member", &members[1]]);
    }

    /// All three associated.
    pub(crate) fn new() -> Self {
        Self::strangers().associated()
    }

    /// The same, with a disk for each of the two members: what is under `src` is what lies on its own.
    pub(crate) fn with_own_disks() -> Self {
        Self::unknown(true).associated()
    }

    fn associated(self) -> Self {
        let site = self;
        join(&site.m1, &site.client, "peer");
        join(&site.m1, &site.m2, "sibling");
        join(&site.m2, &site.client, "peer");
        until("the second member was confirmed", || site.m2.status()["state"] == "serving");
        // What is given before they talk with each other makes the second one stale.
        for member in [&site.m1, &site.m2] {
            until("the members talk", || member.status()["pair"]["cluster"]["sibling"]["reachable"] == true);
        }
        site
    }

    fn node_ip(&self) -> PathBuf {
        self.root.path().join("node-ip")
    }

    /// The cluster puts the node IP on that member.
    pub(crate) fn move_node_ip(&self, member: &str) {
        let new = self.root.path().join("node-ip.new");
        fs::write(&new, member).unwrap();
        fs::rename(new, self.node_ip()).unwrap();
    }

    /// Where a dataset of a member lies that has a disk of its own.
    pub(crate) fn disk(&self, member: &str, dataset: &str) -> PathBuf {
        let place = self.root.path().join("disk").join(member).join(dataset);
        fs::create_dir_all(&place).unwrap();
        place
    }

    /// The cluster brings the disk of one member in line with that of another one.
    pub(crate) fn bring_in_line(&self, from: &str, to: &str, dataset: &str) {
        let (from, to) = (self.disk(from, dataset), self.disk(to, dataset));
        let _ = fs::remove_dir_all(&to);
        assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
    }

    /// Declares a dataset on that member; source and target.
    pub(crate) fn declare(&self, member: &Machine, name: &str) -> (PathBuf, PathBuf) {
        self.disk(self::name(member), name);
        let (source, target) = (self.root.path().join("src").join(name), self.root.path().join("replica").join(name));
        fs::create_dir_all(&source).unwrap();
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        let (from, to) = (source.to_str().unwrap(), target.to_str().unwrap());
        member.ok(&["dataset", "add", name, "--kind", "files", "--source", from, "--target", to]);
        (source, target)
    }

    /// The member that the Client's content comes from.
    pub(crate) fn source(&self) -> Value {
        self.client.status()["pair"]["cluster"]["source"].clone()
    }
}

/// Initialised, running and licensed.
fn made(root: &Path, own_disk_too: bool, role: &'static str, name: &str) -> Machine {
    let at = |port| SocketAddr::new(host(name).parse().unwrap(), port);
    let mut machine = Machine::init_at(&root.join(name), root, (role, name), at(free_port()), at(free_port()));
    if own_disk_too && role == "master" {
        machine.within = own_disk(root, name);
    }
    machine.start();
    machine.license(root);
    machine.ok(&["threshold", "set", "disk.min_free_percent", "0"]);
    machine
}

pub(crate) fn name(machine: &Machine) -> &str {
    machine.dir.file_name().unwrap().to_str().unwrap()
}

/// What a member is started by whose `src` is a disk of its own.
fn own_disk(root: &Path, member: &str) -> Vec<String> {
    let (disk, src) = (root.join("disk").join(member), root.join("src"));
    fs::create_dir_all(&disk).unwrap();
    fs::create_dir_all(&src).unwrap();
    let mount = format!("mount --bind {} {} && exec \"$@\"", disk.display(), src.display());
    ["unshare", "--mount", "--propagation", "private", "sh", "-c", &mount, "sh"].map(str::to_owned).into()
}

/// Whether a machine's telephones work.
pub(crate) fn up(machine: &Machine) -> PathBuf {
    machine.dir.with_extension("up")
}

/// Declares the service of a machine: of a member, its cluster.
pub(crate) fn serve(machine: &Machine) {
    let flag = up(machine).display().to_string();
    let (start, stop, check) = (format!("touch {flag}"), format!("rm -f {flag}"), format!("test -e {flag}"));
    machine.ok(&["service", "add", "pbx", "--start", &start, "--stop", &stop, "--check", &check]);
}

pub(crate) fn address(machine: &Machine) -> String {
    format!("{}:{}", ip(machine), machine.peer)
}

pub(crate) fn ip(machine: &Machine) -> &'static str {
    host(name(machine))
}

/// Whoever comes in somebody's place comes to its address.
fn host(name: &str) -> &'static str {
    match name {
        "m1" | "m3" => "127.0.0.2",
        "m2" | "m4" => "127.0.0.3",
        _ => "127.0.0.4",
    }
}

/// `who` joins the machine that makes a token.
pub(crate) fn join(maker: &Machine, who: &Machine, verb: &str) {
    let token = maker.ok(&["peer", "token", "--json"]).json()["token"].as_str().unwrap().to_owned();
    let joined = who.run_with(&[verb, "join", "-"], &token);
    assert_eq!(joined.code, 0, "{joined:?}");
}

/// Loses power: nothing of it goes on.
pub(crate) fn lose(machine: &mut Machine) {
    machine.kill();
    let _ = fs::remove_file(up(machine));
}

/// Comes back, with another boot of the machine.
pub(crate) fn boot(machine: &mut Machine, id: &str) {
    machine.boot(id);
    machine.start();
}

/// What the machines answered that a member asked, by their address.
pub(crate) fn asked(member: &Machine) -> Vec<(String, String)> {
    let report = member.ok(&["gate", "show", "--json"]).json();
    let words = |one: &Value| (one["ip"].as_str().unwrap().to_owned(), one["answer"].as_str().unwrap().to_owned());
    report["asked"].as_array().unwrap().iter().map(words).collect()
}

/// Presses a button, with what it needs of words.
pub(crate) fn press(machine: &Machine, verb: &str, more: &[&str]) -> Ran {
    let verb: Vec<&str> = verb.split(' ').collect();
    machine.run(&[&verb[..], &["--confirm-name", name(machine), "--reason", "prova", "--json"], more].concat())
}

/// Both members are asked to stand down.
pub(crate) const ALIVE: [&str; 3] = ["--accept-data-loss", "--override", "isolation.alive=prova"];

pub(crate) fn holds(target: &Path, name: &str, text: &str) -> bool {
    fs::read_to_string(target.join(name)).is_ok_and(|found| found == text)
}

pub(crate) fn because(machine: &Machine) -> Value {
    machine.ok(&["gate", "show", "--json"]).json()["because"].clone()
}

/// It is named, and knows that it has not what its sibling has.
pub(crate) fn is_stale(member: &Machine) -> bool {
    let held = member.status()["state"] == "held" && !up(member).exists();
    held && because(member).as_array().unwrap().contains(&"stale".into())
}

pub(crate) fn is_alarmed(machine: &Machine, code: &str) -> bool {
    let open = machine.ok(&["alarm", "list", "--json"]).json()["alarms"].clone();
    open.as_array().unwrap().iter().any(|alarm| alarm["code"] == code)
}
