//! While a run waits for a person the telephones are kept all the same; and a run that waits for the return gate is in
//! nobody's way.
#![allow(clippy::unwrap_used, reason = "test code")]

mod machines;
mod procedures;

use std::fs;

use machines::{Machine, until};
use procedures::{Site, last, press, step, up};

const MANUAL: [&str; 8] =
    ["step", "add", "carrier", "--kind", "manual", "--text-it", "Chiamare l'operatore", "--text-en"];

/// Takes the service and waits at a step after the services that a person does.
fn wait_for_a_person(client: &Machine, more: &[&str]) {
    client.ok(&[&MANUAL[..], &["Call the carrier"]].concat());
    let begun = press(client, "activate", &[&["--no-wait"], more].concat());
    assert_eq!(begun.code, 0, "{begun:?}");
    until("it waits for a person", || {
        last(client)["step"] == "own:carrier" && step(&last(client), "verify")["state"] == "done"
    });
    assert!(up(client).exists());
}

#[test]
fn a_service_that_dies_while_a_run_waits_for_a_person_is_started_again_also_after_a_boot() {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    client.ok(&["gate", "set", "--policy", "unverified", "--wait", "5"]);
    wait_for_a_person(client, &[]);
    fs::remove_file(up(client)).unwrap();
    until("it is started again", || up(client).exists());
    client.kill();
    fs::remove_file(up(client)).unwrap();
    client.boot("second");
    client.start();
    until("the gate has opened, and it is started again", || up(client).exists());
    assert_eq!(last(client)["step"], "own:carrier", "nobody has said yet that it is done");
    client.ok(&["run", "ack", "own:carrier", "--note", "told them"]);
    until("the run is done", || last(client)["state"] == "done");
    assert!(up(client).exists());
}

#[test]
fn a_dr_that_waits_for_a_person_stands_down_for_a_take_over_and_goes_on_when_that_is_given_up() {
    let mut site = Site::new();
    wait_for_a_person(&site.pair.client, &["--override", "isolation.alive=prova"]);
    until("the Master knows", || site.pair.master.status()["state"] == "fenced");
    // It is stuck right after the DR has stood down, and is given up.
    let (master, client) = (&mut site.pair.master, &site.pair.client);
    master.kill();
    master.bad_day(Some("fail:mandate".into()));
    master.start();
    let talks = |machine: &Machine| machine.status()["pair"]["peer"]["machines"][0]["reachable"] == true;
    until("they see each other", || talks(master) && talks(client));
    let alive = ["--override", "isolation.alive=prova"];
    let stuck = press(master, "takeover", &alive);
    let run = stuck.json();
    assert_eq!((stuck.code, &run["step"]), (1, &"mandate".into()), "the DR has stood down: {stuck:?}");
    assert_eq!(run["isolation"][0]["outcome"], "fenced", "{run}");
    assert!(!up(client).exists());
    master.ok(&["run", "abort"]);
    until("the DR serves again", || up(client).exists());
    assert_eq!(last(client)["step"], "own:carrier");
    // The next one takes it.
    let taken = press(master, "takeover", &alive);
    assert_eq!(taken.code, 0, "{taken:?}");
    until("the run on the DR is over", || last(client)["state"] == "aborted");
    assert!(up(master).exists() && !up(client).exists());
}

#[test]
fn a_run_that_waits_for_a_gate_that_stays_shut_is_told_as_stuck_and_replaced_by_another_take() {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    client.ok(&["gate", "set", "--policy", "strict"]);
    client.kill();
    client.bad_day(Some("kill:freeze:before".into()));
    client.start();
    press(client, "activate", &[]);
    until("it dies", || client.died_of_it());
    client.kill();
    client.bad_day(None);
    client.boot("second");
    client.start();
    until("it asks", || client.status()["gate"]["asked"][0]["answer"] == "silent");
    let (first, status) = (last(client)["id"].clone(), client.status());
    assert_eq!((&status["state"], &status["run"]["state"]), (&"held".into(), &"stuck".into()), "{status}");
    until("an alarm tells of it", || {
        let alarms = client.ok(&["alarm", "list", "--json"]).json()["alarms"].clone();
        alarms.as_array().unwrap().iter().any(|alarm| alarm["code"] == "dr.run.stuck")
    });
    let taken = press(client, "activate", &[]);
    assert_eq!((taken.code, &taken.json()["state"]), (0, &"done".into()), "{taken:?}");
    assert!(up(client).exists() && site.target.join("a").exists());
    let runs = client.ok(&["run", "list", "--json"]).json();
    let replaced = || {
        let runs = client.ok(&["run", "list", "--json"]).json();
        runs["runs"].as_array().unwrap().iter().any(|run| run["id"] == first && run["state"] == "aborted")
    };
    until("the first run is over", replaced);
    assert_eq!(runs["runs"].as_array().unwrap().len(), 2, "{runs}");
    assert_eq!(client.ok(&["audit", "--verify", "--json"]).json()["valid"], true);
}
