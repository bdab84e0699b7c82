//! A copy that the DR's own disk has damaged, on the day on which it is needed: it serves with what can be read, and says
//! what is not whole.

#![allow(clippy::panic, clippy::unwrap_used, reason = "test code")]

mod machines;

use std::fs;
use std::path::{Path, PathBuf};

use machines::{Machine, Pair, until};

const ATTEST: &str = "127.0.0.1=Rossi l'ha spenta e ha staccato il cavo";

/// A service is up while this file is there.
fn up(machine: &Machine) -> PathBuf {
    machine.dir.with_extension("up")
}

/// Every copy of a file in every generation that is kept, other bytes in its place.
fn damage(store: &Path, name: &str) {
    let mut found = 0;
    for generation in fs::read_dir(store.join("generations")).unwrap() {
        let file = generation.unwrap().path().join("tree").join(name);
        if file.exists() {
            fs::write(&file, "XXXXXX").unwrap();
            found += 1;
        }
    }
    assert!(found > 0, "{name} is in no generation of {}", store.display());
}

/// A pair whose Master is dead and whose copy is damaged in one file.
fn worst_day() -> Pair {
    let mut pair = Pair::new();
    let flag = up(&pair.client).display().to_string();
    let (start, stop, check) = (format!("touch {flag}"), format!("rm -f {flag}"), format!("test -e {flag}"));
    pair.client.ok(&["service", "add", "pbx", "--start", &start, "--stop", &stop, "--check", &check]);
    let source = pair.path("src").join("etc");
    fs::create_dir_all(&source).unwrap();
    fs::write(source.join("bad"), "sounds").unwrap();
    fs::write(source.join("good"), "as it was").unwrap();
    pair.declare("etc", "files");
    pair.until_current("etc");
    pair.master.kill();
    damage(&pair.client.dir.join("replicas/etc.files"), "bad");
    until("the Master is silent", || pair.client.status()["pair"]["peer"]["machines"][0]["reachable"] == false);
    pair
}

fn seen(pair: &Pair, name: &str) -> String {
    fs::read_to_string(pair.path("replica").join("etc").join(name)).unwrap()
}

#[test]
fn one_damaged_file_keeps_nobody_from_taking_over_and_is_named_in_the_report_and_by_an_alarm() {
    let pair = worst_day();
    let words = ["activate", "--confirm-name", "dr1", "--reason", "incendio", "--attest", ATTEST, "--accept-data-loss"];
    // It may have been found already, on the round of re-reading: then it takes a word.
    let ran = pair.client.run(&[&words[..], &["--override", "point.damaged=meglio che niente"]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(pair.client.status()["state"], "active");
    assert!(up(&pair.client).exists());
    assert_eq!((seen(&pair, "good"), seen(&pair, "bad")), ("as it was".into(), "XXXXXX".into()));
    let run = pair.client.ok(&["run", "show", "--json"]).json();
    let freeze = run["steps"].as_array().unwrap().iter().find(|step| step["id"] == "freeze").unwrap();
    assert!(freeze["output"].as_str().unwrap().contains("DAMAGED: bad"), "{freeze}");
    until("an alarm tells of it", || {
        let alarms = pair.client.ok(&["alarm", "list", "--json"]).json();
        alarms["alarms"].as_array().unwrap().iter().any(|alarm| alarm["code"] == "dr.replica.damaged")
    });
}

#[test]
fn the_rescue_without_a_daemon_starts_the_service_whatever_became_of_the_copies() {
    let mut pair = worst_day();
    pair.client.stop();
    // What is left of a dataset that nobody declares any more, and nobody can open.
    let junk = pair.client.dir.join("replicas/gone.files");
    fs::create_dir_all(&junk).unwrap();
    fs::write(junk.join("generations"), "no directory").unwrap();
    let ran = pair.client.run(&["rescue", "open", "--reason", "incendio"]);
    assert_eq!(ran.code, 1, "what could not be done is told: {ran:?}");
    assert!(up(&pair.client).exists(), "and the service runs: {ran:?}");
    assert_eq!((seen(&pair, "good"), seen(&pair, "bad")), ("as it was".into(), "XXXXXX".into()));
    let said = format!("{ran:?}");
    assert!(said.contains("DAMAGED: bad") && said.contains("gone.files"), "{said}");
}
