//! Machines switched off and on from here: in a run, outside of one, and on bad days.

use serde_json::json;

use super::*;

fn step<'a>(run: &'a Value, id: &str) -> &'a Value {
    run["steps"].as_array().unwrap().iter().find(|step| step["id"] == id).unwrap_or_else(|| panic!("no {id}: {run}"))
}

const STEP: &str = "power_off:127.0.0.1";

/// A pair whose Master is silent but has power, and whose Client can switch it.
fn silent_but_on(more: &[&str]) -> (Pair, Bmc) {
    let mut pair = seeded();
    let bmc = Bmc::start(pair.root.path());
    let port = bmc.port.to_string();
    let set = pair.client.run_with(&Bmc::settings(&port, more), Bmc::PASSWORD);
    assert_eq!(set.code, 0, "{set:?}");
    pair.master.kill();
    (pair, bmc)
}

fn activate(client: &Machine, more: &[&str]) -> Ran {
    client.run(&[&ACTIVATE[..], &["--power-off", MASTER, "--json"], more].concat())
}

#[test]
fn a_run_switches_the_master_off_before_the_evidence_and_needs_nobodys_word() {
    let (pair, bmc) = silent_but_on(&[]);
    let planned = pair.client.run(&[&DRY_RUN[..], &["--power-off", MASTER]].concat());
    assert_eq!((planned.code, blocked(&planned)), (0, vec![]), "{planned:?}");
    let ids: Vec<_> = planned.json()["steps"].as_array().unwrap().iter().map(|s| s["id"].clone()).collect();
    assert_eq!(ids[..3], ["close_inbound", STEP, "evidence"]);
    let ran = activate(&pair.client, &[]);
    let run = ran.json();
    assert_eq!((ran.code, &run["isolation"][0]["outcome"]), (0, &json!("powered_off")), "{run}");
    assert_eq!(step(&run, STEP)["state"], "done");
    assert!(step(&run, "evidence")["output"].as_str().unwrap().contains("Powered off, seen by ipmi"), "{run}");
    assert_eq!(bmc.orders(), ["power 0"]);
}

#[test]
fn a_system_gets_its_time_to_shut_down_and_the_power_is_cut_when_it_hangs() {
    let (pair, bmc) = silent_but_on(&["--soft", "60"]);
    assert_eq!(activate(&pair.client, &[]).code, 0);
    assert_eq!(bmc.orders(), ["shutdown 1"], "it followed");

    let (pair, bmc) = silent_but_on(&["--soft", "1"]);
    bmc.hang();
    assert_eq!(activate(&pair.client, &[]).code, 0);
    assert_eq!(bmc.orders(), ["shutdown 1", "power 0"]);
}

#[test]
fn a_controller_that_falls_silent_leaves_the_run_stuck_with_a_remedy_and_resume_goes_on() {
    let (pair, mut bmc) = silent_but_on(&[]);
    bmc.fall_silent();
    let ran = activate(&pair.client, &[]);
    let run = ran.json();
    assert_eq!((ran.code, &run["state"], &run["step"]), (1, &json!("stuck"), &json!(STEP)), "{run}");
    assert!(step(&run, STEP)["remedy"]["it"].as_str().unwrap().contains("spegnere la macchina a mano"), "{run}");
    bmc.speak();
    let run = pair.client.ok(&["run", "resume", "--json"]).json();
    assert_eq!((&run["state"], &run["isolation"][0]["outcome"]), (&json!("done"), &json!("powered_off")), "{run}");
}

