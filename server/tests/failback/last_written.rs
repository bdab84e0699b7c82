//! What the Master wrote last, dataset by dataset: both sides tell it as soon as the Master is back.

use std::fs;

use serde_json::Value;

use crate::machines::{Machine, until};
use crate::site::Site;

/// What a machine says of the tree and of the database.
fn written(machine: &Machine) -> [Value; 2] {
    let status = machine.status();
    let of = |name: &str| status["datasets"].as_array().unwrap().iter().find(|one| one["name"] == name).cloned();
    ["conf", "voice"].map(|name| of(name).unwrap()["last_written"].clone())
}

fn until_told(site: &Site, expected: [&str; 2]) {
    for machine in [&site.pair.master, &site.pair.client] {
        until(&format!("{} tells {expected:?}", machine.role), || written(machine) == expected);
    }
}

#[test]
fn what_the_dr_has_is_clean_and_what_came_after_the_last_copy_is_a_tail() {
    let mut site = Site::new();
    assert_eq!(written(&site.pair.master), [Value::Null, Value::Null], "it serves: nothing is its last word");
    site.pair.client.ok(&["sync", "stop"]);
    fs::write(site.conf.0.join("users/tail"), "written in the last second").unwrap();
    site.lose_master();
    site.take();
    assert_eq!(written(&site.pair.client), [Value::Null, Value::Null], "nobody can know before it is back");
    site.return_master();
    until_told(&site, ["tail", "clean"]);
    let report = site.pair.client.ok(&["sync", "status", "--json"]).json();
    assert_eq!(report["datasets"][0]["last_written"], "tail", "{report}");
}

#[test]
fn a_master_that_still_served_when_it_learnt_of_the_dr_has_a_split_brain_where_it_wrote() {
    let mut site = Site::new();
    // Its node dies; its telephone system goes on, and nobody looked.
    site.pair.master.kill();
    until("it is silent", || site.pair.client.status()["pair"]["peer"]["machines"][0]["reachable"] == false);
    site.take();
    fs::write(site.conf.0.join("users/late"), "by a telephone system that nobody stopped").unwrap();
    site.pair.master.start();
    until("it is fenced", || site.pair.master.status()["state"] == "fenced");
    until_told(&site, ["split_brain", "clean"]);
    site.pair.master.kill();
    site.pair.master.start();
    until_told(&site, ["split_brain", "clean"]);
}
