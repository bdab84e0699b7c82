//! The way home on a good day, and what is asked before it.

use std::fs;
use std::time::{Duration, Instant};

use crate::machines::until;
use crate::site::{Site, accounts, last, sql, step, up};

#[test]
fn an_account_made_on_the_dr_is_on_the_master_after_a_failback_and_the_services_run_there() {
    let site = Site::away();
    site.work_on_the_dr();
    let ran = site.failback(&[]);
    assert_eq!((ran.code, &ran.json()["state"]), (0, &"done".into()), "{ran:?}");
    let run = ran.json();
    assert_eq!(run["ledger"]["datasets"].as_array().unwrap().len(), 2, "{run}");
    site.until_master_serves();
    assert!(!up(&site.pair.client).exists(), "one of them serves");
    site.assert_home();
    let (master, client) = (site.pair.master.status(), site.pair.client.status());
    assert_eq!((&master["mandate"]["kind"], &client["state"]), (&"failback".into(), &"standby".into()));
    assert_eq!(master["mandate"]["findings"].as_array().unwrap().len(), 0, "{master}");

    // The forward sync goes on from there, and the DR can be activated again.
    fs::write(site.conf.0.join("users/verdi"), "203").unwrap();
    until("the DR follows", || fs::read_to_string(site.conf.1.join("users/verdi")).is_ok_and(|text| text == "203"));
    until("the database follows", || accounts(&site.voice.1) == ["bianchi", "rossi"]);
    assert!(site.conf.1.join("users/bianchi").exists());
    let mut site = site;
    site.lose_master();
    site.take();
    assert!(up(&site.pair.client).exists());
    sql(&site.voice.1, "INSERT INTO account VALUES ('neri')");
    site.return_master();
    assert_eq!(site.failback(&["--accept-data-loss"]).code, 0);
    site.until_master_serves();
    assert_eq!(accounts(&site.voice.0), ["bianchi", "neri", "rossi"]);
    assert!(step(&last(&site.pair.client), "stable")["state"] == "done");
}

#[test]
fn what_travels_home_keeps_within_the_bandwidth() {
    let site = Site::away();
    site.pair.client.ok(&["sync", "bandwidth", "set", "2 Mbit/s"]);
    // Four seconds at this limit, of bytes that do not compress.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let recording: Vec<u8> = (0..125_000).flat_map(|_| step().to_le_bytes()).collect();
    fs::write(site.conf.1.join("users/recording"), &recording).unwrap();
    let begun = Instant::now();
    assert_eq!(site.failback(&[]).code, 0);
    // However slow this machine is, it may not be faster.
    assert!(begun.elapsed() >= Duration::from_secs(3), "{:?}", begun.elapsed());
    site.until_master_serves();
    assert!(fs::read(site.conf.0.join("users/recording")).unwrap() == recording);
}
