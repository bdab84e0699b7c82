//! The customer's own steps: a mount before the services, a carrier that a person calls, a script of the house. They are
//! undone in reverse order, and passed only by somebody who answers for it. Their bad days are in `injectors`.
#![allow(clippy::unwrap_used, reason = "test code")]

mod groups;
#[path = "../machines/mod.rs"]
mod machines;
#[path = "../procedures/mod.rs"]
mod procedures;

use std::fs;
use std::path::PathBuf;

use machines::{Machine, Pair, tvox_dr, until};
use procedures::own::{Person, declare, lines, trace};
use procedures::{Site, last, press, resume, step, up};
use serde_json::Value;

#[test]
fn a_roll_back_that_is_given_up_does_again_what_it_has_undone() {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    declare(client);
    let _person = Person::beside(client);
    assert_eq!(press(client, "activate", &[]).code, 0);
    client.kill();
    client.bad_day(Some("fail:ledger".into()));
    client.start();
    assert_eq!(press(client, "deactivate", &[]).code, 1);
    assert!(!trace(client, "mounted").exists() && !up(client).exists());
    let ran = client.run(&["run", "abort", "--json"]);
    assert_eq!((ran.code, &ran.json()["state"]), (0, &"aborted".into()), "{ran:?}");
    assert!(trace(client, "mounted").exists() && up(client).exists());
    assert_eq!(lines(&trace(client, "fax")), ["there client"], "callers were led here all the time");
    assert_eq!(client.status()["state"], "active");
}

#[test]
fn a_run_keeps_the_steps_of_its_press_and_a_roll_back_undoes_what_was_done() {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    declare(client);
    let pressed = press(client, "activate", &["--no-wait"]);
    assert_eq!(pressed.code, 0, "{pressed:?}");
    until("it asks", || step(&last(client), "own:carrier")["ask"]["en"] == "Call the carrier");
    for name in ["fax", "mount", "carrier"] {
        client.ok(&["step", "remove", name]);
    }
    client.ok(&["step", "add", "late", "--kind", "command", "--run", "false", "--undo", "false"]);
    let _person = Person::beside(client);
    until("it is done", || last(client)["state"] == "done");
    assert_eq!(lines(&trace(client, "fax")), ["there client"]);
    let ran = press(client, "deactivate", &[]);
    assert_eq!((ran.code, &ran.json()["state"]), (0, &"done".into()), "{ran:?}");
    let ids = ran.json()["steps"].as_array().unwrap().iter().map(|step| step["id"].clone()).collect::<Vec<_>>();
    let own: Vec<_> = ids.iter().filter(|id| id.as_str().unwrap().starts_with("revert:")).collect();
    assert_eq!(own, ["revert:mount", "revert:fax", "revert:carrier"]);
    assert_eq!(lines(&trace(client, "fax")), ["there client", "back client"]);
}

#[test]
fn of_two_operators_who_acknowledge_at_once_one_is_told_that_nobody_waits() {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    client.ok(&["step", "add", "carrier", "--kind", "manual", "--text-it", "Chiamare l'operatore"]);
    assert_eq!(press(client, "activate", &["--no-wait"]).code, 0);
    let waits = |client: &Machine| step(&last(client), "own:carrier")["can_ack"] == true;
    until("it asks", || waits(client));
    assert_eq!(last(client)["state"], "running", "a person who is waited for is nothing wrong");
    assert_eq!(client.run(&["run", "ack", "own:carrier"]).code, 2, "a note is wanted");
    assert_eq!(client.run(&["run", "ack", "own:fax", "--note", "x"]).code, 2, "there is none of that name");
    let data = client.dir.to_str().unwrap();
    let say = |note: &str| tvox_dr(&["run", "ack", "own:carrier", "--note", note, "--json", "--data", data]);
    let said = std::thread::scope(|both| {
        let (anna, bruno) = (both.spawn(|| say("Anna")), both.spawn(|| say("Bruno")));
        [anna.join().unwrap(), bruno.join().unwrap()]
    });
    let mut codes = said.each_ref().map(|ran| ran.code);
    codes.sort_unstable();
    assert_eq!(codes, [0, 3], "{said:?}");
    until("it is done", || last(client)["state"] == "done");
    let first = if said[0].code == 0 { "Anna" } else { "Bruno" };
    let output = step(&last(client), "own:carrier")["output"].clone();
    assert!(output.as_str().unwrap().ends_with(first), "{output}");
    let log = client.ok(&["audit", "--json"]).json();
    let rows = log["entries"].as_array().unwrap().iter().filter(|entry| entry["action"] == "run.ack");
    let outcomes: Vec<_> = rows.map(|row| row["outcome"].clone()).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == "done").count(), 1, "{outcomes:?}");
}

