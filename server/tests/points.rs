//! Restore points by command line: how many are kept, whether one is still good, and a task that is given up.

#![allow(clippy::unwrap_used, reason = "test code")]

mod machines;

use std::fs;

use machines::{Machine, Pair, until};
use serde_json::Value;

fn points(machine: &Machine) -> Vec<Value> {
    machine.ok(&["sync", "points", "--json"]).json()["points"].as_array().unwrap().clone()
}

fn retention(machine: &Machine) -> Value {
    machine.ok(&["sync", "retention", "show", "--json"]).json()
}

#[test]
fn a_restore_point_is_a_vector_and_can_be_verified_long_after() {
    let pair = Pair::new();
    let (etc, replica) = pair.declare("etc", "files");
    let (voice, copy) = pair.declare("voice", "files");
    fs::write(voice.join("hello.wav"), "hello").unwrap();
    for version in ["first", "other"] {
        fs::write(etc.join("a"), version).unwrap();
        until("it is copied", || fs::read_to_string(replica.join("a")).is_ok_and(|text| text == version));
        until("the other one too", || copy.join("hello.wav").exists());
        for name in ["etc", "voice"] {
            pair.until_current(name);
        }
    }
    until("both are told", || points(&pair.client).len() >= 2);
    let (newest, older) = (points(&pair.client)[0].clone(), points(&pair.client)[1].clone());
    assert!(newest["age_seconds"].is_number() && newest["checked"].is_null(), "{newest}");
    assert_eq!((&newest["made_on"], newest["datasets"].as_array().unwrap().len()), (&"master".into(), 2), "{newest}");
    assert_eq!(newest["datasets"][0]["files"], 1, "{newest}");
    // The disk forgets a bit of what is visible now.
    let file = fs::canonicalize(replica.join("a")).unwrap();
    fs::write(&file, "othes").unwrap();
    let id = newest["id"].as_str().unwrap();
    let verdict = pair.client.run(&["sync", "verify", "--point", id, "--json"]);
    assert_eq!((verdict.code, &verdict.json()["point"]), (1, &id.into()), "{verdict:?}");
    assert_eq!(verdict.json()["differences"][0]["path"], "a", "{verdict:?}");
    pair.client.ok(&["sync", "verify", "--point", older["id"].as_str().unwrap()]);
    let known = points(&pair.client);
    let checked = |id: &Value| known.iter().find(|one| one["id"] == *id).unwrap()["checked"]["differences"].clone();
    assert!(checked(&newest["id"]).as_u64().unwrap() >= 1);
    assert_eq!(checked(&older["id"]), 0);
    for unknown in ["g99999", "", "dr-1"] {
        let ran = pair.client.run(&["sync", "verify", "--point", unknown, "--json"]);
        assert_eq!((ran.code, ran.rule()), (3, "point.unknown".into()), "{unknown}");
    }
}

#[test]
fn the_policy_outlives_a_restart_and_a_wrong_number_changes_nothing() {
    let mut pair = Pair::new();
    assert_eq!(retention(&pair.client)["hours"], 24);
    pair.client.ok(&["sync", "retention", "set", "--newest", "2", "--days", "30"]);
    let bad = pair.client.run(&["sync", "retention", "set", "--newest", "0", "--hours", "many", "--json"]);
    let fields: Vec<Value> = bad.json()["invalid"].as_array().unwrap().iter().map(|one| one["field"].clone()).collect();
    assert_eq!((bad.code, fields), (2, vec!["newest".into(), "hours".into()]));
    assert_eq!(pair.client.run(&["sync", "retention", "set"]).code, 2, "an order without a number is none");
    pair.client.kill();
    pair.client.start();
    let kept = retention(&pair.client);
    assert_eq!([&kept["newest"], &kept["minutes"], &kept["hours"], &kept["days"]], [2, 5, 24, 30]);
    assert_eq!(pair.master.run(&["sync", "retention", "set", "--days", "1", "--json"]).rule(), "role.wrong");
}

#[test]
fn a_forced_sync_can_be_given_up_and_what_had_arrived_stays() {
    let pair = Pair::new();
    let (source, target) = pair.declare("rec", "files");
    fs::write(source.join("big"), vec![7; 48 << 20]).unwrap();
    until("the first copy", || target.join("big").exists());
    pair.until_current("rec");
    let refused = pair.client.run(&["sync", "cancel", "--json"]);
    assert_eq!((refused.code, refused.rule()), (3, "state.illegal".into()), "nothing runs");
    let ended = |text: &str| {
        let last = pair.client.ok(&["sync", "last", "--json"]).json()["full"].clone();
        let log = last["log"].as_array().unwrap();
        last["state"] == "failed" && log.iter().any(|line| line["text"]["en"].as_str().unwrap().starts_with(text))
    };
    // Which of the two is faster is nobody's business: once the cancel comes first.
    until("a cancelled forced sync says so", || {
        pair.client.run(&["sync", "full"]);
        pair.client.run(&["sync", "cancel"]);
        until("it is over", || pair.client.ok(&["sync", "last", "--json"]).json()["full"]["state"] != "running");
        ended("Cancelled by an operator")
    });
    assert!(target.join("big").exists());
    pair.client.ok(&["sync", "full", "--wait"]);
    pair.client.ok(&["sync", "verify"]);
}

#[test]
fn a_forced_sync_that_waits_for_a_copy_says_so_and_can_be_given_up() {
    let pair = Pair::new();
    pair.limit_to(4000);
    pair.declare_large("rec");
    until("the first copy is under way", || pair.has_begun("rec"));
    let last = |kind: &str| pair.client.ok(&["sync", "last", "--json"]).json()[kind].clone();
    for kind in ["full", "verify"] {
        let said = |text: &str| {
            let log = last(kind)["log"].as_array().cloned().unwrap_or_default();
            log.iter().any(|line| line["text"]["en"].as_str().unwrap().contains(text))
        };
        std::thread::scope(|scope| {
            // A verification by command line waits for its end.
            scope.spawn(|| pair.client.run(&["sync", kind]));
            until("it says what it waits for", || said("waits for the copy under way"));
            pair.client.ok(&["sync", "cancel"]);
        });
        until("it is over", || last(kind)["state"] == "failed");
        assert!(said("Cancelled by an operator"), "{}", last(kind));
    }
    assert_eq!(pair.client.dataset("rec")["state"], "copying", "the copy under way goes on");
}

#[test]
fn an_undeclared_database_among_files_is_told() {
    let pair = Pair::new();
    let (source, _) = pair.declare("etc", "files");
    rusqlite::Connection::open(source.join("contacts.db")).unwrap().execute_batch("CREATE TABLE c (n)").unwrap();
    for machine in [&pair.client, &pair.master] {
        until("both sides tell", || {
            let report = machine.ok(&["sync", "status", "--json"]).json();
            let told = report["not_replicated"].as_array().unwrap();
            told.iter().any(|one| one["path"] == "contacts.db" && one["reason"] == "database")
        });
    }
}
