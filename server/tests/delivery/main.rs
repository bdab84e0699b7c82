//! Messages on their way to real servers: by every security, past every refusal, through a gateway to a telephone, and
//! out of the outbox once the server is back, whatever happened meanwhile.

#![allow(clippy::panic, clippy::unwrap_used, reason = "test code")]

#[path = "../counterparts/mod.rs"]
mod counterparts;
#[path = "../machines/mod.rs"]
mod machines;
mod mail;
mod outbox;
mod sms;
mod story;

use std::fs;

use machines::Machine;
use serde_json::Value;

const FROM: &str = "pbx@example.com";
const TO: &str = "ops@example.com";

/// Sets the mail server; how the command line ended is for the caller to judge.
fn smtp_set(machine: &Machine, port: u16, security: &str, more: &[&str], stdin: &str) -> machines::Ran {
    let port = port.to_string();
    let mut args =
        vec!["smtp", "set", "--server", "127.0.0.1", "--port", &port, "--security", security, "--from", FROM];
    args.extend(more);
    machine.run_with(&args, stdin)
}

fn ok(ran: &machines::Ran) {
    assert_eq!(ran.code, 0, "{ran:?}");
}

/// One alarm in the outbox of a node that does not run, as the node writes it.
fn enqueue(machine: &Machine, alarm: &str, event: &str, channel: &str, to: &str, text: &str) {
    let db = rusqlite::Connection::open(machine.dir.join("tvox-dr.db")).unwrap();
    let now = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";
    db.execute(
        &format!(
            "INSERT OR IGNORE INTO alarm (id, code, subject, detail_it, detail_en, raised_at, cleared_at)
             VALUES (?1, 'dr.disk.low', '/', '7%', '7%', {now}, {now})"
        ),
        [alarm],
    )
    .unwrap();
    let reference = format!("{alarm}.{event}.{channel}.{to}");
    db.execute(
        &format!(
            "INSERT INTO delivery (alarm, event, channel, recipient, reference, language, title, body, next_at)
             VALUES (?, ?, ?, ?, ?, 'it', ?, ?, {now})"
        ),
        [alarm, event, channel, to, &reference, &format!("{alarm} {event}"), text],
    )
    .unwrap();
}

/// The messages of an alarm as `alarm list` tells them.
fn deliveries(machine: &Machine, alarm: &str) -> Vec<Value> {
    let report = machine.ok(&["alarm", "list", "--all", "--json"]).json();
    let alarms = report["alarms"].as_array().unwrap();
    let found = alarms.iter().find(|one| one["id"] == alarm).unwrap_or_else(|| panic!("no {alarm}: {report}"));
    found["deliveries"].as_array().unwrap().clone()
}

/// The files of the database hold nothing of this text, nor does the log.
fn is_nowhere(machine: &Machine, secret: &str) {
    for entry in fs::read_dir(&machine.dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "the secret stands in {}", path.display());
        }
    }
    assert!(!machine.log().contains(secret));
    for args in [&["smtp", "show", "--json"][..], &["sms", "account", "list", "--json"], &["audit", "--export"]] {
        assert!(!machine.ok(args).out.contains(secret), "{args:?}");
    }
}

fn account_add(machine: &Machine, name: &str, url: &str, more: &[&str], secret: &str) -> machines::Ran {
    let mut args = vec!["sms", "account", "add", name, "--url", url];
    args.extend(more);
    if !secret.is_empty() {
        args.push("--secret-stdin");
    }
    machine.run_with(&args, secret)
}
