//! The connection on which changes travel: it stays open while both sides want it, and not a moment longer.
#![allow(clippy::panic, clippy::unwrap_used, reason = "test code")]

mod machines;

use std::collections::BTreeSet;
use std::fs;

use machines::{Pair, until};

/// The Client's connections to the Master's peer link, by their own ports: the control conversation, and one for each
/// dataset that is being followed.
fn connections(pair: &Pair) -> BTreeSet<u16> {
    let port = |address: &str| u16::from_str_radix(address.rsplit(':').next().unwrap(), 16).unwrap();
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let rows = table.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row[3] == "01" && port(row[2]) == pair.master.peer).map(|row| port(row[1])).collect()
}

fn followed() -> (Pair, std::path::PathBuf, std::path::PathBuf) {
    let pair = Pair::new();
    let (source, target) = pair.declare("etc", "files");
    fs::write(source.join("a"), "first").unwrap();
    until("the first copy", || fs::read_to_string(target.join("a")).is_ok_and(|text| text == "first"));
    until("the Client goes on listening", || connections(&pair).len() == 2);
    (pair, source, target)
}

#[test]
fn one_change_after_the_other_travels_on_the_same_connection() {
    let (pair, source, target) = followed();
    let mut before = connections(&pair);
    let mut same = 0;
    for n in 0..20 {
        fs::write(source.join("a"), n.to_string()).unwrap();
        until("the change is visible", || fs::read_to_string(target.join("a")).is_ok_and(|text| text == n.to_string()));
        let now = connections(&pair);
        same += u32::from(now == before);
        before = now;
    }
    // A machine under load may lose its contact for a moment, and dials again.
    assert!(same >= 10, "dialled anew for {} of 20 changes", 20 - same);
}

#[test]
fn whatever_ends_the_permission_ends_the_connection() {
    let (pair, source, target) = followed();
    pair.client.ok(&["sync", "stop", "--only", "files"]);
    until("a STOP ends it", || connections(&pair).len() == 1);
    fs::write(source.join("a"), "while stopped").unwrap();
    until("it says so", || pair.client.dataset("etc")["state"] == "stopped");
    assert_eq!(fs::read_to_string(target.join("a")).unwrap(), "first");
    pair.client.ok(&["sync", "start"]);
    until("it goes on", || fs::read_to_string(target.join("a")).is_ok_and(|text| text == "while stopped"));
    until("and listens", || connections(&pair).len() == 2);
    pair.master.ok(&["dataset", "remove", "etc"]);
    until("a declaration taken back ends it", || connections(&pair).len() == 1);
    pair.declare("etc", "files");
    until("declared again it begins again", || connections(&pair).len() == 2);
    pair.master.ok(&["peer", "forget"]);
    until("without an association nothing is left", || connections(&pair).is_empty());
}
