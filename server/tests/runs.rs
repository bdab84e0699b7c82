//! Runs on days that are bad in another way than one step is: given up, cut off, with a word that is void, past a gate or a
//! Master that is slow. What every procedure goes through is in `injectors`.
#![allow(clippy::unwrap_used, reason = "test code")]

mod machines;
mod procedures;

use std::fs;
use std::path::Path;

use machines::{Machine, Pair, until};
use procedures::bad_days::die_at;
use procedures::{Site, last, press, resume, step, up};
use serde_json::Value;

#[test]
fn what_was_not_written_into_a_mandate_can_be_given_up_and_what_was_cannot() {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    let stuck_at = |client: &mut Machine, verb: &str, id: &str| {
        client.kill();
        client.bad_day(Some(format!("fail:{id}")));
        client.start();
        assert_eq!(press(client, verb, &[]).code, 1, "{id}");
    };
    for id in ["close_inbound", "evidence", "mandate"] {
        stuck_at(client, "activate", id);
        let ran = client.run(&["run", "abort", "--json"]);
        assert_eq!((ran.code, &ran.json()["state"]), (0, &"aborted".into()), "{ran:?}");
        let status = client.status();
        assert_eq!((&status["state"], &status["mandate"]["epoch"]), (&"standby".into(), &1.into()));
    }
    stuck_at(client, "activate", "freeze");
    let refused = client.run(&["run", "abort", "--json"]);
    assert_eq!((refused.code, refused.rule()), (3, "state.illegal".to_owned()));
    assert_eq!(resume(client).code, 0);
    stuck_at(client, "suspend", "stop:pbx");
    assert_eq!(client.run(&["run", "abort"]).code, 0);
    assert!(up(client).exists(), "it is as before");
    for (id, down) in [("stop:pbx", false), ("ledger", true), ("mandate", true)] {
        stuck_at(client, "deactivate", id);
        assert_eq!(up(client).exists(), !down, "{id}");
        assert_eq!(client.run(&["run", "abort"]).code, 0);
        assert!(up(client).exists(), "the services start again after {id}");
        assert_eq!(client.status()["state"], "active");
    }
    assert_eq!(press(client, "suspend", &[]).code, 0);
    stuck_at(client, "deactivate", "ledger");
    assert_eq!(client.run(&["run", "abort"]).code, 0);
    assert!(!up(client).exists(), "what was suspended stays suspended");
    stuck_at(client, "deactivate", "preserve");
    assert_eq!(client.run(&["run", "abort"]).code, 3);
    assert_eq!(resume(client).code, 0);
    assert_eq!(client.run(&["run", "abort"]).code, 3, "nothing is open");
    let kinds: Vec<Value> = client.ok(&["run", "list", "--json"]).json()["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["state"].clone())
        .collect();
    assert_eq!(kinds.iter().filter(|state| **state == "aborted").count(), 8, "{kinds:?}");
}

#[test]
fn what_is_written_after_the_ledger_is_in_it_before_the_service_is_given_back() {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    assert_eq!(press(client, "activate", &[]).code, 0);
    client.kill();
    client.bad_day(Some("fail:mandate".into()));
    client.start();
    let release = ["deactivate", "--confirm-name", "dr1", "--reason", "prova", "--json"];
    let stuck = client.run(&release);
    assert_eq!((stuck.code, &stuck.json()["ledger"]["datasets"]), (1, &Value::Array(Vec::new())), "{stuck:?}");
    fs::write(up(client), "by hand").unwrap();
    fs::write(site.target.join("voicemail"), "a word").unwrap();
    let ran = client.run(&["run", "resume", "--json"]);
    let run = ran.json();
    assert_eq!((ran.code, &step(&run, "mandate")["output"]), (1, &"dr_data.discard@dr1".into()), "{run}");
    assert_eq!(run["ledger"]["datasets"][0]["added"], 1);
    assert!(!up(client).exists(), "it was stopped again");
    assert_eq!(client.run(&["run", "abort"]).code, 0);
    assert!(up(client).exists());
    assert_eq!(client.run(&release).rule(), "dr_data.discard");
}

#[test]
fn an_undo_that_is_cut_off_goes_on_and_one_that_fails_is_tried_again() {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    assert_eq!(press(client, "activate", &[]).code, 0);
    client.kill();
    client.bad_day(Some("fail:ledger".into()));
    client.start();
    assert_eq!(press(client, "deactivate", &[]).code, 1);
    client.kill();
    client.bad_day(Some("kill:undo:stop:pbx:before".into()));
    client.start();
    client.run(&["run", "abort"]);
    until("it dies", || client.died_of_it());
    die_at(client, "undo:stop:pbx:after_do".into());
    client.kill();
    client.bad_day(Some("fail:undo:stop:pbx".into()));
    client.start();
    until("it is stuck", || last(client)["state"] == "stuck");
    assert_eq!(client.run(&["run", "abort"]).code, 3, "it is being given up already");
    client.run(&["run", "resume"]);
    until("it was given up", || last(client)["state"] == "aborted");
    assert!(up(client).exists());
    assert_eq!(client.status()["state"], "active");
}

#[test]
fn a_word_is_void_after_a_restart() {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    client.kill();
    client.bad_day(Some("kill:mandate:before".into()));
    client.start();
    press(client, "activate", &[]);
    until("it dies", || client.died_of_it());
    client.kill();
    client.bad_day(None);
    client.start();
    until("it is stuck", || last(client)["state"] == "stuck");
    let run = last(client);
    assert_eq!((&run["step"], &run["can_abort"]), (&"mandate".into(), &true.into()));
    let said = step(&run, "mandate");
    assert_eq!(said["output"], "evidence.void@127.0.0.1", "{said}");
    assert!(said["remedy"]["en"].as_str().unwrap().contains("restarted"), "{said}");
    assert_eq!(client.run(&["run", "resume"]).code, 1, "without a word it is stuck again");
    assert_eq!(client.run(&["run", "resume", "--attest", "127.0.0.1="]).code, 2);
    assert_eq!(resume(client).code, 0);
    assert_eq!(client.status()["state"], "active");
}

#[test]
fn a_word_is_void_after_a_sign_of_life() {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    client.kill();
    client.bad_day(Some("fail:mandate".into()));
    client.start();
    client.ok(&["threshold", "set", "probe.interval_ms", "200"]);
    assert_eq!(press(client, "activate", &[]).code, 1);
    let alarmed = |client: &Machine| {
        let open = client.ok(&["alarm", "list", "--json"]).json()["alarms"].clone();
        open.as_array().unwrap().iter().any(|alarm| alarm["code"] == "dr.run.stuck")
    };
    until("somebody is told that it is stuck", || alarmed(client));
    let seen = |client: &Machine| client.status()["pair"]["peer"]["machines"][0]["reachable"] == true;
    site.pair.master.start();
    until("the Master is there", || seen(client));
    site.pair.master.kill();
    until("the Master is gone", || !seen(client));
    let ran = client.run(&["run", "resume", "--json"]);
    let run = ran.json();
    assert_eq!((ran.code, &step(&run, "mandate")["output"]), (1, &"evidence.void@127.0.0.1".into()), "{run}");
    assert_eq!(resume(client).code, 0, "a word that was given after that counts");
    until("nobody is told any more", || !alarmed(client));
}

#[test]
fn a_living_master_is_asked_to_stop_first_and_takes_the_service_back_when_the_dr_is_lost() {
    let mut site = Site::new();
    let ran = press(&site.pair.client, "activate", &[]);
    assert_eq!((ran.code, ran.rule()), (3, "isolation.alive".to_owned()));
    let ran = press(&site.pair.client, "activate", &["--override", "isolation.alive=prova annunciata"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.json()["isolation"][0]["outcome"], "fenced", "it has stopped and said so");
    let (master, client) = (&mut site.pair.master, &mut site.pair.client);
    until("the Master knows", || master.status()["state"] == "fenced");
    assert!(up(client).exists() && !up(master).exists());

    client.kill();
    fs::remove_file(up(client)).unwrap();
    until("the DR is lost", || master.status()["pair"]["peer"]["machines"][0]["reachable"] == false);
    fs::write(site.target.join("b"), "made on the DR").unwrap();
    assert_eq!(press(master, "takeover", &[]).code, 0);
    assert_eq!(master.status()["state"], "serving");
    assert!(up(master).exists());

    client.boot("repaired");
    client.start();
    until("the DR learns of it", || client.status()["state"] == "standby");
    assert!(!up(client).exists(), "it stays down");
    fs::write(site.source.join("a"), "2").unwrap();
    until("it follows again", || fs::read_to_string(site.target.join("a")).is_ok_and(|text| text == "2"));
    let points = client.ok(&["sync", "status", "--json"]).json()["restore_points"].clone();
    let kept = points.as_array().unwrap().iter().any(|point| point["id"].as_str().unwrap().starts_with("dr-"));
    assert!(kept, "what was made on the DR is kept: {points}");
}

#[test]
fn a_machine_that_boots_in_the_middle_goes_on_only_through_its_gate() {
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
    assert!(!up(client).exists(), "nothing has started");
    let run = last(client);
    assert_eq!((&run["state"], &run["step"]), (&"stuck".into(), &"freeze".into()), "silence does not open it: {run}");
    assert!(
        step(&run, "evidence")["duration_seconds"].is_number() && step(&run, "verify")["duration_seconds"].is_null()
    );
    assert_eq!(run["at_gate"], true, "nothing that is said to the run moves it");
    assert!(step(&run, "freeze")["remedy"]["it"].as_str().unwrap().contains("prendere di nuovo il servizio"), "{run}");
    site.pair.master.start();
    until("the gate opened and the run went on", || last(client)["state"] == "done");
    assert!(up(client).exists());
}

#[test]
fn a_planned_change_waits_for_a_master_that_takes_its_time_to_stop() {
    let mut pair = Pair::new();
    let (on_master, on_client) = (pair.path("up-on-master"), pair.path("up-on-client"));
    let declare = |machine: &Machine, flag: &Path, stop: &str| {
        let flag = flag.to_str().unwrap();
        let (start, check) = (format!("touch {flag}"), format!("test -e {flag}"));
        let stop = format!("{stop}rm -f {flag}");
        machine.ok(&["service", "add", "pbx", "--start", &start, "--stop", &stop, "--check", &check]);
    };
    declare(&pair.master, &on_master, "sleep 17; ");
    declare(&pair.client, &on_client, "");
    until("the telephones work", || pair.master.status()["services"][0]["observed"] == "up");
    let alive = ["--override", "isolation.alive=planned", "--override", "data.none=nothing is replicated"];
    let ran = press(&pair.client, "activate", &alive);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(on_client.exists() && !on_master.exists());
    assert_eq!(pair.client.run(&["service", "remove", "pbx"]).code, 3, "what it started it must be able to stop");
    pair.master.kill();
    pair.client.kill();
}

#[test]
fn a_master_that_manages_no_services_cannot_say_that_they_are_down() {
    let pair = Pair::new();
    let alive = ["--override", "isolation.alive=planned", "--override", "data.none=x", "--override", "service.none=x"];
    let ran = press(&pair.client, "activate", &alive);
    assert_eq!(ran.code, 1, "{ran:?}");
    let run = last(&pair.client);
    assert_eq!(step(&run, "evidence")["state"], "failed", "{run}");
    assert_eq!(pair.client.status()["mandate"]["epoch"], 1);
    pair.client.ok(&["run", "abort"]);
    until("the Master goes on", || pair.master.status()["state"] == "serving");
}

#[test]
fn a_service_that_will_not_start_can_be_passed_by_an_operator_who_answers_for_it() {
    let mut pair = Pair::new();
    pair.client.ok(&[
        "service",
        "add",
        "pbx",
        "--start",
        "false",
        "--stop",
        "true",
        "--check",
        "false",
        "--timeout",
        "1",
    ]);
    pair.master.kill();
    until("it is seen", || pair.client.status()["pair"]["peer"]["machines"][0]["reachable"] == false);
    let ran = press(&pair.client, "activate", &["--attest", "127.0.0.1=off", "--override", "data.none=x"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    until("it is an alarm", || has_alarm(&pair.client, "dr.run.stuck"));
    assert_eq!(pair.client.run(&["run", "ack", "mandate"]).code, 2, "only a service can be passed");
    pair.client.ok(&["run", "ack", "start:pbx", "--note", "started by hand on the rack"]);
    until("it stands at the next one", || step(&last(&pair.client), "verify")["state"] == "failed");
    pair.client.ok(&["run", "ack", "verify", "--note", "seen"]);
    until("it is done", || last(&pair.client)["state"] == "done");
    assert_eq!(pair.client.status()["state"], "active");
    until("the alarm ends", || !has_alarm(&pair.client, "dr.run.stuck"));
}

fn has_alarm(machine: &Machine, code: &str) -> bool {
    let list = machine.ok(&["alarm", "list", "--json"]).json()["alarms"].clone();
    list.as_array().unwrap().iter().any(|alarm| alarm["code"] == code)
}

#[test]
fn a_stop_that_was_declared_wrong_can_be_put_right_while_the_way_back_is_stuck() {
    let site = Site::alone();
    let client = &site.pair.client;
    assert_eq!(press(client, "activate", &[]).code, 0);
    let flag = up(client).display().to_string();
    let (start, check) = (format!("touch {flag}"), format!("test -e {flag}"));
    let declare = |stop: &str| {
        let commands = ["--start", &start, "--stop", stop, "--check", &check, "--timeout", "1"];
        client.ok(&[&["service", "add", "pbx"], commands.as_slice()].concat());
    };
    declare("no-such-program");
    assert_eq!(press(client, "deactivate", &[]).code, 1);
    assert_eq!(step(&last(client), "stop:pbx")["state"], "failed");
    assert_eq!(client.run(&["service", "remove", "pbx"]).code, 3, "what runs must be stopped by somebody");
    declare(&format!("rm -f {flag}"));
    assert_eq!(resume(client).code, 0);
    assert!(!up(client).exists());
}
