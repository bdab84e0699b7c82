//! Evidence of isolation from what can see it: a real management controller, commands, and their bad days.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "test code")]

mod bmc;
#[path = "../counterparts/mod.rs"]
mod counterparts;
mod life;
#[path = "../machines/mod.rs"]
mod machines;
mod reading;
mod redfish;
mod settings;
mod switching;

use std::fs;

use bmc::Bmc;
use machines::{Machine, Pair, Ran, until};
use serde_json::Value;

const MASTER: &str = "127.0.0.1";
/// No service is declared in these tests.
const NO_SERVICE: &str = "service.none=solo una prova";

/// A pair with one complete copy.
fn seeded() -> Pair {
    let pair = Pair::new();
    let (source, target) = pair.declare("conf", "files");
    fs::write(source.join("a"), "1").unwrap();
    until("the first copy", || target.join("a").exists());
    pair
}

/// Lets a Client read the power of its Master from a controller.
fn watch(client: &Machine, bmc: &Bmc) {
    let port = bmc.port.to_string();
    let set = client.run_with(&Bmc::settings(&port, &[]), Bmc::PASSWORD);
    assert_eq!(set.code, 0, "{set:?}");
}

const DRY_RUN: [&str; 6] = ["activate", "--dry-run", "--json", "--override", NO_SERVICE, "--accept-data-loss"];
/// Everything that an activation needs but a word for the Master.
const ACTIVATE: [&str; 8] =
    ["activate", "--confirm-name", "dr1", "--reason", "incendio", "--accept-data-loss", "--override", NO_SERVICE];

fn dry_run(client: &Machine) -> Ran {
    client.run(&DRY_RUN)
}

/// `RULE@SUBJECT` of each finding that blocks.
fn blocked(ran: &Ran) -> Vec<String> {
    let findings = ran.json()["blocked"].as_array().unwrap().clone();
    let word = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    findings.iter().map(|f| format!("{}@{}", word(f, "rule"), word(f, "subject"))).collect()
}

/// What one probe of the only machine came to.
fn evidence(isolation: &Value, probe: &str) -> Value {
    let list = isolation[0]["evidence"].as_array().unwrap();
    list.iter().find(|one| one["probe"] == probe).cloned().unwrap_or_else(|| panic!("no {probe}: {isolation}"))
}
