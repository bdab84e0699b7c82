//! The bad days of a run: every step fails before or after its work, every step is done twice, the process dies before, in
//! the middle of and after every step. Which steps those are the run itself says, so that none is left out that is new.

use contract::run::RunKind;
use serde_json::Value;

use super::{last, press, resume, step};
use crate::machines::{Machine, Ran, until};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    /// Each step fails once before anything was done, and the node is started again while the run is stuck there.
    FailsBefore,
    /// Each step fails once after it was done.
    FailsAfter,
    /// Each step is done twice.
    Twice,
    /// The process dies before each step, when it was done, and when that is written down.
    Dies,
}

/// What begins a run, and waits for it.
pub type Press<'a> = &'a dyn Fn(&Machine) -> Ran;

/// Takes a run through a bad day to its end, and gives it as it is then.
pub fn go_through(machine: &mut Machine, day: Day, kind: RunKind, press: Press<'_>) -> Value {
    let before = epoch(machine);
    match day {
        Day::FailsBefore => fail_before_each(machine, press),
        Day::FailsAfter => fail_after_each(machine, press),
        Day::Twice => {
            start_on(machine, Some("twice".into()));
            assert_done(&press(machine));
        }
        Day::Dies => die_everywhere(machine, press),
    }
    start_on(machine, None);
    let run = last(machine);
    assert_eq!((&run["kind"], &run["state"]), (&kind.as_str().into(), &"done".into()), "{run}");
    let least = match day {
        Day::Twice => 1,
        Day::FailsBefore | Day::FailsAfter => 2,
        // Once for each moment at which it has died.
        Day::Dies => 3,
    };
    let steps = ids(&run);
    for id in &steps {
        assert_eq!(step(&run, id)["state"], "done", "{id}: {run}");
        assert!(step(&run, id)["attempts"].as_u64().unwrap() >= least, "{id} has had its bad day: {run}");
    }
    let written = steps.iter().filter(|id| *id == "mandate").count() as u64;
    assert_eq!(epoch(machine), before + written, "a mandate is written once");
    assert_eq!(machine.ok(&["audit", "--verify", "--json"]).json()["valid"], true);
    run
}

/// Whether a run has these steps: it would have gone through fewer without anybody noticing.
pub fn assert_has(run: &Value, steps: &[&str]) {
    let ids = ids(run);
    for wanted in steps {
        assert!(ids.iter().any(|id| id == wanted), "{wanted} is not in {ids:?}");
    }
}

fn ids(run: &Value) -> Vec<String> {
    run["steps"].as_array().unwrap().iter().map(|step| step["id"].as_str().unwrap().to_owned()).collect()
}

fn epoch(machine: &Machine) -> u64 {
    machine.status()["mandate"]["epoch"].as_u64().unwrap()
}

fn start_on(machine: &mut Machine, day: Option<String>) {
    machine.kill();
    machine.bad_day(day);
    machine.start();
}

fn assert_done(ran: &Ran) {
    assert_eq!((ran.code, &ran.json()["state"]), (0, &"done".into()), "{ran:?}");
}

/// It is stuck there, says what to do, and stands in the way of every other run.
fn assert_stuck_at(machine: &Machine, ran: &Ran, id: &str) {
    assert_eq!(ran.code, 1, "{id}: {ran:?}");
    let run = ran.json();
    assert_eq!((&run["state"], &run["step"]), (&"stuck".into(), &id.into()), "{run}");
    assert_eq!(step(&run, id)["state"], "failed");
    assert!(!step(&run, id)["remedy"]["it"].as_str().unwrap().is_empty(), "it says what to do");
    assert_eq!(press(machine, "suspend", &[]).code, 3, "one run at a time");
}

fn fail_before_each(machine: &mut Machine, press: Press<'_>) {
    start_on(machine, Some("fail:*".into()));
    let mut ran = press(machine);
    for (number, id) in ids(&ran.json()).iter().enumerate() {
        if number > 0 {
            start_on(machine, Some(format!("fail:{id}")));
            assert_eq!(last(machine)["state"], "stuck", "a restart does not decide for the operator");
            ran = resume(machine);
        }
        assert_stuck_at(machine, &ran, id);
    }
    start_on(machine, None);
    assert_done(&resume(machine));
}

fn fail_after_each(machine: &mut Machine, press: Press<'_>) {
    start_on(machine, Some("fail_after:*".into()));
    let mut ran = press(machine);
    for id in ids(&ran.json()) {
        assert_stuck_at(machine, &ran, &id);
        ran = resume(machine);
    }
    assert_done(&ran);
}

