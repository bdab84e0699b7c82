//! A machine is lost for good: whoever is left declares it lost, it never serves again however it comes back, and the one in
//! its place begins with what the pair has.
#![allow(clippy::unwrap_used, reason = "test code")]

mod declared_lost;
#[path = "../machines/mod.rs"]
mod machines;
mod rejoin;

use std::fs;
use std::path::PathBuf;

use machines::{Machine, Pair, Ran, until};
use serde_json::Value;

const ATTEST: &str = "127.0.0.1=Rossi l'ha vista bruciata";

/// A service is up while this file is there.
fn up(machine: &Machine) -> PathBuf {
    machine.dir.with_extension("up")
}

/// How often the service was started.
fn starts(machine: &Machine) -> usize {
    fs::read_to_string(machine.dir.with_extension("starts")).unwrap_or_default().lines().count()
}

fn declare_service(machine: &Machine) {
    let (flag, log) = (up(machine).display().to_string(), machine.dir.with_extension("starts").display().to_string());
    let start = format!("touch {flag} && echo started >> {log}");
    let (stop, check) = (format!("rm -f {flag}"), format!("test -e {flag}"));
    machine.ok(&["service", "add", "pbx", "--start", &start, "--stop", &stop, "--check", &check]);
}

fn retire(machine: &Machine, name: &str) -> Ran {
    let words = ["peer", "retire", "--confirm-name", name, "--reason", "incendio", "--attest", ATTEST, "--json"];
    machine.run(&[&words[..], &["--accept-data-loss"]].concat())
}

fn reachable(machine: &Machine) -> bool {
    machine.status()["pair"]["peer"]["machines"][0]["reachable"] == true
}

fn mandate_of(machine: &Machine) -> Value {
    machine.status()["mandate"].clone()
}

fn because(machine: &Machine) -> Vec<Value> {
    machine.ok(&["gate", "show", "--json"]).json()["because"].as_array().unwrap().clone()
}

fn knows_that_it_is_lost(machine: &Machine) -> bool {
    because(machine).first().is_some_and(|reason| reason == "declared_lost")
}

/// A pair with a service on each side and a tree of one file that has arrived.
struct Site {
    pair: Pair,
    source: PathBuf,
    target: PathBuf,
}

impl Site {
    fn new() -> Self {
        let pair = Pair::new();
        declare_service(&pair.master);
        declare_service(&pair.client);
        let (source, target) = pair.declare("etc", "files");
        fs::write(source.join("a"), "good").unwrap();
        let site = Self { pair, source, target };
        until("it follows", || site.replica("a") == "good");
        until("the service runs", || up(&site.pair.master).exists());
        site
    }

    fn replica(&self, name: &str) -> String {
        fs::read_to_string(self.target.join(name)).unwrap_or_default()
    }

    /// The machine of the Master loses its power.
    fn lose_master(&mut self) {
        self.pair.master.kill();
        let _ = fs::remove_file(up(&self.pair.master));
        until("it is silent", || !reachable(&self.pair.client));
    }

    /// The machine of the Client does, and somebody takes its disk out.
    fn lose_client(&mut self) {
        self.pair.client.kill();
        until("it is silent", || !reachable(&self.pair.master));
        fs::remove_file(&self.target).unwrap();
    }

    /// The DR serves, the Master is lost.
    fn without_master() -> Self {
        let mut site = Self::new();
        site.lose_master();
        let retired = retire(&site.pair.client, "dr1");
        assert_eq!(retired.code, 0, "{retired:?}");
        site
    }

    /// A machine that was just initialised, and knows where the other one is.
    fn fresh(&self, role: &'static str, name: &str) -> Machine {
        let machine = Machine::ready(self.pair.root.path(), role, name);
        machine.ok(&["threshold", "set", "disk.min_free_percent", "0"]);
        let other = if role == "master" { &self.pair.client } else { &self.pair.master };
        machine.ok(&["peer", "set", &format!("127.0.0.1:{}", other.peer)]);
        other.ok(&["peer", "set", &format!("127.0.0.1:{}", machine.peer)]);
        machine
    }
}

