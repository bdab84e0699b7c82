//! The acceptance story by command line: from nothing to a pair with data flowing, and through every kind of death.

#![allow(clippy::unwrap_used, reason = "test code")]

mod machines;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use machines::{Pair, until};

fn rows(database: &std::path::Path) -> rusqlite::Result<i64> {
    let real = fs::canonicalize(database).map_err(|_| rusqlite::Error::QueryReturnedNoRows)?;
    let uri = format!("file:{}?immutable=1", real.display());
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_URI;
    let db = rusqlite::Connection::open_with_flags(uri, flags)?;
    let sound: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    assert_eq!(sound, "ok");
    db.query_row("SELECT count(*) FROM cdr", [], |row| row.get(0))
}

#[test]
fn from_nothing_to_a_pair_with_data_flowing() {
    let pair = Pair::new();
    for machine in [&pair.master, &pair.client] {
        until("both see each other", || machine.status()["pair"]["peer"]["machines"][0]["reachable"] == true);
        let status = machine.status();
        assert_eq!(status["schema"], 1);
        assert_eq!(status["pair"]["associated"], true, "{status}");
        assert_eq!(status["pair"]["peer"]["compatible"], true, "{status}");
    }
    assert_eq!(pair.master.status()["pair"]["id"], pair.client.status()["pair"]["id"]);

    let (etc, replica) = pair.declare("etc", "files");
    fs::create_dir_all(etc.join("sub")).unwrap();
    fs::write(etc.join("sub/kamailio.cfg"), "listen=udp").unwrap();
    until("the file is there", || {
        fs::read_to_string(replica.join("sub/kamailio.cfg")).is_ok_and(|t| t == "listen=udp")
    });

    let database = pair.path("src").join("pbx");
    let db = rusqlite::Connection::open(&database).unwrap();
    db.execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE cdr (n); INSERT INTO cdr VALUES (1)").unwrap();
    let (_, copy) = pair.declare("pbx", "sqlite");
    until("the row is there", || rows(&copy).is_ok_and(|n| n == 1));
    db.execute("INSERT INTO cdr VALUES (2)", []).unwrap();
    until("the second row follows", || rows(&copy).is_ok_and(|n| n == 2));

    pair.until_current("etc");
    let etc_now = pair.client.dataset("etc");
    assert_eq!((&etc_now["group"], &etc_now["switch"]), (&"files".into(), &"on".into()), "{etc_now}");
    assert!(etc_now["lag_seconds"].as_f64().unwrap() < 60.0, "{etc_now}");
    assert!(pair.client.status()["generation"].as_u64().unwrap() >= 2);
    until("the Master's side tells the Client's state", || pair.master.dataset("etc")["state"] == "current");
    let verdict = pair.client.ok(&["sync", "verify", "--json"]).json();
    assert_eq!((&verdict["state"], &verdict["differences_total"]), (&"done".into(), &0.into()));
    for machine in [&pair.master, &pair.client] {
        assert_eq!(machine.ok(&["audit", "--verify", "--json"]).json()["valid"], true);
    }
}

#[test]
fn stop_means_that_nothing_moves_and_start_that_it_catches_up() {
    let pair = Pair::new();
    let (source, target) = pair.declare("etc", "files");
    fs::write(source.join("a"), "1").unwrap();
    until("the first copy", || fs::read_to_string(target.join("a")).is_ok_and(|t| t == "1"));
    pair.client.ok(&["sync", "stop", "--only", "files"]);
    until("it says so", || pair.client.dataset("etc")["state"] == "stopped");
    assert_eq!(pair.client.status()["sync"]["files"], "off");
    assert_eq!(pair.client.status()["sync"]["database"], "on");
    fs::write(source.join("a"), "2").unwrap();
    let verdict = pair.client.run(&["sync", "verify", "--json"]);
    assert_eq!(verdict.code, 1, "the Master has something else: {verdict:?}");
    assert_eq!(verdict.json()["differences"][0]["path"], "a", "{verdict:?}");
    assert_eq!(fs::read_to_string(target.join("a")).unwrap(), "1", "a verification changes nothing");
    pair.client.ok(&["sync", "start"]);
    until("it catches up", || fs::read_to_string(target.join("a")).is_ok_and(|t| t == "2"));
}