fn die_everywhere(machine: &mut Machine, press: Press<'_>) {
    let mut deaths = 0;
    for moment in ["before", "after_do", "after_event"].into_iter().cycle() {
        let day = Some(format!("kill:*:{moment}"));
        if deaths == 0 {
            start_on(machine, day);
            assert_ne!(press(machine).code, 0, "its node dies under it");
            until("it dies of its first step", || machine.died_of_it());
        } else if !dies_on(machine, day, "done", moment) {
            break;
        }
        deaths += 1;
    }
    assert_eq!(deaths, 3 * ids(&last(machine)).len(), "three times at each step");
}

/// Whether it dies before its run has come to this end. One that lost its evidence is told it again.
fn dies_on(machine: &mut Machine, day: Option<String>, end: &str, moment: &str) -> bool {
    machine.kill();
    machine.bad_day(day);
    machine.spawn();
    let mut died = false;
    until(&format!("it dies of its next step ({moment}) or is {end}"), || {
        died = machine.died_of_it();
        let shown = machine.run(&["run", "show", "--json"]);
        let state = if shown.code == 0 { shown.json()["state"].clone() } else { Value::Null };
        if state == "stuck" {
            resume(machine);
        }
        died || state == end
    });
    died
}

/// Begins a run that is stuck at a step, which may be the first one that it takes.
pub fn stuck_at(machine: &mut Machine, id: &str, press: Press<'_>) {
    start_on(machine, Some(format!("fail:{id}")));
    let ran = press(machine);
    assert_stuck_at(machine, &ran, id);
}

/// Gives up the run that is stuck, on a bad day of its undoing, and gives it as it is then: everything that was begun is
/// undone, and nothing else has happened.
pub fn give_up(machine: &mut Machine, day: Day) -> Value {
    let before = epoch(machine);
    match day {
        Day::FailsBefore => fail_each_undo(machine, "fail"),
        Day::FailsAfter => fail_each_undo(machine, "fail_after"),
        Day::Twice => {
            start_on(machine, Some("twice".into()));
            assert_eq!(abort(machine).code, 0);
        }
        Day::Dies => die_at_each_undo(machine),
    }
    start_on(machine, None);
    let run = last(machine);
    assert_eq!(run["state"], "aborted", "{run}");
    for step in run["steps"].as_array().unwrap() {
        let expected = if step["attempts"] == 0 { "waiting" } else { "undone" };
        assert_eq!(step["state"], expected, "{step}");
    }
    assert_eq!(epoch(machine), before);
    assert_eq!(machine.ok(&["audit", "--verify", "--json"]).json()["valid"], true);
    run
}

fn abort(machine: &Machine) -> Ran {
    machine.run(&["run", "abort", "--json"])
}

/// What was undone, in that order.
fn undone(run: &Value) -> Vec<String> {
    ids(run).into_iter().rev().filter(|id| step(run, id)["state"] == "undone").collect()
}

fn fail_each_undo(machine: &mut Machine, when: &str) {
    start_on(machine, Some(format!("{when}:undo:*")));
    let (mut ran, mut failed) = (abort(machine), Vec::new());
    while ran.json()["state"] == "stuck" {
        failed.push(ran.json()["step"].as_str().unwrap().to_owned());
        assert_eq!(abort(machine).code, 3, "it is being given up already");
        ran = resume(machine);
    }
    assert_eq!(failed, undone(&last(machine)), "each of them once");
}

fn die_at_each_undo(machine: &mut Machine) {
    let mut deaths = 0;
    for moment in ["before", "after_do", "after_event"].into_iter().cycle() {
        let day = Some(format!("kill:undo:*:{moment}"));
        if deaths == 0 {
            start_on(machine, day);
            assert_ne!(abort(machine).code, 0, "its node dies under it");
            until("it dies of its first undo", || machine.died_of_it());
        } else if !dies_on(machine, day, "aborted", moment) {
            break;
        }
        deaths += 1;
    }
    assert_eq!(deaths, 3 * undone(&last(machine)).len(), "three times at each of them");
}

/// Dies at a place and is started again with the next bad day. A run that lost its evidence is told it again.
pub fn die_at(machine: &mut Machine, place: String) {
    machine.kill();
    machine.bad_day(Some(format!("kill:{place}")));
    machine.spawn();
    until(&format!("it dies at {place}"), || {
        let shown = machine.run(&["run", "show", "--json"]);
        if shown.code == 0 && shown.json()["state"] == "stuck" {
            resume(machine);
        }
        machine.died_of_it()
    });
}
