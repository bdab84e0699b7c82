//! The customer's own steps of the tests, and the person whom one of them asks.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use super::bad_days::Day;
use crate::machines::{Machine, tvox_dr};

/// Where the steps of a machine leave their traces.
pub fn trace(machine: &Machine, name: &str) -> PathBuf {
    machine.dir.with_extension(name)
}

pub fn lines(file: &Path) -> Vec<String> {
    fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// A step with a check; and in a group one that a person does, and one of which nothing can be seen but how it ended.
pub fn declare(machine: &Machine) {
    let (mounted, fax) = (trace(machine, "mounted"), trace(machine, "fax"));
    let (mounted, fax) = (mounted.display(), fax.display());
    machine.ok(&[
        "step",
        "add",
        "mount",
        "--kind",
        "command",
        "--place",
        "before_services",
        "--run",
        &format!("touch {mounted}"),
        "--undo",
        &format!("rm -f {mounted}"),
        "--check",
        &format!("test -e {mounted}"),
    ]);
    let carrier =
        ["--text-it", "Chiamare l'operatore", "--text-en", "Call the carrier", "--undo-en", "Call them again"];
    machine
        .ok(&[&["step", "add", "carrier", "--group", "Operatore telefonico", "--kind", "manual"], &carrier[..]]
            .concat());
    machine.ok(&[
        "step",
        "add",
        "fax",
        "--group",
        "Operatore telefonico",
        "--kind",
        "command",
        "--run",
        &format!("echo there $TVOX_DR_SITE >> {fax}"),
        "--undo",
        &format!("echo back $TVOX_DR_SITE >> {fax}"),
    ]);
}

/// What was declared is in effect, and nothing of it was undone; done as often as that day wants it at least.
pub fn assert_there(machine: &Machine, day: Day) {
    assert!(trace(machine, "mounted").exists());
    assert_fax(machine, 0, "there", day);
}

/// What was in effect is undone, as often as that day wants it at least.
pub fn assert_back(machine: &Machine, day: Day) {
    assert!(!trace(machine, "mounted").exists());
    assert_fax(machine, 1, "back", day);
}

/// After so many lines that were there before.
fn assert_fax(machine: &Machine, before: usize, way: &str, day: Day) {
    let told = lines(&trace(machine, "fax"));
    let wanted = format!("{way} {}", machine.role);
    assert!(told[before..].iter().all(|line| *line == wanted), "{told:?}");
    // Nobody can see that it was done: it is done again until that is written down.
    let times = match day {
        Day::FailsBefore => 1..=1,
        Day::FailsAfter | Day::Twice | Day::Dies => 2..=2,
    };
    assert!(times.contains(&(told.len() - before)), "{told:?}");
}

/// Somebody in the next room who does whatever a run asks for, and says so.
pub struct Person {
    goes_home: Arc<AtomicBool>,
    works: Option<JoinHandle<()>>,
}

impl Person {
    pub fn beside(machine: &Machine) -> Self {
        Self::from_attempt(machine, 1)
    }

    /// Who was asked a moment before a step got stuck would pass it: on a day on which it fails before anything was done
    /// they wait until it is asked for again.
    pub fn on(machine: &Machine, day: Day) -> Self {
        Self::from_attempt(machine, if day == Day::FailsBefore { 2 } else { 1 })
    }

    fn from_attempt(machine: &Machine, first: u64) -> Self {
        let goes_home = Arc::new(AtomicBool::new(false));
        let (data, over) = (machine.dir.to_str().unwrap().to_owned(), Arc::clone(&goes_home));
        let works = std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let shown = tvox_dr(&["run", "show", "--json", "--data", &data]);
                let run: Value = serde_json::from_str(&shown.out).unwrap_or_default();
                // What is stuck is not theirs to pass.
                let asks = |step: &&Value| {
                    run["state"] == "running" && !step["ask"].is_null() && step["attempts"].as_u64() >= Some(first)
                };
                for step in run["steps"].as_array().into_iter().flatten().filter(asks) {
                    let id = step["id"].as_str().unwrap();
                    tvox_dr(&["run", "ack", id, "--note", "detto a Bianchi", "--data", &data]);
                }
                let (lock, wake) = (Mutex::new(()), Condvar::new());
                let _ = wake.wait_timeout(lock.lock().unwrap(), Duration::from_millis(100));
            }
        });
        Self { goes_home, works: Some(works) }
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        self.goes_home.store(true, Ordering::Relaxed);
        let _ = self.works.take().map(JoinHandle::join);
    }
}
