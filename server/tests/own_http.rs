//! Steps that call a URL, against a small real server with a token, and steps that wait until somebody answers.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "test code")]

mod counterparts;
mod machines;
mod procedures;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use counterparts::Authority;
use machines::{Machine, Ran, free_port, until};
use procedures::{Site, last, press, resume, step};

const TOKEN: &str = "geheim-123";

/// The carrier's portal.
struct Portal {
    port: u16,
    /// SHA-256 of its certificate.
    pin: String,
    log: PathBuf,
    process: Child,
}

impl Portal {
    fn start(root: &Path, by: Option<&Authority>) -> Self {
        let (port, script) = (free_port(), "/../end2end/counterparts/switchboard.mjs");
        let log = root.join(format!("portal-{port}"));
        fs::write(&log, "").unwrap();
        let mut command = Command::new("node");
        command.arg(format!("{}{script}", env!("CARGO_MANIFEST_DIR"))).args(["--port", &port.to_string()]);
        command.args(["--token", TOKEN]).arg("--log").arg(&log).stdin(Stdio::null()).stdout(Stdio::piped());
        if let Some(by) = by {
            command.arg("--cert").arg(&by.certificate).arg("--key").arg(&by.key);
        }
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let pin = line.trim().strip_prefix("ready").expect("node is there: run 'make setup'").trim().to_owned();
        Self { port, pin, log, process }
    }

    fn heard(&self) -> Vec<String> {
        fs::read_to_string(&self.log).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Drop for Portal {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn declare(machine: &Machine, name: &str, url: &str, token: &str, more: &[&str]) -> Ran {
    let mut args = vec!["step", "add", name, "--kind", "http", "--method", "PUT", "--url", url, "--body", "dr1"];
    args.extend(["--undo-method", "DELETE", "--undo-url", url, "--header", "Authorization: Bearer {secret}"]);
    args.push("--secret-stdin");
    args.extend(more);
    machine.run_with(&args, token)
}

#[test]
fn a_call_is_made_once_where_its_check_sees_it_and_taken_back_at_the_roll_back() {
    let mut site = Site::alone();
    let portal = Portal::start(site.pair.root.path(), None);
    let url = format!("http://127.0.0.1:{}/route", portal.port);
    let client = &mut site.pair.client;
    assert_eq!(declare(client, "sbc", &url, TOKEN, &["--check-url", &url]).code, 0);
    client.kill();
    client.bad_day(Some("kill:own:sbc:after_do".into()));
    client.start();
    assert_ne!(press(client, "activate", &[]).code, 0);
    until("it dies", || client.died_of_it());
    client.kill();
    client.bad_day(None);
    client.start();
    until("it comes to its end", || last(client)["state"] == "done");
    assert_eq!(portal.heard(), ["PUT dr1"], "what can be seen is not done again");
    assert_eq!(press(client, "deactivate", &[]).code, 0);
    assert_eq!(portal.heard(), ["PUT dr1", "DELETE "]);
}

#[test]
fn an_answer_that_is_no_success_is_stuck_and_gives_no_secret_away() {
    let mut site = Site::alone();
    let portal = Portal::start(site.pair.root.path(), None);
    let url = format!("http://127.0.0.1:{}/route", portal.port);
    let client = &mut site.pair.client;
    assert_eq!(declare(client, "sbc", &url, "the-wrong-token", &[]).code, 0);
    let run = press(client, "activate", &[]).json();
    let stuck = step(&run, "own:sbc");
    assert_eq!(stuck["output"], "HTTP 401: not you: Bearer ***", "{run}");
    for told in [&run.to_string(), &client.ok(&["step", "list", "--json"]).out, &client.ok(&["audit", "--json"]).out] {
        assert!(!told.contains("the-wrong-token"));
    }
    assert!(!client.log().contains("the-wrong-token"));
    let elsewhere = ["step", "add", "sbc", "--kind", "http", "--url", "http://127.0.0.1:1/x", "--header"];
    let elsewhere = client.run(&[&elsewhere[..], &["Authorization: Bearer {secret}"]].concat());
    assert_eq!(elsewhere.code, 2, "a secret does not go to another server unless it is typed again");
    client.ok(&["run", "ack", "own:sbc", "--note", "dal portale"]);
    until("it is done", || last(client)["state"] == "done");
}

#[test]
fn a_certificate_is_taken_by_its_authority_or_by_its_fingerprint_and_no_other() {
    let mut site = Site::alone();
    let root = site.pair.root.path().to_owned();
    let (ours, other) = (Authority::new(&root, "ours"), Authority::new(&root, "other"));
    let portal = Portal::start(&root, Some(&ours));
    let url = format!("https://127.0.0.1:{}/route", portal.port);
    let client = &mut site.pair.client;
    let (ca, foreign, wrong) = (ours.ca.to_str().unwrap(), other.ca.to_str().unwrap(), "ab".repeat(32));
    for (name, trust) in
        [("a", ["--ca", ca]), ("b", ["--pin", &portal.pin]), ("c", ["--ca", foreign]), ("d", ["--pin", &wrong])]
    {
        assert_eq!(declare(client, name, &url, TOKEN, &trust).code, 0, "{name}");
    }
    let run = press(client, "activate", &[]).json();
    assert_eq!(run["step"], "own:c", "its own authority, or its own fingerprint, is enough: {run}");
    assert_eq!(portal.heard().len(), 2, "{run}");
    client.ok(&["run", "ack", "own:c", "--note", "a mano"]);
    until("the wrong fingerprint is not taken either", || {
        last(client)["state"] == "stuck" && last(client)["step"] == "own:d"
    });
    assert_eq!(portal.heard().len(), 2);
}

#[test]
fn a_wait_ends_when_somebody_answers_and_is_stuck_when_nobody_does() {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    let (late, never) = (free_port(), free_port());
    let add = |name: &str, port: u16, limit: &str| {
        let tcp = format!("127.0.0.1:{port}");
        client.ok(&["step", "add", name, "--kind", "wait", "--tcp", &tcp, "--limit", limit]);
    };
    add("late", late, "600");
    add("never", never, "1");
    assert_eq!(press(client, "activate", &["--no-wait"]).code, 0);
    until("it waits", || step(&last(client), "own:late")["state"] == "running");
    let _answers = TcpListener::bind(("127.0.0.1", late)).unwrap();
    until("nobody answers there", || last(client)["state"] == "stuck");
    let run = last(client);
    assert_eq!((&run["step"], &step(&run, "own:late")["state"]), (&"own:never".into(), &"done".into()), "{run}");
    let told = step(&run, "own:never")["output"].as_str().unwrap();
    assert!(told.contains(&format!("127.0.0.1:{never}")), "{told}");
    let _answers_too = TcpListener::bind(("127.0.0.1", never)).unwrap();
    assert_eq!(resume(client).json()["state"], "done");
}
