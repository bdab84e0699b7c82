//! A Master that is not the one whose data is here: the good copy is never erased by it, and replaced only with an
//! operator's consent that names exactly that content.
#![allow(clippy::unwrap_used, reason = "test code")]

mod machines;
mod records;

use std::fs;
use std::path::Path;
use std::process::Command;

use machines::{Machine, Pair, Ran, until};
use records::{earlier, rewrite};

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

/// The content that is here and held.
fn held(client: &Machine, dataset: &str) -> String {
    until("the copy is held", || client.dataset(dataset)["held"] == true);
    client.dataset(dataset)["content"].as_str().unwrap().to_owned()
}

fn accept(client: &Machine, dataset: &str, content: &str, name: &str) -> Ran {
    let reason = ["--reason", "the Master was replaced", "--confirm-name", name, "--json"];
    client.run(&[&["sync", "accept", dataset, "--content", content][..], &reason].concat())
}

fn reads(path: &Path, text: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|read| read == text)
}

fn points(client: &Machine) -> Vec<u64> {
    let report = client.ok(&["sync", "status", "--json"]).json();
    report["restore_points"].as_array().unwrap().iter().map(|point| point["generation"].as_u64().unwrap()).collect()
}

/// A new Master in the place of the old one, associated, with an empty source for the same dataset.
fn replace_master(pair: &mut Pair, name: &str, target: &Path) {
    pair.master.kill();
    let master = Machine::ready(pair.root.path(), "master", name);
    master.ok(&["threshold", "set", "disk.min_free_percent", "0"]);
    master.ok(&["peer", "set", &format!("127.0.0.1:{}", pair.client.peer)]);
    pair.client.ok(&["peer", "forget"]);
    pair.client.ok(&["peer", "set", &format!("127.0.0.1:{}", master.peer)]);
    pair.master = master;
    let joined = pair.client.run_with(&["peer", "join", "-"], &pair.token());
    assert_eq!(joined.code, 0, "{joined:?}");
    let source = pair.path(&format!("src-of-{name}"));
    fs::create_dir_all(&source).unwrap();
    let (source, target) = (source.to_str().unwrap(), target.to_str().unwrap());
    pair.master.ok(&["dataset", "add", "etc", "--kind", "files", "--source", source, "--target", target]);
}

#[test]
fn an_empty_master_never_erases_the_good_copy_and_with_consent_exactly_once() {
    let mut pair = Pair::new();
    let (source, target) = pair.declare("etc", "files");
    fs::write(source.join("a"), "good").unwrap();
    until("it follows", || reads(&target.join("a"), "good"));
    let good = pair.client.dataset("etc")["generation"].as_u64().unwrap();

    replace_master(&mut pair, "master2", &target);
    let content = held(&pair.client, "etc");
    assert!(reads(&target.join("a"), "good"), "what is here stays");
    assert_eq!(accept(&pair.client, "etc", "0000", "dr1").code, 2, "another content");
    assert_eq!(accept(&pair.client, "mail", &content, "dr1").code, 2, "another dataset");
    assert_eq!(accept(&pair.client, "etc", &content, "master2").rule(), "confirm_name");
    assert!(reads(&target.join("a"), "good"), "nothing of that changed anything");

    let accepted = accept(&pair.client, "etc", &content, "dr1");
    assert_eq!(accepted.code, 0, "{accepted:?}");
    until("it is as the new Master has it", || pair.client.dataset("etc")["files"] == 0);
    until("it is current", || pair.client.dataset("etc")["state"] == "current");
    assert!(!target.join("a").exists());
    assert!(pair.client.dataset("etc")["generation"].as_u64().unwrap() > good);
    assert!(points(&pair.client).contains(&good), "what was replaced can be gone back to");
    assert_eq!(accept(&pair.client, "etc", &content, "dr1").rule(), "sync.not_held", "it is used up");
    let audit = pair.client.ok(&["audit", "--json"]).json();
    let did = |action: &str| {
        let entries = audit["entries"].as_array().unwrap().iter();
        entries.filter(|entry| entry["action"] == action && entry["outcome"] == "done").count()
    };
    assert_eq!((did("sync.accept"), did("sync.accepted")), (1, 1));

    let emptied = pair.client.dataset("etc")["content"].as_str().unwrap().to_owned();
    fs::write(pair.path("src-of-master2").join("b"), "new").unwrap();
    until("it follows the new Master", || reads(&target.join("b"), "new"));
    replace_master(&mut pair, "master3", &target);
    let content = held(&pair.client, "etc");
    assert_ne!(content, emptied);
    assert!(reads(&target.join("b"), "new"), "one consent is not another");
}

