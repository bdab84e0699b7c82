//! What a failback has replaced on the Master: shown, never gone by itself, discarded by an administrator, and not while it
//! may have to be put back.

use std::fs;

use serde_json::Value;

use crate::machines::{Machine, until};
use crate::site::{Site, last, up};

fn preserved(master: &Machine) -> Vec<Value> {
    master.ok(&["preserved", "list", "--json"]).json()["preserved"].as_array().unwrap().clone()
}

#[test]
fn what_was_replaced_is_told_and_goes_only_when_somebody_discards_it() {
    let mut site = Site::taken();
    fs::write(site.conf.0.join("users/tail"), "written by the Master alone").unwrap();
    site.return_master();
    site.work_on_the_dr();
    assert!(preserved(&site.pair.master).is_empty(), "nothing came home yet");
    // The Master dies when everything lies in its place and nobody has written that down.
    site.pair.master.kill();
    site.pair.master.bad_day(Some("kill:settle:after_do".into()));
    site.pair.master.start();
    until("the DR sees it", || site.pair.client.status()["pair"]["peer"]["machines"][0]["reachable"] == true);
    let ran = site.failback(&["--accept-data-loss", "--no-wait"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let run = ran.json()["id"].as_str().unwrap().to_owned();
    until("it dies of it", || site.pair.master.died_of_it());
    site.pair.master.kill();
    site.pair.master.bad_day(None);
    // Its telephones cannot be stopped: it waits with the rest.
    fs::create_dir(up(&site.pair.master)).unwrap();
    site.pair.master.start();
    let master = &site.pair.master;
    let held = preserved(master);
    assert_eq!((held.len(), &held[0]["run"], &held[0]["in_use"]), (1, &run.as_str().into(), &true.into()), "{held:?}");
    let discard = |run: &str, name: &str| master.run(&["preserved", "discard", run, "--confirm-name", name, "--json"]);
    let refused = discard(&run, "master1");
    assert_eq!((refused.code, refused.rule()), (3, "run.in_progress".into()), "{refused:?}");

    fs::remove_dir(up(master)).unwrap();
    site.until_master_serves();
    until("the run is over", || last(&site.pair.client)["state"] == "done");
    until("it is of no use to the run any more", || preserved(master)[0]["in_use"] == false);
    let told = preserved(master)[0].clone();
    assert!(told["bytes"].as_u64() >= Some(27) && told["age_seconds"].is_number(), "{told}");
    let names: Vec<&str> =
        told["datasets"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["conf", "voice"]);
    let tail = master.dir.join("preserved").join(&run).join("conf.files/tree/users/tail");
    assert_eq!(fs::read_to_string(&tail).unwrap(), "written by the Master alone");

    let refused = discard(&run, "dr1");
    assert_eq!((refused.code, refused.rule()), (3, "confirm_name".into()), "{refused:?}");
    for unknown in ["failback-0", "", "..", "../identity.key.pem"] {
        assert_eq!(discard(unknown, "master1").code, 2, "{unknown}");
    }
    assert!(tail.exists(), "a no changes nothing");
    let client = site.pair.client.run(&["preserved", "discard", &run, "--confirm-name", "dr1", "--json"]);
    assert_eq!(client.code, 2, "nothing of that run lies there: {client:?}");
    assert_eq!(discard(&run, "master1").code, 0);
    assert!(preserved(master).is_empty() && !tail.exists());
    assert_eq!(discard(&run, "master1").code, 2, "it is gone");
    let log = master.ok(&["audit", "--json"]).json();
    let rows = log["entries"].as_array().unwrap().iter().filter(|entry| entry["action"] == "preserved.discard");
    let rows: Vec<_> = rows.map(|row| (row["outcome"].clone(), row["subject"].clone())).collect();
    assert_eq!(rows.iter().filter(|row| **row == ("done".into(), run.as_str().into())).count(), 1, "{rows:?}");
}
