//! A Master site of two machines: the site holds the mandate, the node IP is on one of them, and content comes from that.
#![allow(clippy::unwrap_used, reason = "test code")]

mod home;
#[path = "../machines/mod.rs"]
mod machines;
mod replaced;
mod site;

use std::fs;
use std::net::TcpListener;

use machines::{Machine, until};
use serde_json::Value;
use site::{ALIVE, NODE_IP, Site, address, asked, boot, holds, ip, join, lose, press, serve, up};

#[test]
fn the_client_knows_both_members_and_syncs_from_the_one_that_the_node_ip_is_on() {
    let site = Site::new();
    let mandates = [&site.m1, &site.m2, &site.client].map(|machine| machine.status()["mandate"].clone());
    assert_eq!(mandates[0], mandates[1]);
    assert_eq!(mandates[0], mandates[2]);
    until("it hears both", || {
        let machines = site.client.status()["pair"]["peer"]["machines"].clone();
        machines.as_array().unwrap().iter().all(|one| one["reachable"] == true && one["state"] == "serving")
    });
    let status = site.client.status();
    let machines = &status["pair"]["peer"]["machines"];
    assert_eq!((&machines[0]["name"], &machines[1]["name"]), (&"m1".into(), &"m2".into()));
    assert_eq!((&machines[0]["serves"], &machines[1]["serves"]), (&true.into(), &false.into()));
    assert_eq!(status["pair"]["cluster"]["node_ip"], NODE_IP);
    assert_eq!(site.source(), ip(&site.m1));
    let (source, target) = site.declare(&site.m1, "conf");
    fs::write(source.join("a"), "1").unwrap();
    until("it follows", || holds(&target, "a", "1"));
    until("the members know each other", || {
        let cluster = site.m2.ok(&["sibling", "show", "--json"]).json()["cluster"].clone();
        cluster["sibling"]["reachable"] == true && cluster["sibling"]["serves"] == true && cluster["serves"] == false
    });
}

#[test]
fn another_member_goes_on_where_the_first_one_was_and_nothing_is_copied_anew() {
    use std::os::unix::fs::MetadataExt as _;
    let mut site = Site::new();
    let (source, target) = site.declare(&site.m1, "conf");
    fs::write(source.join("large"), vec![7; 1 << 20]).unwrap();
    fs::write(source.join("a"), "1").unwrap();
    until("it follows", || holds(&target, "a", "1") && target.join("large").exists());
    let (inode, generation) =
        (fs::metadata(target.join("large")).unwrap().ino(), site.client.dataset("conf")["generation"].as_u64());
    lose(&mut site.m1);
    site.move_node_ip("m2");
    until("the other one serves", || site.source() == ip(&site.m2));
    fs::write(source.join("a"), "2").unwrap();
    until("it follows the other one", || holds(&target, "a", "2"));
    let now = site.client.dataset("conf");
    assert!(now["generation"].as_u64() > generation, "{now}");
    assert_eq!(fs::metadata(target.join("large")).unwrap().ino(), inode, "what is equal does not travel");
    boot(&mut site.m1, "second");
    until("the first one was confirmed", || site.m1.status()["state"] == "serving");
    site.move_node_ip("m1");
    until("it serves again", || site.source() == ip(&site.m1));
    fs::write(source.join("a"), "3").unwrap();
    until("it follows the first one again", || holds(&target, "a", "3"));
    assert_eq!(fs::metadata(target.join("large")).unwrap().ino(), inode, "nor on the way back");
    for machine in [&site.m1, &site.m2, &site.client] {
        assert_eq!(machine.findings(), [""; 0], "{}", machine.dir.display());
    }
    assert!(site.client.dataset("conf")["last_error"].is_null());
}

