//! How the power is read, as it is set, kept and forgotten: by field, sealed, audited.

use serde_json::json;

use super::*;

fn shown(client: &Machine) -> Value {
    client.ok(&["isolation", "show", "--json"]).json()["machines"].clone()
}

/// No file of the node, no answer and no log holds the password.
fn is_nowhere(machine: &Machine, secret: &str) {
    for entry in fs::read_dir(&machine.dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()), "it stands in {}", path.display());
        }
    }
    assert!(!machine.log().contains(secret));
    for args in [&["isolation", "show", "--json"][..], &["audit", "--export"], &["power", "status", MASTER, "--json"]] {
        let ran = machine.run(args);
        assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "{args:?}");
    }
}

#[test]
fn the_password_is_sealed_kept_for_its_controller_only_and_told_nowhere() {
    let pair = Pair::strangers();
    let client = &pair.client;
    let bmc = Bmc::start(pair.root.path());
    let port = bmc.port.to_string();
    let without = |port: &str, more: &[&str]| {
        let mut args = Bmc::settings(port, more);
        args.retain(|arg| *arg != "--password-stdin");
        client.run(&[&args[..], &["--json"]].concat())
    };
    assert_eq!(without(&port, &[]).json()["invalid"][0]["field"], "password", "the first time it is needed");
    watch(client, &bmc);
    assert_eq!(without(&port, &["--soft", "30"]).code, 0, "what changes nobody's identity keeps it");
    assert_eq!(client.ok(&["power", "status", MASTER]).code, 0);
    let one = &shown(client)[0];
    assert_eq!((&one["ip"], &one["current"], &one["has_password"]), (&json!(MASTER), &json!(true), &json!(true)));
    assert_eq!((&one["power"]["way"], &one["power"]["soft_seconds"]), (&json!("ipmi"), &json!(30)));
    assert_eq!(one["reading"]["state"], "on");
    is_nowhere(client, Bmc::PASSWORD);
    assert_eq!(without("623", &[]).json()["invalid"][0]["field"], "password", "another controller does not get it");
}

#[test]
fn a_value_that_cannot_be_taken_is_named_by_its_field_and_changes_nothing() {
    let pair = Pair::strangers();
    let client = &pair.client;
    for (field, args) in [
        ("ip", &["192.0.2.9", "--status", "echo on"][..]),
        ("ip", &["master1", "--status", "echo on"]),
        ("host", &[MASTER, "--ipmi", "a b", "--user", "x"]),
        ("port", &[MASTER, "--ipmi", "bmc", "--user", "x", "--port", "0"]),
        ("soft", &[MASTER, "--status", "echo on", "--soft", "601"]),
        ("shutdown", &[MASTER, "--status", "echo on", "--soft", "30"]),
    ] {
        let ran = client.run(&[&["power", "set"], args, &["--json"]].concat());
        assert_eq!((ran.code, &ran.json()["invalid"][0]["field"]), (2, &json!(field)), "{args:?}: {ran:?}");
    }
    assert_eq!(client.run(&["power", "set", MASTER]).code, 2, "one way must be chosen");
    assert_eq!(
        client.run(&["power", "status", MASTER, "--json"]).json()["invalid"][0]["field"],
        "ip",
        "nothing is set"
    );
    assert_eq!(shown(client)[0]["power"], Value::Null);
}

#[test]
fn what_is_set_survives_a_restart_and_what_is_removed_is_gone_and_both_are_in_the_audit_log() {
    let mut pair = Pair::strangers();
    pair.client.ok(&["power", "set", MASTER, "--status", "echo on"]);
    pair.client.kill();
    pair.client.start();
    assert_eq!(shown(&pair.client)[0]["power"]["status"], "echo on");
    pair.client.ok(&["power", "remove", MASTER]);
    assert_eq!(shown(&pair.client)[0]["power"], Value::Null);
    let audit = pair.client.ok(&["audit", "--json"]).json();
    let rows: Vec<_> = audit["entries"].as_array().unwrap().iter().map(|entry| &entry["action"]).collect();
    assert!(rows.ends_with(&[&json!("power.set"), &json!("power.remove")]), "{rows:?}");
    let text = audit.to_string();
    assert!(!text.contains("echo on"), "people write keys into commands");
}
