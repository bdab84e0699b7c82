//! Members that are lost for good, both of them or one, and the machines in their place.

use std::fs;

use crate::machines::until;
use crate::site::{Site, because, boot, holds, ip, is_stale, join, lose, name, press, serve, up};

#[test]
fn two_machines_in_the_place_of_a_lost_site_serve_with_the_data_of_the_dr_one_after_the_other() {
    let mut site = Site::with_own_disks();
    serve(&site.client);
    site.client.ok(&["threshold", "set", "failback.stable_s", "0"]);
    let (_, target) = site.declare(&site.m1, "conf");
    fs::write(site.disk("m1", "conf").join("a"), "1").unwrap();
    until("it follows", || holds(&target, "a", "1"));
    lose(&mut site.m1);
    lose(&mut site.m2);
    let words = [ip(&site.m1), ip(&site.m2)].map(|ip| format!("{ip}=Rossi le ha viste bruciate"));
    let attest = ["--attest", words[0].as_str(), "--attest", words[1].as_str(), "--accept-data-loss"];
    until("they are silent", || {
        let machines = site.client.status()["pair"]["peer"]["machines"].clone();
        machines.as_array().unwrap().iter().all(|one| one["reachable"] == false)
    });
    let retired = press(&site.client, "peer retire", &attest);
    assert_eq!(retired.code, 0, "{retired:?}");
    fs::write(target.join("made"), "on the DR").unwrap();

    let (m3, m4) = (site.fresh("m3"), site.fresh("m4"));
    site.introduce(&m3, &m4);
    site.introduce(&m4, &m3);
    site.tell_client(&m3, &m4);
    site.move_node_ip("m3");
    site.declare(&m3, "conf");
    join(&m3, &site.client, "peer");
    join(&m3, &m4, "sibling");
    join(&m4, &site.client, "peer");
    for member in [&m3, &m4] {
        until("it has nothing to serve with", || member.status()["state"] == "recovering" && !up(member).exists());
    }
    until("the Client has heard both", || {
        let machines = site.client.status()["pair"]["peer"]["machines"].clone();
        machines.as_array().unwrap().iter().all(|one| one["state"] == "recovering")
    });
    let refused = press(&site.client, "deactivate", &["--discard-dr-data"]);
    assert_eq!((refused.code, refused.rule()), (3, "peer.recovering".to_owned()), "they would serve empty");
    let ran = press(&site.client, "failback", &["--member", "m3"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    until("one serves", || m3.status()["state"] == "serving" && up(&m3).exists());
    assert!(holds(&site.disk(name(&m3), "conf"), "made", "on the DR"));
    until("the other one waits", || is_stale(&m4));
    site.bring_in_line("m3", "m4", "conf");
    until("it is in line", || m4.status()["state"] == "serving");
    fs::write(site.disk("m3", "conf").join("a"), "2").unwrap();
    until("the sync goes on from there", || holds(&target, "a", "2"));
    assert_eq!(site.client.status()["state"], "standby");
}

#[test]
fn a_member_that_is_lost_alone_is_replaced_while_the_other_one_goes_on() {
    let mut site = Site::with_own_disks();
    let (_, target) = site.declare(&site.m1, "conf");
    fs::write(site.disk("m1", "conf").join("a"), "1").unwrap();
    until("it follows", || holds(&target, "a", "1"));
    let alive = press(&site.m1, "peer retire", &["--member", "m2"]);
    assert_eq!((alive.code, alive.rule()), (3, "isolation.alive".to_owned()));
    lose(&mut site.m2);
    until("it is silent", || site.m1.status()["pair"]["cluster"]["sibling"]["reachable"] == false);
    let word = format!("{}=Rossi ha visto il disco rotto", ip(&site.m2));
    let unattested = press(&site.m1, "peer retire", &["--member", "m2"]);
    assert_eq!(unattested.rule(), "isolation.unattested", "{unattested:?}");
    let unknown = press(&site.m1, "peer retire", &["--member", "m9", "--attest", &word]);
    assert_eq!(unknown.code, 2, "{unknown:?}");
    let last = press(&site.m1, "peer retire", &["--member", "dr1"]);
    assert_eq!(last.rule(), "pair.last_member", "that is the whole of the other site: {last:?}");
    let elsewhere = press(&site.client, "peer retire", &["--member", "m2", "--attest", &word]);
    assert_eq!(elsewhere.rule(), "state.illegal", "it is for whoever serves to say: {elsewhere:?}");
    let retired = press(&site.m1, "peer retire", &["--member", "m2", "--attest", &word]);
    assert_eq!(retired.code, 0, "{retired:?}");
    assert_eq!(site.m1.status()["mandate"]["retired"][0]["name"], "m2");
    until("the Client learns it", || site.client.status()["mandate"]["kind"] == "retirement");
    // The page is saved as it is: no other machine was named.
    site.tell_client(&site.m1, &site.m2);
    for machine in [&site.m1, &site.client] {
        assert_eq!(machine.status()["pair"]["associated"], true, "the site goes on with one");
    }
    assert!(site.m1.status()["state"] == "serving" && up(&site.m1).exists());
    fs::write(site.disk("m1", "conf").join("a"), "2").unwrap();
    until("the sync goes on", || holds(&target, "a", "2"));

    let m4 = site.fresh("m4");
    site.introduce(&m4, &site.m1);
    site.point_to_sibling(&site.m1, &m4);
    site.tell_client(&site.m1, &m4);
    join(&site.m1, &m4, "sibling");
    join(&m4, &site.client, "peer");
    until("it has nothing yet", || is_stale(&m4));
    site.bring_in_line("m1", "m4", "conf");
    until("it is in line", || m4.status()["state"] == "serving");
    lose(&mut site.m1);
    site.move_node_ip("m4");
    until("it serves", || site.source() == ip(&m4));
    fs::write(site.disk("m4", "conf").join("a"), "3").unwrap();
    until("it is followed", || holds(&target, "a", "3"));

    boot(&mut site.m2, "months later");
    until("the lost one is told", || {
        let because = site.m2.ok(&["gate", "show", "--json"]).json()["because"].clone();
        because.as_array().unwrap().contains(&"declared_lost".into())
    });
    assert!(!up(&site.m2).exists());
}

#[test]
fn an_empty_machine_in_the_place_of_a_member_that_nobody_declared_lost_serves_only_with_what_its_sibling_gives() {
    let mut site = Site::with_own_disks();
    let (_, target) = site.declare(&site.m1, "conf");
    fs::write(site.disk("m1", "conf").join("a"), "1").unwrap();
    until("it follows", || holds(&target, "a", "1"));
    lose(&mut site.m2);
    site.m1.ok(&["sibling", "forget"]);
    let m4 = site.fresh("m4");
    site.introduce(&m4, &site.m1);
    site.point_to_sibling(&site.m1, &m4);
    join(&site.m1, &m4, "sibling");
    until("it has nothing yet", || is_stale(&m4));
    let declared = || m4.ok(&["dataset", "list", "--json"]).out.contains("conf");
    until("it has heard what the site has", declared);
    assert!(is_stale(&m4) && site.m1.status()["state"] == "serving");
    site.bring_in_line("m1", "m4", "conf");
    until("it is in line", || !because(&m4).as_array().unwrap().contains(&"stale".into()));
}
