//! What was made on the DR goes home to a site of two: one member takes it in, and none serves without it.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;

use serde_json::Value;

use crate::machines::{Machine, until};
use crate::site::{ALIVE, Site, boot, holds, ip, is_alarmed, is_stale, lose, name, press, serve, up};

/// A tree on both members' disks, and the DR has made something in it; both members stand down.
struct Away {
    site: Site,
    target: PathBuf,
}

impl Away {
    fn new() -> Self {
        let site = Site::with_own_disks();
        serve(&site.client);
        site.client.ok(&["threshold", "set", "failback.stable_s", "0"]);
        fs::write(site.disk("m1", "conf").join("a"), "1").unwrap();
        // To the nanosecond: else one member would have something that the site never gave.
        site.bring_in_line("m1", "m2", "conf");
        let (_, target) = site.declare(&site.m1, "conf");
        until("it follows", || holds(&target, "a", "1"));
        let away = Self { site, target };
        away.take(&[]);
        for member in [&away.site.m1, &away.site.m2] {
            until("it stands down", || member.status()["state"] == "fenced" && !up(member).exists());
        }
        fs::write(away.target.join("made"), "on the DR").unwrap();
        away
    }

    fn take(&self, more: &[&str]) {
        let ran = press(&self.site.client, "activate", &[&ALIVE[..], more].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
    }

    /// The first member dies at this moment of putting content in its place, and the DR takes the service again.
    fn lose_m1_while_it_settles(&mut self, moment: &str) {
        let reachable = |client: &Machine| client.status()["pair"]["peer"]["machines"][0]["reachable"] == true;
        self.site.m1.kill();
        self.site.m1.bad_day(Some(format!("kill:settle:{moment}")));
        self.site.m1.start();
        until("it is heard", || reachable(&self.site.client));
        until("it stands down", || self.site.m1.status()["state"] == "fenced" && !up(&self.site.m1).exists());
        let ran = press(&self.site.client, "failback", &["--member", "m1", "--no-wait"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        until("it dies", || self.site.m1.died_of_it());
        lose(&mut self.site.m1);
        until("the other one waits for what it has not", || is_stale(&self.site.m2));
        until("it is silent", || !reachable(&self.site.client));
        let word = format!("{}=Rossi l'ha spenta", ip(&self.site.m1));
        self.take(&["--attest", &word]);
    }

    fn until_home_on(&self, member: &Machine) {
        until("it serves", || member.status()["state"] == "serving" && up(member).exists());
        assert!(holds(&self.site.disk(name(member), "conf"), "made", "on the DR"));
    }
}

fn run_of(client: &Machine) -> Value {
    client.ok(&["run", "show", "--json"]).json()
}

#[test]
fn one_member_takes_it_in_and_the_other_one_serves_only_once_it_has_the_same() {
    let mut away = Away::new();
    let dry = away.site.client.ok(&["failback", "--dry-run", "--json"]).json();
    assert_eq!((&dry["member"], &dry["allowed"]), (&"m1".into(), &true.into()), "{dry}");
    let unknown = press(&away.site.client, "failback", &["--member", "m3"]);
    assert_eq!(unknown.code, 2, "{unknown:?}");
    let ran = press(&away.site.client, "failback", &["--member", "m1"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    away.until_home_on(&away.site.m1);
    let stale = |away: &Away| until("it knows that it is stale", || is_stale(&away.site.m2));
    stale(&away);
    until("somebody is told", || is_alarmed(&away.site.m2, "dr.member.stale"));
    let explained = away.site.m2.ok(&["gate", "show", "--explain"]).out;
    assert!(explained.contains("other machine of the cluster"), "{explained}");
    lose(&mut away.site.m2);
    boot(&mut away.site.m2, "another boot");
    until("the Client confirms it all the same", || {
        crate::site::asked(&away.site.m2).contains(&(ip(&away.site.client).into(), "confirmed".into()))
    });
    stale(&away);

    // It goes on on the one that has it; the cluster then brings the other one in line with what that is by now.
    fs::write(away.site.disk("m1", "conf").join("a"), "2").unwrap();
    until("the sync goes on from there", || holds(&away.target, "a", "2"));
    assert!(is_stale(&away.site.m2));
    away.site.bring_in_line("m1", "m2", "conf");
    until("it is confirmed", || away.site.m2.status()["state"] == "serving");
    until("nobody is alarmed any more", || !is_alarmed(&away.site.m2, "dr.member.stale"));
    lose(&mut away.site.m1);
    away.site.move_node_ip("m2");
    until("it serves", || away.site.source() == ip(&away.site.m2));
    fs::write(away.site.disk("m2", "conf").join("a"), "3").unwrap();
    until("it is followed", || holds(&away.target, "a", "3"));
    assert!(holds(&away.target, "made", "on the DR"));
}

#[test]
fn an_operator_says_that_a_member_has_the_data_whose_disk_never_compares_equal() {
    let mut away = Away::new();
    let ran = press(&away.site.client, "failback", &["--member", "m1"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    away.until_home_on(&away.site.m1);
    until("it knows that it is stale", || is_stale(&away.site.m2));
    until("somebody is told", || is_alarmed(&away.site.m2, "dr.member.stale"));
    let explained = away.site.m2.ok(&["gate", "show", "--explain"]).out;
    assert!(explained.contains("tvox-dr gate same"), "{explained}");
    let refused = press(&away.site.m1, "gate same", &[]);
    assert_eq!((refused.code, refused.rule()), (3, "member.current".into()), "it lacks nothing: {refused:?}");
    lose(&mut away.site.m1);
    until("its sibling is silent", || away.site.m2.status()["pair"]["cluster"]["sibling"]["reachable"] == false);
    let refused = press(&away.site.m2, "gate same", &[]);
    assert_eq!((refused.code, refused.rule()), (3, "member.beside".into()), "{refused:?}");
    assert!(is_stale(&away.site.m2), "a no changes nothing");

    boot(&mut away.site.m1, "back");
    until("it serves again", || away.site.m1.status()["state"] == "serving");
    until("it is said", || press(&away.site.m2, "gate same", &[]).code == 0);
    until("it is confirmed", || away.site.m2.status()["state"] == "serving" && up(&away.site.m2).exists());
    until("nobody is alarmed any more", || !is_alarmed(&away.site.m2, "dr.member.stale"));
    let log = away.site.m2.ok(&["audit", "--json"]).json();
    let said =
        log["entries"].as_array().unwrap().iter().find(|one| one["action"] == "gate.same" && one["outcome"] == "done");
    assert_eq!(said.map(|one| &one["reason"]), Some(&"prova".into()), "{log}");
}

#[test]
fn members_with_one_disk_both_serve_with_what_came_to_one() {
    let site = Site::new();
    serve(&site.client);
    site.client.ok(&["threshold", "set", "failback.stable_s", "0"]);
    let (source, target) = site.declare(&site.m1, "conf");
    fs::write(source.join("a"), "1").unwrap();
    until("it follows", || holds(&target, "a", "1"));
    let ran = press(&site.client, "activate", &ALIVE);
    assert_eq!(ran.code, 0, "{ran:?}");
    fs::write(target.join("made"), "on the DR").unwrap();
    for member in [&site.m1, &site.m2] {
        until("it stands down", || member.status()["state"] == "fenced" && !up(member).exists());
    }
    let ran = press(&site.client, "failback", &["--member", ip(&site.m2)]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(holds(&source, "made", "on the DR"));
    for member in [&site.m1, &site.m2] {
        until("it serves", || member.status()["state"] == "serving" && up(member).exists());
    }
    fs::write(source.join("a"), "2").unwrap();
    until("it follows again", || holds(&target, "a", "2"));
}

#[test]
fn a_member_that_dies_in_the_middle_is_given_up_for_the_other_one_and_does_not_serve_when_it_is_back() {
    let mut away = Away::new();
    fs::write(away.target.join("recording"), crate::machines::noise(2_000_000)).unwrap();
    away.site.client.ok(&["sync", "bandwidth", "set", "1 Mbit/s"]);
    let ran = press(&away.site.client, "failback", &["--member", "m1", "--no-wait"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    until("it takes in", || run_of(&away.site.client)["step"] == "bring");
    lose(&mut away.site.m1);
    until("it is silent", || away.site.client.status()["pair"]["peer"]["machines"][0]["reachable"] == false);
    assert_eq!(run_of(&away.site.client)["state"], "running", "it waits");
    away.site.client.ok(&["run", "abort"]);
    until("it is given up", || run_of(&away.site.client)["state"] == "aborted");
    assert!(up(&away.site.client).exists(), "nobody was cut off");
    away.site.client.ok(&["sync", "bandwidth", "set", "none"]);
    let ran = press(&away.site.client, "failback", &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    away.until_home_on(&away.site.m2);

    boot(&mut away.site.m1, "repaired");
    until("it knows that it is stale", || is_stale(&away.site.m1));
    assert!(!away.site.disk("m1", "conf").join("made").exists());
    away.site.bring_in_line("m2", "m1", "conf");
    until("it is confirmed", || away.site.m1.status()["state"] == "serving");
}

#[test]
fn a_silent_member_that_gives_a_sign_of_life_is_written_beside_neither_at_the_press_nor_before_the_mandate() {
    const RULE: &str = "failback.member_alive";
    let mut away = Away::new();
    lose(&mut away.site.m1);
    let client = &away.site.client;
    until("it is silent", || client.status()["pair"]["peer"]["machines"][0]["reachable"] == false);
    // Its telephone system is up again, and its tvox-dr is not.
    let pbx = TcpListener::bind((ip(&away.site.m1), 0)).unwrap();
    let at = pbx.local_addr().unwrap();
    client.ok(&["isolation", "set", ip(&away.site.m1), "--tcp", &at.port().to_string()]);
    let refused = press(client, "failback", &[]);
    assert_eq!((refused.code, refused.rule()), (3, RULE.to_owned()), "{refused:?}");
    let told = refused.json()["refused"][0].clone();
    assert_eq!(told["subject"], "m1", "{told}");
    drop(pbx);

    fs::write(away.target.join("recording"), crate::machines::noise(2_000_000)).unwrap();
    client.ok(&["sync", "bandwidth", "set", "1 Mbit/s"]);
    let ran = press(client, "failback", &["--no-wait"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    until("it travels", || run_of(client)["step"] == "bring");
    let pbx = TcpListener::bind(at).unwrap();
    client.ok(&["sync", "bandwidth", "set", "none"]);
    until("it is stuck", || run_of(client)["state"] == "stuck");
    let run = run_of(client);
    assert_eq!(run["step"], "mandate", "{run}");
    assert!(run.to_string().contains(RULE), "{run}");
    assert_eq!(client.status()["mandate"]["holder"], "client", "nothing was written");
    drop(pbx);
    let ran = client.run(&["run", "resume", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    away.until_home_on(&away.site.m2);
}

#[test]
fn a_member_that_dies_with_the_mandate_is_passed_by_an_activation_and_puts_nothing_in_place_afterwards() {
    let mut away = Away::new();
    away.lose_m1_while_it_settles("before");
    assert!(holds(&away.target, "made", "on the DR"));
    until("it stands down", || away.site.m2.status()["state"] == "fenced");
    let ran = press(&away.site.client, "failback", &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    away.until_home_on(&away.site.m2);

    away.site.m1.bad_day(None);
    boot(&mut away.site.m1, "repaired");
    until("it knows that it is stale", || is_stale(&away.site.m1));
    assert!(!away.site.disk("m1", "conf").join("made").exists(), "what it was named for is another machine's by now");
}

#[test]
fn what_a_member_had_put_in_its_place_when_it_died_is_not_put_back_beside_one_that_serves() {
    let mut away = Away::new();
    away.lose_m1_while_it_settles("after_do");
    fs::write(away.target.join("later"), "on the DR").unwrap();
    until("it stands down", || away.site.m2.status()["state"] == "fenced");
    let ran = press(&away.site.client, "failback", &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    away.until_home_on(&away.site.m2);

    // As it would be on one disk between the two: what lies there is what the other one serves with.
    let disk = away.site.disk("m1", "conf");
    assert!(holds(&disk, "made", "on the DR"), "it had been put in its place");
    away.site.m1.bad_day(None);
    boot(&mut away.site.m1, "repaired");
    let given_up = |row: &Value| row["action"] == "home.given_up";
    until("its run is over", || {
        let log = away.site.m1.ok(&["audit", "--json"]).json();
        log["entries"].as_array().unwrap().iter().any(given_up)
    });
    assert!(holds(&disk, "made", "on the DR"), "nothing was put back");
    assert!(is_stale(&away.site.m1), "and what is there counts for nothing");
}
