//! What an activation did by the customer's own steps is in effect until somebody undoes it: also where the other site took
//! the service without a roll back.
#![allow(clippy::unwrap_used, reason = "test code")]

mod machines;
mod procedures;

use std::fs;
use std::path::PathBuf;

use machines::{Machine, until};
use procedures::{Site, last, press, step};
use serde_json::{Value, json};

const ANNOUNCED: [&str; 2] = ["--override", "isolation.alive=prova annunciata"];

/// What the steps of a machine have done and undone, in order.
fn trace(machine: &Machine) -> PathBuf {
    machine.dir.with_extension("trace")
}

fn traced(machine: &Machine) -> Vec<String> {
    fs::read_to_string(trace(machine)).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn declare(machine: &Machine, name: &str, undo: bool) {
    let file = trace(machine).display().to_string();
    let (there, back) = (format!("echo +{name} >> {file}"), format!("echo -{name} >> {file}"));
    let add = ["step", "add", name, "--kind", "command", "--run", &there, "--undo", &back];
    machine.ok(if undo { &add[..] } else { &add[..7] });
}

fn alarm(machine: &Machine) -> Option<Value> {
    let report = machine.ok(&["alarm", "list", "--json"]).json();
    report["alarms"].as_array().unwrap().iter().find(|alarm| alarm["code"] == "dr.steps.left").cloned()
}

#[test]
fn what_was_never_undone_is_an_alarm_until_an_operator_has_it_undone_in_reverse_order() {
    let mut site = Site::new();
    for (name, undo) in [("carrier", true), ("report", false), ("dns", true)] {
        declare(&site.pair.client, name, undo);
    }
    assert_eq!(press(&site.pair.client, "activate", &ANNOUNCED).code, 0);
    assert_eq!(site.pair.client.status()["steps_left"], json!([]), "they belong here");
    let undo = |machine: &Machine| machine.run(&["run", "undo", "--reason", "ripreso dal Master", "--json"]);
    assert_eq!(undo(&site.pair.client).rule(), "state.illegal");
    assert_eq!(press(&site.pair.master, "takeover", &ANNOUNCED).code, 0);
    let client = &mut site.pair.client;
    until("the DR learns of it", || client.status()["state"] == "standby");
    assert_eq!(client.status()["steps_left"], json!(["carrier", "dns"]), "what has an undo");
    until("it is an alarm", || alarm(client).is_some());
    let told = alarm(client).unwrap();
    assert!(told["text"]["en"].as_str().unwrap().contains("carrier, dns"), "{told}");
    // A boot repeats nothing, and forgets nothing.
    client.kill();
    client.boot("another boot");
    client.start();
    assert_eq!(client.status()["steps_left"], json!(["carrier", "dns"]));
    assert_eq!(traced(client), ["+carrier", "+report", "+dns"]);

    assert_eq!(client.run(&["run", "undo", "--reason", " "]).code, 2, "somebody says why");
    assert_eq!(undo(&site.pair.master).rule(), "state.illegal", "nothing is left there");
    let ran = undo(client);
    assert_eq!((ran.code, &ran.json()["kind"], &ran.json()["state"]), (0, &json!("undo"), &json!("done")), "{ran:?}");
    assert_eq!(traced(client), ["+carrier", "+report", "+dns", "-dns", "-carrier"]);
    assert_eq!(client.status()["steps_left"], json!([]));
    until("the alarm ends", || alarm(client).is_none());
    assert_eq!(undo(client).rule(), "state.illegal", "once is enough");
    assert_eq!(client.ok(&["audit", "--verify", "--json"]).json()["valid"], true);
}

#[test]
fn a_master_that_had_taken_over_tells_what_it_did_once_the_service_has_left_it() {
    let site = Site::new();
    let master = &site.pair.master;
    declare(master, "route", true);
    assert_eq!(press(&site.pair.client, "activate", &ANNOUNCED).code, 0);
    until("the Master learns of it", || master.status()["state"] == "fenced");
    assert_eq!(press(master, "takeover", &ANNOUNCED).code, 0);
    assert_eq!((traced(master), &master.status()["steps_left"]), (vec!["+route".to_owned()], &json!([])));
    until("the DR learns of it", || site.pair.client.status()["state"] == "standby");
    assert_eq!(press(&site.pair.client, "activate", &ANNOUNCED).code, 0);
    until("it is told", || master.status()["steps_left"] == json!(["route"]));
    until("it is an alarm", || alarm(master).is_some());
    let ran = master.run(&["run", "undo", "--reason", "il DR è attivo", "--json"]);
    assert_eq!((ran.code, &ran.json()["state"]), (0, &json!("done")), "{ran:?}");
    assert_eq!((traced(master).join(" "), &master.status()["steps_left"]), ("+route -route".into(), &json!([])));
}

#[test]
fn a_roll_back_also_undoes_what_an_earlier_activation_left() {
    let site = Site::new();
    let client = &site.pair.client;
    declare(client, "carrier", true);
    assert_eq!(press(client, "activate", &ANNOUNCED).code, 0);
    assert_eq!(press(&site.pair.master, "takeover", &ANNOUNCED).code, 0);
    until("the DR learns of it", || client.status()["steps_left"] == json!(["carrier"]));
    client.ok(&["step", "remove", "carrier"]);
    declare(client, "dns", true);
    assert_eq!(press(client, "activate", &ANNOUNCED).code, 0);
    assert_eq!(client.status()["steps_left"], json!([]), "they belong here again");
    let ran = press(client, "deactivate", &[]);
    assert_eq!((ran.code, &ran.json()["state"]), (0, &json!("done")), "{ran:?}");
    assert_eq!(traced(client), ["+carrier", "+dns", "-dns", "-carrier"]);
    assert_eq!(client.status()["steps_left"], json!([]));
}

#[test]
fn one_that_cannot_be_undone_is_stuck_while_data_flows_and_is_in_nobodys_way() {
    let site = Site::new();
    let client = &site.pair.client;
    declare(client, "dns", true);
    let missing = trace(client).with_extension("switch").display().to_string();
    client.ok(&["step", "add", "fax", "--kind", "command", "--run", "true", "--undo", &missing]);
    assert_eq!(press(client, "activate", &ANNOUNCED).code, 0);
    assert_eq!(press(&site.pair.master, "takeover", &ANNOUNCED).code, 0);
    until("the DR learns of it", || client.status()["state"] == "standby");
    let ran = client.run(&["run", "undo", "--reason", "ripreso dal Master", "--json"]);
    assert_eq!((ran.code, &ran.json()["step"]), (1, &json!("revert:fax")), "{ran:?}");
    fs::write(site.source.join("a"), "2").unwrap();
    let follows = || fs::read_to_string(site.target.join("a")).is_ok_and(|text| text == "2");
    until("data flows all the same", follows);
    assert_eq!(client.status()["state"], "standby");
    // The button does not wait for it: a new activation takes the service, and the steps belong here again.
    let ran = press(client, "activate", &ANNOUNCED);
    assert_eq!((ran.code, &ran.json()["state"]), (0, &json!("done")), "{ran:?}");
    assert_eq!(step(&last(client), "own:fax")["state"], "done");
    let runs = client.ok(&["run", "list", "--json"]).json()["runs"].clone();
    let tidying = runs.as_array().unwrap().iter().find(|run| run["kind"] == "undo").unwrap();
    until("the run that tidied up is over", || {
        let shown = client.ok(&["run", "show", tidying["id"].as_str().unwrap(), "--json"]).json();
        shown["state"] == "aborted"
    });
    assert_eq!(client.status()["steps_left"], json!([]));
}
