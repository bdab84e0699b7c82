//! A step that switches a DNS record, against a real BIND: switched and switched back, never over somebody else's value,
//! on every server, and with plain words where a key is not taken.
#![allow(clippy::panic, clippy::unwrap_used, reason = "test code")]

mod bind;
mod machines;
mod procedures;

use bind::Bind;
use machines::{Machine, Ran, until};
use procedures::{Site, last, press, resume, step};

const OLD: &str = "192.0.2.1";
const NEW: &str = "198.51.100.1";

/// Declares the step for these servers, with the key that they know unless another one is given.
fn declare(machine: &Machine, servers: &[&Bind], secret: &str, more: &[&str]) -> Ran {
    let addresses: Vec<String> = servers.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect();
    let mut args = vec!["step", "add", "dns", "--kind", "dns", "--zone", bind::ZONE, "--record", bind::RECORD];
    args.extend(["--old", OLD, "--new", NEW, "--key-name", bind::KEY, "--secret-stdin"]);
    addresses.iter().for_each(|address| args.extend(["--server", address.as_str()]));
    args.extend(more);
    machine.run_with(&args, secret)
}

#[test]
fn a_record_is_switched_on_every_server_and_switched_back_at_the_roll_back() {
    let mut site = Site::alone();
    let (one, two) = (Bind::start(site.pair.root.path(), OLD), Bind::start(site.pair.root.path(), OLD));
    let client = &mut site.pair.client;
    assert_eq!(declare(client, &[&one, &two], bind::SECRET, &[]).code, 0);
    let listed = client.ok(&["step", "list", "--json"]).out;
    assert!(listed.contains("\"has_secret\":true") && !listed.contains(bind::SECRET), "{listed}");
    two.update(OLD, NEW);
    let ran = press(client, "activate", &[]);
    assert_eq!((ran.code, &ran.json()["state"]), (0, &"done".into()), "what is switched already is done: {ran:?}");
    assert_eq!((one.record(), two.record()), (NEW.into(), NEW.into()));
    assert!(!client.ok(&["audit", "--json"]).out.contains(bind::SECRET));
    client.ok(&["step", "remove", "dns"]);
    client.kill();
    client.bad_day(Some("fail:preserve".into()));
    client.start();
    assert_eq!(press(client, "deactivate", &[]).code, 1);
    assert_eq!(client.status()["mandate"]["holder"], "master");
    assert_eq!((one.record(), two.record()), (NEW.into(), NEW.into()), "callers are led away only after the mandate");
    let ran = resume(client);
    assert_eq!((ran.code, &ran.json()["state"]), (0, &"done".into()), "{ran:?}");
    assert_eq!((one.record(), two.record()), (OLD.into(), OLD.into()));
}

#[test]
fn somebody_elses_value_is_not_overwritten_and_a_server_that_is_down_is_waited_for() {
    const OTHER: &str = "203.0.113.9";
    let mut site = Site::alone();
    let (one, mut two) = (Bind::start(site.pair.root.path(), OLD), Bind::start(site.pair.root.path(), OTHER));
    let client = &mut site.pair.client;
    assert_eq!(declare(client, &[&one, &two], bind::SECRET, &[]).code, 0);
    let run = press(client, "activate", &[]).json();
    let stuck = step(&run, "own:dns");
    assert_eq!((&run["state"], &stuck["state"]), (&"stuck".into(), &"failed".into()), "{run}");
    assert!(stuck["output"].as_str().unwrap().ends_with(OTHER), "{stuck}");
    assert!(stuck["remedy"]["it"].as_str().unwrap().contains("sovrascritto"), "{stuck}");
    assert_eq!((one.record(), two.record()), (OLD.into(), OTHER.into()), "nothing was touched anywhere");
    two.update(OTHER, OLD);
    two.stop();
    let run = resume(client).json();
    assert_eq!(run["state"], "stuck", "{run}");
    assert_eq!(one.record(), NEW, "the one that answers is switched");
    assert!(step(&run, "own:dns")["output"].as_str().unwrap().contains("no answer"), "{run}");
    two.start_again();
    let ran = resume(client);
    assert_eq!((ran.code, &ran.json()["state"]), (0, &"done".into()), "{ran:?}");
    assert_eq!((one.record(), two.record()), (NEW.into(), NEW.into()));
}

