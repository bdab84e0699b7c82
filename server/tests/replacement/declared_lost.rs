//! What a machine that was declared lost may not do any more, what is told of what it has left behind, and what is told of
//! the one that is left alone.

use std::fs;

use crate::machines::{Machine, until};
use crate::{ATTEST, Site, knows_that_it_is_lost, on_disk, reachable, retire, up};

fn has_alarm(machine: &Machine, code: &str) -> bool {
    let alarms = machine.ok(&["alarm", "list", "--json"]).json();
    alarms["alarms"].as_array().unwrap().iter().any(|alarm| alarm["code"] == code)
}

#[test]
fn whoever_serves_alone_after_a_loss_goes_on_being_told_that_nobody_stands_behind_it() {
    let site = Site::without_master();
    until("it is told", || has_alarm(&site.pair.client, "dr.active"));
}

#[test]
fn a_run_that_began_before_its_machine_was_declared_lost_writes_no_mandate() {
    let mut site = Site::new();
    site.pair.master.ok(&["gate", "set", "--policy", "strict"]);
    site.lose_master();
    assert_eq!(retire(&site.pair.client, "dr1").code, 0);
    site.pair.client.kill();
    let master = &mut site.pair.master;
    master.boot("another");
    master.bad_day(Some("fail:mandate".into()));
    master.start();
    until("it looked for the DR", || !reachable(master));
    let take = ["takeover", "--confirm-name", "master1", "--reason", "x", "--attest", ATTEST, "--accept-data-loss"];
    let stuck = master.run(&[&take[..], &["--json"]].concat());
    assert_eq!((stuck.code, &stuck.json()["step"]), (1, &"mandate".into()), "{stuck:?}");
    site.pair.client.start();
    until("it is told", || knows_that_it_is_lost(master));
    site.pair.client.kill();
    until("the DR is silent again", || !reachable(master));
    let before = on_disk(master);
    let resumed = master.run(&["run", "resume", "--attest", ATTEST, "--json"]);
    assert_eq!((resumed.code, &resumed.json()["state"]), (1, &"stuck".into()), "{resumed:?}");
    assert!(resumed.out.contains("pair.retired"), "{resumed:?}");
    assert_eq!((on_disk(master), up(master).exists()), (before, false));
}

#[test]
fn what_a_machine_did_by_own_steps_is_left_over_once_a_fork_has_declared_it_lost() {
    let mut site = Site::new();
    let undone = site.pair.path("undone");
    let undo = format!("touch {}", undone.display());
    site.pair.client.ok(&["step", "add", "carrier", "--kind", "command", "--run", "true", "--undo", &undo]);
    site.pair.master.ok(&["gate", "set", "--policy", "strict"]);
    site.lose_master();
    let press = ["activate", "--confirm-name", "dr1", "--reason", "x", "--attest", ATTEST, "--accept-data-loss"];
    site.pair.client.ok(&press);
    assert_eq!(site.pair.client.status()["steps_left"], serde_json::json!([]));
    site.pair.client.kill();
    fs::remove_file(up(&site.pair.client)).unwrap();
    // The Master, which never heard of that, takes the service on its own and declares the DR lost.
    let (master, client) = (&mut site.pair.master, &mut site.pair.client);
    master.boot("another");
    master.start();
    until("it looked for the DR", || !reachable(master));
    let retired = retire(master, "master1");
    assert_eq!(retired.code, 0, "{retired:?}");
    client.boot("months later");
    client.start();
    until("it is told", || knows_that_it_is_lost(client));
    until("what is in effect there is told", || client.status()["steps_left"] == serde_json::json!(["carrier"]));
    client.ok(&["run", "undo", "--reason", "the carrier still sends calls there"]);
    assert!(undone.exists());
    assert_eq!(client.status()["steps_left"], serde_json::json!([]));
}