#[test]
fn a_master_that_was_declared_lost_stays_down_for_ever_and_is_told_why() {
    let mut site = Site::new();
    assert_eq!(retire(&site.pair.client, "master1").rule(), "confirm_name");
    assert_eq!(retire(&site.pair.client, "dr1").rule(), "isolation.alive", "it answers");
    site.lose_master();
    let refused = site.pair.client.run(&["peer", "retire", "--confirm-name", "dr1", "--reason", "incendio"]);
    assert!(refused.code == 3 && refused.err.contains("isolation.unattested@127.0.0.1"), "{refused:?}");
    assert!(refused.err.contains("data_loss.consent@"), "as for an activation: {refused:?}");
    let retired = retire(&site.pair.client, "dr1");
    assert_eq!(retired.code, 0, "{retired:?}");
    let status = site.pair.client.status();
    assert_eq!((&status["state"], &status["pair"]["associated"]), (&"active".into(), &false.into()));
    assert_eq!(status["mandate"]["retired"][0]["name"], "master1");
    assert_eq!(status["mandate"]["retired"][0]["reason"], "incendio");
    assert_eq!(retire(&site.pair.client, "dr1").rule(), "pair.not_associated", "it is declared once");
    let release = ["deactivate", "--confirm-name", "dr1", "--reason", "prova", "--json", "--discard-dr-data"];
    assert_eq!(site.pair.client.run(&release).rule(), "pair.not_associated", "nobody is there to serve");

    let master = &mut site.pair.master;
    master.boot("after the fire");
    master.start();
    until("it is told", || knows_that_it_is_lost(master));
    assert_eq!(master.status()["state"], "fenced");
    let gate = master.ok(&["gate", "show", "--explain"]).out;
    assert!(gate.contains("incendio") && gate.contains("tvox-dr init"), "{gate}");
    assert_eq!(master.run(&["gate", "check"]).code, 3);
    let take = ["takeover", "--confirm-name", "master1", "--reason", "x", "--attest", ATTEST, "--accept-data-loss"];
    let taken = master.run(&[&take[..], &["--json"]].concat());
    assert_eq!((taken.code, taken.rule()), (3, "pair.retired".to_owned()));
    for verb in ["forget", "token"] {
        assert_eq!(master.run(&["peer", verb, "--json"]).rule(), "pair.retired", "{verb}");
    }
    let again =
        machines::tvox_dr(&["init", "--data", master.dir.to_str().unwrap(), "--role", "master", "--name", "m2"]);
    assert_eq!(again.code, 6, "a node is never made over another one: {again:?}");
    // With nobody to tell it again, and its database lost besides.
    site.pair.client.kill();
    let master = &mut site.pair.master;
    master.kill();
    master.boot("later");
    master.start();
    assert_eq!(master.status()["state"], "fenced");
    assert!(knows_that_it_is_lost(master) && !up(master).exists());
    // The one that is left comes back by itself after a boot: there is nobody to ask.
    let client = &mut site.pair.client;
    let _ = fs::remove_file(up(client));
    client.boot("a power cut");
    client.start();
    until("it serves again", || client.status()["state"] == "active" && up(client).exists());
}

#[test]
fn a_machine_that_was_only_cut_off_stops_when_it_is_found() {
    let mut site = Site::without_master();
    site.pair.client.kill();
    // It serves on: the same boot, and nobody in reach.
    site.pair.master.start();
    until("it serves", || up(&site.pair.master).exists());
    assert_eq!(site.pair.master.status()["state"], "serving");
    site.pair.client.start();
    until("it is told where it is", || knows_that_it_is_lost(&site.pair.master));
    until("it has stopped", || !up(&site.pair.master).exists());
    assert_eq!(site.pair.client.status()["state"], "active");
    assert_eq!(site.pair.client.findings(), Vec::<String>::new(), "whoever is left is as it was");
    let audit = site.pair.master.ok(&["audit", "--json"]).json();
    let told = audit["entries"].as_array().unwrap().iter().any(|entry| entry["action"] == "peer.declared_lost");
    assert!(told, "{audit}");
}

#[test]
fn a_machine_that_was_declared_lost_and_is_needed_again_does_not_tell_itself_that_it_is() {
    let mut site = Site::without_master();
    site.pair.master.start();
    until("it is told", || knows_that_it_is_lost(&site.pair.master));
    until("it has stopped", || !up(&site.pair.master).exists());
    site.pair.master.kill();
    site.pair.client.kill();
    let master = &mut site.pair.master;
    master.ok(&["rescue", "open", "--reason", "the DR burnt down as well"]);
    assert_eq!(on_disk(master), (3, 0), "it is not dead");
    master.start();
    until("it serves", || master.status()["state"] == "serving" && up(master).exists());
    master.ok(&["gate", "set", "--policy", "unverified", "--wait", "3"]);
    // After a boot it tells whoever was declared lost before it asks, and is silent towards itself.
    master.kill();
    fs::remove_file(up(master)).unwrap();
    master.boot("after the second fire");
    master.start();
    until("nobody has said a word", || master.status()["state"] == "unverified" && up(master).exists());
    assert!(!knows_that_it_is_lost(master));
    assert_eq!(on_disk(master), (3, 0));
}

