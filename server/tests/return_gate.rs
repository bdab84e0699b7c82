//! The return gate for whoever starts a service outside of `tvox-dr`: asked by the boot, by a hand, by a VRRP daemon, with
//! the node and without it; and what the gate says of itself in plain words.
#![allow(clippy::panic, clippy::unwrap_used, reason = "test code")]

mod machines;
mod procedures;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use machines::{Machine, Pair, Ran, TVOX_DR, until};
use procedures::press;
use serde_json::Value;

/// What systemd does with a drop-in of ours: a condition that fails skips the start, and that is no failure.
const SYSTEMCTL: &str = r#"#!/bin/sh
root=$(dirname "$0"); verb=$1; unit=$2
[ -e "$root/boot" ] && export TVOX_DR_BOOT_ID="$(cat "$root/boot")"
case $verb in
start)
  conditions=$(mktemp)
  sed -n 's/^ExecCondition=+//p' "$root/etc/systemd/system/$unit.d"/*.conf > "$conditions"
  while read -r condition; do
    sh -c "$condition" < /dev/null >> "$root/journal" 2>&1 || { echo skipped >> "$root/starts"; exit 0; }
  done < "$conditions"
  echo started >> "$root/starts"; touch "$root/$unit.up" ;;
stop) rm -f "$root/$unit.up" ;;
is-active) test -e "$root/$unit.up" ;;
esac
"#;

/// A machine's systemd with one unit that asks the gate.
struct Systemd {
    root: PathBuf,
    script: String,
}

impl Systemd {
    fn of(machine: &Machine) -> Self {
        let root = machine.dir.with_extension("system");
        fs::create_dir_all(&root).unwrap();
        let script = root.join("systemctl");
        fs::write(&script, SYSTEMCTL).unwrap();
        let ran = Command::new("chmod").arg("755").arg(&script).status().unwrap();
        assert!(ran.success());
        let systemd = Self { script: script.to_str().unwrap().to_owned(), root };
        machine.ok(&["gate", "install", "pbx", "--root", systemd.root.to_str().unwrap()]);
        let [start, stop, check] = ["start", "stop", "is-active"].map(|verb| systemd.line(verb));
        machine.ok(&["service", "add", "pbx", "--start", &start, "--stop", &stop, "--check", &check]);
        systemd
    }

    fn line(&self, verb: &str) -> String {
        format!("{} {verb} pbx.service", self.script)
    }

    /// Somebody at a terminal, or the boot.
    fn start(&self) -> i32 {
        let ran = Command::new("sh").args(["-c", &self.line("start")]).status().unwrap();
        ran.code().unwrap_or(-1)
    }

    fn is_up(&self) -> bool {
        self.root.join("pbx.service.up").exists()
    }

    fn journal(&self) -> String {
        fs::read_to_string(self.root.join("journal")).unwrap_or_default()
    }

    /// The machine boots: nothing runs, and the kernel has another id.
    fn boot(&self, machine: &mut Machine, id: &str) {
        let _ = fs::remove_file(self.root.join("pbx.service.up"));
        fs::write(self.root.join("boot"), id).unwrap();
        machine.boot(id);
    }
}

/// A command of the machine in the boot in which its node runs.
fn in_boot(machine: &Machine, id: &str, args: &[&str]) -> Ran {
    let mut command = Command::new(TVOX_DR);
    command.args(args).arg("--data").arg(&machine.dir).env("TVOX_DR_BOOT_ID", id);
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
}

fn explained(machine: &Machine) -> Value {
    machine.ok(&["gate", "show", "--explain", "--json"]).json()
}

#[test]
fn a_unit_starts_only_while_the_gate_is_open_whoever_starts_it() {
    let mut pair = Pair::new();
    let systemd = Systemd::of(&pair.master);
    until("the telephones work", || systemd.is_up());
    pair.master.kill();
    fs::remove_file(systemd.root.join("pbx.service.up")).unwrap();
    assert_eq!((systemd.start(), systemd.is_up()), (0, true), "tvox-dr is down and the gate is open in this boot");
    until("it is seen", || pair.client.status()["pair"]["peer"]["machines"][0]["reachable"] == false);
    let passed = ["--override", "data.none=x", "--override", "service.none=x", "--accept-data-loss"];
    let press = ["activate", "--confirm-name", "dr1", "--reason", "x", "--attest", "127.0.0.1=off, said somebody"];
    pair.client.ok(&[&press[..], &passed[..]].concat());
    until("the DR has the mandate", || pair.client.status()["mandate"]["holder"] == "client");
    pair.master.start();
    until("the fence takes it down", || !systemd.is_up());
    assert_eq!((systemd.start(), systemd.is_up()), (0, false), "skipped, and not failed");
    assert!(systemd.journal().contains("refused: closed@master1: The mandate is"), "{}", systemd.journal());
    assert!(systemd.journal().contains("Services are not started by hand here."), "it says what to do");
    pair.master.kill();
    assert_eq!((systemd.start(), systemd.is_up()), (0, false), "the files remember");
    systemd.boot(&mut pair.master, "second");
    assert_eq!((systemd.start(), systemd.is_up()), (0, false));
}

#[test]
fn a_run_starts_and_stops_a_unit_that_asks_and_nobody_else_does_meanwhile() {
    let mut pair = Pair::new();
    let systemd = Systemd::of(&pair.client);
    pair.master.kill();
    let client = &mut pair.client;
    until("the Master is silent", || client.status()["pair"]["peer"]["machines"][0]["reachable"] == false);
    let stuck_at = |client: &mut Machine, verb: &str, id: &str| {
        client.kill();
        client.bad_day(Some(format!("fail:{id}")));
        client.start();
        assert_eq!(press(client, verb, &[]).code, 1, "{id}");
    };
    assert_eq!(press(client, "activate", &["--override", "data.none=x"]).code, 0);
    assert!(systemd.is_up());
    stuck_at(client, "deactivate", "ledger");
    assert_eq!((systemd.start(), systemd.is_up()), (0, false), "it is being given back");
    assert!(systemd.journal().contains("dr1 is giving the service back"), "{}", systemd.journal());
    client.ok(&["run", "abort"]);
    assert!(systemd.is_up(), "a run that is given up brings it back");
    stuck_at(client, "suspend", "stop:pbx");
    fs::remove_file(systemd.root.join("pbx.service.up")).unwrap();
    client.ok(&["run", "abort"]);
    assert!(systemd.is_up(), "and so does a suspension, although it is still written down");
    assert_eq!(press(client, "suspend", &[]).code, 0);
    assert_eq!((systemd.start(), systemd.is_up()), (0, false));
    assert!(systemd.journal().contains("an operator has suspended the services"), "{}", systemd.journal());
    assert_eq!(press(client, "activate", &[]).code, 0);
    assert!(systemd.is_up());
}

#[test]
fn a_unit_that_the_boot_starts_waits_for_the_gate_and_is_started_when_it_opens() {
    let mut pair = Pair::new();
    let systemd = Systemd::of(&pair.master);
    pair.master.ok(&["gate", "set", "--policy", "strict"]);
    until("the telephones work", || systemd.is_up());
    pair.client.kill();
    pair.master.kill();
    systemd.boot(&mut pair.master, "second");
    for _ in 0..10 {
        assert_eq!((systemd.start(), systemd.is_up()), (0, false), "tvox-dr is not there yet: nobody has asked");
    }
    pair.master.start();
    until("it asks", || explained(&pair.master)["explanation"]["asked"][0]["answer"] == "silent");
    assert_eq!((systemd.start(), systemd.is_up()), (0, false));
    assert!(systemd.journal().contains("nobody has confirmed it since the machine was started"));
    pair.client.start();
    until("it was confirmed, and tvox-dr starts it", || systemd.is_up());
}

#[test]
fn a_check_answers_with_its_code_with_the_node_and_without_it() {
    let mut pair = Pair::new();
    let code = |machine: &Machine| machine.run(&["gate", "check"]).code;
    assert_eq!((code(&pair.master), code(&pair.client)), (0, 3));
    // A node that is slow to answer is not waited for: then the files do.
    let mut shown = pair.client.run(&["gate", "check", "--json"]);
    until("the node answers", || {
        shown = pair.client.run(&["gate", "check", "--json"]);
        shown.json()["by"] == "node"
    });
    let (shown, err) = (shown.json(), shown.err);
    assert_eq!((&shown["schema"], &shown["open"], &shown["by"]), (&1.into(), &false.into(), &"node".into()));
    assert_eq!((&shown["gate"]["answer"], &shown["gate"]["because"][0]), (&"closed".into(), &"elsewhere".into()));
    assert!(err.starts_with("refused: closed@dr1: ") && !shown["explanation"]["why"][0]["it"].is_null(), "{err}");
    for machine in [&mut pair.master, &mut pair.client] {
        machine.kill();
    }
    assert_eq!((code(&pair.master), code(&pair.client)), (0, 3), "the same from the files");
    assert_eq!(pair.master.ok(&["gate", "check", "--json"]).json()["by"], "files");
    // What was opened in another boot of the machine opens nothing in this one.
    assert_eq!(in_boot(&pair.master, "another", &["gate", "check"]).code, 3);
    for file in ["mandate.a", "mandate.b"] {
        fs::write(pair.master.dir.join(file), "half a fi").unwrap();
    }
    let lost = pair.master.run(&["gate", "check"]);
    assert_eq!(lost.code, 3, "{lost:?}");
    let nowhere = pair.path("nowhere");
    assert_eq!(machines::tvox_dr(&["gate", "check", "--data", nowhere.to_str().unwrap()]).code, 6);
}

#[test]
fn before_there_is_a_pair_a_master_may_serve_and_a_client_may_not() {
    let root = tempfile::tempdir().unwrap();
    for (role, name, code, why) in [
        ("master", "master1", 0, "there is nobody to ask"),
        ("client", "dr1", 3, "does not serve before it is activated"),
    ] {
        let mut machine = Machine::ready(root.path(), role, name);
        for _ in 0..2 {
            let ran = machine.run(&["gate", "check"]);
            assert_eq!(ran.code, code, "{ran:?}");
            assert!(format!("{}{}", ran.out, ran.err).contains(why), "{ran:?}");
            machine.kill();
        }
    }
}

#[test]
fn who_waits_at_the_gate_goes_on_when_it_opens_and_gives_up_when_told_to() {
    let mut pair = Pair::new();
    assert_eq!(pair.client.run(&["gate", "wait", "--timeout", "1"]).code, 3);
    assert_eq!(pair.master.run(&["gate", "wait"]).code, 0, "it is open");
    pair.master.ok(&["gate", "set", "--policy", "strict"]);
    pair.client.kill();
    pair.master.kill();
    pair.master.boot("second");
    pair.master.start();
    until("it asks", || explained(&pair.master)["explanation"]["asked"][0]["answer"] == "silent");
    let data = pair.master.dir.to_str().unwrap().to_owned();
    let waits = std::thread::spawn(move || machines::tvox_dr(&["gate", "wait", "--data", &data]));
    pair.client.start();
    let ran = waits.join().unwrap();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("open: "), "{ran:?}");
}

#[test]
fn a_drop_in_is_what_systemd_reads_and_is_taken_away_again() {
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::ready(root.path(), "master", "master1");
    let system = root.path().join("a system");
    let at = system.to_str().unwrap();
    let units = system.join("etc/systemd/system");
    let file = |unit: &str| units.join(format!("{unit}.d/tvox-dr-gate.conf"));
    let installed = machine.ok(&["gate", "install", "pbx", "web.service", "--root", at, "--json"]);
    assert_eq!(installed.json()["installed"][0]["unit"], "pbx.service");
    assert!(installed.err.contains("pbx.service is not declared to this node"), "{installed:?}");
    machine.ok(&["service", "add", "pbx", "--unit", "pbx.service"]);
    let again = machine.ok(&["gate", "install", "pbx", "--root", at]);
    assert!(!again.err.contains("not declared"), "{again:?}");
    let text = fs::read_to_string(file("pbx.service")).unwrap();
    let program = fs::canonicalize(TVOX_DR).unwrap();
    let asks =
        format!("=+{} gate check --data {}", program.display(), fs::canonicalize(&machine.dir).unwrap().display());
    assert!(text.contains(&format!("ExecCondition{asks}")) && text.contains(&format!("ExecStartPre{asks}")), "{text}");
    verified_by_systemd(&units);
    let listed = machine.ok(&["gate", "list", "--root", at, "--json"]).json();
    assert_eq!(listed["units"].as_array().unwrap().len(), 2);
    assert_eq!((&listed["units"][0]["unit"], &listed["units"][0]["current"]), (&"pbx.service".into(), &true.into()));
    fs::write(file("web.service"), "[Service]\nExecCondition=+/usr/bin/tvox-dr gate check\n").unwrap();
    assert_eq!(machine.ok(&["gate", "list", "--root", at, "--json"]).json()["units"][1]["current"], false);
    fs::write(units.join("pbx.service.d/own.conf"), "[Service]\n").unwrap();
    machine.ok(&["gate", "remove", "pbx", "web", "--root", at]);
    assert!(!file("pbx.service").exists() && units.join("pbx.service.d/own.conf").exists());
    assert!(!units.join("web.service.d").exists(), "an empty directory goes along");
    assert_eq!(machine.run(&["gate", "remove", "pbx", "--root", at]).code, 2, "it does not ask any more");
    for wrong in ["../pbx", "pbx.socket", "a b", ""] {
        assert_eq!(machine.run(&["gate", "install", "good", wrong, "--root", at]).code, 2, "{wrong}");
    }
    assert!(!file("good.service").exists(), "all of them or none");
    let log = machine.ok(&["audit", "--json"]).json();
    let rows = log["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["action"].as_str().unwrap().starts_with("gate.") && row["outcome"] == "done");
    let rows: Vec<String> = rows.map(|row| format!("{} {}", row["action"], row["subject"]).replace('"', "")).collect();
    let expected =
        ["gate.install pbx.service, web.service", "gate.install pbx.service", "gate.remove pbx.service, web.service"];
    assert_eq!(rows, expected, "who has changed what systemd asks can be read afterwards");
}

#[test]
fn a_drop_in_that_is_written_while_the_node_is_down_is_in_the_audit_log_after_its_next_start() {
    let root = tempfile::tempdir().unwrap();
    let mut machine = Machine::ready(root.path(), "master", "master1");
    machine.kill();
    let at = root.path().join("system").display().to_string();
    machine.ok(&["gate", "install", "pbx", "--root", &at]);
    machine.start();
    let log = machine.ok(&["audit", "--json"]).json();
    let row = log["entries"].as_array().unwrap().iter().find(|row| row["action"] == "gate.install").cloned();
    assert_eq!(row.unwrap()["reason"], "pbx.service");
    assert_eq!(machine.ok(&["audit", "--verify", "--json"]).json()["valid"], true);
}

/// What systemd itself has to say to the drop-in, where it is installed.
fn verified_by_systemd(units: &Path) {
    fs::write(units.join("pbx.service"), "[Unit]\nDescription=PBX\n[Service]\nExecStart=/bin/true\n").unwrap();
    let mut analyze = Command::new("systemd-analyze");
    analyze.args(["verify"]).arg(units.join("pbx.service")).env("SYSTEMD_UNIT_PATH", format!("{}:", units.display()));
    let Ok(output) = analyze.output() else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("tvox-dr-gate.conf"), "{said}");
}

#[test]
fn the_gate_says_in_plain_words_why_it_is_closed_what_is_missing_and_what_to_do() {
    let mut pair = Pair::new();
    let en = |told: &Value, part: &str, at: usize| {
        told["explanation"][part][at]["en"].as_str().unwrap_or_else(|| panic!("no {part}: {told}")).to_owned()
    };
    let standby = explained(&pair.client);
    assert_eq!(
        en(&standby, "why", 0),
        "The mandate is master1's: the services of dr1 stay down, so that never two machines serve at once."
    );
    assert!(en(&standby, "to_do", 0).contains("machine in reserve"));
    assert_eq!(explained(&pair.master)["explanation"]["missing"], serde_json::json!([]));
    pair.master.ok(&["gate", "set", "--policy", "unverified", "--wait", "3600"]);
    pair.client.kill();
    pair.master.kill();
    pair.master.boot("second");
    pair.master.start();
    until("it asks", || explained(&pair.master)["explanation"]["asked"][0]["answer"] == "silent");
    let held = explained(&pair.master);
    assert_eq!(held["because"], serde_json::json!(["not_verified"]));
    let asked = held["explanation"]["asked"][0]["text"]["it"].as_str().unwrap();
    assert_eq!(asked, "non risponde. Silenzio non vuol dire spenta.");
    assert!(en(&held, "missing", 0).contains("master1 resumes the service by itself at "), "{held}");
    assert!(en(&held, "to_do", 1).contains("tvox-dr takeover"));
    pair.master.ok(&["gate", "set", "--policy", "strict"]);
    assert!(en(&explained(&pair.master), "missing", 0).ends_with("master1 does not resume by itself."));
    // The same words without asking for them by name, and for people.
    let words = pair.master.ok(&["gate", "--explain"]).out;
    for part in ["Why:", "Asked:", "Missing:", "To do:", "127.0.0.1 does not answer"] {
        assert!(words.contains(part), "{part}: {words}");
    }
    pair.master.kill();
    pair.master.ok(&["rescue", "fence", "--reason", "smoke in the room"]);
    pair.master.start();
    let fenced = explained(&pair.master);
    assert!(en(&fenced, "why", 0).contains("“smoke in the room”"), "{fenced}");
    assert!(en(&fenced, "missing", 0).contains("no answer is enough"));
}
