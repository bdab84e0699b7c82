//! *Banda Replicazione* between two machines: the limit holds, it can be changed while a copy runs, and a large first
//! copy keeps no database waiting.

#![allow(clippy::panic, clippy::unwrap_used, reason = "test code")]

mod machines;

use std::fs;
use std::process::Command;
use std::time::Instant;

use machines::{Machine, Pair, noise, until};
use serde_json::{Value, json};

const MEGABYTE: u64 = 1_000_000;

fn shown(machine: &Machine) -> Value {
    machine.ok(&["sync", "bandwidth", "show", "--json"]).json()
}

fn sql(path: &std::path::Path, text: &str) -> String {
    let ran = Command::new("sqlite3").arg(path).arg(text).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8_lossy(&ran.stdout).trim().to_owned()
}

#[test]
fn a_limited_first_copy_keeps_no_database_waiting_and_goes_on_at_once_when_the_limit_is_lifted() {
    let pair = Pair::new();
    pair.client.ok(&["sync", "bandwidth", "set", "2 Mbit/s"]);
    until("the Master knows the limit", || shown(&pair.master)["now_kbits"] == 2000);
    let database = pair.path("src").join("pbx.db");
    fs::create_dir_all(database.parent().unwrap()).unwrap();
    sql(&database, "CREATE TABLE t(n); INSERT INTO t VALUES (1);");
    // Minutes at this limit.
    for name in ["recordings", "voicemail"] {
        let source = pair.path("src").join(name);
        fs::create_dir_all(&source).unwrap();
        fs::write(source.join("large"), noise(24_000_000)).unwrap();
    }
    let begun = Instant::now();
    let (_, recordings) = pair.declare("recordings", "files");
    let (_, voicemail) = pair.declare("voicemail", "files");
    let large = ["recordings", "voicemail"];
    until("both large copies are under way", || {
        large.iter().all(|name| pair.client.dataset(name)["progress"]["bytes_done"].as_u64() > Some(0))
    });
    pair.master.ok(&[
        "dataset",
        "add",
        "pbx",
        "--kind",
        "sqlite",
        "--source",
        database.to_str().unwrap(),
        "--target",
        pair.path("replica").join("pbx.db").to_str().unwrap(),
    ]);
    let replica = pair.path("replica").join("pbx.db");
    until("the database is there", || replica.exists() && sql(&replica, "SELECT max(n) FROM t") == "1");
    sql(&database, "INSERT INTO t VALUES (2);");
    until("its change is there", || sql(&replica, "SELECT max(n) FROM t") == "2");
    // However slow this machine is, no more can have come than the limit lets through: 250,000 bytes a second, and what
    // stood ready in buffers.
    let done: u64 =
        large.iter().map(|name| pair.client.dataset(name)["progress"]["bytes_done"].as_u64().unwrap()).sum();
    let may = begun.elapsed().as_millis() as u64 * 250 * 105 / 100 + MEGABYTE;
    assert!(done <= may, "{done} bytes came, {may} may have");
    assert!(large.iter().all(|name| pair.client.dataset(name)["state"] == "copying"), "they are still on their way");
    pair.client.ok(&["sync", "bandwidth", "set", "none"]);
    for (name, target) in [("recordings", recordings), ("voicemail", voicemail)] {
        pair.until_current(name);
        assert_eq!(fs::metadata(target.join("large")).unwrap().len(), 24_000_000);
    }
    assert_eq!(shown(&pair.master)["now_kbits"], Value::Null);
}

#[test]
fn a_small_tree_does_not_wait_for_two_large_ones() {
    let pair = Pair::new();
    pair.limit_to(4000);
    let large = ["recordings", "voicemail"];
    for name in large {
        pair.declare_large(name);
    }
    until("both large copies are under way", || large.iter().all(|name| pair.has_begun(name)));
    let (etc, replica) = pair.declare("etc", "files");
    for text in ["first", "other"] {
        fs::write(etc.join("a"), text).unwrap();
        until("the small one is there", || fs::read_to_string(replica.join("a")).is_ok_and(|there| there == text));
    }
    assert!(large.iter().all(|name| pair.client.dataset(name)["state"] == "copying"), "the large ones go on");
}

#[test]
fn limit_and_hours_are_set_on_the_client_kept_over_a_restart_and_written_down() {
    let mut pair = Pair::strangers();
    let set = |args: &[&str]| pair.client.run(&[&["sync", "bandwidth", "set"], args].concat());
    let week = "mon-sun 00:00-24:00 2.5M";
    assert_eq!(set(&["100M", "--window", week, "--window", "sat 10:00-11:00 none"]).code, 0);
    let all = shown(&pair.client);
    assert_eq!(all["limit_kbits"], 100_000);
    assert_eq!((&all["now_kbits"], &all["now_window"]), (&json!(2500), &json!(0)));
    let texts: Vec<_> = all["windows"].as_array().unwrap().iter().map(|window| window["text"].clone()).collect();
    assert_eq!(texts, ["mon-sun 00:00-24:00 2500 kbit/s", "sat 10:00-11:00 none"]);
    // What is not given stays, and what is wrong changes nothing.
    assert_eq!(set(&["50M"]).code, 0);
    assert_eq!(shown(&pair.client)["windows"], all["windows"]);
    for wrong in [&["fast"][..], &["1"], &["10M", "--window", "never"], &["--window", "mon 08:00-09:00 x"], &[]] {
        assert_eq!(set(wrong).code, 2, "{wrong:?}");
    }
    assert_eq!(shown(&pair.client)["limit_kbits"], 50_000);
    assert_eq!(pair.master.run(&["sync", "bandwidth", "set", "10M"]).code, 3, "it is the Client's to set");
    pair.client.stop();
    pair.client.start();
    let set = |args: &[&str]| pair.client.run(&[&["sync", "bandwidth", "set"], args].concat());
    assert_eq!(shown(&pair.client)["now_kbits"], 2500);
    assert_eq!(set(&["--no-windows"]).code, 0);
    let now = shown(&pair.client);
    assert_eq!((&now["now_kbits"], &now["windows"]), (&json!(50_000), &json!([])));
    let audit = pair.client.ok(&["audit", "--json"]).json();
    let rows: Vec<_> =
        audit["entries"].as_array().unwrap().iter().filter(|row| row["action"] == "bandwidth.set").collect();
    assert!(rows.iter().any(|row| row["outcome"] == "refused"), "{rows:?}");
    let last = rows.iter().max_by_key(|row| row["seq"].as_u64()).unwrap();
    assert_eq!((&last["before"]["windows"][0], &last["after"]["windows"]), (&texts[0], &json!([])));
}
