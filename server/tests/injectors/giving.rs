//! The procedures that stop the service on the DR, or give it back.

use std::fs;

use contract::run::RunKind;
use serde_json::{Value, json};

use crate::machines::{Machine, until};
use crate::procedures::bad_days::{Day, assert_has, go_through};
use crate::procedures::own::{self, Person};
use crate::procedures::{Site, press, up};
use crate::site::{self, accounts};
use crate::taking::proved_by;

const ANNOUNCED: [&str; 2] = ["--override", "isolation.alive=prova annunciata"];

/// Suspended, and started again.
pub(crate) fn pause(day: Day) -> Vec<RunKind> {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    let _phones = proved_by(client);
    assert_eq!(press(client, "activate", &[]).code, 0);
    fs::write(site.target.join("b"), "made on the DR").unwrap();
    go_through(client, day, RunKind::Suspension, &|client| press(client, "suspend", &[]));
    assert_eq!(client.status()["state"], "active", "it keeps the mandate");
    assert!(!up(client).exists());
    let run = go_through(client, day, RunKind::Resumption, &|client| press(client, "activate", &[]));
    assert_has(&run, &["start:pbx", "telephony"]);
    assert!(up(client).exists());
    assert_eq!(fs::read_to_string(site.target.join("b")).unwrap(), "made on the DR");
    vec![RunKind::Suspension, RunKind::Resumption]
}

/// What was made on the DR is discarded, and kept as one restore point.
pub(crate) fn roll_back(day: Day) -> Vec<RunKind> {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    own::declare(client);
    let there = Person::beside(client);
    assert_eq!(press(client, "activate", &[]).code, 0);
    drop(there);
    fs::write(site.target.join("b"), "made on the DR").unwrap();
    let _person = Person::on(client, day);
    let run = go_through(client, day, RunKind::Deactivation, &|client| press(client, "deactivate", &[]));
    assert_has(&run, &["revert:fax", "revert:carrier", "revert:mount"]);
    assert_eq!(run["ledger"]["datasets"][0]["added"], 1, "{run}");
    let status = client.status();
    assert_eq!((&status["state"], &status["mandate"]["holder"]), (&"standby".into(), &"master".into()));
    assert!(!up(client).exists());
    own::assert_back(client, day);
    assert_kept_once(client);
    site.pair.master.start();
    until("what is shown is the replica again", || !site.target.join("b").exists());
    vec![RunKind::Deactivation]
}

/// What was made on the DR is one restore point, whatever happened on the way.
fn assert_kept_once(client: &Machine) {
    let points = client.ok(&["sync", "points", "--json"]).json()["points"].as_array().unwrap().clone();
    assert_eq!(points.iter().filter(|point| point["made_on"] == "client").count(), 1, "{points:?}");
}

