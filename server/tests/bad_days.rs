//! Bad days of a pair: machines that are gone, replaced, or flooded by strangers. What is here stays, and is told as it is.

#![allow(clippy::unwrap_used, reason = "test code")]

mod machines;

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;

use machines::{Machine, Pair, noise, until};

#[test]
fn a_client_restarted_while_the_master_is_dead_knows_what_it_has() {
    let mut pair = Pair::new();
    let (source, target) = pair.declare("etc", "files");
    fs::write(source.join("a"), "1").unwrap();
    pair.until_current("etc");
    until("it has the file", || target.join("a").exists());
    let before = pair.client.dataset("etc");
    pair.master.kill();
    pair.client.kill();
    pair.client.start();
    let after = pair.client.dataset("etc");
    for key in ["generation", "files", "bytes", "path"] {
        assert_eq!(after[key], before[key], "{key}: {after}");
    }
    assert!(after["lag_seconds"].is_number() && after["captured_at"].is_string(), "{after}");
    let report = pair.client.ok(&["sync", "status", "--json"]).json();
    assert!(!report["restore_points"].as_array().unwrap().is_empty(), "{report}");
}

#[test]
fn the_master_does_not_call_a_dead_clients_replica_current() {
    let mut pair = Pair::new();
    let (source, _) = pair.declare("etc", "files");
    fs::write(source.join("a"), "1").unwrap();
    until("the Master knows it current", || pair.master.dataset("etc")["state"] == "current");
    pair.client.kill();
    until("and then no more", || pair.master.dataset("etc")["state"] == "behind");
    until("with a lag that grows", || pair.master.dataset("etc")["lag_seconds"].as_f64().is_some_and(|lag| lag > 5.0));
}

#[test]
fn a_dataset_taken_back_while_the_client_was_off_frees_its_target() {
    let mut pair = Pair::new();
    let (source, target) = pair.declare("etc", "files");
    fs::write(source.join("a"), "1").unwrap();
    until("the first copy", || target.join("a").exists());
    pair.client.kill();
    pair.master.ok(&["dataset", "remove", "etc"]);
    pair.client.start();
    until("the target is gone", || target.symlink_metadata().is_err());
    let (from, to) = (source.to_str().unwrap(), target.to_str().unwrap());
    pair.master.ok(&["dataset", "add", "other", "--kind", "files", "--source", from, "--target", to]);
    until("another dataset may use it", || target.join("a").exists());
}

#[test]
fn a_busy_dataset_does_not_make_the_master_forget_what_the_client_holds_of_a_quiet_one() {
    let mut pair = Pair::new();
    let (source, target) = pair.declare("etc", "files");
    fs::write(source.join("a"), "1").unwrap();
    until("the first copy", || target.join("a").exists());
    pair.until_current("etc");
    pair.master.kill();
    // A database that changes every second has taken a week's numbers meanwhile.
    let db = rusqlite::Connection::open(pair.master.dir.join("tvox-dr.db")).unwrap();
    db.execute_batch("INSERT INTO generation VALUES (600000, 'pbx', '00', '2026-01-01T00:00:00Z')").unwrap();
    drop(db);
    pair.master.start();
    pair.limit_to(4000);
    fs::write(source.join("large"), noise(24_000_000)).unwrap();
    until("the change is under way", || pair.has_begun("etc"));
    // The next generation was given and never arrived: the Client asks with the one before.
    pair.client.kill();
    pair.client.start();
    pair.client.ok(&["sync", "bandwidth", "set", "none"]);
    until("the change is there", || target.join("large").exists());
    assert_eq!(pair.client.dataset("etc")["held"], false);
}

#[test]
fn stop_ends_a_copy_under_way_and_start_goes_on_with_what_has_arrived() {
    let pair = Pair::new();
    let source = pair.path("src").join("rec");
    fs::create_dir_all(&source).unwrap();
    let mut noise = vec![0_u8; 8 << 20];
    for n in 0..40_u8 {
        // Incompressible enough, and different in each file.
        let mut seed = u64::from(n) + 1;
        noise.iter_mut().for_each(|byte| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (seed >> 56) as u8;
        });
        fs::File::create(source.join(format!("{n}.wav"))).unwrap().write_all(&noise).unwrap();
    }
    let (_, target) = pair.declare("rec", "files");
    until("the copy runs", || pair.client.dataset("rec")["state"] == "copying");
    pair.client.ok(&["sync", "stop"]);
    until("it stops at once", || pair.client.dataset("rec")["state"] == "stopped");
    assert!(pair.client.dataset("rec")["generation"].is_null() && !target.exists());
    pair.client.ok(&["sync", "start"]);
    until("it is complete", || target.join("39.wav").exists());
}

