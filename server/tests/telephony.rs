//! The proof of the telephony after an activation: the own SIP server, the trunks, and the phones that come.
#![allow(clippy::panic, clippy::unwrap_used, reason = "test code")]

mod counterparts;
mod machines;
mod procedures;

use std::fs;

use counterparts::sip::Phones;
use machines::{Machine, Pair, free_port, until};
use procedures::{Site, last, press, resume, step};
use serde_json::{Value, json};

fn at(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn warnings(client: &Machine) -> Vec<String> {
    let report = client.run(&["activate", "--confirm-name", "dr1", "--reason", "x", "--dry-run", "--json"]).json();
    let rules = report["warnings"].as_array().unwrap().iter().map(|one| one["rule"].as_str().unwrap().to_owned());
    rules.filter(|rule| rule.starts_with("telephony")).collect()
}

#[test]
fn a_run_is_stuck_until_the_sip_server_answers_and_is_passed_only_by_a_note() {
    let site = Site::alone();
    let client = &site.pair.client;
    assert_eq!(warnings(client), ["telephony.unset"]);
    let port = free_port();
    client.ok(&["telephony", "set", "--sip", &at(port), "--limit", "1"]);
    assert_eq!(warnings(client), [""; 0]);
    let run = press(client, "activate", &[]).json();
    let stuck = step(&run, "telephony");
    assert_eq!((&run["state"], &stuck["state"]), (&json!("stuck"), &json!("failed")), "{run}");
    assert!(stuck["output"].as_str().unwrap().contains(&at(port)), "{stuck}");
    assert!(stuck["remedy"]["it"].as_str().unwrap().contains("server SIP"), "{stuck}");
    assert!(!run["rto_seconds"].is_null(), "the services were verified before: {run}");
    let phones = Phones::ring_at(port);
    let ran = resume(client);
    let run = ran.json();
    assert_eq!((ran.code, &run["state"]), (0, &json!("done")), "{ran:?}");
    assert_eq!(run["telephony"]["sip"]["detail"], "483 Too Many Hops, pbx 7", "{run}");
    drop(phones);

    assert_eq!(press(client, "suspend", &[]).code, 0);
    assert_eq!(press(client, "activate", &[]).json()["step"], "telephony");
    assert_eq!(client.run(&["run", "ack", "telephony"]).code, 2, "whoever passes it says why");
    client.ok(&["run", "ack", "telephony", "--note", "chiamato il 201, risponde"]);
    until("it goes on", || last(client)["state"] == "done");
    let passed = step(&last(client), "telephony").clone();
    assert!(passed["output"].as_str().unwrap().contains("chiamato il 201"), "{passed}");
    assert_eq!(last(client)["telephony"]["sip"]["answered"], false);
}

#[test]
fn a_silent_trunk_holds_nothing_up_and_the_first_phone_is_told_when_it_comes() {
    let site = Site::alone();
    let (client, counted) = (&site.pair.client, site.pair.path("counted"));
    fs::write(&counted, "0\n").unwrap();
    let (phones, carrier) = (Phones::ring(), Phones::ring());
    let (own, answers, silent) = (at(phones.port), at(carrier.port), at(free_port()));
    let command = format!("cat {}", counted.display());
    client.ok(&[
        "telephony",
        "set",
        "--sip",
        &own,
        "--trunk",
        &answers,
        "--trunk",
        &silent,
        "--registrations",
        &command,
        "--expected",
        "3",
    ]);
    assert_eq!(warnings(client), ["telephony.trunk"]);
    let ran = press(client, "activate", &[]);
    let run = ran.json();
    assert_eq!((ran.code, &run["state"]), (0, &json!("done")), "{ran:?}");
    let trunks: Vec<&Value> = run["telephony"]["trunks"].as_array().unwrap().iter().collect();
    let heard: Vec<_> = trunks.iter().map(|trunk| (&trunk["server"], &trunk["answered"])).collect();
    assert_eq!(heard, [(&json!(answers), &json!(true)), (&json!(silent), &json!(false))]);
    assert_eq!(run["telephony"]["expected"], json!({"count": 3, "from": "declared", "at": null}));
    until("nobody has come yet", || last(client)["telephony"]["phones"]["count"] == 0);
    assert_eq!(last(client)["first_phone_rto_seconds"], Value::Null);
    fs::write(&counted, "a word before\n2\n").unwrap();
    until("the first phone is told", || last(client)["first_phone_rto_seconds"].as_f64().is_some());
    let first = last(client)["telephony"]["phones"]["first_at"].clone();
    fs::write(&counted, "1\n").unwrap();
    until("one has gone", || client.ok(&["telephony", "show", "--json"]).json()["now"]["phones"]["count"] == 1);
    let phones = last(client)["telephony"]["phones"].clone();
    assert_eq!((&phones["first_at"], &phones["most"]), (&first, &json!(2)));
    fs::remove_file(&counted).unwrap();
    until("that nobody can count is told", || {
        client.ok(&["telephony", "show", "--json"]).json()["now"]["trouble"].is_string()
    });
    assert_eq!(last(client)["telephony"]["phones"]["most"], 2, "what was counted stays");
}

#[test]
fn as_many_phones_are_expected_as_were_counted_while_the_master_served() {
    let mut pair = Pair::new();
    let counted = pair.path("counted");
    fs::write(&counted, "7").unwrap();
    let show = |client: &Machine| client.ok(&["telephony", "show", "--json"]).json()["now"].clone();
    until("the pair talks", || pair.client.status()["pair"]["peer"]["machines"][0]["reachable"] == true);
    pair.client.ok(&["telephony", "set", "--registrations", &format!("cat {}", counted.display())]);
    until("they are counted", || show(&pair.client)["expected"]["count"] == 7);
    assert_eq!(show(&pair.client)["expected"]["from"], "last_seen");
    pair.master.kill();
    until("the Master is silent", || pair.client.status()["pair"]["peer"]["machines"][0]["reachable"] == false);
    fs::write(&counted, "3").unwrap();
    // Once more from the beginning: what is remembered was counted while the Master served.
    pair.client.kill();
    pair.client.start();
    until("they are counted again", || show(&pair.client)["registered"] == 3);
    assert_eq!(show(&pair.client)["expected"]["count"], 7);
    pair.client.ok(&["telephony", "set", "--registrations", "echo 1"]);
    assert_eq!(show(&pair.client)["expected"], Value::Null, "another command has counted something else");
}

#[test]
fn a_step_waits_until_a_sip_server_answers_or_until_so_many_phones_have_come() {
    let site = Site::alone();
    let (client, counted) = (&site.pair.client, site.pair.path("counted"));
    fs::write(&counted, "1").unwrap();
    let port = free_port();
    client.ok(&["step", "add", "sbc", "--kind", "wait", "--sip", &at(port), "--limit", "1"]);
    client.ok(&["step", "add", "phones", "--kind", "wait", "--registrations", "2", "--limit", "1"]);
    assert_eq!(client.run(&["step", "add", "two", "--kind", "wait", "--sip", "a", "--registrations", "1"]).code, 2);
    let run = press(client, "activate", &[]).json();
    assert_eq!(run["step"], "own:sbc", "{run}");
    let _sbc = Phones::ring_at(port);
    let run = resume(client).json();
    assert_eq!(run["step"], "own:phones", "{run}");
    assert!(step(&run, "own:phones")["output"].as_str().unwrap().contains("telephony set"), "{run}");
    client.ok(&["telephony", "set", "--registrations", &format!("cat {}", counted.display())]);
    let run = resume(client).json();
    assert_eq!(step(&run, "own:phones")["output"], "1 of 2 phones", "{run}");
    fs::write(&counted, "2").unwrap();
    let ran = resume(client);
    assert_eq!((ran.code, &ran.json()["state"]), (0, &json!("done")), "{ran:?}");
}