#[test]
fn a_key_that_is_not_taken_is_told_before_and_on_the_day_and_the_step_can_be_passed() {
    let mut site = Site::alone();
    let one = Bind::start(site.pair.root.path(), OLD);
    let client = &mut site.pair.client;
    assert_eq!(declare(client, &[&one], "not base64!", &[]).code, 2);
    assert_eq!(declare(client, &[&one], bind::SECRET, &["--old", "no address"]).code, 2);
    assert_eq!(declare(client, &[&one], bind::ANOTHER_SECRET, &[]).code, 0);
    let report = client.run(&["activate", "--confirm-name", "dr1", "--reason", "x", "--dry-run", "--json"]).json();
    let warned = |rule: &str| report["warnings"].as_array().unwrap().iter().any(|warning| warning["rule"] == rule);
    assert!(warned("step.refused") && !warned("step.unreachable"), "{report}");
    let run = press(client, "activate", &[]).json();
    let stuck = step(&run, "own:dns");
    assert!(stuck["output"].as_str().unwrap().contains("the secret differs (BADSIG)"), "{run}");
    assert!(stuck["remedy"]["it"].as_str().unwrap().contains("chiave TSIG"), "{stuck}");
    assert_eq!(one.record(), OLD);
    client.ok(&["run", "ack", "own:dns", "--note", "cambiato dal pannello del fornitore"]);
    until("it is done", || last(client)["state"] == "done");
}

#[test]
fn a_dry_run_warns_of_a_long_ttl_another_value_and_a_server_that_is_down() {
    let root = tempfile::tempdir().unwrap();
    let pair = machines::Pair::new();
    let (slow, mut down) = (Bind::start_with_ttl(root.path(), OLD, 3600), Bind::start(root.path(), OLD));
    let other = Bind::start(root.path(), "203.0.113.9");
    down.stop();
    assert_eq!(declare(&pair.client, &[&slow, &down, &other], bind::SECRET, &[]).code, 0);
    let report = pair.client.run(&["activate", "--confirm-name", "dr1", "--reason", "x", "--dry-run", "--json"]).json();
    for (rule, port) in [("step.ttl", slow.port), ("step.unreachable", down.port), ("step.value", other.port)] {
        let told = report["warnings"].as_array().unwrap().iter().find(|warning| warning["rule"] == rule);
        let message = told.unwrap_or_else(|| panic!("{rule}: {report}"))["message"].as_str().unwrap().to_owned();
        assert!(message.contains(&port.to_string()), "{message}");
    }
}

#[test]
fn a_dry_run_warns_of_an_authoritative_server_that_is_not_listed_and_does_not_follow() {
    let pair = machines::Pair::new();
    let (first, second) = Bind::start_with_second(pair.root.path(), OLD);
    assert_eq!(declare(&pair.client, &[&first], bind::SECRET, &[]).code, 0);
    let warned = || {
        let dry = ["activate", "--confirm-name", "dr1", "--reason", "x", "--dry-run", "--json"];
        let report = pair.client.run(&dry).json();
        let told = report["warnings"].as_array().unwrap().iter().find(|warning| warning["rule"] == "step.unlisted");
        told.map(|told| told["message"].as_str().unwrap().to_owned())
    };
    assert_eq!(warned(), None, "it has the zone as it is now");
    first.update(OLD, NEW);
    let told = warned().unwrap();
    assert!(told.contains("ns2.example.org. (::1): serial 1"), "{told}");
    drop(second);
    assert!(warned().unwrap().contains("[::1]"), "it does not answer");
}
