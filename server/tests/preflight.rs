//! The preflight by command line: what stands in the way of an activation with the Master up, with the Master silent, and
//! with what an operator brings.

#![allow(clippy::unwrap_used, reason = "test code")]

mod machines;

use std::fs;

use machines::{Machine, Pair, Ran, until};
use serde_json::{Value, json};

const MASTER: &str = "127.0.0.1";
const ATTESTED: &str = "127.0.0.1=Rossi l'ha spenta dal rack";
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

fn dry_run(machine: &Machine, more: &[&str]) -> Ran {
    let verb = if machine.role == "client" { "activate" } else { "takeover" };
    machine.run(&[&[verb, "--dry-run", "--json"], more].concat())
}

/// `RULE@SUBJECT` of each finding.
fn told(findings: &Value) -> Vec<String> {
    let word = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    findings.as_array().unwrap().iter().map(|f| format!("{}@{}", word(f, "rule"), word(f, "subject"))).collect()
}

fn blocked(ran: &Ran) -> Vec<String> {
    told(&ran.json()["blocked"])
}

#[test]
fn with_the_master_up_the_client_is_ready_and_activation_is_refused_because_it_answers() {
    let pair = seeded();
    let ran = dry_run(&pair.client, &["--override", NO_SERVICE, "--accept-data-loss", "--attest", ATTESTED]);
    assert_eq!((ran.code, blocked(&ran)), (3, vec![format!("isolation.alive@{MASTER}")]), "{ran:?}");
    let report = ran.json();
    assert_eq!((&report["schema"], &report["allowed"]), (&json!(1), &json!(false)));
    assert_eq!((&report["verdict"]["ready"], &report["verdict"]["now"]), (&json!(true), &json!(false)));
    // A Master that may resume by itself after a silence is told as the standing override that it is.
    assert_eq!(
        told(&report["warnings"]),
        [
            "service.none@dr1",
            "gate.unverified@master1",
            "gate.chosen@dr1",
            "gate.chosen@master1",
            "telephony.unset@dr1"
        ]
    );
    let machine = &report["isolation"][0];
    assert_eq!((&machine["ip"], &machine["outcome"]), (&json!(MASTER), &json!("alive")));
    let probes: Vec<_> = machine["evidence"].as_array().unwrap().iter().map(|e| (&e["probe"], &e["result"])).collect();
    for probe in ["peer_link", "panel"] {
        assert!(probes.contains(&(&json!(probe), &json!("answered"))), "{probe}: {probes:?}");
    }
    let loss = &report["loss"][0];
    assert_eq!((&loss["dataset"], &loss["in_flight"]), (&json!("conf"), &Value::Null));
    assert!(
        loss["generation"].is_u64() && loss["captured_at"].is_string() && loss["age_seconds"].is_number(),
        "{loss}"
    );
    let steps: Vec<_> = report["steps"].as_array().unwrap().iter().map(|step| step["id"].as_str().unwrap()).collect();
    assert_eq!(steps, ["close_inbound", "evidence", "mandate", "freeze", "verify"]);
    assert!(ran.err.contains(&format!("refused: isolation.alive@{MASTER}: ")), "{}", ran.err);
}

#[test]
fn a_silent_master_needs_a_word_and_a_consent_and_then_nothing_more() {
    let mut pair = seeded();
    for machine in [&pair.master, &pair.client] {
        machine.ok(&["gate", "set", "--policy", "strict"]);
    }
    pair.client.ok(&["telephony", "set", "--registrations", "true"]);
    until("the policy is known", || dry_run(&pair.client, &[]).json()["warnings"] == json!([]));
    pair.master.kill();
    let ran = dry_run(&pair.client, &[]);
    let all = ["service.none@dr1", &format!("isolation.unattested@{MASTER}"), "data_loss.consent@dr1"];
    assert_eq!((ran.code, blocked(&ran)), (3, all.map(str::to_owned).to_vec()));
    assert_eq!(ran.json()["isolation"][0]["outcome"], "unreachable");
    let attested = ["--override", NO_SERVICE, "--attest", ATTESTED];
    let ran = dry_run(&pair.client, &attested);
    assert_eq!((ran.code, blocked(&ran)), (3, vec!["data_loss.consent@dr1".to_owned()]));
    assert_eq!(ran.json()["verdict"]["now"], true);
    let ran = dry_run(&pair.client, &[&attested[..], &["--accept-data-loss"]].concat());
    assert_eq!((ran.code, ran.json()["allowed"].clone()), (0, json!(true)), "{ran:?}");
    assert_eq!(ran.json()["isolation"][0]["attestation"], "Rossi l'ha spenta dal rack");
    // Only looked at: nothing has changed, and the Master is followed again as before.
    pair.master.start();
    until("the Master is seen again", || {
        blocked(&dry_run(&pair.client, &[])).contains(&format!("isolation.alive@{MASTER}"))
    });
    assert_eq!(pair.client.status()["state"], "standby");
}

