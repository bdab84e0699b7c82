//! The return gate of a Master: who may serve after a boot, and who says so.
#![allow(clippy::unwrap_used, reason = "test code")]

mod machines;

use machines::{Pair, until};

fn gate(machine: &machines::Machine) -> serde_json::Value {
    machine.ok(&["gate", "show", "--json"]).json()
}

/// The open alarm of that code.
fn alarm(machine: &machines::Machine, code: &str) -> Option<serde_json::Value> {
    let list = machine.ok(&["alarm", "list", "--json"]).json()["alarms"].clone();
    list.as_array().unwrap().iter().find(|alarm| alarm["code"] == code).cloned()
}

#[test]
fn both_sides_hold_the_same_mandate_from_the_association_on() {
    let pair = Pair::new();
    let (master, client) = (pair.master.status(), pair.client.status());
    assert_eq!(master["mandate"], client["mandate"]);
    assert_eq!(master["mandate"]["epoch"], 1);
    assert_eq!(master["mandate"]["holder"], "master");
    assert_eq!(master["mandate"]["kind"], "initial");
    assert_eq!((&master["state"], &client["state"]), (&"serving".into(), &"standby".into()));
    assert_eq!(master["gate"]["answer"], "open");
    assert_eq!(client["gate"]["answer"], "closed");
}

#[test]
fn a_master_that_boots_asks_the_client_and_a_restarted_service_does_not() {
    let mut pair = Pair::new();
    pair.client.kill();
    pair.master.kill();
    pair.master.start();
    assert_eq!(pair.master.status()["state"], "serving", "the machine has not booted since it was verified");
    pair.master.kill();
    pair.master.boot("second");
    pair.master.start();
    until("it asks", || gate(&pair.master)["asked"][0]["answer"] == "silent");
    assert_eq!(pair.master.status()["state"], "held");
    assert!(gate(&pair.master)["opens_at"].is_string(), "it says when it will give up waiting");
    pair.client.start();
    until("it was confirmed", || pair.master.status()["state"] == "serving");
    assert_eq!(gate(&pair.master)["answer"], "open");
}

#[test]
fn in_silence_the_policy_decides() {
    let mut pair = Pair::new();
    pair.master.ok(&["gate", "set", "--policy", "unverified", "--wait", "2"]);
    pair.client.kill();
    pair.master.kill();
    pair.master.boot("second");
    pair.master.start();
    until("it gave up waiting", || pair.master.status()["state"] == "unverified");
    assert_eq!(gate(&pair.master)["unverified"], true);
    until("there is an alarm", || alarm(&pair.master, "dr.gate.unverified").is_some());
    pair.client.start();
    until("it was confirmed after all", || pair.master.status()["state"] == "serving");
    until("the alarm ends", || alarm(&pair.master, "dr.gate.unverified").is_none());
    pair.master.ok(&["gate", "set", "--policy", "strict"]);
    pair.client.kill();
    pair.master.kill();
    pair.master.boot("third");
    pair.master.start();
    until("it asks", || gate(&pair.master)["asked"][0]["answer"] == "silent");
    assert!(gate(&pair.master)["opens_at"].is_null());
    assert_eq!(pair.master.status()["state"], "held");
    assert_eq!(pair.master.run(&["gate", "set", "--policy", "sometimes"]).code, 2);
    assert_eq!(pair.master.run(&["gate", "set", "--policy", "strict", "--wait", "0"]).code, 2);
}

#[test]
fn a_master_whose_mandate_was_destroyed_stays_held_until_the_client_tells_it() {
    let mut pair = Pair::new();
    pair.client.kill();
    pair.master.kill();
    for file in ["mandate.a", "mandate.b"] {
        std::fs::write(pair.master.dir.join(file), "half a fi").unwrap();
    }
    pair.master.start();
    assert_eq!(pair.master.status()["state"], "held");
    pair.client.start();
    until("the Client told it", || pair.master.status()["mandate"]["epoch"] == 1);
    until("it serves again", || pair.master.status()["state"] == "serving");
}

#[test]
fn a_master_put_back_to_an_earlier_copy_is_told_so_and_nothing_is_overwritten() {
    let mut pair = Pair::new();
    let (source, target) = pair.declare("etc", "files");
    std::fs::write(source.join("a"), "1").unwrap();
    until("it follows", || std::fs::read_to_string(target.join("a")).is_ok_and(|text| text == "1"));
    pair.master.kill();
    let copy = pair.path("copy");
    let status = std::process::Command::new("cp").args(["-a"]).arg(&pair.master.dir).arg(&copy).status().unwrap();
    assert!(status.success());
    pair.master.start();
    for n in 2..5 {
        std::fs::write(source.join("a"), format!("{n}")).unwrap();
        until("it follows", || std::fs::read_to_string(target.join("a")).is_ok_and(|text| text == format!("{n}")));
    }
    // The memory of a generation is written down now and then.
    until("the Client remembers", || {
        std::fs::write(source.join("b"), random()).unwrap();
        let text = std::fs::read_to_string(pair.client.dir.join("mandate.a")).unwrap();
        let line: serde_json::Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
        line["peer"]["generation"].as_u64() >= Some(4)
    });
    pair.master.kill();
    std::fs::remove_dir_all(&pair.master.dir).unwrap();
    std::fs::rename(&copy, &pair.master.dir).unwrap();
    std::fs::write(source.join("a"), "old").unwrap();
    pair.master.boot("restored");
    pair.master.start();
    until("it knows", || pair.master.status()["mandate"]["findings"][0] == "set_back");
    assert_eq!(pair.master.status()["state"], "held", "a machine that was put back never starts by itself");
    until("the sync is closed", || pair.client.dataset("etc")["last_error"]["code"] == "mandate.finding");
    assert_eq!(std::fs::read_to_string(target.join("a")).unwrap(), "4", "the good copy stays");
}

fn random() -> String {
    use std::collections::hash_map::RandomState;
    use std::hash::BuildHasher as _;
    RandomState::new().hash_one(1).to_string()
}

#[test]
fn a_service_whose_check_hangs_does_not_keep_the_others_up_on_a_fenced_machine() {
    let mut pair = Pair::new();
    let flag = pair.path("up-on-master");
    let shown = flag.to_str().unwrap();
    let (start, stop, check) = (format!("touch {shown}"), format!("rm -f {shown}"), format!("test -e {shown}"));
    pair.master.ok(&["service", "add", "pbx", "--start", &start, "--stop", &stop, "--check", &check]);
    let mute = ["--start", "true", "--stop", "true", "--check", "sleep 1000", "--timeout", "30"];
    pair.master.ok(&[&["service", "add", "zz"], &mute[..]].concat());
    until("the telephones work", || flag.exists());
    pair.master.kill();
    until("it is seen", || pair.client.status()["pair"]["peer"]["machines"][0]["reachable"] == false);
    let attest = "127.0.0.1=off, said somebody who was wrong";
    let passed = ["--override", "data.none=x", "--override", "service.none=x", "--accept-data-loss"];
    let press = ["activate", "--confirm-name", "dr1", "--reason", "x", "--attest", attest];
    pair.client.ok(&[&press[..], &passed[..]].concat());
    assert!(flag.exists(), "the machine was never off");
    pair.master.start();
    until("it is stopped at once", || !flag.exists());
}