#[test]
fn a_word_that_was_given_counts_although_the_process_dies_of_it() {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    client.ok(&["step", "add", "carrier", "--kind", "manual", "--text-it", "Chiamare l'operatore"]);
    client.kill();
    client.bad_day(Some("kill:own:carrier:after_do".into()));
    client.start();
    press(client, "activate", &["--no-wait"]);
    until("it asks", || step(&last(client), "own:carrier")["can_ack"] == true);
    client.run(&["run", "ack", "own:carrier", "--note", "fatto"]);
    until("it dies", || client.died_of_it());
    client.kill();
    client.bad_day(None);
    client.start();
    until("nobody has to say it again", || last(client)["state"] == "done");
}

#[test]
fn what_is_stuck_can_be_passed_by_somebody_who_answers_for_it_and_what_takes_too_long_is_stuck() {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    client.ok(&["step", "add", "script", "--kind", "command", "--run", "echo no line; exit 7", "--limit", "30"]);
    client.ok(&["step", "add", "slow", "--kind", "command", "--run", "sleep 1000", "--limit", "1"]);
    client.ok(&["step", "add", "carrier", "--kind", "manual", "--text-it", "Chiamare", "--limit", "1"]);
    let run = press(client, "activate", &[]).json();
    let script = step(&run, "own:script");
    assert_eq!((&run["step"], &script["output"]), (&"own:script".into(), &"exit 7: no line".into()));
    assert!(script["remedy"]["it"].as_str().unwrap().contains("run ack own:script"), "{script}");
    assert_eq!(resume(client).json()["step"], "own:script", "a resume tries again");
    assert_eq!(client.run(&["run", "ack", "own:script"]).code, 2, "whoever passes it says why");
    client.ok(&["run", "ack", "own:script", "--note", "fatto dal portale"]);
    let stuck_at = |client: &Machine, id: &str| last(client)["state"] == "stuck" && last(client)["step"] == id;
    until("the next one is stuck", || stuck_at(client, "own:slow"));
    assert_eq!(step(&last(client), "own:slow")["output"], "timeout 1 s");
    client.ok(&["run", "ack", "own:slow", "--note", "visto"]);
    until("nobody has done it in time", || stuck_at(client, "own:carrier"));
    client.ok(&["run", "ack", "own:carrier", "--note", "richiamato"]);
    until("it is done", || last(client)["state"] == "done");
    let log = client.ok(&["audit", "--json"]).json();
    let noted = |note: &str| log["entries"].as_array().unwrap().iter().any(|entry| entry["after"]["note"] == note);
    assert!(noted("fatto dal portale") && noted("richiamato"));
    let run = last(client);
    assert!(step(&run, "own:script")["output"].as_str().unwrap().contains("fatto dal portale"), "{run}");
}

