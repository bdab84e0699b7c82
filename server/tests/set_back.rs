//! A machine that is put back to a copy of itself from before: it says so, and nothing is overwritten.
#![allow(clippy::unwrap_used, reason = "test code")]

mod machines;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use machines::{Machine, Pair, until};

fn declare(machine: &Machine, flag: &Path) {
    let flag = flag.to_str().unwrap();
    let (start, stop, check) = (format!("touch {flag}"), format!("rm -f {flag}"), format!("test -e {flag}"));
    machine.ok(&["service", "add", "pbx", "--start", &start, "--stop", &stop, "--check", &check]);
}

/// The open alarm of that code is there.
fn has_alarm(machine: &Machine, code: &str) -> bool {
    let alarms = machine.ok(&["alarm", "list", "--json"]).json();
    alarms["alarms"].as_array().unwrap().iter().any(|alarm| alarm["code"] == code)
}

/// Starts it and waits until a conversation with the other machine has renewed its ticket.
fn start_and_renew(machine: &mut Machine) {
    let before = machine.ticket();
    machine.start();
    until("the ticket is renewed", || machine.ticket() > before);
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

/// The Client goes on for a while, and then finds itself in an earlier copy of its data directory; where the newer one lies.
fn put_client_back(pair: &mut Pair) -> PathBuf {
    pair.client.kill();
    let (before, newer) = (pair.path("before"), pair.path("newer"));
    copy(&pair.client.dir, &before);
    start_and_renew(&mut pair.client);
    // A ticket that nobody was shown is missed by nobody.
    until("it has shown it", || pair.master.expected_ticket() >= pair.client.ticket());
    pair.client.kill();
    fs::rename(&pair.client.dir, &newer).unwrap();
    copy(&before, &pair.client.dir);
    pair.client.start();
    until("it says so", || pair.client.findings() == ["set_back"]);
    newer
}

#[test]
fn a_machine_that_was_put_back_and_joins_once_more_is_still_found() {
    let mut pair = Pair::new();
    until("the Master knows its ticket", || pair.client.ticket() > 0);
    put_client_back(&mut pair);
    let joined = pair.client.run_with(&["peer", "join", "-"], &pair.token());
    assert_eq!(joined.code, 0, "the key is the same: {joined:?}");
    // What is known of it only by talking, it hears again.
    pair.client.kill();
    pair.client.start();
    until("they talk", || pair.client.status()["pair"]["peer"]["machines"][0]["reachable"] == true);
    until("it still says so", || pair.client.findings() == ["set_back"]);
    let held = pair.client.status()["state"].clone();
    assert_eq!(held, "held", "a token settles nothing");
}

#[test]
fn a_client_put_back_to_before_the_activation_says_so_stays_down_and_overwrites_nothing() {
    let mut pair = Pair::new();
    let (on_master, on_client) = (pair.path("up-on-master"), pair.path("up-on-client"));
    declare(&pair.master, &on_master);
    declare(&pair.client, &on_client);
    let (source, target) = pair.declare("etc", "files");
    fs::write(source.join("a"), "1").unwrap();
    until("it follows", || fs::read_to_string(target.join("a")).is_ok_and(|text| text == "1"));
    pair.client.kill();
    let before = pair.path("before");
    copy(&pair.client.dir, &before);
    pair.client.start();
    pair.master.kill();
    fs::remove_file(&on_master).unwrap();
    until("it is seen", || pair.client.status()["pair"]["peer"]["machines"][0]["reachable"] == false);

    let refused = pair.client.run(&["activate", "--confirm-name", "dr1", "--reason", "fire", "--json"]);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.err.contains("isolation.unattested@127.0.0.1"), "{refused:?}");
    assert!(refused.err.contains("data_loss.consent@"), "all reasons at once: {refused:?}");
    let attest = "127.0.0.1=off, plug pulled, seen by Rossi";
    let done = pair.client.ok(&[
        "activate",
        "--confirm-name",
        "dr1",
        "--reason",
        "fire",
        "--attest",
        attest,
        "--accept-data-loss",
    ]);
    assert!(on_client.exists(), "{done:?}");
    assert_eq!(pair.client.status()["state"], "active");
    fs::write(target.join("a"), "made on the DR").unwrap();

    pair.master.boot("after the fire");
    pair.master.start();
    until("it learns of the newer mandate", || pair.master.status()["state"] == "fenced");
    assert!(!on_master.exists(), "its services stay down");
    // The Client tells its mandate at each contact; the Master must have heard it before it can remember it.
    until("the Master remembers", || {
        let text = fs::read_to_string(pair.master.dir.join("mandate.a")).unwrap();
        let record: serde_json::Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
        record["peer"]["mandate"] == pair.client.status()["mandate"]["id"]
    });
    pair.client.kill();
    let served = pair.path("served");
    fs::rename(&pair.client.dir, &served).unwrap();
    copy(&before, &pair.client.dir);
    pair.client.boot("restored");
    pair.client.start();
    until("it says so", || pair.client.status()["mandate"]["findings"][0] == "set_back");
    assert_eq!(pair.client.status()["state"], "held", "a machine that was put back never starts by itself");
    until("the Master tells it, too", || {
        let alarms = pair.master.ok(&["alarm", "list", "--json"]).json();
        alarms["alarms"].as_array().unwrap().iter().any(|alarm| alarm["code"] == "dr.set_back")
    });
    fs::write(source.join("a"), "2").unwrap();
    until("no data flows", || pair.client.run(&["sync", "full", "--wait"]).code != 0);
    assert_eq!(fs::read_to_string(target.join("a")).unwrap(), "1", "what is here is what was put back");
    assert_eq!(fs::read_to_string(source.join("a")).unwrap(), "2", "and the Master's own stays the Master's");
    until("services are stopped that were left running", || !on_client.exists());
    // An operator settles it: here, by taking the service again.
    pair.master.kill();
    until("it is seen", || pair.client.status()["pair"]["peer"]["machines"][0]["reachable"] == false);
    pair.client.ok(&[
        "activate",
        "--confirm-name",
        "dr1",
        "--reason",
        "settled",
        "--attest",
        attest,
        "--accept-data-loss",
    ]);
    let status = pair.client.status();
    assert_eq!((&status["state"], &status["mandate"]["epoch"]), (&"active".into(), &3.into()));
    assert_eq!(status["mandate"]["findings"].as_array().unwrap().len(), 0);
    until("the alarm ends", || {
        let alarms = pair.client.ok(&["alarm", "list", "--json"]).json();
        alarms["alarms"].as_array().unwrap().iter().all(|alarm| alarm["code"] != "dr.set_back")
    });
}

