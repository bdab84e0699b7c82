//! A STOP for a time, by command line: it ends by itself, also when the machine died meanwhile, and whoever presses again
//! takes the time back.

#![allow(clippy::unwrap_used, reason = "test code")]

mod machines;

use machines::{Machine, Pair, until};
use serde_json::Value;

/// A row of the Replicazione page: its switch, and until when it is stopped.
fn row(machine: &Machine, group: &str) -> (Value, Value) {
    let sync = machine.status()["sync"].clone();
    (sync[group].clone(), sync["until"][group].clone())
}

/// Lets the time of every STOP be over: on the disk of a machine that is off.
fn let_it_be_over(machine: &Machine) {
    let db = rusqlite::Connection::open(machine.dir.join("tvox-dr.db")).unwrap();
    db.execute("UPDATE sync_switch SET off_until = '2020-01-01T00:00:00Z' WHERE off_until IS NOT NULL", []).unwrap();
}

fn started_by_itself(machine: &Machine) -> bool {
    let audit = machine.ok(&["audit", "--json"]).json();
    let entries = audit["entries"].as_array().unwrap();
    entries.iter().any(|entry| entry["action"] == "sync.start" && entry["actor"]["kind"] == "system")
}

#[test]
fn a_stop_for_a_time_survives_kill_9_and_ends_although_nobody_was_there() {
    let mut pair = Pair::new();
    pair.declare("etc", "files");
    pair.client.ok(&["sync", "stop", "--only", "files", "--for", "2h"]);
    let (switch, end) = row(&pair.client, "files");
    assert!(switch == "off" && end.is_string(), "{switch} {end}");
    assert_eq!(row(&pair.client, "database"), ("on".into(), Value::Null), "the other row goes on");
    until("the dataset says so", || pair.client.dataset("etc")["switch_until"] == end);
    pair.client.kill();
    pair.client.start();
    assert_eq!(row(&pair.client, "files"), ("off".into(), end), "neither forgotten nor made longer");
    pair.client.kill();
    let_it_be_over(&pair.client);
    pair.client.start();
    until("it starts again", || row(&pair.client, "files") == ("on".into(), Value::Null));
    assert!(started_by_itself(&pair.client), "the audit log names the node itself");
    pair.until_current("etc");
}

#[test]
fn a_stop_for_a_time_ends_by_itself_while_the_node_runs() {
    let pair = Pair::new();
    pair.client.ok(&["sync", "stop", "--for", "1s"]);
    for group in ["database", "files"] {
        until("the row is ON again", || row(&pair.client, group) == ("on".into(), Value::Null));
    }
    assert!(started_by_itself(&pair.client));
}

#[test]
fn whoever_presses_start_or_stop_takes_the_time_back() {
    let pair = Pair::new();
    pair.client.ok(&["sync", "stop", "--for", "1h"]);
    pair.client.ok(&["sync", "stop", "--only", "files"]);
    assert_eq!(row(&pair.client, "files"), ("off".into(), Value::Null), "a plain STOP waits for somebody");
    assert!(row(&pair.client, "database").1.is_string());
    pair.client.ok(&["sync", "start", "--only", "database"]);
    assert_eq!(row(&pair.client, "database"), ("on".into(), Value::Null));
    assert!(!started_by_itself(&pair.client));
}

#[test]
fn the_alarm_of_a_stop_says_until_when() {
    let pair = Pair::new();
    pair.declare("etc", "files");
    pair.client.ok(&["sync", "stop", "--for", "2h"]);
    let alarm = || {
        let report = pair.client.ok(&["alarm", "list", "--json"]).json();
        report["alarms"].as_array().unwrap().iter().find(|alarm| alarm["code"] == "dr.sync.stopped").cloned()
    };
    until("the alarm is raised", || alarm().is_some());
    let text = alarm().unwrap()["text"].clone();
    assert!(text["it"].as_str().unwrap().contains("OFF fino al 20"), "{text}");
    assert!(text["en"].as_str().unwrap().contains("OFF until 20"), "{text}");
}

#[test]
fn a_stop_holds_for_those_too_that_wait_for_their_turn() {
    let pair = Pair::new();
    pair.limit_to(4000);
    let names = ["recordings", "voicemail", "faxes"];
    let targets = names.map(|name| pair.declare_large(name).1);
    until("two are on their way", || names.iter().filter(|name| pair.has_begun(name)).count() >= 2);
    until("one waits for another to end", || pair.client.log().contains("it waits for another large copy to end"));
    pair.client.ok(&["sync", "stop", "--only", "files"]);
    until("all are stopped", || names.iter().all(|name| pair.client.dataset(name)["state"] == "stopped"));
    // Whoever did not ask again would have begun, before this is through.
    let (database, replica) = (pair.path("src").join("pbx"), pair.path("replica").join("pbx"));
    rusqlite::Connection::open(&database).unwrap().execute_batch("CREATE TABLE t (n)").unwrap();
    pair.declare("pbx", "sqlite");
    until("the databases go on", || replica.exists());
    for (name, target) in names.iter().zip(&targets) {
        let now = pair.client.dataset(name);
        assert!(now["state"] == "stopped" && now["generation"].is_null() && !target.exists(), "{now}");
    }
    pair.client.ok(&["sync", "bandwidth", "set", "none"]);
    pair.client.ok(&["sync", "start"]);
    names.iter().for_each(|name| pair.until_current(name));
}

#[test]
fn a_span_that_is_none_stops_nothing() {
    let pair = Pair::new();
    for span in ["2", "soon", "0s", "31d", "99999999999h"] {
        let ran = pair.client.run(&["sync", "stop", "--for", span, "--json"]);
        assert_eq!((ran.code, &ran.json()["invalid"][0]["field"]), (2, &"pause".into()), "{span}");
    }
    assert_eq!(row(&pair.client, "files"), ("on".into(), Value::Null));
}