#[test]
fn a_flipped_bit_on_the_replica_is_found_by_verify_and_healed_by_the_forced_sync() {
    let pair = Pair::new();
    let (source, target) = pair.declare("etc", "files");
    fs::write(source.join("a"), "good").unwrap();
    fs::write(source.join("b"), "fine").unwrap();
    until("the first copy", || target.join("a").exists());
    pair.until_current("etc");
    fs::write(fs::canonicalize(target.join("a")).unwrap(), "goof").unwrap();
    let verdict = pair.client.run(&["sync", "verify", "--json"]);
    assert_eq!((verdict.code, &verdict.json()["differences"][0]["path"]), (1, &"a".into()), "{verdict:?}");
    pair.client.ok(&["sync", "full", "--wait"]);
    assert_eq!(fs::read_to_string(target.join("a")).unwrap(), "good");
    pair.client.ok(&["sync", "verify"]);
}

#[test]
fn either_process_killed_at_any_time_goes_on_and_nothing_is_ever_half() {
    kill_in_turn(6);
}

#[test]
#[ignore = "minutes long: `make soak`"]
fn two_hundred_kills_leave_nothing_half() {
    kill_in_turn(200);
}

/// Kills Client and Master in turn while a database and a file are being written, and reads what can be seen throughout.
fn kill_in_turn(rounds: u32) {
    let mut pair = Pair::new();
    let database = pair.path("src").join("pbx");
    fs::create_dir_all(database.parent().unwrap()).unwrap();
    let db = rusqlite::Connection::open(&database).unwrap();
    db.execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE cdr (n)").unwrap();
    let (_, copy) = pair.declare("pbx", "sqlite");
    let (files, replica) = pair.declare("etc", "files");
    // Every version of the set says its number in each file, written before the flip of `current`.
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (stop, files) = (Arc::clone(&stop), files.clone());
        std::thread::spawn(move || {
            let mut n = 0_i64;
            while !stop.load(Ordering::SeqCst) {
                n += 1;
                db.execute("INSERT INTO cdr VALUES (?1)", [n]).unwrap();
                let body = format!("{n}\n").repeat(2000);
                fs::write(files.join(".a.tmp"), &body).unwrap();
                fs::rename(files.join(".a.tmp"), files.join("a")).unwrap();
            }
            n
        })
    };
    let whole = |replica: &std::path::Path| {
        let Ok(text) = fs::read_to_string(replica.join("a")) else { return false };
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() == 2000 && lines.iter().all(|line| *line == lines[0]), "half a file is visible");
        true
    };
    until("the first copies", || rows(&copy).is_ok() && whole(&replica));
    for round in 0..rounds {
        let victim = if round % 2 == 0 { &mut pair.client } else { &mut pair.master };
        victim.kill();
        assert!(whole(&replica), "round {round}");
        let before = rows(&copy).unwrap();
        victim.start();
        until("it goes on", || rows(&copy).is_ok_and(|now| now > before) && whole(&replica));
    }
    stop.store(true, Ordering::SeqCst);
    let last = writer.join().unwrap();
    until("the last row arrives", || rows(&copy).is_ok_and(|now| now == last));
    until("the last file arrives", || {
        fs::read_to_string(replica.join("a")).is_ok_and(|t| t.starts_with(&format!("{last}\n")))
    });
    pair.client.ok(&["sync", "verify"]);
}

#[test]
fn a_source_that_vanished_is_an_error_and_not_an_empty_replica() {
    let pair = Pair::new();
    let (source, target) = pair.declare("etc", "files");
    fs::write(source.join("a"), "precious").unwrap();
    until("the first copy", || target.join("a").exists());
    fs::rename(&source, source.with_extension("gone")).unwrap();
    until("it is told", || pair.client.dataset("etc")["last_error"]["code"] == "source_missing");
    assert_eq!(fs::read_to_string(target.join("a")).unwrap(), "precious");
    fs::rename(source.with_extension("gone"), &source).unwrap();
    fs::write(source.join("b"), "back").unwrap();
    until("it recovers by itself", || target.join("b").exists() && pair.client.dataset("etc")["last_error"].is_null());
}

