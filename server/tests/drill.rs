//! The activation drill: it tries what an activation would need while the Master serves, and whatever is meant in earnest
//! goes before it.

#![allow(clippy::unwrap_used, reason = "test code")]

mod machines;
mod procedures;

use std::fs;
use std::path::PathBuf;

use machines::{Machine, Ran, until};
use procedures::{Site, last, press, rehearsals, resume, step, up};
use serde_json::Value;

fn drill(machine: &Machine) -> Ran {
    machine.run(&["drill", "--reason", "prova mensile", "--json"])
}

/// A drill that stands at its last step.
fn stuck(site: &mut Site) {
    site.pair.client.kill();
    site.pair.client.bad_day(Some("fail:drill_ready".into()));
    site.pair.client.start();
    let ran = drill(&site.pair.client);
    assert_eq!((ran.code, &ran.json()["step"]), (1, &"drill_ready".into()), "{ran:?}");
}

#[test]
fn a_drill_copies_checks_and_tells_how_long_it_took_and_nothing_is_other_than_before() {
    let site = Site::new();
    let client = &site.pair.client;
    let voice = site.pair.path("src/voice.db");
    let db = rusqlite::Connection::open(&voice).unwrap();
    db.execute_batch("CREATE TABLE account (name TEXT); INSERT INTO account VALUES ('rossi')").unwrap();
    let (target, root) = (site.pair.path("replica/voice.db"), "--kind");
    let (from, to) = (voice.to_str().unwrap(), target.to_str().unwrap());
    site.pair.master.ok(&["dataset", "add", "voice", root, "sqlite", "--source", from, "--target", to]);
    site.pair.until_current("voice");
    let before = (fs::canonicalize(&site.target).unwrap(), client.status()["mandate"].clone());
    let ran = drill(client);
    let run = ran.json();
    assert_eq!((ran.code, &run["kind"], &run["state"]), (0, &"drill".into(), &"done".into()), "{ran:?}");
    let told = step(&run, "drill_copy")["output"].as_str().unwrap().to_owned();
    assert!(told.starts_with("conf g") && told.contains("1 files 1 bytes, voice g") && told.ends_with(" s"), "{told}");
    assert_eq!((fs::canonicalize(&site.target).unwrap(), client.status()["mandate"].clone()), before);
    assert_eq!(client.status()["state"], "standby");
    assert!(!up(client).exists() && up(&site.pair.master).exists(), "the Master serves, and nobody else");
    assert_eq!(rehearsals(client), Vec::<PathBuf>::new());
    fs::write(site.source.join("b"), "2").unwrap();
    until("the sync goes on", || site.target.join("b").exists());
    let rows = client.ok(&["audit", "--json"]).json()["entries"].as_array().unwrap().clone();
    let of = |action: &str| rows.iter().filter(|row| row["action"] == action).count();
    assert_eq!((of("drill"), of("run.done")), (1, 1), "who asked for it, and how it ended");
}

#[test]
fn a_drill_that_meets_a_damaged_file_names_it_and_passes_once_it_is_healed() {
    let site = Site::new();
    let client = &site.pair.client;
    client.ok(&["sync", "stop", "--only", "files"]);
    fs::write(fs::canonicalize(site.target.join("a")).unwrap(), "9").unwrap();
    let ran = drill(client);
    let run = ran.json();
    let copy = step(&run, "drill_copy");
    assert_eq!((ran.code, &run["state"], &run["step"]), (1, &"stuck".into(), &"drill_copy".into()), "{run}");
    assert_eq!(copy["output"], "conf: DAMAGED: a", "{run}");
    assert!(copy["remedy"]["it"].as_str().unwrap().contains("replicazione ON"), "{run}");
    assert_eq!(rehearsals(client), Vec::<PathBuf>::new(), "half a drill takes no room");
    client.ok(&["sync", "start", "--only", "files"]);
    until("it was healed, and passes", || resume(client).code == 0);
    assert_eq!(fs::read_to_string(site.target.join("a")).unwrap(), "1");
}

#[test]
fn a_drill_that_is_stuck_is_in_nobodys_way_and_an_activation_ends_it() {
    let mut site = Site::new();
    stuck(&mut site);
    let client = &site.pair.client;
    assert_eq!(drill(client).rule(), "run.in_progress", "one is enough");
    client.ok(&["sync", "full"]);
    fs::write(site.source.join("b"), "2").unwrap();
    until("data comes in", || site.target.join("b").exists());
    let id = last(client)["id"].as_str().unwrap().to_owned();
    site.lose_master();
    assert_eq!(press(&site.pair.client, "activate", &[]).code, 0);
    assert!(up(&site.pair.client).exists());
    let ended = site.pair.client.ok(&["run", "show", &id, "--json"]).json();
    assert_eq!(ended["state"], "aborted", "{ended}");
    assert_eq!(drill(&site.pair.client).rule(), "state.illegal", "a DR that serves has nothing to try");
}

#[test]
fn a_drill_says_what_an_activation_would_lack() {
    let site = Site::new();
    let client = &site.pair.client;
    client.ok(&["service", "add", "fax", "--start", "/nowhere/fax", "--stop", "true", "--check", "true"]);
    let ran = drill(client);
    let ready = step(&ran.json(), "drill_ready").clone();
    assert_eq!((ran.code, &ready["state"]), (1, &"failed".into()), "{ran:?}");
    assert!(ready["output"].as_str().unwrap().contains("service.command@fax"), "{ready}");
    client.ok(&["service", "remove", "fax"]);
    assert_eq!(resume(client).code, 0, "{}", last(client));
}

#[test]
fn a_drill_is_given_up_like_any_other_run_and_wants_a_reason_a_pair_and_the_dr() {
    let mut site = Site::new();
    stuck(&mut site);
    let client = &site.pair.client;
    client.ok(&["run", "abort"]);
    let states: Vec<Value> =
        last(client)["steps"].as_array().unwrap().iter().map(|step| step["state"].clone()).collect();
    assert_eq!(states, ["undone", "undone", "undone"]);
    assert_eq!(client.run(&["drill", "--reason", " "]).code, 2);
    assert_eq!(drill(&site.pair.master).rule(), "role.wrong");
    let root = tempfile::tempdir().unwrap();
    let alone = Machine::ready(root.path(), "client", "dr9");
    assert_eq!(drill(&alone).rule(), "pair.not_associated");
}

#[test]
fn a_drill_that_is_overdue_is_an_alarm_until_one_has_passed() {
    let site = Site::new();
    let client = &site.pair.client;
    let overdue = || {
        let alarms = client.ok(&["alarm", "list", "--json"]).json()["alarms"].as_array().unwrap().clone();
        alarms.into_iter().find(|alarm| alarm["code"] == "dr.drill.overdue")
    };
    assert_eq!(overdue(), None, "nobody has asked for it");
    client.ok(&["threshold", "set", "drill.every_days", "90"]);
    until("it is told", || overdue().is_some());
    let text = overdue().unwrap().to_string();
    assert!(text.contains("nessuna è mai riuscita") || text.contains("none has ever passed"), "{text}");
    assert_eq!(drill(client).code, 0);
    until("it is over", || overdue().is_none_or(|alarm| !alarm["cleared_at"].is_null()));
}
