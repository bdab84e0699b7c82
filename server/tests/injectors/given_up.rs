//! Runs that are given up: what was begun is undone, on every bad day.

use std::fs;

use crate::machines::{Machine, until};
use crate::procedures::bad_days::{Day, give_up, stuck_at};
use crate::procedures::own::trace;
use crate::procedures::{Site, press, up};
use crate::site;

/// Each procedure that is given up, on each day a test of its own.
macro_rules! on_every_bad_day {
    ($($procedure:ident)+) => {
        $(mod $procedure {
            use super::$procedure;
            use crate::procedures::bad_days::Day;

            #[test]
            fn every_undo_that_fails_before_its_work_is_stuck_and_goes_on_when_told_to() {
                $procedure(Day::FailsBefore);
            }

            #[test]
            fn every_undo_that_fails_after_its_work_is_stuck_and_goes_on_from_what_it_has_undone() {
                $procedure(Day::FailsAfter);
            }

            #[test]
            fn every_step_may_be_undone_twice() {
                $procedure(Day::Twice);
            }

            #[test]
            fn a_process_that_dies_at_every_moment_of_every_undo_comes_to_the_same_end() {
                $procedure(Day::Dies);
            }
        })+
    };
}

on_every_bad_day!(activation pause roll_back failback);

/// A step of the customer's own around the services.
fn mount(client: &Machine) {
    let mounted = trace(client, "mounted");
    let (run, undo) = (format!("touch {}", mounted.display()), format!("rm -f {}", mounted.display()));
    let check = format!("test -e {}", mounted.display());
    let step = ["step", "add", "mount", "--kind", "command", "--place", "before_services"];
    client.ok(&[&step[..], &["--run", &run, "--undo", &undo, "--check", &check]].concat());
}

fn activation(day: Day) {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    stuck_at(client, "mandate", &|client| press(client, "activate", &[]));
    give_up(client, day);
    assert_eq!(client.status()["state"], "standby");
    assert!(!up(client).exists());
    site.pair.master.start();
    fs::write(site.source.join("a"), "2").unwrap();
    until("data flows again", || fs::read_to_string(site.target.join("a")).is_ok_and(|text| text == "2"));
}

fn pause(day: Day) {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    assert_eq!(press(client, "activate", &[]).code, 0);
    stuck_at(client, "stop:pbx", &|client| press(client, "suspend", &[]));
    give_up(client, day);
    assert!(up(client).exists(), "it was not suspended");
    assert_eq!(press(client, "suspend", &[]).code, 0);
    stuck_at(client, "verify", &|client| press(client, "activate", &[]));
    assert!(up(client).exists());
    give_up(client, day);
    assert!(!up(client).exists(), "it is suspended");
    assert_eq!(press(client, "activate", &[]).code, 0);
    assert!(up(client).exists());
}

fn roll_back(day: Day) {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    mount(client);
    assert_eq!(press(client, "activate", &[]).code, 0);
    fs::write(site.target.join("b"), "made on the DR").unwrap();
    stuck_at(client, "mandate", &|client| press(client, "deactivate", &[]));
    assert!(!up(client).exists() && !trace(client, "mounted").exists());
    give_up(client, day);
    assert_eq!(client.status()["state"], "active");
    assert!(up(client).exists() && trace(client, "mounted").exists(), "the DR goes on");
    assert_eq!(fs::read_to_string(site.target.join("b")).unwrap(), "made on the DR");
}

fn failback(day: Day) {
    let mut site = site::Site::new();
    mount(&site.pair.client);
    site.lose_master();
    site.take();
    site.return_master();
    site.work_on_the_dr();
    let client = &mut site.pair.client;
    stuck_at(client, "mandate", &|client| {
        until("it sees the Master", || client.status()["pair"]["peer"]["machines"][0]["reachable"] == true);
        client.run(&["failback", "--confirm-name", "dr1", "--reason", "riparato", "--json"])
    });
    assert!(!up(client).exists() && !trace(client, "mounted").exists());
    give_up(client, day);
    assert_eq!(client.status()["state"], "active");
    assert!(up(client).exists() && trace(client, "mounted").exists(), "the DR goes on");
    assert_eq!(fs::read_to_string(site.conf.1.join("users/bianchi")).unwrap(), "202");
    let master = &site.pair.master;
    until("the Master is as it was", || master.status()["state"] == "fenced");
    assert_eq!(fs::read_to_string(site.conf.0.join("users/rossi")).unwrap(), "201");
    let homecoming = master.dir.join("homecoming");
    until("nothing waits there", || fs::read_dir(&homecoming).into_iter().flatten().next().is_none());
    assert!(!up(master).exists());
}
