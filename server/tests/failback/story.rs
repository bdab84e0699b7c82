//! The way home on a good day, and what is asked before it.

use std::fs;

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
