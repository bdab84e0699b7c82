//! The lag by command line: it outlives a restart, and each dataset may have limits of its own.

#![allow(clippy::unwrap_used, reason = "test code")]

mod machines;

use std::fs;

use machines::{Machine, Pair, until};
use serde_json::Value;

fn lag(machine: &Machine, dataset: &str) -> Value {
    let report = machine.ok(&["sync", "lag", "--since", "24h", "--json"]).json();
    assert_eq!(report["step_seconds"], 120, "{report}");
    report["datasets"].as_array().unwrap().iter().find(|one| one["dataset"] == dataset).cloned().unwrap_or_default()
}

fn count(machine: &Machine) -> usize {
    lag(machine, "etc")["points"].as_array().map_or(0, Vec::len)
}

#[test]
fn the_lag_is_written_down_on_both_sides_and_outlives_kill_9() {
    let mut pair = Pair::new();
    let (source, _) = pair.declare("etc", "files");
    fs::write(source.join("a"), "1").unwrap();
    pair.until_current("etc");
    for machine in [&pair.client, &pair.master] {
        until("a slot is over and written", || count(machine) > 0);
    }
    let before = lag(&pair.client, "etc")["points"][0].clone();
    assert!(before["at"].is_string() && before["lag_seconds"].is_number(), "{before}");
    pair.client.kill();
    pair.client.start();
    assert!(count(&pair.client) > 0);
    for since in ["8d", "yesterday", "0s"] {
        let ran = pair.client.run(&["sync", "lag", "--since", since, "--json"]);
        assert_eq!((ran.code, &ran.json()["invalid"][0]["field"]), (2, &"since".into()), "{since}");
    }
}

#[test]
fn a_dataset_with_limits_of_its_own_is_judged_by_them_alone() {
    let pair = Pair::new();
    for name in ["etc", "voice"] {
        let (source, target) = pair.declare(name, "files");
        fs::write(source.join("a"), "1").unwrap();
        until("the first copy", || target.join("a").exists());
    }
    pair.client.ok(&["threshold", "set", "probe.interval_ms", "200"]);
    pair.client.ok(&["sync", "lag-limit", "set", "etc", "--soft", "1s", "--hard", "2s"]);
    until("it is shown", || pair.client.dataset("etc")["lag_limit_seconds"] == 1.0);
    assert_eq!(pair.client.dataset("voice")["lag_limit_seconds"], 60.0);
    pair.client.ok(&["sync", "stop"]);
    fs::write(pair.path("src").join("etc/a"), "2").unwrap();
    fs::write(pair.path("src").join("voice/a"), "2").unwrap();
    let late = |dataset: &str| {
        let report = pair.client.ok(&["alarm", "list", "--json"]).json();
        report["alarms"].as_array().unwrap().iter().any(|a| a["code"] == "dr.lag.exceeded" && a["subject"] == dataset)
    };
    until("the strict one raises its alarm", || late("etc"));
    assert_eq!(lag(&pair.client, "etc")["own_limits"], true);
    pair.client.ok(&["sync", "lag-limit", "reset", "etc"]);
    assert_eq!((lag(&pair.client, "etc")["hard_seconds"].clone(), late("voice")), (300.into(), false));
}

#[test]
fn limits_that_make_no_sense_are_refused_with_their_field() {
    let pair = Pair::new();
    pair.declare("etc", "files");
    until("the Client knows it", || pair.client.dataset("etc")["name"] == "etc");
    let set = |dataset: &str, soft: &str, hard: &str| {
        let ran = pair.client.run(&["sync", "lag-limit", "set", dataset, "--soft", soft, "--hard", hard, "--json"]);
        (ran.code, ran.json()["invalid"][0]["field"].clone())
    };
    assert_eq!(set("etc", "5m", "1m"), (2, "hard".into()));
    assert_eq!(set("etc", "0s", "1m"), (2, "soft".into()));
    assert_eq!(set("nothing", "1m", "5m"), (2, "dataset".into()));
    assert_eq!(pair.client.run(&["sync", "lag-limit", "reset", "etc"]).code, 2, "it has none of its own");
    assert_eq!(lag(&pair.client, "etc")["own_limits"], false);
}