/// Two datasets travel home, one is left to the Master and what was made in it exported.
pub(crate) fn failback(day: Day) -> Vec<RunKind> {
    let mut site = site::Site::new();
    let mail = site.pair.declare("mail", "files");
    fs::write(mail.0.join("old"), "of the Master").unwrap();
    until("it is copied", || mail.1.join("old").exists());
    site.pair.until_current("mail");
    own::declare(&site.pair.client);
    site.lose_master();
    let there = Person::beside(&site.pair.client);
    site.take();
    drop(there);
    site.return_master();
    site.work_on_the_dr();
    fs::write(mail.1.join("made"), "on the DR").unwrap();
    let _person = Person::on(&site.pair.client, day);
    let run = go_through(&mut site.pair.client, day, RunKind::Failback, &|client| {
        until("it sees the Master", || client.status()["pair"]["peer"]["machines"][0]["reachable"] == true);
        let words = ["failback", "--confirm-name", "dr1", "--reason", "riparato", "--json"];
        client.run(&[&words[..], &["--discard", "mail", "--discard-dr-data"]].concat())
    });
    assert_has(&run, &["revert:fax", "revert:carrier", "revert:mount"]);
    site.until_master_serves();
    let client = &site.pair.client;
    until("the DR stands by", || client.status()["state"] == "standby");
    assert!(!up(client).exists(), "one of them serves");
    own::assert_back(client, day);

    // At home, each of it once.
    site.assert_home();
    let made = |run: &Value| -> Vec<Value> {
        let made = run["ledger"]["datasets"].as_array().unwrap().iter();
        made.map(|made| json!([made["dataset"], made["added"], made["changed"], made["removed"]])).collect()
    };
    let files = |name: &str| made(&run).into_iter().find(|made| made[0] == name);
    assert_eq!(files("conf"), Some(json!(["conf", 1, 1, 1])), "{run}");
    assert_eq!(files("mail"), Some(json!(["mail", 1, 0, 0])), "{run}");
    let voice = run["ledger"]["datasets"].as_array().unwrap().iter().find(|made| made["dataset"] == "voice").unwrap();
    assert_eq!(voice["tables"][0]["added"], 1, "{run}");
    let settled = site.pair.master.ok(&["audit", "--json"]).json()["entries"].as_array().unwrap().clone();
    assert_eq!(settled.iter().filter(|row| row["action"] == "home.settled").count(), 1, "it came home once");
    let preserved = site.pair.master.ok(&["preserved", "list", "--json"]).json()["preserved"].clone();
    assert_eq!(preserved.as_array().map(Vec::len), Some(1), "what it had is kept aside once: {preserved}");
    assert_eq!(preserved[0]["run"], run["id"]);
    assert_kept_once(client);

    // What was left to the Master is as it was there, and what was made in it lies in one export.
    assert!(mail.0.join("old").exists() && !mail.0.join("made").exists());
    let exports: Vec<_> = fs::read_dir(client.dir.join("exports")).unwrap().flatten().collect();
    assert_eq!(exports.len(), 1, "{exports:?}");
    let export = client.dir.join("exports").join(run["id"].as_str().unwrap());
    assert_eq!(fs::read_to_string(export.join("mail.files/tree/made")).unwrap(), "on the DR");
    assert!(
        !export.join("conf.files").exists() && !export.join("voice.sqlite").exists(),
        "what travels is not exported"
    );
    let ledger: Value = serde_json::from_slice(&fs::read(export.join("ledger.json")).unwrap()).unwrap();
    assert_eq!(ledger, run["ledger"]);

    // The sync goes on from there.
    fs::write(site.conf.0.join("users/verdi"), "203").unwrap();
    until("the DR follows", || fs::read_to_string(site.conf.1.join("users/verdi")).is_ok_and(|text| text == "203"));
    assert_eq!(accounts(&site.voice.1), ["bianchi", "rossi"]);
    vec![RunKind::Failback]
}

/// The Master has taken the service past a DR whose own steps are in effect.
pub(crate) fn undo(day: Day) -> Vec<RunKind> {
    let mut site = Site::new();
    own::declare(&site.pair.client);
    let there = Person::beside(&site.pair.client);
    assert_eq!(press(&site.pair.client, "activate", &ANNOUNCED).code, 0);
    drop(there);
    assert_eq!(press(&site.pair.master, "takeover", &ANNOUNCED).code, 0);
    let client = &mut site.pair.client;
    until("the DR learns of it", || client.status()["state"] == "standby");
    assert_eq!(client.status()["steps_left"], json!(["mount", "carrier", "fax"]));
    let _person = Person::on(client, day);
    let undo = ["run", "undo", "--reason", "ripreso dal Master", "--json"];
    let run = go_through(client, day, RunKind::Undo, &|client| client.run(&undo));
    assert_has(&run, &["revert:fax", "revert:carrier", "revert:mount"]);
    own::assert_back(client, day);
    assert_eq!(client.status()["steps_left"], json!([]));
    assert_eq!(client.run(&undo).rule(), "state.illegal", "once is enough");
    assert!(up(&site.pair.master).exists(), "the Master serves meanwhile");
    vec![RunKind::Undo]
}