#[test]
fn a_client_put_back_within_one_generation_is_told_so_and_nothing_flows() {
    let mut pair = Pair::new();
    until("both hold a ticket", || pair.client.ticket() > 0 && pair.master.ticket() > 0);
    let (source, target) = pair.declare("etc", "files");
    fs::write(source.join("a"), "1").unwrap();
    until("it follows", || fs::read_to_string(target.join("a")).is_ok_and(|text| text == "1"));
    let newer = put_client_back(&mut pair);
    assert_eq!(pair.client.status()["state"], "held");
    until("the Master tells it, too", || has_alarm(&pair.master, "dr.set_back"));
    assert!(pair.master.findings().is_empty(), "the Master is as it was");
    fs::write(source.join("a"), "2").unwrap();
    until("no data flows", || pair.client.run(&["sync", "full", "--wait"]).code != 0);
    assert_eq!(fs::read_to_string(target.join("a")).unwrap(), "1");
    // Put right by the operator before anything was settled: there may be two of them now.
    pair.client.kill();
    fs::remove_dir_all(&pair.client.dir).unwrap();
    fs::rename(&newer, &pair.client.dir).unwrap();
    pair.client.start();
    until("the Master says that there were two", || pair.master.findings() == ["cloned"]);
    until("and the Client says it, too", || pair.client.findings() == ["cloned"]);
    until("there is an alarm", || has_alarm(&pair.master, "dr.cloned"));
    assert_eq!(pair.master.status()["state"], "serving", "whoever serves goes on");
}