#[test]
fn what_cannot_be_taken_at_its_word_is_a_usage_error_and_names_its_field() {
    let mut pair = Pair::new();
    pair.master.kill();
    for (field, args) in [
        ("attest", ["--attest", "127.0.0.1"]),
        ("attest", ["--attest", "127.0.0.1= "]),
        ("attest", ["--attest", "192.0.2.9=seen off"]),
        ("attest", ["--attest", "master1=seen off"]),
        ("override", ["--override", "isolation.unattested=why not"]),
        ("override", ["--override", "no.such.rule=why not"]),
        ("override", ["--override", "service.none="]),
    ] {
        let ran = dry_run(&pair.client, &args);
        assert_eq!((ran.code, &ran.json()["invalid"][0]["field"]), (2, &json!(field)), "{args:?}: {ran:?}");
    }
    assert_eq!(pair.client.run(&["activate"]).code, 2, "name and reason are needed without --dry-run");
}

#[test]
fn without_a_pair_and_without_data_every_reason_is_told_at_once_and_in_words() {
    let root = tempfile::tempdir().unwrap();
    let client = Machine::ready(root.path(), "client", "dr1");
    let ran = client.run(&["activate", "--dry-run", "--point", "g9"]);
    assert_eq!(ran.code, 3);
    for rule in ["pair.not_associated@dr1", "service.none@dr1", "data.none@dr1", "point.unknown@g9"] {
        assert!(ran.err.contains(&format!("refused: {rule}: ")), "{rule}: {}", ran.err);
    }
    assert!(ran.out.contains("close_inbound → evidence → mandate → freeze → verify"), "{}", ran.out);
    assert_eq!(client.run(&["takeover", "--dry-run", "--json"]).rule(), "role.wrong");
}

#[test]
fn a_serving_master_has_nothing_to_take_over() {
    let pair = seeded();
    let ran = dry_run(&pair.master, &[]);
    assert_eq!(ran.code, 3);
    let blocked = blocked(&ran);
    for finding in ["state.illegal@master1", "isolation.alive@127.0.0.1", "data_loss.consent@dr1"] {
        assert!(blocked.contains(&finding.to_owned()), "{finding}: {blocked:?}");
    }
    assert!(!blocked.iter().any(|finding| finding.starts_with("data.none")), "{blocked:?}");
    let loss = &ran.json()["loss"][0];
    assert!(loss["dataset"] == "conf" && loss["generation"].is_u64() && loss["age_seconds"].is_number(), "{loss}");
    assert_eq!(pair.master.run(&["activate", "--dry-run", "--json"]).rule(), "role.wrong");
}

