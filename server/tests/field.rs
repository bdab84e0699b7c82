//! What pairs of machines lose calls and data by in the field, each by its name. Beside these: "a revived primary that copies
//! its old state over the new" and "failback that flips routing before the writes are quiesced" (`failback`), and "a
//! promotion that waits for the dead machine" (`phones`: its cable is pulled, so that nothing there refuses anything).
#![allow(clippy::unwrap_used, reason = "test code")]

mod machines;
mod procedures;

use std::fs;

use machines::{Machine, until};
use procedures::{Site, last, press, resume, step, up};

fn has_alarm(machine: &Machine, code: &str) -> bool {
    let list = machine.ok(&["alarm", "list", "--json"]).json()["alarms"].clone();
    list.as_array().unwrap().iter().any(|alarm| alarm["code"] == code)
}

/// "Standby trunks still enabled": two systems register with the carrier, and calls go to the one that nobody answers at.
#[test]
fn a_telephone_system_that_somebody_starts_on_the_side_that_does_not_serve_is_taken_down() {
    let mut site = Site::new();
    let started = |machine: &Machine, other: &Machine| {
        fs::write(up(machine), "by hand").unwrap();
        until("it is down again", || !up(machine).exists());
        assert!(up(other).exists(), "the one that serves goes on");
    };
    started(&site.pair.client, &site.pair.master);
    // And the other way round, once the DR has the service.
    let announced = ["--override", "isolation.alive=prova annunciata"];
    assert_eq!(press(&site.pair.client, "activate", &announced).code, 0);
    until("the Master is fenced", || site.pair.master.status()["state"] == "fenced");
    started(&site.pair.master, &site.pair.client);
    let master = &mut site.pair.master;
    master.kill();
    fs::write(up(master), "started by its boot").unwrap();
    master.boot("another");
    master.start();
    until("it is down again", || !up(master).exists());
}

/// "A plan marked complete whose task had aborted".
#[test]
fn a_run_whose_task_was_aborted_is_never_done_whoever_restarts_it_or_waits() {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    // Killed by a signal, beside one that says that it went well and did nothing.
    client.ok(&["step", "add", "carrier", "--kind", "command", "--run", "kill -ABRT $$"]);
    let nothing = client.dir.with_extension("nothing");
    let check = format!("test -e {}", nothing.display());
    client.ok(&["step", "add", "fax", "--kind", "command", "--run", "true", "--check", &check, "--limit", "1"]);
    for (id, pressed) in [("own:carrier", true), ("own:fax", false)] {
        let ran = if pressed { press(client, "activate", &[]) } else { resume(client) };
        assert_eq!((ran.code, &ran.json()["state"], &ran.json()["step"]), (1, &"stuck".into(), &id.into()), "{ran:?}");
        assert_eq!(step(&last(client), id)["state"], "failed");
        until("it is an alarm", || has_alarm(client, "dr.run.stuck"));
        client.kill();
        client.start();
        assert_eq!(last(client)["state"], "stuck", "a restart decides nothing");
        if pressed {
            client.ok(&["run", "ack", id, "--note", "chiamato a mano"]);
            until("the next one is stuck", || last(client)["step"] == "own:fax" && last(client)["state"] == "stuck");
        }
    }
    fs::write(&nothing, "").unwrap();
    let ran = resume(client);
    assert_eq!((ran.code, &ran.json()["state"]), (0, &"done".into()), "{ran:?}");
    let told = step(&last(client), "own:carrier")["output"].clone();
    assert!(told.as_str().unwrap().contains("chiamato a mano"), "the report says who passed it: {told}");
}

/// "The wrong console": the button is pressed on the machine that is to be replaced.
#[test]
fn the_button_on_the_wrong_console_moves_nothing_and_names_the_right_machine() {
    let site = Site::new();
    for (machine, verbs) in [
        (&site.pair.master, &["activate", "deactivate", "failback", "suspend"][..]),
        (&site.pair.client, &["takeover"]),
    ] {
        for verb in verbs {
            let ran = press(machine, verb, &[]);
            assert_eq!((ran.code, ran.rule()), (3, "role.wrong".into()), "{verb}: {ran:?}");
        }
    }
    // The name of the other machine is typed by whoever takes this one for it.
    let words = ["activate", "--confirm-name", "master1", "--reason", "x", "--json"];
    let ran = site.pair.client.run(&words);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.out.contains("confirm_name"), "{ran:?}");
    for machine in [&site.pair.master, &site.pair.client] {
        assert_eq!(machine.status()["mandate"]["epoch"], 1);
        let runs = machine.ok(&["run", "list", "--json"]).json();
        assert!(runs["runs"].as_array().unwrap().is_empty(), "no run was begun: {runs}");
    }
    assert!(up(&site.pair.master).exists() && !up(&site.pair.client).exists());
}