#[test]
fn of_two_clients_with_one_identity_the_master_says_that_there_are_two() {
    let mut pair = Pair::new();
    until("both hold a ticket", || pair.client.ticket() > 0 && pair.master.ticket() > 0);
    pair.client.kill();
    let mut second = pair.client.copied(&pair.path("second"));
    start_and_renew(&mut pair.client);
    second.start();
    until("the Master says it", || pair.master.findings() == ["cloned"]);
    until("nothing flows to either", || pair.client.run(&["sync", "full", "--wait"]).code != 0);
    assert_ne!(second.findings(), Vec::<String>::new());
}

#[test]
fn a_second_master_never_opens_its_gate_beside_the_first() {
    let pair = Pair::new();
    until("both hold a ticket", || pair.client.ticket() > 0 && pair.master.ticket() > 0);
    let mut second = pair.master.copied(&pair.path("second"));
    second.boot("another machine");
    second.start();
    let gate = |machine: &Machine| machine.ok(&["gate", "show", "--json"]).json();
    // The copy may have been taken in the middle of a renewal: then it is told that it is an older one.
    let told = || gate(&second)["asked"][0]["answer"] == "hold" || second.findings() == ["set_back"];
    until("it was told to wait, or what it is", told);
    assert_eq!(second.status()["state"], "held");
    assert_eq!(pair.master.status()["state"], "serving");
}

#[test]
fn a_database_put_back_without_its_mandate_files_is_found_at_the_start() {
    let mut pair = Pair::new();
    until("both hold a ticket", || pair.client.ticket() > 0 && pair.master.ticket() > 0);
    pair.master.kill();
    let before = pair.path("before");
    copy(&pair.master.dir, &before);
    // One ticket may be missing after any crash; two are not.
    for _ in 0..2 {
        start_and_renew(&mut pair.master);
        pair.master.kill();
    }
    for file in ["tvox-dr.db", "tvox-dr.db-wal", "tvox-dr.db-shm"] {
        let _ = fs::remove_file(pair.master.dir.join(file));
        if before.join(file).exists() {
            copy(&before.join(file), &pair.master.dir.join(file));
        }
    }
    pair.client.kill();
    pair.master.start();
    assert_eq!(pair.master.findings(), ["set_back"], "known without anybody to ask");
    pair.master.kill();
    pair.master.boot("second");
    pair.master.start();
    assert_eq!(pair.master.status()["state"], "held");
}

#[test]
fn machines_that_die_in_the_middle_of_a_renewal_are_accused_of_nothing() {
    let mut pair = Pair::new();
    until("both hold a ticket", || pair.client.ticket() > 0 && pair.master.ticket() > 0);
    for round in 0..12_u64 {
        let (dies, other) =
            if round % 2 == 0 { (&mut pair.client, &pair.master) } else { (&mut pair.master, &pair.client) };
        let (own, theirs) = (dies.ticket(), other.ticket());
        dies.kill();
        dies.spawn();
        // At another instruction each time: when a file of one or of the other has just changed, or at once.
        match round % 3 {
            0 => until("its own ticket is renewed", || dies.ticket() > own),
            1 => until("the other's is", || other.ticket() > theirs),
            _ => {}
        }
        dies.kill();
        dies.start();
    }
    pair.client.kill();
    start_and_renew(&mut pair.client);
    assert_eq!((pair.client.findings(), pair.master.findings()), (vec![], vec![]));
}