#[test]
fn what_was_replaced_is_kept_for_thirty_days_that_were_lived_through_whatever_the_clock_says() {
    let mut pair = Pair::new();
    let (source, target) = pair.declare("etc", "files");
    fs::write(source.join("a"), "good").unwrap();
    until("it follows", || reads(&target.join("a"), "good"));
    let good = pair.client.dataset("etc")["generation"].as_u64().unwrap();
    let few = ["--newest", "1", "--minutes", "0", "--hours", "0", "--days", "0"];
    pair.client.ok(&[&["sync", "retention", "set"][..], &few].concat());
    replace_master(&mut pair, "master2", &target);
    let content = held(&pair.client, "etc");
    assert_eq!(accept(&pair.client, "etc", &content, "dr1").code, 0);
    let source = pair.path("src-of-master2");
    let follows = |text: &str| {
        fs::write(source.join("b"), text).unwrap();
        until("it follows the new Master", || reads(&target.join("b"), text));
    };
    follows("first");
    let client = &mut pair.client;
    // To a clock that is set a year forward everything was a year ago.
    client.kill();
    rewrite(&client.dir.join("replicas/etc.files/generations"), |record| {
        record["committed_at"] = earlier(&record["committed_at"], 365 * 86_400);
    });
    client.start();
    follows("second");
    until("what nothing keeps is gone", || {
        client.run(&["sync", "full", "--wait"]);
        points(client).len() <= 3
    });
    assert!(points(client).contains(&good), "a date is no time that went by");
    client.kill();
    let db = rusqlite::Connection::open(client.dir.join("tvox-dr.db")).unwrap();
    let days: i64 =
        db.query_row("SELECT left_s / 86400 FROM pin WHERE why = 'replaced'", (), |row| row.get(0)).unwrap();
    assert!((29..=30).contains(&days), "{days} days are left");
    db.execute("UPDATE pin SET left_s = 0", ()).unwrap();
    drop(db);
    client.start();
    until("its days have gone by", || {
        client.run(&["sync", "full", "--wait"]);
        !points(client).contains(&good)
    });
}

#[test]
fn a_master_restored_from_a_backup_is_settled_and_consented_to_before_it_replaces_anything() {
    let mut pair = Pair::new();
    let (source, target) = pair.declare("etc", "files");
    fs::write(source.join("a"), "1").unwrap();
    until("it follows", || reads(&target.join("a"), "1"));
    pair.master.kill();
    let backup = pair.path("backup");
    copy(&pair.master.dir, &backup);
    pair.master.start();
    fs::write(source.join("a"), "2").unwrap();
    until("it follows", || reads(&target.join("a"), "2"));
    until("the ticket is renewed", || pair.client.ticket() > 0);

    pair.master.kill();
    fs::remove_dir_all(&pair.master.dir).unwrap();
    copy(&backup, &pair.master.dir);
    fs::write(source.join("a"), "1").unwrap();
    pair.master.start();
    until("it says so", || pair.master.findings() == ["set_back"]);
    assert!(reads(&target.join("a"), "2"));
    let settle = |machine: &Machine, name: &str| {
        machine.run(&["settle", "--confirm-name", name, "--reason", "restored on purpose", "--json"])
    };
    assert_eq!(settle(&pair.client, "dr1").rule(), "settle.nothing");
    assert_eq!(settle(&pair.master, "dr1").rule(), "confirm_name");
    until("the two talk", || settle(&pair.master, "master1").code == 0);
    until("both agree", || pair.client.status()["mandate"]["kind"] == "settlement");
    assert_eq!(pair.client.status()["mandate"]["id"], pair.master.status()["mandate"]["id"]);
    assert!(pair.master.findings().is_empty() && pair.client.findings().is_empty());
    assert_eq!(pair.master.status()["state"], "serving");

    let content = held(&pair.client, "etc");
    assert!(reads(&target.join("a"), "2"), "settled is who serves, not which data is the good one");
    assert_eq!(accept(&pair.client, "etc", &content, "dr1").code, 0);
    until("it is as the Master has it", || reads(&target.join("a"), "1"));
}