#[test]
fn a_master_that_was_made_anew_takes_nothing_away_and_offers_nothing_over_the_good_copy() {
    let mut pair = Pair::new();
    let (source, target) = pair.declare("etc", "files");
    for n in 0..3 {
        fs::write(source.join("a"), format!("{n}")).unwrap();
        until("it follows", || fs::read_to_string(target.join("a")).is_ok_and(|t| t == format!("{n}")));
    }
    pair.master.kill();
    let anew = Machine::ready(pair.root.path(), "master", "anew");
    anew.ok(&["peer", "set", &format!("127.0.0.1:{}", pair.client.peer)]);
    pair.client.ok(&["peer", "forget"]);
    pair.client.ok(&["peer", "set", &format!("127.0.0.1:{}", anew.peer)]);
    let token = anew.ok(&["peer", "token", "--json"]).json()["token"].as_str().unwrap().to_owned();
    assert_eq!(pair.client.run_with(&["peer", "join", "-"], &token).code, 0);
    until("they talk", || pair.client.status()["pair"]["peer"]["machines"][0]["reachable"] == true);
    assert_eq!(fs::read_to_string(target.join("a")).unwrap(), "2", "an empty Master has nothing to say about it");
    let other = pair.path("src").join("empty");
    fs::create_dir(&other).unwrap();
    let (from, to) = (other.to_str().unwrap(), target.to_str().unwrap());
    anew.ok(&["dataset", "add", "etc", "--kind", "files", "--source", from, "--target", to]);
    until("it is refused and told", || pair.client.dataset("etc")["last_error"]["code"] == "sync.content_unknown");
    assert_eq!(fs::read_to_string(target.join("a")).unwrap(), "2", "the good copy stays");
}

#[test]
fn strangers_who_hold_connections_open_do_not_keep_the_pair_apart() {
    let mut pair = Pair::new();
    until("they talk", || pair.client.status()["pair"]["peer"]["machines"][0]["reachable"] == true);
    let flood: Vec<TcpStream> =
        (0..300).filter_map(|_| TcpStream::connect(("127.0.0.1", pair.master.peer)).ok()).collect();
    assert!(flood.len() > 200);
    pair.client.kill();
    pair.client.start();
    let more: Vec<TcpStream> =
        (0..300).filter_map(|_| TcpStream::connect(("127.0.0.1", pair.master.peer)).ok()).collect();
    until("they talk all the same", || pair.client.status()["pair"]["peer"]["machines"][0]["reachable"] == true);
    drop((flood, more));
}

#[test]
fn a_database_behind_a_symlink_and_a_tree_that_was_exchanged_are_followed_within_seconds() {
    let pair = Pair::new();
    let real = pair.path("real");
    fs::create_dir_all(&real).unwrap();
    fs::create_dir_all(pair.path("src")).unwrap();
    let db = rusqlite::Connection::open(real.join("pbx.db")).unwrap();
    db.execute_batch("CREATE TABLE cdr (n)").unwrap();
    std::os::unix::fs::symlink(real.join("pbx.db"), pair.path("src").join("pbx")).unwrap();
    pair.declare("pbx", "sqlite");
    let (source, target) = pair.declare("etc", "files");
    fs::write(source.join("a"), "1").unwrap();
    until("both are there", || target.join("a").exists() && pair.client.dataset("pbx")["state"] == "current");
    let quick = |what: &str, generation: &dyn Fn() -> serde_json::Value, change: &dyn Fn()| {
        let (before, began) = (generation(), std::time::Instant::now());
        change();
        until(what, || generation() != before);
        assert!(began.elapsed().as_secs() < 10, "{what}: only the slow scan found it");
    };
    quick("the row behind the link", &|| pair.client.dataset("pbx")["generation"].clone(), &|| {
        db.execute("INSERT INTO cdr VALUES (1)", []).unwrap();
    });
    fs::rename(&source, source.with_extension("old")).unwrap();
    fs::create_dir(&source).unwrap();
    fs::write(source.join("b"), "2").unwrap();
    until("the new tree", || target.join("b").exists());
    quick("a change in the new tree", &|| pair.client.dataset("etc")["generation"].clone(), &|| {
        fs::write(source.join("c"), "3").unwrap();
    });
}

/// A small disk of its own, unmounted when dropped; `None` where mounting is not allowed.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(at: std::path::PathBuf) -> Option<Self> {
        fs::create_dir_all(&at).unwrap();
        let mounted =
            std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=100m", "tmpfs"]).arg(&at).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn with_the_disk_full_there_is_still_room_to_act() {
    let root = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(root.path().join("disk")) else {
        println!("skipped: mounting is not allowed here");
        return;
    };
    let mut machine = Machine::init_in(&disk.0.join("node"), root.path(), "client", "c");
    machine.start();
    until("space is kept back", || machine.dir.join("reserve").exists());
    let mut filler = fs::File::create(disk.0.join("filler")).unwrap();
    while filler.write_all(&[7; 65_536]).is_ok() {}
    drop(filler);
    until("the reserve is given up", || !machine.dir.join("reserve").exists());
    machine.ok(&["recipient", "add", "email", "a@b.it"]);
    machine.kill();
    fs::remove_file(disk.0.join("filler")).unwrap();
    machine.start();
    until("and kept again once there is space", || machine.dir.join("reserve").exists());
    drop(machine);
}