#[test]
fn killed_in_the_middle_of_it_the_run_goes_on_by_itself_and_done_twice_it_does_no_harm() {
    for place in ["before", "after_do"] {
        let (mut pair, bmc) = silent_but_on(&[]);
        pair.client.kill();
        pair.client.bad_day(Some(format!("kill:{STEP}:{place}")));
        pair.client.start();
        activate(&pair.client, &["--no-wait"]);
        until("it dies", || pair.client.died_of_it());
        pair.client.kill();
        pair.client.bad_day(None);
        pair.client.start();
        let shown = || pair.client.ok(&["run", "show", "--json"]).json();
        until(&format!("the run comes to its end after {place}"), || shown()["state"] == "done");
        assert_eq!(shown()["isolation"][0]["outcome"], "powered_off", "{place}");
        assert_eq!(bmc.orders(), ["power 0"], "{place}");
    }
    let (mut pair, bmc) = silent_but_on(&[]);
    pair.client.kill();
    pair.client.bad_day(Some("twice".into()));
    pair.client.start();
    assert_eq!(activate(&pair.client, &[]).code, 0);
    assert_eq!(bmc.orders(), ["power 0"], "what is off is not ordered off again");
}

#[test]
fn what_cannot_be_switched_off_from_here_or_can_stand_down_is_refused_at_the_press() {
    let pair = seeded();
    let ran = activate(&pair.client, &[]);
    assert_eq!((ran.code, &ran.json()["invalid"][0]["field"]), (2, &json!("power_off")), "nothing is set: {ran:?}");
    pair.client.ok(&["power", "set", MASTER, "--status", "echo on"]);
    let ran = activate(&pair.client, &[]);
    assert_eq!((ran.code, &ran.json()["invalid"][0]["field"]), (2, &json!("power_off")), "it only reads: {ran:?}");
    let bmc = Bmc::start(pair.root.path());
    watch(&pair.client, &bmc);
    let ran = activate(&pair.client, &[]);
    assert_eq!((ran.code, ran.rule()), (3, "isolation.alive".to_owned()), "its tvox-dr answers: {ran:?}");
    assert_eq!(bmc.orders(), Vec::<String>::new());
}

#[test]
fn outside_of_a_run_a_machine_that_answers_is_not_switched_off_without_an_override() {
    let mut pair = Pair::new();
    let bmc = Bmc::start(pair.root.path());
    watch(&pair.client, &bmc);
    let order = |client: &Machine, verb: &str, more: &[&str]| {
        let args = ["power", verb, MASTER, "--confirm-name", "dr1", "--reason", "il Master è appeso", "--json"];
        client.run(&[&args[..], more].concat())
    };
    let ran = order(&pair.client, "off", &[]);
    assert_eq!((ran.code, ran.rule()), (3, "isolation.alive".to_owned()), "{ran:?}");
    assert_eq!(bmc.orders(), Vec::<String>::new());
    let off = order(&pair.client, "off", &["--override", "isolation.alive=risponde ma non serve"]);
    assert_eq!((off.code, &off.json()["state"]), (0, &json!("off")), "{off:?}");
    pair.master.kill();
    let again = order(&pair.client, "off", &[]);
    assert_eq!((again.code, bmc.orders()), (0, vec!["power 0".to_owned()]), "{again:?}");
    let on = order(&pair.client, "on", &[]);
    assert_eq!((on.code, &on.json()["state"]), (0, &json!("on")), "{on:?}");
    let wrong = pair.client.run(&["power", "off", MASTER, "--confirm-name", "master1", "--reason", "x", "--json"]);
    assert_eq!((wrong.code, wrong.rule()), (3, "confirm_name".to_owned()));
    let audit = pair.client.ok(&["audit", "--json"]).json();
    let rows = audit["entries"].as_array().unwrap().iter().filter(|entry| entry["subject"] == MASTER);
    let rows: Vec<String> =
        rows.map(|entry| format!("{} {}", entry["action"], entry["outcome"]).replace('"', "")).collect();
    let expected = [
        "power.set done",
        "power.off refused",
        "power.ordered done",
        "power.off done",
        "power.ordered done",
        "power.off done",
    ];
    assert_eq!(rows[..6], expected);
    assert_eq!(rows[6..], ["power.ordered done", "power.on done", "power.off refused"]);
}
