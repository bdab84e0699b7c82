//! Two operators at once: whatever both press in the same moment, there is one run, both see it, and whoever came second
//! hears why not.
#![allow(clippy::unwrap_used, reason = "test code")]

mod machines;
mod procedures;

use std::fs;

use machines::{Machine, Ran, until};
use procedures::{Site, last, press, step, up};
use serde_json::Value;

/// Both do what they do at the same time.
fn at_once(one: impl FnOnce() -> Ran + Send, other: impl FnOnce() -> Ran + Send) -> [Ran; 2] {
    std::thread::scope(|both| {
        let (one, other) = (both.spawn(one), both.spawn(other));
        [one.join().unwrap(), other.join().unwrap()]
    })
}

/// What the one got who was let, and what the other one got.
fn sorted(mut said: [Ran; 2]) -> [Ran; 2] {
    said.sort_by_key(|ran| ran.code);
    said
}

fn runs(machine: &Machine) -> Vec<Value> {
    machine.ok(&["run", "list", "--json"]).json()["runs"].as_array().unwrap().clone()
}

fn audited(machine: &Machine, action: &str) -> Vec<Value> {
    let log = machine.ok(&["audit", "--json"]).json();
    let rows = log["entries"].as_array().unwrap().iter().filter(|entry| entry["action"] == action);
    rows.map(|row| row["outcome"].clone()).collect()
}

#[test]
fn of_two_who_press_at_once_one_begins_a_run_and_the_other_is_told_of_it() {
    let site = Site::alone();
    let client = &site.pair.client;
    // Somebody has to say that it is done: so long the run is there to be seen.
    client.ok(&[
        "step",
        "add",
        "carrier",
        "--kind",
        "manual",
        "--text-it",
        "Chiamare",
        "--undo-it",
        "Richiamare",
        "--place",
        "before_services",
    ]);
    let begin = || press(client, "activate", &["--no-wait"]);
    let [done, refused] = sorted(at_once(begin, begin));
    assert_eq!((done.code, refused.code, refused.rule()), (0, 3, "run.in_progress".into()), "{done:?} {refused:?}");
    let id = done.json()["id"].clone();
    assert_eq!((runs(client).len(), &runs(client)[0]["id"]), (1, &id), "exactly one");
    assert_eq!(audited(client, "activate").iter().filter(|outcome| **outcome == "done").count(), 1);

    // Both follow it, and see the same to the end.
    let follow = || client.run(&["run", "follow", "--json"]);
    let followed = std::thread::scope(|all| {
        let (one, other) = (all.spawn(follow), all.spawn(follow));
        until("it asks", || step(&last(client), "own:carrier")["can_ack"] == true);
        client.ok(&["run", "ack", "own:carrier", "--note", "detto a Bianchi"]);
        [one.join().unwrap(), other.join().unwrap()]
    });
    assert_eq!((followed[0].code, followed[0].json()), (0, followed[1].json()), "the same, to the letter");
    assert_eq!((&followed[0].json()["id"], &followed[0].json()["state"]), (&id, &"done".into()));
    assert_eq!(client.status()["mandate"]["epoch"], 2, "one mandate");

    // One goes back while the other one activates again: one is done, the other one hears of it.
    let back = || press(client, "deactivate", &["--no-wait"]);
    let [done, refused] = sorted(at_once(back, begin));
    assert_eq!((done.code, refused.code), (0, 3), "{done:?} {refused:?}");
    assert_eq!(done.json()["kind"], "deactivation", "{done:?}");
    assert!(["run.in_progress", "state.illegal"].contains(&refused.rule().as_str()), "{refused:?}");
    assert_eq!(runs(client).len(), 2);
}

#[test]
fn of_one_who_aborts_and_one_who_says_that_it_is_done_each_gets_an_answer_that_holds() {
    let site = Site::alone();
    let client = &site.pair.client;
    client.ok(&[
        "step",
        "add",
        "carrier",
        "--kind",
        "manual",
        "--text-it",
        "Chiamare",
        "--undo-it",
        "Richiamare",
        "--place",
        "before_services",
    ]);
    assert_eq!(press(client, "activate", &["--no-wait"]).code, 0);
    until("it asks", || step(&last(client), "own:carrier")["can_ack"] == true);
    client.ok(&["run", "ack", "own:carrier", "--note", "fatto"]);
    until("the DR serves", || last(client)["state"] == "done");
    assert_eq!(press(client, "deactivate", &["--no-wait"]).code, 0);
    until("it asks for the way back", || step(&last(client), "revert:carrier")["can_ack"] == true);

    let (aborted, acked) = std::thread::scope(|both| {
        let abort = both.spawn(|| client.run(&["run", "abort", "--json"]));
        let ack = both.spawn(|| client.run(&["run", "ack", "revert:carrier", "--note", "richiamato", "--json"]));
        let acked = ack.join().unwrap();
        // Whoever aborts waits for the end. What a person had undone by then, a person does again.
        until("it comes to an end", || {
            let run = last(client);
            let over = run["state"] == "done" || run["state"] == "aborted";
            if step(&run, "revert:carrier")["can_ack"] == true {
                client.run(&["run", "ack", "revert:carrier", "--note", "richiamato di nuovo"]);
            }
            over
        });
        (abort.join().unwrap(), acked)
    });
    let run = last(client);
    match run["state"].as_str().unwrap() {
        "aborted" => {
            assert_eq!(aborted.code, 0, "{aborted:?}");
            assert_eq!(client.status()["mandate"]["holder"], "client");
            until("the DR serves on", || up(client).exists());
        }
        _ => {
            assert_eq!((acked.code, aborted.rule()), (0, "state.illegal".into()), "{aborted:?}");
            assert_eq!(client.status()["mandate"]["holder"], "master");
            assert!(!up(client).exists());
        }
    }
    assert_eq!(client.ok(&["audit", "--verify", "--json"]).json()["valid"], true);
    assert!(fs::metadata(site.target.join("a")).is_ok());
}

#[test]
fn of_two_who_give_a_run_up_one_is_told_that_it_is_given_up_already() {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    client.kill();
    client.bad_day(Some("fail:evidence".into()));
    client.start();
    assert_eq!(press(client, "activate", &[]).code, 1, "it is stuck");
    let abort = || client.run(&["run", "abort", "--json"]);
    let [done, refused] = sorted(at_once(abort, abort));
    assert_eq!((done.code, refused.code, refused.rule()), (0, 3, "state.illegal".into()), "{done:?} {refused:?}");
    assert_eq!(last(client)["state"], "aborted");
    assert_eq!(audited(client, "run.abort").iter().filter(|outcome| **outcome == "done").count(), 1);
}

#[test]
fn of_two_who_let_a_stuck_run_go_on_one_is_told_that_nobody_waits() {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    client.kill();
    client.bad_day(Some("fail:evidence".into()));
    client.start();
    assert_eq!(press(client, "activate", &[]).code, 1, "it is stuck");
    let resume = || procedures::resume(client);
    let [done, refused] = sorted(at_once(resume, resume));
    assert_eq!((done.code, refused.code, refused.rule()), (0, 3, "state.illegal".into()), "{done:?} {refused:?}");
    assert_eq!((&last(client)["state"], &client.status()["mandate"]["epoch"]), (&"done".into(), &2.into()));
    assert_eq!(audited(client, "run.resume").iter().filter(|outcome| **outcome == "done").count(), 1);
}
