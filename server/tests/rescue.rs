//! `tvox-dr rescue`: when database and daemon are gone.
#![allow(clippy::unwrap_used, reason = "test code")]

mod machines;

use std::fs;
use std::path::Path;

use machines::{Machine, Pair, until};

/// A service that is up while its file is there.
fn declare(machine: &Machine, flag: &Path) {
    let flag = flag.to_str().unwrap();
    let (start, stop, check) = (format!("touch {flag}"), format!("rm -f {flag}"), format!("test -e {flag}"));
    machine.ok(&["service", "add", "pbx", "--start", &start, "--stop", &stop, "--check", &check]);
}

#[test]
fn while_the_node_runs_rescue_only_looks() {
    let pair = Pair::new();
    let shown = pair.client.ok(&["rescue", "show", "--json"]).json();
    assert_eq!(shown["mandate"]["epoch"], 1);
    assert_eq!(shown["may_serve"], false);
    assert_eq!(pair.client.run(&["rescue", "open", "--reason", "x"]).code, 6);
    assert_eq!(pair.client.run(&["rescue", "fence"]).code, 6);
    assert_eq!(pair.client.status()["mandate"]["epoch"], 1);
}

#[test]
fn a_client_without_its_database_takes_the_service_and_the_node_goes_on_from_there() {
    let mut pair = Pair::new();
    let flag = pair.path("up-on-dr");
    declare(&pair.client, &flag);
    let (source, target) = pair.declare("etc", "files");
    fs::write(source.join("a"), "1").unwrap();
    until("it follows", || fs::read_to_string(target.join("a")).is_ok_and(|text| text == "1"));
    pair.master.kill();
    pair.client.kill();
    let database = pair.client.dir.join("tvox-dr.db");
    let aside = pair.path("aside.db");
    fs::rename(&database, &aside).unwrap();
    assert_eq!(pair.client.run(&["rescue", "open", "--reason", ""]).code, 2);
    let opened = pair.client.ok(&["rescue", "open", "--reason", "master burnt down, seen by Rossi"]);
    assert!(opened.out.contains("epoch 2"), "{opened:?}");
    assert!(flag.exists(), "the services run");
    fs::write(target.join("made-on-dr"), "x").unwrap();
    // Once more does no harm.
    pair.client.ok(&["rescue", "open", "--reason", "again"]);
    assert!(target.join("made-on-dr").exists());
    fs::rename(&aside, &database).unwrap();
    pair.client.start();
    let status = pair.client.status();
    assert_eq!((&status["state"], &status["mandate"]["kind"]), (&"active".into(), &"rescue".into()));
    assert!(target.join("made-on-dr").exists() && flag.exists());
    let audit = pair.client.ok(&["audit", "--json"]).json();
    let entries = audit["entries"].as_array().unwrap();
    assert!(entries.iter().any(|e| e["action"] == "rescue.open" && e["reason"] == "master burnt down, seen by Rossi"));
    pair.client.ok(&["audit", "--verify"]);
    pair.master.boot("after the fire");
    pair.master.start();
    until("the Master learns of it", || pair.master.status()["state"] == "fenced");
}

#[test]
fn a_client_that_lost_its_mandate_with_the_master_dead_can_still_be_opened() {
    let mut pair = Pair::new();
    let flag = pair.path("up-on-dr");
    declare(&pair.client, &flag);
    pair.master.kill();
    pair.client.kill();
    for file in ["mandate.a", "mandate.b"] {
        fs::remove_file(pair.client.dir.join(file)).unwrap();
    }
    pair.client.ok(&["rescue", "open", "--reason", "the mandate is lost, the Master burnt down"]);
    assert!(flag.exists());
    pair.client.start();
    assert_eq!(pair.client.status()["state"], "active");
    pair.master.boot("second");
    pair.master.start();
    until("both see the fork", || {
        [&pair.master, &pair.client].iter().all(|machine| machine.status()["mandate"]["findings"][0] == "fork")
    });
    assert_eq!(pair.master.status()["state"], "held", "who has not begun never displaces who serves");
    assert_eq!(pair.client.status()["state"], "active");
    let told = |machine: &Machine| {
        let alarms = machine.ok(&["alarm", "list", "--json"]).json()["alarms"].clone();
        alarms.as_array().unwrap().iter().any(|alarm| alarm["code"] == "dr.split_brain")
    };
    until("both tell of it", || told(&pair.master) && told(&pair.client));
    // Settled by a take that names both: the Client stands down when it is asked, and follows.
    let settle = ["takeover", "--confirm-name", "master1", "--reason", "settled", "--accept-data-loss"];
    let alive = ["--override", "isolation.alive=it will stand down", "--override", "service.none=by hand"];
    pair.master.ok(&[&settle[..], &alive[..]].concat());
    until("they agree again", || !told(&pair.master) && !told(&pair.client));
    assert_eq!(pair.client.status()["mandate"], pair.master.status()["mandate"]);
    until("it is quiet", || !flag.exists());
}

#[test]
fn a_fence_holds_also_before_there_is_a_pair() {
    let root = tempfile::tempdir().unwrap();
    let mut master = Machine::ready(root.path(), "master", "master1");
    let flag = root.path().join("up");
    declare(&master, &flag);
    until("it runs", || flag.exists());
    master.kill();
    master.ok(&["rescue", "fence"]);
    assert!(!flag.exists());
    master.start();
    until("it was looked at", || master.status()["services"][0]["observed"] == "down");
    assert_eq!(master.status()["services"][0]["desired"], "down");
    assert!(!flag.exists());
}

#[test]
fn a_fenced_machine_stays_down_across_boots_until_an_operator_takes_the_service() {
    let mut pair = Pair::new();
    let flag = pair.path("up-on-master");
    declare(&pair.master, &flag);
    until("it runs", || flag.exists());
    pair.master.kill();
    pair.master.ok(&["rescue", "fence", "--reason", "smoke"]);
    assert!(!flag.exists());
    pair.master.boot("second");
    pair.master.start();
    until("the Client would let it", || pair.master.status()["gate"]["asked"][0]["answer"] == "confirmed");
    assert_eq!(pair.master.status()["state"], "held");
    assert!(!flag.exists());
}

#[test]
fn a_fence_stops_the_services_also_where_the_disk_takes_no_word_of_it() {
    let mut pair = Pair::new();
    let flag = pair.path("up-on-master");
    declare(&pair.master, &flag);
    until("the service is up", || flag.exists());
    pair.master.kill();
    for file in ["mandate.a.new", "mandate.b.new"] {
        fs::create_dir(pair.master.dir.join(file)).unwrap();
    }
    let fenced = pair.master.run(&["rescue", "fence"]);
    assert_eq!(fenced.code, 1, "{fenced:?}");
    assert!(fenced.err.contains("write the mandate down"), "{fenced:?}");
    assert!(!flag.exists());
}
