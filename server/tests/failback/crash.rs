//! Every step of a failback fails once, is done twice, and loses its process before, in the middle and after.

use crate::machines::{Machine, until};
use crate::site::{Site, last, step};

const STEPS: [&str; 11] = [
    "receive",
    "bring",
    "stop:pbx",
    "ledger",
    "last_delta",
    "compare",
    "mandate",
    "home",
    "served",
    "preserve",
    "stable",
];

fn begin(client: &Machine) {
    client.run(&["failback", "--confirm-name", "dr1", "--reason", "prova", "--no-wait"]);
}

#[test]
fn a_process_that_dies_at_every_moment_of_every_step_brings_everything_home() {
    let mut site = Site::away();
    site.work_on_the_dr();
    let places =
        STEPS.iter().flat_map(|id| ["before", "after_do", "after_event"].map(|moment| format!("{id}:{moment}")));
    for (number, place) in places.enumerate() {
        let client = &mut site.pair.client;
        client.kill();
        client.bad_day(Some(format!("kill:{place}")));
        if number == 0 {
            client.start();
            let seen = |client: &Machine| client.status()["pair"]["peer"]["machines"][0]["reachable"] == true;
            until("it sees the Master", || seen(client));
            begin(client);
        } else {
            client.spawn();
        }
        until(&format!("it dies at {place}"), || client.died_of_it());
    }
    let client = &mut site.pair.client;
    client.kill();
    client.bad_day(None);
    client.start();
    until("it comes to its end", || last(client)["state"] == "done");
    let run = last(client);
    for id in STEPS {
        assert!(step(&run, id)["attempts"].as_u64().unwrap() >= 2, "{id} was begun again: {run}");
    }
    assert_eq!(client.status()["mandate"]["epoch"], 3, "a mandate is written once");
    assert_eq!(client.ok(&["audit", "--verify", "--json"]).json()["valid"], true);
    site.until_master_serves();
    site.assert_home();
}

#[test]
fn every_step_that_fails_is_stuck_with_its_remedy_and_every_step_may_be_done_twice() {
    let mut site = Site::away();
    site.work_on_the_dr();
    for (number, id) in STEPS.iter().enumerate() {
        let client = &mut site.pair.client;
        client.kill();
        client.bad_day(Some(format!("fail:{id}")));
        client.start();
        let ran = if number == 0 {
            until("it sees the Master", || client.status()["pair"]["peer"]["machines"][0]["reachable"] == true);
            client.run(&["failback", "--confirm-name", "dr1", "--reason", "prova", "--json"])
        } else {
            client.run(&["run", "resume", "--json"])
        };
        let run = ran.json();
        assert_eq!((ran.code, &run["step"]), (1, &(*id).into()), "{ran:?}");
        assert!(!step(&run, id)["remedy"]["it"].as_str().unwrap().is_empty(), "it says what to do");
    }
    let client = &mut site.pair.client;
    client.kill();
    client.bad_day(None);
    client.start();
    let ran = client.run(&["run", "resume", "--json"]);
    assert_eq!((ran.code, &ran.json()["state"]), (0, &"done".into()), "{ran:?}");
    site.until_master_serves();
    site.assert_home();

    site.lose_master();
    site.pair.client.kill();
    site.pair.client.bad_day(Some("twice".into()));
    site.pair.client.start();
    until("the Master is silent", || site.pair.client.status()["pair"]["peer"]["machines"][0]["reachable"] == false);
    site.take();
    site.return_master();
    let ran = site.failback(&["--accept-data-loss"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    site.until_master_serves();
}
