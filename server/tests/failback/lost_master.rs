//! A failback was given, and the Master is lost before it has the content in its place: what was made on the DR exists
//! there alone, however often an activation is begun and given up.

use std::fs;

use crate::machines::until;
use crate::site::{Site, accounts, last, up};

const ATTEST: &str = "127.0.0.1=burnt, seen by Rossi";

/// The mandate names the Master, which has died before it put anything in its place; an activation was begun, got stuck
/// and was given up.
fn given_up_once() -> Site {
    let mut site = Site::away();
    site.work_on_the_dr();
    site.pair.master.kill();
    site.pair.master.bad_day(Some("kill:settle:before".into()));
    site.pair.master.start();
    site.pair.client.ok(&["failback", "--confirm-name", "dr1", "--reason", "x", "--no-wait"]);
    until("the Master dies", || site.pair.master.died_of_it());
    site.lose_master();
    let client = &mut site.pair.client;
    until("it waits for the Master", || last(client)["step"] == "home");
    client.kill();
    client.bad_day(Some("fail:evidence".into()));
    client.start();
    let silent = || client.status()["pair"]["peer"]["machines"][0]["reachable"] == false;
    until("the Master is silent", silent);
    let words = ["activate", "--confirm-name", "dr1", "--reason", "lost", "--accept-data-loss", "--json"];
    let ran = client.run(&[&words[..], &["--attest", ATTEST]].concat());
    assert_eq!((ran.code, &ran.json()["step"]), (1, &"evidence".into()), "{ran:?}");
    // Also a restart in the middle knows both.
    client.kill();
    client.bad_day(None);
    client.start();
    client.ok(&["run", "abort"]);
    until("the failback goes on", || {
        let run = last(client);
        run["kind"] == "failback" && run["state"] == "running" && run["step"] == "home"
    });
    site
}

#[test]
fn an_activation_after_one_that_was_given_up_serves_what_was_made_on_the_dr() {
    let mut site = given_up_once();
    site.pair.client.kill();
    site.pair.client.start();
    until("the Master is silent", || site.pair.client.status()["pair"]["peer"]["machines"][0]["reachable"] == false);
    site.take();
    assert!(up(&site.pair.client).exists());
    assert_eq!(fs::read_to_string(site.conf.1.join("users/bianchi")).unwrap(), "202");
    assert_eq!(accounts(&site.voice.1), ["bianchi", "rossi"]);
    let states = || {
        let runs = site.pair.client.ok(&["run", "list", "--json"]).json();
        let runs = runs["runs"].as_array().unwrap().clone();
        runs.iter().map(|run| run["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    until("the failback is over with the mandate", || states() == ["done", "aborted", "aborted", "done"]);
    assert_eq!(site.pair.client.ok(&["audit", "--verify", "--json"]).json()["valid"], true);
}

#[test]
fn the_failback_behind_an_activation_that_was_given_up_comes_to_its_end_once_the_master_is_back() {
    let mut site = given_up_once();
    site.pair.master.bad_day(None);
    site.pair.master.boot("repaired");
    site.pair.master.start();
    until("the failback is done", || {
        let run = last(&site.pair.client);
        run["kind"] == "failback" && run["state"] == "done"
    });
    site.until_master_serves();
    site.assert_home();
}