#[test]
fn a_member_that_missed_what_the_client_has_is_stale_until_its_sibling_has_told_it() {
    let mut site = Site::new();
    let (source, target) = site.declare(&site.m1, "conf");
    fs::write(source.join("a"), "1").unwrap();
    until("it follows", || holds(&target, "a", "1"));
    lose(&mut site.m2);
    fs::write(source.join("a"), "2").unwrap();
    until("it follows", || holds(&target, "a", "2"));
    lose(&mut site.m1);
    site.move_node_ip("m2");
    boot(&mut site.m2, "second");
    until("it is told that it is stale", || asked(&site.m2).contains(&(ip(&site.client).into(), "stale".into())));
    assert_eq!(site.m2.status()["state"], "held");
    assert!(!up(&site.m2).exists(), "no node IP, no telephones");
    assert!(holds(&target, "a", "2"), "the good copy stays");
    site.m1.start();
    until("its sibling has told it", || site.m2.status()["state"] == "serving");
    fs::write(source.join("a"), "3").unwrap();
    until("it is the source", || holds(&target, "a", "3") && site.source() == ip(&site.m2));
}

#[test]
fn a_member_that_boots_asks_the_client_and_its_sibling_and_the_sibling_alone_opens_nothing() {
    let mut site = Site::new();
    site.m2.ok(&["gate", "set", "--policy", "strict"]);
    site.client.kill();
    lose(&mut site.m2);
    boot(&mut site.m2, "second");
    let said = |who: &Machine, word: &str| (ip(who).to_owned(), word.to_owned());
    until("it has asked both", || asked(&site.m2) == [said(&site.client, "silent"), said(&site.m1, "confirmed")]);
    assert_eq!(site.m2.status()["state"], "held");
    site.client.start();
    until("the Client confirms", || site.m2.status()["state"] == "serving");
    lose(&mut site.m1);
    lose(&mut site.m2);
    boot(&mut site.m2, "third");
    until("the Client confirms it, although its sibling is silent", || site.m2.status()["state"] == "serving");
}