#[test]
fn a_command_that_was_cut_off_by_the_death_of_its_node_is_put_down_and_its_check_decides() {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    let (begun, done) = (trace(client, "begun"), trace(client, "done"));
    let text = format!("echo $$ >> {}; sleep 1000", begun.display());
    let check = format!("test -e {}", done.display());
    client.ok(&["step", "add", "slow", "--kind", "command", "--run", &text, "--check", &check, "--limit", "600"]);
    press(client, "activate", &["--no-wait"]);
    until("it runs", || lines(&begun).len() == 1);
    client.kill();
    client.start();
    until("it is run again", || lines(&begun).len() == 2);
    let former = PathBuf::from(format!("/proc/{}/cmdline", lines(&begun)[0]));
    assert!(!fs::read_to_string(&former).is_ok_and(|line| line.contains("sleep 1000")), "the former one is gone");
    client.kill();
    fs::write(&done, "").unwrap();
    client.start();
    until("what can be seen is done", || last(client)["state"] == "done");
    assert_eq!(lines(&begun).len(), 2);
    put_down(&lines(&begun)[1]);
}

/// Nobody takes the step again: what the last dead node left is ours to put down.
fn put_down(pid: &str) {
    let group = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
}

#[test]
fn a_dry_run_shows_every_step_and_warns_of_a_program_that_is_not_there() {
    let pair = Pair::new();
    declare(&pair.client);
    pair.client.ok(&["step", "add", "ghost", "--kind", "command", "--run", "/opt/no/such/switch dr1"]);
    let report = pair.client.run(&["activate", "--confirm-name", "dr1", "--reason", "x", "--dry-run", "--json"]).json();
    let ids: Vec<_> = report["steps"].as_array().unwrap().iter().map(|step| step["id"].clone()).collect();
    let own = ["own:mount", "verify", "own:carrier", "own:fax", "own:ghost"];
    assert!(own.windows(2).all(|two| place(&ids, two[0]) < place(&ids, two[1])), "{ids:?}");
    let warnings = report["warnings"].as_array().unwrap();
    let told = warnings.iter().find(|warning| warning["rule"] == "step.command").unwrap();
    assert_eq!(told["subject"], "ghost");
    assert!(told["message"].as_str().unwrap().contains("/opt/no/such/switch"), "{told}");
    let blocked = report["blocked"].as_array().unwrap();
    assert!(!blocked.iter().any(|finding| finding["rule"] == "step.command"), "it stands in nobody's way");
}

fn place(ids: &[Value], id: &str) -> Option<usize> {
    let found = ids.iter().position(|known| known == id);
    assert!(found.is_some(), "{id} is missing in {ids:?}");
    found
}

#[test]
fn a_step_is_declared_moved_and_taken_back_and_what_cannot_be_one_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::ready(root.path(), "master", "master1");
    declare(&machine);
    let names = || {
        let list = machine.ok(&["step", "list", "--json"]).json();
        let steps = list["steps"].as_array().unwrap().clone();
        steps.iter().map(|step| step["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(), "mount carrier fax");
    machine.ok(&["step", "move", "fax", "up"]);
    assert_eq!(names(), "mount fax carrier");
    machine.ok(&["step", "move", "fax", "9000"]);
    assert_eq!(names(), "mount carrier fax");
    let elsewhere = ["step", "add", "carrier", "--kind", "manual", "--text-it", "Altro", "--place", "before_services"];
    assert_eq!(machine.run(&elsewhere).code, 2, "its group stands in the other place");
    machine.ok(&[&elsewhere[..], &["--no-group"]].concat());
    assert_eq!(names(), "mount carrier fax", "it keeps its number");
    machine.ok(&["step", "remove", "mount"]);
    assert_eq!(names(), "carrier fax");
    for wrong in [
        &["step", "add", "Il fax", "--kind", "command", "--run", "x"][..],
        &["step", "add", "a", "--kind", "dance"],
        &["step", "add", "a", "--kind", "command"],
        &["step", "add", "a", "--kind", "command", "--run", "x", "--text-it", "lost"],
        &["step", "add", "a", "--kind", "manual"],
        &["step", "add", "a", "--kind", "command", "--run", "x", "--limit", "0"],
        &["step", "add", "a", "--kind", "command", "--run", "x", "--place", "later"],
        &["step", "move", "fax", "left"],
        &["step", "move", "nobody", "up"],
        &["step", "remove", "nobody"],
    ] {
        assert_eq!(machine.run(wrong).code, 2, "{wrong:?}");
    }
    assert_eq!(names(), "carrier fax");
}
