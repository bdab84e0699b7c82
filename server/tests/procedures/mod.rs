//! Procedures as operators see them: a site, the button with everything that it needs, and what its run has come to.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    reason = "test code; each test file uses its own part of it"
)]

pub mod bad_days;
pub mod own;

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::machines::{Machine, Pair, Ran, until};

pub const ATTEST: &str = "127.0.0.1=Rossi l'ha spenta e ha staccato il cavo";

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
        site.lose_master();
        site
    }

    /// The machine of the Master loses its power, and the Client notices.
    pub fn lose_master(&mut self) {
        self.pair.master.kill();
        let _ = fs::remove_file(up(&self.pair.master));
        let silent = |status: &Value| status["pair"]["peer"]["machines"][0]["reachable"] == false;
        until("the Master is silent", || silent(&self.pair.client.status()));
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

/// What drills have copied and not thrown away.
pub fn rehearsals(machine: &Machine) -> Vec<PathBuf> {
    let (mut found, mut dirs) = (Vec::new(), vec![machine.dir.clone()]);
    while let Some(dir) = dirs.pop() {
        for item in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = item.path();
            if path.extension().is_some_and(|extension| extension == "rehearsal") {
                found.push(path);
            } else if item.file_type().is_ok_and(|kind| kind.is_dir()) {
                dirs.push(path);
            }
        }
    }
    found
}