#[test]
fn an_activation_lets_both_members_stand_down_and_a_roll_back_gives_the_service_to_both() {
    let site = Site::new();
    serve(&site.client);
    let (source, target) = site.declare(&site.m1, "conf");
    fs::write(source.join("a"), "1").unwrap();
    until("it follows", || holds(&target, "a", "1"));
    let ran = press(&site.client, "activate", &ALIVE);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(site.client.status()["state"], "active");
    for member in [&site.m1, &site.m2] {
        until("it stands down", || member.status()["state"] == "fenced" && !up(member).exists());
    }
    let ran = press(&site.client, "deactivate", &["--discard-dr-data"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for member in [&site.m1, &site.m2] {
        until("it serves again", || member.status()["state"] == "serving" && up(member).exists());
    }
    fs::write(source.join("a"), "2").unwrap();
    until("it follows again", || holds(&target, "a", "2"));
}

#[test]
fn an_activation_needs_somebodys_word_for_the_member_that_is_silent_and_no_other() {
    let mut site = Site::new();
    serve(&site.client);
    let (source, target) = site.declare(&site.m1, "conf");
    fs::write(source.join("a"), "1").unwrap();
    until("it follows", || holds(&target, "a", "1"));
    lose(&mut site.m1);
    until("it is silent", || site.client.status()["pair"]["peer"]["machines"][0]["reachable"] == false);
    let refused = press(&site.client, "activate", &ALIVE);
    assert_eq!(refused.code, 3, "{refused:?}");
    let findings = refused.json()["refused"].clone();
    let told = |one: &Value| format!("{}@{}", one["rule"].as_str().unwrap(), one["subject"].as_str().unwrap());
    let told: Vec<_> = findings.as_array().unwrap().iter().map(told).collect();
    assert_eq!(told, [format!("isolation.unattested@{}", ip(&site.m1))]);
    let word = format!("{}=Rossi l'ha spenta", ip(&site.m1));
    let ran = press(&site.client, "activate", &[&ALIVE[..], &["--attest", &word]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    until("the one that stood down learns it", || site.m2.status()["state"] == "fenced");
    boot(&mut site.m1, "second");
    until("the one that comes back learns it", || site.m1.status()["state"] == "fenced");
    assert!(!up(&site.m1).exists());
}

#[test]
fn whoever_answers_on_the_node_ip_is_alive_however_silent_both_members_are() {
    let mut site = Site::new();
    let listener = TcpListener::bind((NODE_IP, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    site.client.ok(&["isolation", "set", NODE_IP, "--tcp", &port]);
    lose(&mut site.m1);
    lose(&mut site.m2);
    let alive = || {
        let blocked = site.client.run(&["activate", "--dry-run", "--json"]).json()["blocked"].clone();
        blocked.as_array().unwrap().iter().any(|one| one["rule"] == "isolation.alive" && one["subject"] == NODE_IP)
    };
    until("it is seen", alive);
    drop(listener);
    until("nobody answers any more", || !alive());
}

#[test]
fn two_members_that_both_take_the_service_without_knowing_are_told_so_and_nothing_flows() {
    let mut site = Site::new();
    serve(&site.client);
    let more = ["--override", "data.none=prova"];
    let ran = press(&site.client, "activate", &[&ALIVE[..], &more].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    lose(&mut site.client);
    let word = format!("{}=Rossi l'ha spenta", ip(&site.client));
    let take = ["--attest", word.as_str(), "--accept-data-loss", "--override", "data.none=prova"];
    site.m2.kill();
    until("the DR is silent", || site.m1.status()["pair"]["peer"]["machines"][0]["reachable"] == false);
    let ran = press(&site.m1, "takeover", &take);
    assert_eq!(ran.code, 0, "{ran:?}");
    site.m1.kill();
    site.m2.start();
    let ran = press(&site.m2, "takeover", &take);
    assert_eq!(ran.code, 0, "{ran:?}");
    site.m1.start();
    for member in [&site.m1, &site.m2] {
        until("it knows of the other one's", || member.findings() == ["fork"]);
    }
}

#[test]
fn what_is_no_cluster_is_refused_in_words() {
    let site = Site::strangers();
    let one = site.client.run(&["peer", "set", NODE_IP, "--member", &address(&site.m1)]);
    assert_eq!(one.code, 2, "{one:?}");
    let twice = site.client.run(&["peer", "set", NODE_IP, "--member", "127.0.0.2", "--member", "127.0.0.2:7001"]);
    assert_eq!(twice.code, 2, "{twice:?}");
    let own = site.m1.run(&["sibling", "set", &address(&site.m1), "--node-ip", NODE_IP, "--json"]);
    assert_eq!((own.code, own.rule()), (3, "peer.own_address".to_owned()));
    join(&site.m1, &site.client, "peer");
    let token = site.m2.ok(&["peer", "token", "--json"]).json()["token"].as_str().unwrap().to_owned();
    let early = site.client.run_with(&["peer", "join", "-", "--json"], &token);
    assert_eq!((early.code, early.rule()), (3, "sibling.first".to_owned()), "it belongs to no pair yet");
    join(&site.m1, &site.m2, "sibling");
    join(&site.m2, &site.client, "peer");
    until("the members know each other", || {
        site.m2.ok(&["sibling", "show", "--json"]).json()["cluster"]["sibling"]["serves"] == true
    });
    let (source, target) = (site.root.path().join("src"), site.root.path().join("replica/x"));
    fs::create_dir_all(&source).unwrap();
    let (from, to) = (source.to_str().unwrap(), target.to_str().unwrap());
    let there = site.m2.run(&["dataset", "add", "x", "--kind", "files", "--source", from, "--target", to, "--json"]);
    assert_eq!((there.code, there.rule()), (3, "sibling.serves".to_owned()));
    site.m1.ok(&["sibling", "forget"]);
    assert!(site.m1.status()["pair"]["cluster"].is_null());
}