#[test]
fn a_service_whose_program_is_not_there_is_told_beforehand_and_keeps_nobody_from_activating() {
    let mut pair = seeded();
    let check = pair.path("check");
    let command = check.display().to_string();
    let add = ["service", "add", "pbx", "--start", "true", "--stop", "true", "--check", &command];
    pair.client.ok(&add);
    let told_of = |ran: &Ran| {
        let warnings = ran.json()["warnings"].as_array().unwrap().clone();
        warnings.into_iter().find(|one| one["rule"] == "service.command")
    };
    let ran = dry_run(&pair.client, &[]);
    let finding = told_of(&ran).unwrap();
    assert_eq!((&finding["subject"], &ran.json()["verdict"]["ready"]), (&json!("pbx"), &json!(false)), "{finding}");
    assert!(finding["message"].as_str().unwrap().contains(&command), "{finding}");
    assert!(finding["remedy"].as_str().unwrap().contains("Install the program"), "{finding}");
    fs::write(&check, "#!/bin/sh\nexit 1\n").unwrap();
    assert!(told_of(&dry_run(&pair.client, &[])).unwrap()["message"].as_str().unwrap().contains("not executable"));
    // On the worst day the other services can be started all the same.
    pair.master.kill();
    let ran = dry_run(&pair.client, &["--attest", ATTESTED, "--accept-data-loss"]);
    assert_eq!((ran.code, &ran.json()["allowed"]), (0, &json!(true)), "{ran:?}");
    fs::set_permissions(&check, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let ran = dry_run(&pair.client, &[]);
    assert_eq!((told_of(&ran), &ran.json()["verdict"]["ready"]), (None, &json!(true)), "{ran:?}");
}

/// Takes connections at an address of its own choice, and says what it was told to say.
fn impostor(port: u16, says: &'static [u8]) -> std::thread::JoinHandle<()> {
    let listener = std::net::TcpListener::bind((MASTER, port)).unwrap();
    std::thread::spawn(move || {
        use std::io::Write as _;
        let mut open = Vec::new();
        for stream in listener.incoming().take(64).flatten() {
            let _ = (&stream).write_all(says);
            // Kept open: a machine that hangs does not hang up.
            open.push(stream);
        }
    })
}

#[test]
fn whatever_takes_connections_at_the_masters_address_counts_as_alive_whether_it_speaks_or_hangs() {
    for says in [&b""[..], b"SSH-2.0-OpenSSH_9.9\r\n"] {
        let mut pair = Pair::new();
        pair.master.kill();
        let _ = impostor(pair.master.peer, says);
        let ran = dry_run(&pair.client, &["--attest", ATTESTED]);
        let alive = format!("isolation.alive@{MASTER}");
        assert!(blocked(&ran).contains(&alive), "{says:?}: {ran:?}");
        let passed = format!("{alive}=non è il Master, è un'altra macchina");
        assert!(!blocked(&dry_run(&pair.client, &["--override", &passed])).contains(&alive));
    }
}

#[test]
fn a_sign_of_life_refuses_a_press_that_need_not_wait_for_a_silence_that_is_known() {
    let mut pair = seeded();
    pair.master.kill();
    until("it is silent", || pair.client.status()["pair"]["peer"]["machines"][0]["reachable"] == false);
    let press = |more: &[&str]| {
        let words = ["activate", "--confirm-name", "dr1", "--reason", "prova", "--override", NO_SERVICE, "--json"];
        pair.client.run(&[&words[..], more].concat())
    };
    let rules = |ran: &Ran| told(&ran.json()["refused"]);
    until("only the operator's words are missing", || {
        rules(&press(&[])) == [format!("isolation.unattested@{MASTER}"), "data_loss.consent@dr1".into()]
    });
    let _ = impostor(pair.master.peer, b"");
    let ran = press(&["--attest", ATTESTED, "--accept-data-loss"]);
    assert_eq!((ran.code, rules(&ran)), (3, vec![format!("isolation.alive@{MASTER}")]), "{ran:?}");
    let runs = pair.client.ok(&["run", "list", "--json"]).json();
    assert_eq!(runs["runs"], json!([]), "nothing was begun");
}

#[test]
fn a_press_on_a_site_that_is_silent_stands_on_what_the_lookout_has_seen_a_moment_ago() {
    let mut pair = seeded();
    pair.master.kill();
    until("it is silent", || pair.client.status()["pair"]["peer"]["machines"][0]["reachable"] == false);
    until("a press finds the look that it needs", || {
        let ran = pair.client.run(&["activate", "--confirm-name", "dr1", "--reason", "prova", "--json"]);
        assert_eq!(ran.code, 3, "nobody has vouched for anything: {ran:?}");
        pair.client.log().contains("the press stands on what the lookout saw a moment ago")
    });
}
