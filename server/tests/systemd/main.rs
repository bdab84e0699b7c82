//! The return gate's drop-in under a real systemd: what a boot wants and a gate refuses is left inactive, never failed, and
//! runs as soon as the gate is open. `return_gate` shows the rest of it without one.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "test code")]

#[path = "../machines/mod.rs"]
mod machines;
mod namespace;

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use machines::{Machine, Pair, TVOX_DR, until};
use namespace::{Systemd, left_over, sweep_all};

const UNIT: &str = "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sleep infinity\n";

#[test]
fn what_a_boot_wants_stays_inactive_behind_a_closed_gate_and_runs_when_it_opens() {
    let mut pair = Pair::new();
    pair.master.ok(&["gate", "set", "--policy", "strict"]);
    let written = pair.path("drop-in");
    pair.master.ok(&["gate", "install", "pbx", "--root", written.to_str().unwrap()]);
    let drop_in = fs::read_to_string(written.join("etc/systemd/system/pbx.service.d/tvox-dr-gate.conf")).unwrap();
    pair.client.kill();
    pair.master.kill();
    pair.master.boot("second");
    let units = [("pbx.service", UNIT), ("pbx.service.d/tvox-dr-gate.conf", &*drop_in), ("other.service", UNIT)];
    let wanted = &units[..];
    let Some(systemd) = Systemd::boot(pair.root.path(), wanted, "second") else { return };
    until("what asks nobody runs", || systemd.standing("other.service") == "active success");
    until("the boot has asked", || systemd.standing("pbx.service") == "inactive exec-condition");
    pair.master.start();
    // As often as somebody likes: nothing counts as failed, and no limit of starts is run into.
    for _ in 0..8 {
        systemd.ok(&["systemctl", "start", "pbx"]);
        assert_eq!(systemd.standing("pbx.service"), "inactive exec-condition");
    }
    assert_eq!(systemd.ok(&["systemctl", "list-units", "--failed", "--plain", "--no-legend"]).out, "");
    let within = systemd.within();
    let [start, stop, check] =
        ["start", "stop", "is-active --quiet"].map(|verb| format!("{within} systemctl {verb} pbx"));
    pair.master.ok(&["service", "add", "pbx", "--start", &start, "--stop", &stop, "--check", &check]);
    pair.client.start();
    until("the Client has confirmed it, and tvox-dr starts the unit", || {
        systemd.standing("pbx.service") == "active success"
    });
    systemd.ok(&["systemctl", "restart", "pbx"]);
    assert_eq!(systemd.standing("pbx.service"), "active success", "once it is open anybody may");
}

#[test]
fn a_drop_in_is_in_force_as_soon_as_it_is_installed_and_gone_as_soon_as_it_is_removed() {
    let root = tempfile::tempdir().unwrap();
    let client = Machine::ready(root.path(), "client", "dr1");
    let Some(systemd) = Systemd::boot(root.path(), &[("pbx.service", UNIT)], "first") else { return };
    systemd.ok(&["systemctl", "stop", "pbx"]);
    let gate = |verb: &str| {
        let data = client.dir.to_str().unwrap();
        systemd.ok(&[TVOX_DR, "gate", verb, "pbx", "--data", data, "--json"]).json()
    };
    assert_eq!(gate("install")["reloaded"], true);
    let drop_ins = || systemd.ok(&["systemctl", "show", "pbx", "--property", "DropInPaths", "--value"]).out;
    assert_eq!(drop_ins(), "/etc/systemd/system/pbx.service.d/tvox-dr-gate.conf\n");
    systemd.ok(&["systemctl", "start", "pbx"]);
    assert_eq!(systemd.standing("pbx.service"), "inactive exec-condition", "a DR serves after its activation only");
    gate("remove");
    assert_eq!(drop_ins(), "\n");
    systemd.ok(&["systemctl", "start", "pbx"]);
    assert_eq!(systemd.standing("pbx.service"), "active success");
}

#[test]
fn what_a_test_left_running_that_was_killed_outright_is_ended_by_the_next_one() {
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    let Some(group) = left_over(gone.id()) else { return eprintln!("NOT TESTED: no control groups") };
    let mut left = Command::new("sleep").arg("600").spawn().unwrap();
    fs::write(group.join("cgroup.procs"), left.id().to_string()).unwrap();
    sweep_all();
    assert_eq!(left.wait().unwrap().signal(), Some(9));
    sweep_all();
    assert!(!group.exists());
}
