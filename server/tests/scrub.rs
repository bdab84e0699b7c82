//! The verification that goes on all the time, by command line: a bit that flips on the replica's disk is found, told,
//! and healed from the Master, and where the pass is outlives the process.

#![allow(clippy::unwrap_used, reason = "test code")]

mod machines;

use std::fs;
use std::path::Path;

use machines::{Machine, Pair, until};
use serde_json::Value;

/// Changes one bit behind everybody's back: size and times stay.
fn flip(file: &Path) {
    let file = fs::canonicalize(file).unwrap();
    let times = fs::metadata(&file).unwrap().modified().unwrap();
    let mut content = fs::read(&file).unwrap();
    content[0] ^= 1;
    fs::write(&file, content).unwrap();
    fs::File::options().write(true).open(&file).unwrap().set_modified(times).unwrap();
}

fn scrub(machine: &Machine, dataset: &str) -> Value {
    let report = machine.ok(&["sync", "scrub", "show", "--json"]).json();
    report["datasets"].as_array().unwrap().iter().find(|one| one["dataset"] == dataset).cloned().unwrap_or_default()
}

/// The alarms about damage: how many are open, how many have ended.
fn alarms(machine: &Machine) -> (usize, usize) {
    let report = machine.ok(&["alarm", "list", "--all", "--json"]).json();
    let of = |alarm: &&Value| alarm["code"] == "dr.replica.damaged";
    let (open, ended) = report["alarms"]
        .as_array()
        .unwrap()
        .iter()
        .filter(of)
        .partition::<Vec<&Value>, _>(|a| a["cleared_at"].is_null());
    (open.len(), ended.len())
}

/// A pair with three files copied, and the fastest pace there is.
fn swift() -> (Pair, std::path::PathBuf) {
    let pair = Pair::new();
    let (source, target) = pair.declare("etc", "files");
    for name in ["a", "b", "c"] {
        fs::write(source.join(name), format!("content of {name}")).unwrap();
    }
    until("the first copy", || ["a", "b", "c"].iter().all(|name| target.join(name).exists()));
    pair.until_current("etc");
    pair.client.ok(&["threshold", "set", "probe.interval_ms", "200"]);
    pair.client.ok(&["sync", "scrub", "set", "10s"]);
    (pair, target)
}

#[test]
fn a_bit_that_flips_on_the_replicas_disk_is_found_told_healed_and_cleared() {
    let (pair, target) = swift();
    until("a whole pass finds nothing", || scrub(&pair.client, "etc")["last"]["differences"] == 0);
    flip(&target.join("b"));
    until("it is found and healed", || scrub(&pair.client, "etc")["damage"]["healed_at"].is_string());
    assert_eq!(fs::read_to_string(target.join("b")).unwrap(), "content of b");
    let damage = scrub(&pair.client, "etc")["damage"].clone();
    assert_eq!((&damage["total"], &damage["differences"][0]["path"]), (&1.into(), &"b".into()), "{damage}");
    until("an alarm has told of it and has ended", || alarms(&pair.client) == (0, 1));
    pair.client.ok(&["sync", "verify"]);
}

#[test]
fn damage_that_a_forced_sync_finds_is_known_before_it_is_healed() {
    let mut pair = Pair::new();
    pair.client.ok(&["sync", "scrub", "set", "365d"]);
    let (_, target) = pair.declare_large("rec");
    pair.until_current("rec");
    let whole = fs::read(target.join("large")).unwrap();
    pair.limit_to(500);
    flip(&target.join("large"));
    pair.client.ok(&["sync", "full"]);
    until("it is told while it is being healed", || scrub(&pair.client, "rec")["damage"]["total"] == 1);
    pair.client.kill();
    pair.client.start();
    let damage = scrub(&pair.client, "rec")["damage"].clone();
    assert_eq!((&damage["total"], &damage["healed_at"]), (&1.into(), &Value::Null), "{damage}");
    until("the alarm is raised", || alarms(&pair.client) == (1, 0));
    pair.client.ok(&["sync", "bandwidth", "set", "none"]);
    until("it is healed", || scrub(&pair.client, "rec")["damage"]["healed_at"].is_string());
    assert!(fs::read(target.join("large")).unwrap() == whole);
    until("the alarm has ended", || alarms(&pair.client) == (0, 1));
}

#[test]
fn damage_found_while_the_replication_is_off_stays_told_until_it_can_be_healed() {
    let (mut pair, target) = swift();
    pair.client.ok(&["sync", "stop"]);
    flip(&target.join("a"));
    until("the alarm is raised", || alarms(&pair.client).0 == 1);
    assert!(scrub(&pair.client, "etc")["damage"]["healed_at"].is_null());
    pair.client.kill();
    pair.client.start();
    assert_eq!(scrub(&pair.client, "etc")["damage"]["total"], 1, "remembered");
    assert_eq!(alarms(&pair.client), (1, 0), "and it is the same alarm");
    pair.client.ok(&["sync", "start"]);
    until("it is healed", || fs::read_to_string(target.join("a")).is_ok_and(|text| text == "content of a"));
    until("and the alarm has ended", || alarms(&pair.client) == (0, 1));
}

#[test]
fn where_the_pass_is_and_its_pace_outlive_kill_9() {
    let (mut pair, _) = swift();
    until("a pass has ended", || scrub(&pair.client, "etc")["last"].is_object());
    pair.client.ok(&["sync", "scrub", "set", "30d"]);
    pair.client.kill();
    pair.client.start();
    assert!(scrub(&pair.client, "etc")["last"].is_object());
    assert_eq!(pair.client.ok(&["sync", "scrub", "show", "--json"]).json()["period_seconds"], 30 * 86_400);
    for every in ["1s", "2y", "often"] {
        let ran = pair.client.run(&["sync", "scrub", "set", every, "--json"]);
        assert_eq!((ran.code, &ran.json()["invalid"][0]["field"]), (2, &"every".into()), "{every}");
    }
    assert_eq!(pair.master.run(&["sync", "scrub", "set", "7d", "--json"]).rule(), "role.wrong");
}

#[test]
fn the_last_verification_and_what_it_found_are_known_after_a_restart() {
    let (mut pair, target) = swift();
    pair.client.ok(&["sync", "scrub", "set", "365d"]);
    pair.client.ok(&["sync", "stop"]);
    flip(&target.join("c"));
    assert_eq!(pair.client.run(&["sync", "verify"]).code, 1);
    until("a verification tells of damage like the other one", || alarms(&pair.client).0 == 1);
    pair.client.kill();
    pair.client.start();
    let last = pair.client.ok(&["sync", "last", "--json"]).json();
    let kept = &last["verify"];
    assert_eq!((&kept["state"], &kept["differences"][0]["path"]), (&"failed".into(), &"c".into()), "{kept}");
    assert!(last["full"].is_null(), "there was none");
}
