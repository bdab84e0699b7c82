//! A DR that is giving the service back when its machine dies: what it knew then is not enough to give anything away once
//! it is back, because somebody may have taken the service meanwhile.
#![allow(clippy::unwrap_used, reason = "test code")]

mod machines;
mod procedures;

use std::fs;

use machines::until;
use procedures::{Site, last, press, up};
use serde_json::Value;

#[test]
fn a_dr_that_boots_in_the_middle_of_giving_back_gives_nothing_before_it_was_confirmed() {
    let Site { pair, .. } = &mut Site::new();
    let (master, client) = (&mut pair.master, &mut pair.client);
    client.ok(&["gate", "set", "--policy", "strict"]);
    let ran = press(client, "activate", &["--override", "isolation.alive=prova annunciata"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    until("the Master knows", || master.status()["state"] == "fenced");
    client.kill();
    client.bad_day(Some("kill:mandate:before".into()));
    client.start();
    until("it serves", || client.status()["state"] == "active");
    press(client, "deactivate", &[]);
    until("it dies", || client.died_of_it());
    client.kill();
    client.bad_day(None);
    until("the DR is lost", || master.status()["pair"]["peer"]["machines"][0]["reachable"] == false);
    let ran = press(master, "takeover", &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let taken = master.status()["mandate"].clone();
    master.kill();

    client.boot("second");
    client.start();
    until("it waits at its gate", || last(client)["at_gate"] == true);
    let run = last(client);
    assert_eq!((&run["state"], &run["step"]), (&"stuck".into(), &"mandate".into()), "{run}");
    until("it asks", || client.status()["gate"]["asked"][0]["answer"] == "silent");
    assert_eq!(client.status()["mandate"]["epoch"], 2, "what it knows is not enough to give it away");
    master.start();
    until("it knows that it was replaced", || client.status()["state"] == "standby");
    until("the run has lost its sense", || last(client)["state"] == "aborted");
    for machine in [&*master, &*client] {
        let mandate = machine.status()["mandate"].clone();
        assert_eq!(mandate, taken, "one mandate, and nothing speaks against it");
    }
    assert!(up(master).exists() && !up(client).exists());
}

#[test]
fn a_dry_run_of_a_roll_back_says_what_would_be_lost_and_changes_nothing() {
    let site = Site::alone();
    let client = &site.pair.client;
    let dry = |more: &[&str]| client.run(&[&["deactivate", "--dry-run", "--json"], more].concat());
    let told = |report: &Value, list: &str| {
        let list = report[list].as_array().unwrap().clone();
        list.iter().map(|one| one["rule"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let standby = dry(&[]);
    assert_eq!((standby.code, told(&standby.json(), "blocked")), (3, vec!["state.illegal".to_owned()]), "{standby:?}");
    assert!(standby.json()["ledger"].is_null());
    assert_eq!(press(client, "activate", &[]).code, 0);
    fs::write(site.target.join("made here"), "x").unwrap();
    let without = dry(&[]);
    let report = without.json();
    assert_eq!((without.code, told(&report, "blocked")), (3, vec!["dr_data.discard".to_owned()]), "{report}");
    assert_eq!(told(&report, "warnings"), ["peer.silent"], "nobody would serve");
    let made = &report["ledger"]["datasets"][0];
    assert_eq!((&made["dataset"], &made["added"]), (&"conf".into(), &1.into()), "{report}");
    let ids: Vec<_> = report["steps"].as_array().unwrap().iter().map(|step| step["id"].clone()).collect();
    assert_eq!(ids, ["stop:pbx", "ledger", "mandate", "preserve"]);
    let with = dry(&["--discard-dr-data"]);
    assert_eq!((with.code, &with.json()["allowed"]), (0, &true.into()), "{with:?}");
    assert_eq!(
        (client.status()["state"].clone(), last(client)["kind"].clone()),
        ("active".into(), "activation".into())
    );
}
