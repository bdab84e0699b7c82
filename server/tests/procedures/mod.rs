//! The three injectors of the runs: every step fails once, every step is done twice, and the process dies before, in the
//! middle of and after every step. Whoever adds a procedure lets it go through all of them.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    reason = "test code; each test file uses its own part of it"
)]

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::machines::{Machine, Pair, Ran, until};

const ATTEST: &str = "127.0.0.1=Rossi l'ha spenta e ha staccato il cavo";

/// A pair with one complete copy and a telephone system on each side: it is up while its file is there.
pub struct Site {
    pub pair: Pair,
    pub source: PathBuf,
    pub target: PathBuf,
}

impl Site {
    pub fn new() -> Self {
        let pair = Pair::new();
        for machine in [&pair.master, &pair.client] {
            let flag = up(machine);
            let (start, stop) = (format!("touch {}", flag.display()), format!("rm -f {}", flag.display()));
            let check = format!("test -e {}", flag.display());
            machine.ok(&["service", "add", "pbx", "--start", &start, "--stop", &stop, "--check", &check]);
        }
        let (source, target) = pair.declare("conf", "files");
        fs::write(source.join("a"), "1").unwrap();
        until("the first copy", || target.join("a").exists());
        Self { pair, source, target }
    }

    /// The Master is off, and everybody can see that it does not answer.
    pub fn alone() -> Self {
        let mut site = Self::new();
        site.pair.master.kill();
        fs::remove_file(up(&site.pair.master)).unwrap();
        let silent = |status: &Value| status["pair"]["peer"]["machines"][0]["reachable"] == false;
        until("the Master is silent", || silent(&site.pair.client.status()));
        site
    }
}

pub fn up(machine: &Machine) -> PathBuf {
    machine.dir.with_extension("up")
}

/// The command of a procedure, with everything that it needs.
pub fn press(machine: &Machine, verb: &str, more: &[&str]) -> Ran {
    let name = if machine.role == "master" { "master1" } else { "dr1" };
    let brought: &[&str] = match verb {
        "activate" | "takeover" => &["--attest", ATTEST, "--accept-data-loss"],
        "deactivate" => &["--discard-dr-data"],
        _ => &[],
    };
    machine.run(&[&[verb, "--confirm-name", name, "--reason", "prova", "--json"], brought, more].concat())
}

pub fn last(machine: &Machine) -> Value {
    machine.ok(&["run", "show", "--json"]).json()
}

pub fn step<'a>(run: &'a Value, id: &str) -> &'a Value {
    run["steps"].as_array().unwrap().iter().find(|step| step["id"] == id).unwrap()
}

pub fn resume(machine: &Machine) -> Ran {
    machine.run(&["run", "resume", "--attest", ATTEST, "--json"])
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

/// Presses a button, dies at every moment of every step, and comes to the end all the same.
pub fn die_everywhere(machine: &mut Machine, verb: &str, steps: &[&str]) -> Value {
    let places =
        steps.iter().flat_map(|id| ["before", "after_do", "after_event"].map(|moment| format!("{id}:{moment}")));
    let mut places = places.collect::<Vec<_>>().into_iter();
    let epoch = machine.status()["mandate"]["epoch"].as_u64().unwrap();
    machine.kill();
    let first = places.next().unwrap();
    machine.bad_day(Some(format!("kill:{first}")));
    machine.start();
    assert_ne!(press(machine, verb, &[]).code, 0, "its node dies under it");
    until(&format!("it dies at {first}"), || machine.died_of_it());
    places.for_each(|place| die_at(machine, place));
    machine.kill();
    machine.bad_day(None);
    machine.start();
    until(&format!("{verb} comes to its end"), || {
        let run = last(machine);
        if run["state"] == "stuck" {
            resume(machine);
        }
        run["state"] == "done"
    });
    let run = last(machine);
    for id in steps {
        assert_eq!(step(&run, id)["state"], "done", "{run}");
        assert!(step(&run, id)["attempts"].as_u64().unwrap() >= 2, "{id} was begun again: {run}");
    }
    let written = u64::from(steps.contains(&"mandate"));
    assert_eq!(machine.status()["mandate"]["epoch"], epoch + written, "a mandate is written once");
    assert_eq!(machine.ok(&["audit", "--verify", "--json"]).json()["valid"], true);
    run
}

/// Fails once at every step, each time stuck with what to do, and goes on when it is told to.
pub fn fail_everywhere(machine: &mut Machine, verb: &str, steps: &[&str]) {
    for (number, id) in steps.iter().enumerate() {
        fail_at(machine, (number == 0).then_some(verb), id);
    }
    go_on(machine);
}

/// A run that begins with this button, or goes on, fails at a step: it is stuck there and says what to do.
pub fn fail_at(machine: &mut Machine, verb: Option<&str>, id: &str) {
    machine.kill();
    machine.bad_day(Some(format!("fail:{id}")));
    machine.start();
    let ran = verb.map_or_else(|| resume(machine), |verb| press(machine, verb, &[]));
    assert_eq!(ran.code, 1, "{id}: {ran:?}");
    let run = ran.json();
    assert_eq!((&run["state"], &run["step"]), (&"stuck".into(), &id.into()), "{run}");
    assert_eq!(step(&run, id)["state"], "failed");
    assert!(!step(&run, id)["remedy"]["it"].as_str().unwrap().is_empty(), "it says what to do");
    assert_eq!(press(machine, "suspend", &[]).code, 3, "one run at a time");
    machine.kill();
    machine.start();
    assert_eq!(last(machine)["state"], "stuck", "a restart does not decide for the operator");
}

/// Comes to the end of a run that was stuck.
pub fn go_on(machine: &mut Machine) {
    machine.kill();
    machine.bad_day(None);
    machine.start();
    let ran = resume(machine);
    assert_eq!((ran.code, &ran.json()["state"]), (0, &"done".into()), "{ran:?}");
}
