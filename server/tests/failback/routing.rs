//! What follows a failback's mandate: callers are led to the DR as long as the Master does not serve, and the Master must
//! serve for the stable time.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bad_days::stuck_at;
use crate::bind::{self, Bind};
use crate::machines::until;
use crate::site::{Site, last, step, up};

const MASTER: &str = "192.0.2.1";
const DR: &str = "198.51.100.1";

/// From the field: "failback that flips routing before the writes are quiesced".
#[test]
fn callers_are_led_to_the_dr_until_the_master_is_seen_to_serve() {
    let mut site = Site::new();
    let server = Bind::start(site.pair.root.path(), MASTER);
    let address = format!("127.0.0.1:{}", server.port);
    let dns = ["step", "add", "dns", "--kind", "dns", "--zone", bind::ZONE, "--record", bind::RECORD];
    let values = ["--old", MASTER, "--new", DR, "--key-name", bind::KEY, "--secret-stdin", "--server", &address];
    assert_eq!(site.pair.client.run_with(&[&dns[..], &values[..]].concat(), bind::SECRET).code, 0);
    site.lose_master();
    site.take();
    assert_eq!(server.record(), DR);
    site.return_master();
    site.work_on_the_dr();
    // The telephone system of the Master takes its time.
    let (flag, may) = (up(&site.pair.master), site.pair.master.dir.with_extension("may"));
    let start = format!("until test -e {}; do sleep 0.1; done; touch {}", may.display(), flag.display());
    let (stop, check) = (format!("rm -f {}", flag.display()), format!("test -e {}", flag.display()));
    let slow = ["service", "add", "pbx", "--start", &start, "--stop", &stop, "--check", &check, "--timeout", "300"];
    site.pair.master.ok(&slow);

    for id in ["bring", "ledger", "last_delta", "compare", "mandate", "home"] {
        stuck_at(&mut site, id, &[]);
        assert_eq!(server.record(), DR, "{id}");
    }
    let client = &mut site.pair.client;
    client.kill();
    client.bad_day(None);
    client.start();
    client.ok(&["run", "resume", "--no-wait"]);
    until("it waits for the services there", || last(client)["step"] == "served");
    assert_eq!(
        (server.record(), up(client).exists()),
        (DR.into(), false),
        "the DR is down, and nobody is led away yet"
    );
    assert!(step(&last(client), "preserve")["state"] == "waiting", "its copy is what an activation would serve from");
    fs::write(&may, "").unwrap();
    until("callers are led home", || server.record() == MASTER);
    assert!(flag.exists(), "the Master serves");
    until("it is done", || last(client)["state"] == "done");
    site.until_master_serves();
    site.assert_home();
}

#[test]
fn a_failback_is_done_only_when_the_master_has_served_for_the_stable_time_without_a_gap() {
    let mut site = Site::away();
    let stable = Duration::from_secs(15);
    site.pair.client.ok(&["threshold", "set", "failback.stable_s", &stable.as_secs().to_string()]);
    site.work_on_the_dr();
    site.pair.client.ok(&["failback", "--confirm-name", "dr1", "--reason", "riparato", "--no-wait"]);
    until("it watches the Master", || last(&site.pair.client)["step"] == "stable");
    // Data comes in again meanwhile: there is redundancy before the end.
    fs::write(site.conf.0.join("users/verdi"), "203").unwrap();
    until("the DR follows", || fs::read_to_string(site.conf.1.join("users/verdi")).is_ok_and(|text| text == "203"));
    site.pair.master.kill();
    // What it said last counts for some seconds.
    let unheard = |status: &Value| status["pair"]["peer"]["machines"][0]["state"].is_null();
    until("nothing is known of the Master", || unheard(&site.pair.client.status()));
    let begun = Instant::now();
    site.pair.master.start();
    until("it is done", || last(&site.pair.client)["state"] == "done");
    // However slow this machine is, it may not be earlier.
    assert!(begun.elapsed() >= stable, "{:?}", begun.elapsed());
    site.assert_home();
}