#[test]
fn whoever_boots_after_each_declared_the_other_lost_does_not_displace_the_one_that_serves() {
    let mut site = Site::new();
    site.pair.client.kill();
    until("it is silent", || !reachable(&site.pair.master));
    let retired = retire(&site.pair.master, "master1");
    assert_eq!(retired.code, 0, "{retired:?}");
    site.pair.master.kill();
    site.pair.client.start();
    until("it looked for the Master", || !reachable(&site.pair.client));
    let retired = retire(&site.pair.client, "dr1");
    assert_eq!(retired.code, 0, "{retired:?}");
    let (master, client) = (&mut site.pair.master, &mut site.pair.client);
    until("the DR serves", || client.status()["state"] == "active" && up(client).exists());
    client.kill();
    fs::remove_file(up(client)).unwrap();
    master.start();
    until("the Master serves on", || master.status()["state"] == "serving" && up(master).exists());
    // Of the same epoch the Client has the higher rank; its gate is closed.
    client.boot("when they are in reach again");
    client.start();
    until("it is told before its gate opens", || knows_that_it_is_lost(client));
    assert_eq!((client.status()["state"].clone(), up(client).exists()), ("held".into(), false));
    assert_eq!((master.status()["state"].clone(), up(master).exists()), ("serving".into(), true));
    assert!(!knows_that_it_is_lost(master));
}

#[test]
fn a_client_in_the_place_of_a_lost_one_inherits_the_mandate_and_nobody_hears_of_it_on_the_phone() {
    let mut site = Site::new();
    let began = starts(&site.pair.master);
    site.lose_client();
    let retired = retire(&site.pair.master, "master1");
    assert_eq!(retired.code, 0, "{retired:?}");
    assert_eq!(retired.json()["kind"], "retirement");
    let mandate = mandate_of(&site.pair.master);
    assert_eq!(
        (&mandate["epoch"], &mandate["holder"], &mandate["kind"]),
        (&2.into(), &"master".into(), &"retirement".into())
    );

    let fresh = site.fresh("client", "dr2");
    let mut old = std::mem::replace(&mut site.pair.client, fresh);
    let joined = site.pair.client.run_with(&["peer", "join", "-"], &site.pair.token());
    assert_eq!(joined.code, 0, "{joined:?}");
    assert_eq!(mandate_of(&site.pair.client)["id"], mandate["id"], "it is the same one");
    until("the first copy is complete", || site.replica("a") == "good");
    fs::write(site.source.join("a"), "better").unwrap();
    until("it follows", || site.replica("a") == "better");
    assert_eq!((site.pair.master.status()["state"].clone(), starts(&site.pair.master)), ("serving".into(), began));

    old.start();
    until("the old one is told", || knows_that_it_is_lost(&old));
    assert_eq!(old.status()["state"], "held");
    let generation = old.dataset("etc")["generation"].clone();
    fs::write(site.source.join("a"), "best").unwrap();
    until("it follows", || site.replica("a") == "best");
    assert_eq!(old.dataset("etc")["generation"], generation, "no data for it");
    let join = old.run_with(&["peer", "join", "-", "--json"], &site.pair.token());
    assert_ne!(join.code, 0, "{join:?}");
    assert_eq!((mandate_of(&site.pair.master), site.pair.master.findings()), (mandate, Vec::new()));
}

