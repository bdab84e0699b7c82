//! The procedures that take the service, or keep it and declare the other site lost.

use std::fs;
use std::path::PathBuf;

use contract::run::RunKind;
use serde_json::Value;

use crate::counterparts::sip::Phones;
use crate::machines::{Machine, until};
use crate::procedures::bad_days::{Day, assert_has, go_through};
use crate::procedures::own::{self, Person, lines};
use crate::procedures::{ATTEST, Site, press, up};
use crate::site::{self, accounts};

const OTHER: &str = "127.0.0.1";

/// A telephone system that a machine is to prove to answer.
pub(crate) fn proved_by(machine: &Machine) -> Phones {
    let phones = Phones::ring();
    machine.ok(&["telephony", "set", "--sip", &format!("127.0.0.1:{}", phones.port)]);
    phones
}

fn points(client: &Machine) -> Vec<Value> {
    let points = client.ok(&["sync", "points", "--json"]).json()["points"].as_array().unwrap().clone();
    points.into_iter().filter(|point| point["made_on"] == "master").collect()
}

/// The machine has power until it is ordered off; how often it was.
struct Power {
    orders: std::path::PathBuf,
}

impl Power {
    fn of_the_master(client: &Machine) -> Self {
        let orders = client.dir.with_extension("power");
        let (file, off) = (orders.display(), format!("echo off >> {}", orders.display()));
        client.ok(&[
            "power",
            "set",
            OTHER,
            "--status",
            &format!("test -e {file} && echo off || echo on"),
            "--off",
            &off,
        ]);
        Self { orders }
    }
}

/// With everything that an activation can have: an older point, a machine to switch off, own steps, a proof of the telephony.
pub(crate) fn activation(day: Day) -> Vec<RunKind> {
    let mut site = Site::new();
    let newest = |site: &Site| points(&site.pair.client).first().map(|point| point["id"].as_str().unwrap().to_owned());
    until("there is a point", || newest(&site).is_some());
    let good = newest(&site).unwrap();
    fs::write(site.source.join("a"), "encrypted").unwrap();
    let shown = |site: &Site| fs::read_to_string(site.target.join("a")).unwrap_or_default();
    until("what is ruined travels, too", || shown(&site) == "encrypted" && newest(&site).as_ref() != Some(&good));
    site.lose_master();
    let client = &mut site.pair.client;
    let (_phones, power) = (proved_by(client), Power::of_the_master(client));
    own::declare(client);
    let _person = Person::on(client, day);
    // What is switched off from here needs nobody's word.
    let brought = ["--accept-data-loss", "--point", &good, "--power-off", OTHER];
    let activate = ["activate", "--confirm-name", "dr1", "--reason", "prova", "--json"];
    let run =
        go_through(client, day, RunKind::Activation, &|client| client.run(&[&activate[..], &brought[..]].concat()));
    assert_has(&run, &["point", "power_off:127.0.0.1", "own:mount", "telephony", "own:carrier", "own:fax"]);
    assert!(run["rto_seconds"].as_f64() > Some(0.0), "{run}");
    assert_eq!(run["isolation"][0]["outcome"], "powered_off", "{run}");
    assert_eq!(run["telephony"]["sip"]["answered"], true, "{run}");
    assert_eq!(lines(&power.orders), ["off"], "what is off is not ordered off again");
    assert_eq!(client.status()["state"], "active");
    assert!(up(client).exists());
    own::assert_there(client, day);
    assert!(points(client).iter().all(|point| point["pinned"] == true), "no pin is forgotten");
    assert_eq!(shown(&site), "1", "it serves from the chosen point");
    vec![RunKind::Activation]
}

/// The DR has died while it sent its content home: the Master is taken with its own.
pub(crate) fn takeover(day: Day) -> Vec<RunKind> {
    let mut site = site::Site::away();
    site.work_on_the_dr();
    let client = &mut site.pair.client;
    client.kill();
    client.bad_day(Some("fail:mandate".into()));
    client.start();
    until("it sees the Master", || client.status()["pair"]["peer"]["machines"][0]["reachable"] == true);
    let stuck = site.failback(&[]);
    assert_eq!((stuck.code, &stuck.json()["step"]), (1, &"mandate".into()), "{stuck:?}");
    site.pair.client.kill();
    let master = &mut site.pair.master;
    until("the DR is silent", || master.status()["pair"]["peer"]["machines"][0]["reachable"] == false);
    assert_eq!(master.status()["state"], "receiving");
    let _phones = proved_by(master);
    own::declare(master);
    let _person = Person::on(master, day);
    let run = go_through(master, day, RunKind::Takeover, &|master| press(master, "takeover", &[]));
    assert_has(&run, &["put_back", "own:mount", "telephony", "own:carrier", "own:fax"]);
    assert_eq!(master.status()["state"], "serving");
    assert!(up(master).exists());
    own::assert_there(master, day);
    let homecoming = master.dir.join("homecoming");
    until("nothing waits to come home", || fs::read_dir(&homecoming).into_iter().flatten().next().is_none());
    assert_eq!(fs::read_to_string(site.conf.0.join("users/rossi")).unwrap(), "201");
    assert!(site.conf.0.join("removed").exists() && !site.conf.0.join("users/bianchi").exists());
    assert_eq!(accounts(&site.voice.0), ["rossi"]);
    vec![RunKind::Takeover]
}

/// The DR serves and declares the Master lost.
pub(crate) fn retirement(day: Day) -> Vec<RunKind> {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    assert_eq!(press(client, "activate", &[]).code, 0);
    let retire = ["peer", "retire", "--confirm-name", "dr1", "--reason", "incendio", "--attest", ATTEST, "--json"];
    go_through(client, day, RunKind::Retirement, &|client| client.run(&retire));
    let status = client.status();
    assert_eq!((&status["state"], &status["pair"]["associated"]), (&"active".into(), &false.into()));
    assert_eq!(status["mandate"]["retired"].as_array().unwrap().len(), 1, "{status}");
    assert!(up(client).exists(), "nothing stops by it");
    let master = &mut site.pair.master;
    master.boot("after the fire");
    master.start();
    let because = |master: &Machine| master.ok(&["gate", "show", "--json"]).json()["because"][0].clone();
    until("the Master is told", || because(master) == "declared_lost");
    assert!(!up(master).exists());
    vec![RunKind::Retirement]
}

/// Everything that an activation needs is tried while the Master serves.
pub(crate) fn drill(day: Day) -> Vec<RunKind> {
    let mut site = Site::new();
    let client = &mut site.pair.client;
    let run = go_through(client, day, RunKind::Drill, &|client| {
        client.run(&["drill", "--reason", "prova mensile", "--json"])
    });
    assert_has(&run, &["drill_copy", "drill_clear", "drill_ready"]);
    let status = client.status();
    assert_eq!((&status["state"], &status["mandate"]["holder"]), (&"standby".into(), &"master".into()));
    assert!(!up(client).exists(), "nothing was started");
    assert_eq!(crate::procedures::rehearsals(client), Vec::<PathBuf>::new());
    fs::write(site.source.join("b"), "2").unwrap();
    until("the sync goes on", || site.target.join("b").exists());
    vec![RunKind::Drill]
}
