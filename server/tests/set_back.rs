//! A machine that is put back to a copy of itself from before: it says so, and nothing is overwritten.
#![allow(clippy::unwrap_used, reason = "test code")]

mod machines;

use std::fs;
use std::path::Path;
use std::process::Command;

use machines::{Machine, Pair, until};

fn declare(machine: &Machine, flag: &Path) {
    let flag = flag.to_str().unwrap();
    let (start, stop, check) = (format!("touch {flag}"), format!("rm -f {flag}"), format!("test -e {flag}"));
    machine.ok(&["service", "add", "pbx", "--start", &start, "--stop", &stop, "--check", &check]);
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
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