#[test]
fn a_master_in_the_place_of_a_lost_one_serves_only_with_the_data_of_the_dr() {
    let mut site = Site::without_master();
    fs::write(site.target.join("made-on-the-dr"), "a word").unwrap();
    let fresh = site.fresh("master", "master2");
    let old = std::mem::replace(&mut site.pair.master, fresh);
    declare_service(&site.pair.master);
    until("it serves as long as it is alone", || up(&site.pair.master).exists());
    site.source = site.pair.path("new-disk");
    fs::create_dir_all(&site.source).unwrap();
    let (source, target) = (site.source.to_str().unwrap(), site.target.to_str().unwrap());
    site.pair.master.ok(&["dataset", "add", "etc", "--kind", "files", "--source", source, "--target", target]);
    let joined = site.pair.client.run_with(&["peer", "join", "-"], &site.pair.token());
    assert_eq!(joined.code, 0, "{joined:?}");
    assert_eq!(site.pair.master.status()["state"], "recovering");
    until("it has stopped", || !up(&site.pair.master).exists());
    until("they talk", || reachable(&site.pair.client));
    assert_eq!(because(&site.pair.master), ["recovering"]);
    site.pair.master.kill();
    site.pair.master.boot("another boot");
    site.pair.master.start();
    assert_eq!(site.pair.master.status()["state"], "recovering");
    until("they talk again", || reachable(&site.pair.client));
    assert_eq!((site.replica("a"), site.replica("made-on-the-dr")), ("good".into(), "a word".into()));
    assert_eq!(site.pair.client.status()["state"], "active");
    let release = ["deactivate", "--confirm-name", "dr1", "--reason", "prova", "--json", "--discard-dr-data"];
    assert_eq!(site.pair.client.run(&release).rule(), "peer.recovering", "it would serve empty");
    // A restart forgets nothing of it, whether the new machine is heard or not.
    site.pair.master.kill();
    site.pair.client.kill();
    site.pair.client.start();
    assert_eq!(site.pair.client.run(&release).rule(), "peer.recovering");
    site.pair.master.start();
    until("they talk once more", || reachable(&site.pair.client));

    site.pair.client.ok(&["threshold", "set", "failback.stable_s", "0"]);
    until("it can take the data in", || site.pair.master.status()["services"][0]["observed"] == "down");
    let back = site.pair.client.run(&["failback", "--confirm-name", "dr1", "--reason", "nuova macchina", "--json"]);
    assert_eq!(back.code, 0, "{back:?}");
    until("it serves", || site.pair.master.status()["state"] == "serving" && up(&site.pair.master).exists());
    assert_eq!(fs::read_to_string(site.source.join("made-on-the-dr")).unwrap(), "a word");
    fs::write(site.source.join("a"), "of the new Master").unwrap();
    until("the sync goes on from there", || site.replica("a") == "of the new Master");
    assert_eq!(site.pair.client.status()["state"], "standby");

    // The one that was lost finds a pair that goes on without it, and is named by a mandate that is not for it.
    let mut old = old;
    old.boot("months later");
    old.start();
    until("it is told", || knows_that_it_is_lost(&old));
    assert_eq!((old.status()["state"].clone(), up(&old).exists()), ("fenced".into(), false));
    until("somebody is told that it is back", || is_alarmed(&site.pair.client) && is_alarmed(&site.pair.master));
    old.kill();
    until("it is gone again", || !is_alarmed(&site.pair.client) && !is_alarmed(&site.pair.master));
}

/// Whether it is open that a machine which was declared lost is back.
fn is_alarmed(machine: &Machine) -> bool {
    let open = machine.ok(&["alarm", "list", "--json"]).json()["alarms"].clone();
    open.as_array().unwrap().iter().any(|alarm| alarm["code"] == "dr.lost.returned")
}

/// The number of the mandate on a machine's disk, and how many machines it declares lost.
fn on_disk(machine: &Machine) -> (u64, usize) {
    let text = fs::read_to_string(machine.dir.join("mandate.a")).unwrap();
    let record: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    let mandate = &record["mandate"];
    (mandate["epoch"].as_u64().unwrap(), mandate["retired"].as_array().unwrap().len())
}

#[test]
fn a_retirement_that_is_cut_off_anywhere_is_whole_or_not_there() {
    let mut site = Site::new();
    site.lose_master();
    let client = &mut site.pair.client;
    let dies_at = |client: &mut Machine, place: &str, press: bool| {
        client.kill();
        client.bad_day(Some(format!("kill:{place}")));
        client.spawn();
        if press {
            until("the node answers", || client.run(&["status"]).code == 0);
            until("it looked for the Master", || !reachable(client));
            retire(client, "dr1");
        }
        until(&format!("it dies at {place}"), || client.died_of_it());
        on_disk(client)
    };
    assert_eq!(dies_at(client, "mandate:before", true), (1, 0));
    client.kill();
    client.bad_day(None);
    client.start();
    // The word for the machine went with the process.
    let state = |client: &Machine| client.ok(&["run", "show", "--json"]).json()["state"].clone();
    until("it is stuck", || state(client) == "stuck");
    assert_eq!((on_disk(client), client.status()["pair"]["associated"].clone()), ((1, 0), true.into()));
    client.ok(&["run", "abort"]);
    assert_eq!(dies_at(client, "mandate:after_do", true), (2, 1));
    for place in ["mandate:after_event", "freeze:before", "freeze:after_do", "start:pbx:after_do"] {
        assert_eq!(dies_at(client, place, false), (2, 1), "{place}");
    }
    client.kill();
    client.bad_day(None);
    client.start();
    until("it comes to its end", || client.status()["state"] == "active" && up(client).exists());
    assert_eq!(on_disk(client), (2, 1), "a mandate is written once");
    assert_eq!(client.status()["pair"]["associated"], false);
    site.pair.master.boot("after the fire");
    site.pair.master.start();
    until("the Master is told", || knows_that_it_is_lost(&site.pair.master));
    assert!(!up(&site.pair.master).exists());
}
