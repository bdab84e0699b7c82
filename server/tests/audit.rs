//! The audit log as an auditor uses it: exported, recomputed without our code, and never changed unnoticed.

#![allow(clippy::unwrap_used, reason = "test code")]

mod machines;

use machines::Machine;
use systems_own::sha256;

/// SHA-256 by the system's own tool: the auditor has no reason to trust ours.
mod systems_own {
    use std::io::Write;
    use std::process::{Command, Stdio};

    pub fn sha256(text: &str) -> String {
        let mut child = Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let out = child.wait_with_output().unwrap().stdout;
        String::from_utf8(out).unwrap().split_whitespace().next().unwrap().to_owned()
    }
}

#[test]
fn an_auditor_recomputes_the_chain_from_the_export_alone() {
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::ready(root.path(), "master", "m");
    machine.run(&["peer", "set", "0.0.0.0"]);
    machine.run(&["sync", "full"]);
    let export = machine.ok(&["audit", "--export"]).out;
    let mut prev = "0".repeat(64);
    for line in export.lines() {
        let (stored, hash) = line.rsplit_once(",\"hash\":\"").unwrap();
        let hash = hash.trim_end_matches("\"}");
        assert_eq!(sha256(&format!("{prev}\n{stored}}}")), hash, "{line}");
        prev = hash.to_owned();
    }
    let report = machine.ok(&["audit", "--json"]).json();
    assert_eq!(report["head"]["hash"], prev.as_str());
    let told: Vec<_> = report["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["action"].as_str().unwrap(), e["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("init", "done"), ("licence.load", "done"), ("peer.set", "refused"), ("sync.full", "refused")]);
    assert_eq!(report["entries"][3]["rule"], "role.wrong");
    assert_eq!(machine.ok(&["audit", "--since", "3", "--json"]).json()["entries"].as_array().unwrap().len(), 1);
}

#[test]
fn a_changed_or_missing_entry_shows() {
    let root = tempfile::tempdir().unwrap();
    let mut machine = Machine::ready(root.path(), "master", "m");
    for address in ["10.0.0.1", "10.0.0.2", "10.0.0.3"] {
        machine.ok(&["peer", "set", address]);
    }
    assert_eq!(machine.ok(&["audit", "--verify", "--json"]).json()["valid"], true);
    for (forgery, first_bad) in [
        ("UPDATE audit SET line = replace(line, '10.0.0.2', '10.0.0.9') WHERE seq = 4", 4),
        ("DELETE FROM audit WHERE seq = 3", 4),
    ] {
        machine.stop();
        let db = rusqlite::Connection::open(machine.dir.join("tvox-dr.db")).unwrap();
        db.execute_batch(
            "DROP TRIGGER IF EXISTS audit_is_never_changed; DROP TRIGGER IF EXISTS audit_is_never_deleted",
        )
        .unwrap();
        assert_eq!(db.execute(forgery, []).unwrap(), 1);
        drop(db);
        machine.start();
        let verdict = machine.run(&["audit", "--verify", "--json"]);
        assert_eq!(verdict.code, 1);
        assert_eq!(verdict.json()["first_bad"], first_bad, "{forgery}");
    }
}