#[test]
fn a_dataset_taken_back_loses_its_target_and_keeps_its_data() {
    let pair = Pair::new();
    let (source, target) = pair.declare("etc", "files");
    fs::write(source.join("a"), "1").unwrap();
    until("the first copy", || target.join("a").exists());
    pair.until_current("etc");
    let tree = pair.client.dataset("etc")["path"].as_str().unwrap().to_owned();
    pair.master.ok(&["dataset", "remove", "etc"]);
    until("the target is gone", || target.symlink_metadata().is_err());
    assert_eq!(fs::read_to_string(std::path::Path::new(&tree).join("a")).unwrap(), "1");
    assert_eq!(pair.master.run(&["dataset", "remove", "etc"]).code, 2, "there is no such dataset any more");
}

#[test]
fn a_node_stops_in_less_than_five_seconds_with_streams_open() {
    let mut pair = Pair::new();
    let (source, _) = pair.declare("etc", "files");
    fs::write(source.join("a"), "1").unwrap();
    pair.until_current("etc");
    for machine in [&mut pair.master, &mut pair.client] {
        let (took, code) = machine.stop();
        assert!(took < Duration::from_secs(5), "{took:?}");
        assert_eq!(code, Some(0));
        assert_eq!(machine.run(&["status"]).code, 4, "nobody answers any more");
    }
}

#[test]
fn dissolving_works_while_the_other_machine_is_dead_and_both_learn_of_it() {
    let mut pair = Pair::new();
    pair.client.kill();
    pair.master.ok(&["peer", "forget"]);
    assert_eq!(pair.master.status()["pair"]["associated"], false);
    pair.client.start();
    until("the Client is told", || pair.client.status()["pair"]["peer"]["complaint"]["rule"] == "pair.not_associated");
    pair.client.ok(&["peer", "forget"]);
    let token = pair.token();
    assert_eq!(pair.client.run_with(&["peer", "join", "-"], &token).code, 0, "and they can be associated anew");
}

#[test]
fn a_recent_forced_sync_brings_what_is_new_and_never_deletes_older_history() {
    let pair = Pair::new();
    let (source, target) = (pair.path("src").join("rec"), pair.path("replica").join("rec"));
    fs::create_dir_all(&source).unwrap();
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    fs::write(source.join("old.wav"), "old").unwrap();
    let year_ago = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::options().write(true).open(source.join("old.wav")).unwrap().set_modified(year_ago).unwrap();
    let (from, to) = (source.to_str().unwrap(), target.to_str().unwrap());
    pair.master
        .ok(&["dataset", "add", "rec", "--kind", "files", "--class", "history", "--source", from, "--target", to]);
    until("the first copy", || target.join("old.wav").exists());
    pair.client.ok(&["sync", "stop"]);
    fs::remove_file(source.join("old.wav")).unwrap();
    fs::write(source.join("new.wav"), "new").unwrap();
    pair.client.ok(&["sync", "full", "--scope", "recent", "--wait"]);
    assert!(target.join("new.wav").exists() && target.join("old.wav").exists());
    pair.client.ok(&["sync", "full", "--wait"]);
    assert!(target.join("new.wav").exists() && !target.join("old.wav").exists());
}

#[test]
fn a_reader_of_another_user_passes_to_the_replica_and_not_to_the_secrets() {
    use std::os::unix::fs::PermissionsExt as _;
    let pair = Pair::new();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for machine in [&pair.master, &pair.client] {
        assert_eq!(mode(&machine.dir), 0o711);
        for entry in fs::read_dir(&machine.dir).unwrap() {
            let path = entry.unwrap().path();
            let public =
                path.is_dir() || path.extension().is_some_and(|end| end == "pub") || path.ends_with("identity.crt.pem");
            assert!(public || mode(&path) == 0o600, "{}: {:o}", path.display(), mode(&path));
        }
    }
}
