//! The monitor by command line: every condition of the catalogue is brought about, becomes one alarm, and ends.

#![allow(clippy::unwrap_used, reason = "test code")]

mod machines;
mod procedures;

use std::fs;
use std::time::{Duration, Instant};

use machines::{Machine, Pair, Supplier, until};
use procedures::{Site, press};
use serde_json::Value;

/// The open alarm of that code.
fn open(machine: &Machine, code: &str) -> Option<Value> {
    let report = machine.ok(&["alarm", "list", "--json"]).json();
    report["alarms"].as_array().unwrap().iter().find(|alarm| alarm["code"] == code).cloned()
}

fn until_open(machine: &Machine, code: &str) -> Value {
    until(&format!("{code} is raised"), || open(machine, code).is_some());
    open(machine, code).unwrap()
}

fn until_ended(machine: &Machine, code: &str) {
    until(&format!("{code} has ended"), || open(machine, code).is_none());
}

/// Looks come five times as often as by default, so that a test need not wait.
fn impatient(pair: &Pair) {
    for machine in [&pair.master, &pair.client] {
        machine.ok(&["threshold", "set", "probe.interval_ms", "200"]);
    }
}

#[test]
fn a_dead_master_is_one_alarm_within_its_time_and_ends_when_it_is_back() {
    let mut pair = Pair::new();
    until("the pair talks", || pair.client.status()["pair"]["peer"]["machines"][0]["reachable"] == true);
    let killed = Instant::now();
    pair.master.kill();
    let alarm = until_open(&pair.client, "dr.master.unreachable");
    // bad × interval, one second of scheduling, and one for the looks of this test.
    assert!(killed.elapsed() < Duration::from_secs(3 + 1 + 1), "{:?}", killed.elapsed());
    assert_eq!((&alarm["priority"], &alarm["clear_code"]), (&6.into(), &"dr.master.reachable".into()));
    assert_eq!((&alarm["subject"], &alarm["host"]), (&"master1".into(), &"dr1".into()));
    assert_eq!(pair.client.status()["alarms"]["highest_priority"], 6);
    // Neither a restart of the watcher nor time makes a second one of it.
    pair.client.kill();
    pair.client.start();
    assert_eq!(until_open(&pair.client, "dr.master.unreachable")["id"], alarm["id"]);
    let id = alarm["id"].as_str().unwrap();
    pair.client.ok(&["alarm", "ack", id, "--note", "visto"]);
    let noted = open(&pair.client, "dr.master.unreachable").unwrap();
    assert_eq!((&noted["acknowledged"]["by"], &noted["acknowledged"]["note"]), (&"root".into(), &"visto".into()));
    pair.master.start();
    until_ended(&pair.client, "dr.master.unreachable");
    let all = pair.client.ok(&["alarm", "list", "--all", "--json"]).json();
    let ended = all["alarms"].as_array().unwrap().iter().find(|alarm| alarm["id"] == id).unwrap();
    assert!(ended["cleared_at"].is_string(), "{ended}");
    assert_eq!(pair.client.status()["alarms"]["open"], 0);
}

#[test]
fn a_dead_client_is_an_alarm_on_the_master() {
    let mut pair = Pair::new();
    impatient(&pair);
    pair.client.kill();
    assert_eq!(until_open(&pair.master, "dr.client.unreachable")["priority"], 5);
    pair.client.start();
    until_ended(&pair.master, "dr.client.unreachable");
}

#[test]
fn stopping_the_replication_is_an_alarm_and_so_is_the_lag_that_follows() {
    let pair = Pair::new();
    let (source, target) = pair.declare("etc", "files");
    fs::write(source.join("a"), "1").unwrap();
    until("the first copy", || target.join("a").exists());
    impatient(&pair);
    for (name, value) in [("lag.soft_s", "1"), ("lag.hard_s", "2")] {
        pair.client.ok(&["threshold", "set", name, value]);
    }
    pair.client.ok(&["sync", "stop"]);
    fs::write(source.join("a"), "2").unwrap();
    assert_eq!(until_open(&pair.client, "dr.sync.stopped")["subject"], "etc");
    until_open(&pair.client, "dr.lag.warning");
    until_open(&pair.client, "dr.lag.exceeded");
    pair.client.ok(&["sync", "start"]);
    for code in ["dr.sync.stopped", "dr.lag.warning", "dr.lag.exceeded"] {
        until_ended(&pair.client, code);
    }
}

#[test]
fn a_source_that_cannot_be_read_is_an_alarm_in_words() {
    let pair = Pair::new();
    let (source, target) = pair.declare("etc", "files");
    fs::write(source.join("a"), "1").unwrap();
    until("the first copy", || target.join("a").exists());
    impatient(&pair);
    fs::rename(&source, source.with_extension("gone")).unwrap();
    let alarm = until_open(&pair.client, "dr.sync.stopped");
    assert!(alarm["text"]["it"].as_str().unwrap().contains("non esiste sul Master"), "{alarm}");
    fs::rename(source.with_extension("gone"), &source).unwrap();
    until_ended(&pair.client, "dr.sync.stopped");
}

