//! The DR dies on the way home, for good: the Master is taken with its own data, wherever the way was cut off.

use std::fs;

use serde_json::Value;

use crate::bad_days::{rules, stuck_at};
use crate::machines::{Machine, Ran, until};
use crate::site::{Site, accounts, last, step, up};

const ATTEST: &str = "127.0.0.1=Bianchi: armadio allagato, corrente staccata";

fn takeover(master: &Machine, more: &[&str]) -> Ran {
    let words = ["takeover", "--confirm-name", "master1", "--reason", "DR perduto", "--attest", ATTEST, "--json"];
    master.run(&[&words[..], more].concat())
}

/// The machine of the DR loses its power, and the Master notices.
fn lose_dr(site: &mut Site) {
    site.pair.client.kill();
    let _ = fs::remove_file(up(&site.pair.client));
    let silent = |status: &Value| status["pair"]["peer"]["machines"][0]["reachable"] == false;
    until("the DR is silent", || silent(&site.pair.master.status()));
}

/// It serves with what it had itself, and nothing else.
fn assert_own(site: &Site) {
    assert_eq!(fs::read_to_string(site.conf.0.join("users/rossi")).unwrap(), "201");
    assert!(!site.conf.0.join("users/bianchi").exists());
    assert_eq!(accounts(&site.voice.0), ["rossi"]);
}

/// The DR is switched on again and finds that the service was taken past it.
fn dr_comes_back(site: &mut Site) {
    site.pair.client.bad_day(None);
    site.pair.client.boot("after the flood");
    site.pair.client.start();
    until("the DR stands by", || site.pair.client.status()["state"] == "standby");
    assert!(!up(&site.pair.client).exists(), "one of them serves");
    assert!(up(&site.pair.master).exists());
    until("its failback is over", || last(&site.pair.client)["state"] == "aborted");
    let findings = site.pair.master.status()["mandate"]["findings"].clone();
    assert_eq!(findings.as_array().map(Vec::len), Some(0), "{findings}");
}

#[test]
fn a_master_whose_dr_died_while_content_came_home_is_taken_with_its_own_data_and_keeps_what_had_arrived() {
    let mut site = Site::away();
    site.work_on_the_dr();
    stuck_at(&mut site, "compare", &[]);
    let consent = ["--accept-data-loss"];
    assert!(rules(&takeover(&site.pair.master, &consent)).contains(&"failback.sends".to_owned()), "the DR is alive");
    assert_eq!(site.pair.master.status()["state"], "receiving");
    lose_dr(&mut site);
    assert_eq!(rules(&takeover(&site.pair.master, &[])), ["data_loss.consent"]);

    let ran = takeover(&site.pair.master, &consent);
    assert_eq!((ran.code, &ran.json()["state"]), (0, &"done".into()), "{ran:?}");
    assert_eq!(step(&ran.json(), "put_back")["state"], "done");
    site.until_master_serves();
    assert_own(&site);
    // What the DR had made is not lost with it.
    let kept = site.pair.master.ok(&["preserved", "list", "--json"]).json()["preserved"].clone();
    let run = kept.as_array().unwrap().iter().find(|one| one["run"].as_str().unwrap().ends_with("-arrived"));
    let path = |name: &str| {
        let datasets = run.unwrap()["datasets"].as_array().unwrap().clone();
        let one = datasets.iter().find(|one| one["name"] == name).unwrap();
        std::path::PathBuf::from(one["path"].as_str().unwrap()).join("tree")
    };
    assert_eq!(fs::read_to_string(path("conf").join("users/bianchi")).unwrap(), "202");
    assert_eq!(accounts(&path("voice").join("database")), ["bianchi", "rossi"]);
    dr_comes_back(&mut site);
    assert_own(&site);
}

#[test]
fn a_master_that_cannot_put_the_content_of_a_dead_dr_in_its_place_is_taken_and_puts_its_own_back() {
    let mut site = Site::away();
    site.work_on_the_dr();
    // It dies when everything lies in its place and nobody has written that down.
    site.pair.master.kill();
    site.pair.master.bad_day(Some("kill:settle:after_do".into()));
    site.pair.master.start();
    until("the DR sees it", || site.pair.client.status()["pair"]["peer"]["machines"][0]["reachable"] == true);
    assert_eq!(site.failback(&["--no-wait"]).code, 0);
    until("the Master dies", || site.pair.master.died_of_it());
    site.pair.master.kill();
    site.pair.master.bad_day(None);
    site.pair.client.kill();
    // Its telephones cannot be stopped: it waits with what came.
    fs::create_dir(up(&site.pair.master)).unwrap();
    site.pair.master.start();
    assert_eq!(site.pair.master.status()["state"], "receiving");
    lose_dr(&mut site);
    let consent = ["--accept-data-loss"];
    assert_eq!(rules(&takeover(&site.pair.master, &consent)), ["failback.settles"]);

    // A disk lost what had come.
    site.pair.master.kill();
    fs::remove_dir_all(site.pair.master.dir.join("homecoming")).unwrap();
    fs::remove_dir(up(&site.pair.master)).unwrap();
    site.pair.master.start();
    assert_eq!(fs::read_to_string(site.conf.0.join("users/bianchi")).unwrap(), "202", "half on its way");
    until("it says that it cannot", || site.pair.master.status()["travel"]["trouble"].is_string());
    let ran = takeover(&site.pair.master, &consent);
    assert_eq!((ran.code, &ran.json()["state"]), (0, &"done".into()), "{ran:?}");
    site.until_master_serves();
    assert_own(&site);
    dr_comes_back(&mut site);
}
