//! A run that was open when the node died, and an operator who took the service meanwhile with `tvox-dr rescue`: the run
//! is over, and nothing that was made since is lost.
#![allow(clippy::unwrap_used, reason = "test code")]

mod machines;
mod procedures;

use std::fs;

use machines::{Machine, until};
use procedures::{Site, last, press, up};

/// The node dies at this place of a run, and an operator opens the machine without it.
fn die_and_rescue(client: &mut Machine, verb: &str, place: &str) {
    client.kill();
    client.bad_day(Some(format!("kill:{place}:before")));
    client.start();
    assert_ne!(press(client, verb, &[]).code, 0, "its node dies under it");
    until(&format!("it dies at {place}"), || client.died_of_it());
    client.kill();
    client.bad_day(None);
    client.ok(&["rescue", "open", "--reason", "nothing else runs"]);
    assert!(up(client).exists());
}

/// The node is back, and has given the run up.
fn until_given_up(client: &mut Machine, id: &str) {
    client.start();
    until("the run is over", || last(client)["state"] == "aborted");
    assert!(last(client)["id"].as_str().unwrap().starts_with(id));
    let status = client.status();
    assert_eq!((&status["state"], &status["mandate"]["kind"]), (&"active".into(), &"rescue".into()), "{status}");
    let audit = client.ok(&["audit", "--json"]).json();
    let over = audit["entries"].as_array().unwrap().iter().find(|row| row["action"] == "run.aborted");
    assert_eq!(over.unwrap()["outcome"], "failed", "{audit}");
    client.ok(&["audit", "--verify"]);
}

#[test]
fn an_activation_that_was_open_when_a_rescue_took_the_service_takes_nothing_from_it() {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    die_and_rescue(client, "activate", "freeze");
    fs::write(site.target.join("made-on-dr"), "x").unwrap();
    fs::write(site.target.join("a"), "changed on the DR").unwrap();
    until_given_up(client, "activation");
    assert_eq!(fs::read_to_string(site.target.join("a")).unwrap(), "changed on the DR");
    assert!(site.target.join("made-on-dr").exists());
    until("the services are its own again", || client.status()["services"][0]["desired"] == "up");
    assert!(up(client).exists());
    // Nothing is in the way of the next one.
    let suspended = press(client, "suspend", &[]);
    assert_eq!(suspended.code, 0, "{suspended:?}");
    let resumed = press(client, "activate", &[]);
    assert_eq!(resumed.code, 0, "{resumed:?}");
    assert_eq!(fs::read_to_string(site.target.join("a")).unwrap(), "changed on the DR");
}

#[test]
fn a_roll_back_that_was_open_when_a_rescue_took_the_service_gives_nothing_away() {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    let activated = press(client, "activate", &[]);
    assert_eq!(activated.code, 0, "{activated:?}");
    fs::write(site.target.join("made-on-dr"), "x").unwrap();
    // The second time the mandate of the first rescue stands: it is not what tells the run that it is over.
    for _ in 0..2 {
        die_and_rescue(client, "deactivate", "ledger");
        until_given_up(client, "deactivation");
        assert!(site.target.join("made-on-dr").exists());
        assert!(up(client).exists());
    }
    let given = press(client, "deactivate", &[]);
    assert_eq!(given.code, 0, "a run that begins after the rescue goes to its end: {given:?}");
}