#[test]
fn disk_and_licence_are_watched_on_both_sides() {
    let pair = Pair::new();
    impatient(&pair);
    for machine in [&pair.master, &pair.client] {
        // No disk of a machine that runs tests is emptier than this.
        machine.ok(&["threshold", "set", "disk.min_free_percent", "90"]);
        until_open(machine, "dr.disk.low");
        machine.ok(&["threshold", "set", "disk.min_free_percent", "0"]);
        until_ended(machine, "dr.disk.low");
        machine.ok(&["licence", "remove"]);
        until_open(machine, "dr.licence.expired");
        machine.license(pair.root.path());
        until_ended(machine, "dr.licence.expired");
    }
    let soon = pair.root.path().join("soon.lic");
    let day = jiff::Timestamp::from_second(
        i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap() + 5 * 86_400,
    );
    let day = day.unwrap().to_string();
    let supplier = Supplier::new(pair.root.path());
    supplier.licence(&soon, "CLIENT_DISASTER_RECOVERY", &["--expires", &day]);
    pair.client.ok(&["licence", "load", soon.to_str().unwrap()]);
    until_open(&pair.client, "dr.licence.expiring");
    pair.client.license(pair.root.path());
    until_ended(&pair.client, "dr.licence.expiring");
}

#[test]
fn versions_that_do_not_fit_are_an_alarm_on_both_sides() {
    let mut pair = Pair::new();
    impatient(&pair);
    pair.client.stop();
    pair.client.env.push(("TVOX_DR_TEST_VERSION", "9.9.9".into()));
    pair.client.start();
    for machine in [&pair.master, &pair.client] {
        until_open(machine, "dr.version.mismatch");
    }
    pair.client.stop();
    pair.client.env.clear();
    pair.client.start();
    for machine in [&pair.master, &pair.client] {
        until_ended(machine, "dr.version.mismatch");
    }
}

#[test]
fn limits_are_kept_within_their_ranges_and_given_back() {
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::ready(root.path(), "client", "c");
    for (name, value) in
        [("peer.bad", "0"), ("peer.bad", "x"), ("peer.bad", "101"), ("no.such", "1"), ("probe.interval_ms", "50")]
    {
        assert_eq!(machine.run(&["threshold", "set", name, value]).code, 2, "{name} {value}");
    }
    machine.ok(&["threshold", "set", "peer.bad", "7"]);
    let value = || {
        let report = machine.ok(&["threshold", "list", "--json"]).json();
        let list = report["thresholds"].as_array().unwrap().clone();
        list.iter().find(|one| one["name"] == "peer.bad").unwrap()["value"].clone()
    };
    assert_eq!(value(), 7);
    machine.ok(&["threshold", "reset", "peer.bad"]);
    assert_eq!(value(), 3);
    assert_eq!(machine.run(&["alarm", "ack", "nonsense"]).code, 2);
    assert_eq!(machine.run(&["recipient", "language", "fr"]).code, 2);
    machine.ok(&["recipient", "language", "en"]);
}

#[test]
fn nobody_serving_is_an_alarm_of_its_own_until_somebody_does() {
    let mut pair = Pair::new();
    impatient(&pair);
    pair.master.ok(&["gate", "set", "--policy", "strict", "--wait", "1"]);
    pair.client.kill();
    pair.master.kill();
    pair.master.boot("second");
    pair.master.start();
    let alarm = until_open(&pair.master, "dr.unserved");
    assert_eq!((&alarm["priority"], &alarm["subject"]), (&6.into(), &"master1".into()));
    pair.client.start();
    until_ended(&pair.master, "dr.unserved");
}

#[test]
fn an_activation_tells_nobody_that_a_replica_has_caught_up() {
    let mut site = Site::new();
    impatient(&site.pair);
    for (name, value) in [("lag.soft_s", "1"), ("lag.hard_s", "2")] {
        site.pair.client.ok(&["threshold", "set", name, value]);
    }
    site.pair.master.kill();
    let lag = until_open(&site.pair.client, "dr.lag.exceeded");
    assert_eq!(press(&site.pair.client, "activate", &[]).code, 0);
    // This one needs as many looks as the other would have needed to end.
    until_open(&site.pair.client, "dr.active");
    assert_eq!(open(&site.pair.client, "dr.lag.exceeded").map(|alarm| alarm["id"].clone()), Some(lag["id"].clone()));
    site.pair.master.boot("second");
    site.pair.master.start();
    until("the Master stands down", || site.pair.master.status()["state"] == "fenced");
    assert_eq!(press(&site.pair.client, "deactivate", &[]).code, 0);
    for (name, value) in [("lag.soft_s", "60"), ("lag.hard_s", "300")] {
        site.pair.client.ok(&["threshold", "set", name, value]);
    }
    until_ended(&site.pair.client, "dr.lag.exceeded");
}
