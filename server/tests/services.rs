//! Services by command line, with real processes: small daemons of the shell that count how often they were started.

#![allow(clippy::unwrap_used, reason = "test code")]

mod machines;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use machines::{Machine, until};
use serde_json::Value;

/// A daemon of the shell: its pid in a file, its starts counted in another, a journal shared by all of a test.
struct Daemon {
    name: &'static str,
    dir: PathBuf,
}

impl Daemon {
    fn new(root: &Path, name: &'static str) -> Self {
        let dir = root.join("daemons").join(name);
        fs::create_dir_all(&dir).unwrap();
        Self { name, dir }
    }

    fn file(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    /// Its output stays open in its hands: whoever waits for the end of that waits for ever.
    fn start_command(&self) -> String {
        let (dir, journal) = (self.dir.display(), self.journal());
        format!("cd {dir} || exit 1; echo x >> starts; echo +{} >> {journal}; sleep 1000 & echo $! > pid", self.name)
    }

    fn stop_command(&self) -> String {
        format!("echo -{} >> {}; kill $(cat {})", self.name, self.journal(), self.file("pid"))
    }

    fn check_command(&self) -> String {
        // A zombie is not up.
        format!("grep -q '^State:.[SR]' /proc/$(cat {})/status", self.file("pid"))
    }

    fn journal(&self) -> String {
        self.dir.parent().unwrap().join("journal").display().to_string()
    }

    fn declare(&self, machine: &Machine, more: &[&str]) {
        let (start, stop, check) = (self.start_command(), self.stop_command(), self.check_command());
        self.declare_as(machine, [&start, &stop, &check], more);
    }

    fn declare_as(&self, machine: &Machine, [start, stop, check]: [&str; 3], more: &[&str]) {
        let mut args = vec!["service", "add", self.name, "--start", start, "--stop", stop, "--check", check];
        args.extend(more);
        machine.ok(&args);
    }

    fn starts(&self) -> usize {
        fs::read_to_string(self.dir.join("starts")).unwrap_or_default().lines().count()
    }

    fn pid(&self) -> Option<i32> {
        fs::read_to_string(self.dir.join("pid")).ok()?.trim().parse().ok()
    }

    fn runs(&self) -> bool {
        let status = self.pid().and_then(|pid| fs::read_to_string(format!("/proc/{pid}/status")).ok());
        status.is_some_and(|status| status.contains("State:\tS") || status.contains("State:\tR"))
    }

    fn kill(&self) {
        let pid = self.pid().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid.filter(|_| self.runs()) {
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
    }

    /// By hand, as somebody does who does not know of `tvox-dr`.
    fn start_by_hand(&self) {
        let mut by_hand = std::process::Command::new("/bin/sh");
        by_hand.args(["-c", &self.start_command()]).stdout(std::process::Stdio::null());
        assert!(by_hand.stderr(std::process::Stdio::null()).status().unwrap().success());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Without its directory nobody starts it again behind our back.
        let gone = self.dir.with_extension("gone");
        if fs::rename(&self.dir, &gone).is_ok() {
            self.dir = gone;
        }
        self.kill();
    }
}

fn entry(machine: &Machine, name: &str) -> Value {
    let report = machine.ok(&["service", "list", "--json"]).json();
    report["services"].as_array().unwrap().iter().find(|one| one["name"] == name).cloned().unwrap_or_default()
}

fn until_seen(machine: &Machine, name: &str, observed: &str) {
    until(&format!("{name} is seen {observed}"), || entry(machine, name)["status"]["observed"] == observed);
}

fn master() -> (tempfile::TempDir, Machine) {
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::ready(root.path(), "master", "master1");
    (root, machine)
}

#[test]
fn a_declared_service_comes_up_where_the_machine_serves_and_comes_up_again_when_it_dies() {
    let (root, machine) = master();
    let pbx = Daemon::new(root.path(), "pbx");
    pbx.declare(&machine, &[]);
    until_seen(&machine, "pbx", "up");
    let status = machine.status();
    assert_eq!(status["services"][0]["name"], "pbx");
    assert_eq!(status["services"][0]["desired"], "up");
    assert_eq!(status["services"][0]["detail"], Value::Null);
    assert!(pbx.runs());
    pbx.kill();
    until("it runs again", || pbx.runs() && pbx.starts() == 2);
    until_seen(&machine, "pbx", "up");
}

#[test]
fn services_outlive_tvox_dr_and_are_found_again_not_started_twice() {
    let (root, mut machine) = master();
    let pbx = Daemon::new(root.path(), "pbx");
    pbx.declare(&machine, &[]);
    until_seen(&machine, "pbx", "up");
    let pid = pbx.pid();
    let (took, code) = machine.stop();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(pbx.runs());
    machine.start();
    until_seen(&machine, "pbx", "up");
    machine.kill();
    assert!(pbx.runs());
    machine.start();
    until_seen(&machine, "pbx", "up");
    assert_eq!((pbx.starts(), pbx.pid()), (1, pid));
}

#[test]
fn a_service_inherits_nothing_of_tvox_dr() {
    let (root, machine) = master();
    let pbx = Daemon::new(root.path(), "pbx");
    let (seen, env) = (pbx.file("fds"), pbx.file("env"));
    let start = format!("ls -l /proc/$$/fd > {seen}; env > {env}; {}", pbx.start_command());
    pbx.declare_as(&machine, [&start, &pbx.stop_command(), &pbx.check_command()], &[]);
    until_seen(&machine, "pbx", "up");
    let inherited = fs::read_to_string(seen).unwrap();
    assert!(!inherited.contains("socket:") && !inherited.contains(".db"), "{inherited}");
    let env = fs::read_to_string(env).unwrap();
    assert!(env.contains("TVOX_DR_SERVICE=pbx\n") && env.contains("LANG=C.UTF-8\n"), "{env}");
    assert!(!env.contains("CARGO"), "{env}");
    // A group of its own: what is sent to the group of tvox-dr does not reach it.
    let group = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit(')').next().unwrap().split_whitespace().nth(2).unwrap().to_owned()
    };
    assert_ne!(group(pbx.pid().unwrap().cast_unsigned()), group(machine.pid()));
}

#[test]
fn a_start_that_hangs_is_killed_at_its_limit_with_all_its_children_and_told() {
    let (root, machine) = master();
    let pbx = Daemon::new(root.path(), "pbx");
    let start = format!("echo 'waiting for the disk'; sleep 30 & echo $! > {}; wait", pbx.file("pid"));
    pbx.declare_as(&machine, [&start, "true", "false"], &["--timeout", "1"]);
    until("it was tried and killed", || entry(&machine, "pbx")["status"]["detail"].is_string());
    until("its words are told", || {
        let detail = entry(&machine, "pbx")["status"]["detail"].clone();
        let detail = detail.as_str().unwrap_or_default().to_owned();
        detail.contains("start: timeout 1 s: waiting for the disk") && detail.contains("check: exit 1")
    });
    until("its child is dead", || !pbx.runs());
}

#[test]
fn the_check_decides_and_not_the_end_of_the_command() {
    let (root, machine) = master();
    let (liar, honest) = (Daemon::new(root.path(), "liar"), Daemon::new(root.path(), "honest"));
    liar.declare_as(&machine, ["echo all is well", "true", "echo not here; exit 3"], &["--timeout", "1"]);
    let fails = format!("{}; exit 1", honest.start_command());
    honest.declare_as(&machine, [&fails, &honest.stop_command(), &honest.check_command()], &[]);
    until_seen(&machine, "honest", "up");
    assert_eq!(entry(&machine, "honest")["status"]["detail"], Value::Null);
    until("the lie is told", || {
        let status = entry(&machine, "liar")["status"].clone();
        let detail = status["detail"].as_str().unwrap_or_default().to_owned();
        status["observed"] == "down" && detail.contains("all is well") && detail.contains("check: exit 3: not here")
    });
}

#[test]
fn a_check_that_does_not_end_says_nothing() {
    let (root, machine) = master();
    let pbx = Daemon::new(root.path(), "pbx");
    pbx.declare_as(&machine, ["true", "true", "sleep 20"], &["--timeout", "1"]);
    until("the check was given up", || entry(&machine, "pbx")["status"]["checked_at"].is_string());
    assert_eq!(entry(&machine, "pbx")["status"]["observed"], "unknown");
}

/// What was started and stopped while `tvox-dr` came up.
fn journal_of_a_start(machine: &mut Machine, daemons: &[Daemon], observed: &str) -> String {
    fs::remove_file(daemons[0].journal()).unwrap();
    machine.start();
    for daemon in daemons {
        until_seen(machine, daemon.name, observed);
    }
    fs::read_to_string(daemons[0].journal()).unwrap()
}

#[test]
fn services_start_in_order() {
    let (root, mut machine) = master();
    let daemons = ["db", "pbx", "web"].map(|name| Daemon::new(root.path(), name));
    // Declared in another order than started; without a number it comes last.
    daemons[1].declare(&machine, &["--order", "20"]);
    daemons[0].declare(&machine, &["--order", "5"]);
    daemons[2].declare(&machine, &[]);
    for daemon in &daemons {
        until_seen(&machine, daemon.name, "up");
    }
    machine.stop();
    daemons.iter().for_each(Daemon::kill);
    assert_eq!(journal_of_a_start(&mut machine, &daemons, "up"), "+db\n+pbx\n+web\n");
}

#[test]
fn services_stop_in_the_reverse_order() {
    let root = tempfile::tempdir().unwrap();
    let mut machine = Machine::ready(root.path(), "client", "dr1");
    let daemons = ["db", "pbx", "web"].map(|name| Daemon::new(root.path(), name));
    for daemon in &daemons {
        daemon.declare(&machine, &[]);
    }
    machine.stop();
    daemons.iter().for_each(Daemon::start_by_hand);
    assert_eq!(journal_of_a_start(&mut machine, &daemons, "down"), "-web\n-pbx\n-db\n");
    assert!(!daemons.iter().any(Daemon::runs));
}

#[test]
fn one_that_fails_does_not_keep_the_next_one_down() {
    let (root, machine) = master();
    let (db, pbx) = (Daemon::new(root.path(), "db"), Daemon::new(root.path(), "pbx"));
    db.declare_as(&machine, ["exit 1", "true", "false"], &["--timeout", "1"]);
    pbx.declare(&machine, &[]);
    until_seen(&machine, "pbx", "up");
    assert_eq!(entry(&machine, "db")["status"]["observed"], "down");
}

#[test]
fn a_standby_keeps_its_services_down() {
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::ready(root.path(), "client", "dr1");
    let pbx = Daemon::new(root.path(), "pbx");
    pbx.declare(&machine, &[]);
    until_seen(&machine, "pbx", "down");
    assert_eq!((pbx.starts(), entry(&machine, "pbx")["status"]["desired"].as_str()), (0, Some("down")));
    pbx.start_by_hand();
    assert!(pbx.runs());
    until("it is stopped again", || !pbx.runs());
    until_seen(&machine, "pbx", "down");
}

#[test]
fn a_service_that_is_not_as_it_should_be_is_an_alarm() {
    let (root, machine) = master();
    machine.ok(&["threshold", "set", "probe.interval_ms", "200"]);
    let pbx = Daemon::new(root.path(), "pbx");
    pbx.declare_as(&machine, ["echo no space; exit 1", "true", "false"], &["--timeout", "1"]);
    let open = |code: &str| {
        let report = machine.ok(&["alarm", "list", "--json"]).json();
        report["alarms"].as_array().unwrap().iter().find(|alarm| alarm["code"] == code).cloned()
    };
    until("the alarm is raised", || open("dr.service.wrong").is_some());
    let alarm = open("dr.service.wrong").unwrap();
    assert_eq!((&alarm["subject"], &alarm["priority"]), (&"pbx".into(), &5.into()));
    assert!(alarm["text"]["it"].as_str().unwrap().contains("dovrebbe essere attivo, risulta fermo"), "{alarm}");
    // Declared as it is, it comes up.
    pbx.declare(&machine, &[]);
    until("the alarm has ended", || open("dr.service.wrong").is_none());
}

#[test]
fn what_is_wrong_with_a_declaration_is_said_field_by_field_and_nothing_is_kept() {
    let (_root, machine) = master();
    let bad = machine.run(&["service", "add", "PBX 1", "--start", "x", "--timeout", "0", "--order", "x", "--json"]);
    assert_eq!(bad.code, 2, "{bad:?}");
    let report = bad.json();
    let fields: Vec<_> = report["invalid"].as_array().unwrap().iter().map(|one| one["field"].clone()).collect();
    assert_eq!(fields, ["name", "stop", "check", "timeout", "order"]);
    for bad in [
        &["service", "add", "pbx"][..],
        &["service", "add", "pbx", "--unit", "a.service", "--start", "x"],
        &["service", "add", "pbx", "--unit", "../a"],
        &["service", "remove", "pbx"],
    ] {
        assert_eq!(machine.run(bad).code, 2, "{bad:?}");
    }
    assert_eq!(machine.ok(&["service", "list", "--json"]).json()["services"], serde_json::json!([]));
}

#[test]
fn replacing_keeps_the_place_removing_leaves_it_running_and_both_are_in_the_audit_log() {
    let (root, machine) = master();
    let pbx = Daemon::new(root.path(), "pbx");
    pbx.declare(&machine, &["--order", "7"]);
    until_seen(&machine, "pbx", "up");
    pbx.declare(&machine, &["--timeout", "9"]);
    let replaced = entry(&machine, "pbx");
    assert_eq!((&replaced["order"], &replaced["timeout_seconds"]), (&7.into(), &9.into()));
    until_seen(&machine, "pbx", "up");
    let on_disk =
        || -> Value { serde_json::from_slice(&fs::read(machine.dir.join("services.json")).unwrap()).unwrap() };
    assert_eq!(on_disk()["services"][0]["timeout_seconds"], 9);
    machine.ok(&["service", "remove", "pbx"]);
    assert!(pbx.runs());
    assert_eq!(pbx.starts(), 1);
    assert_eq!(on_disk()["services"], serde_json::json!([]));
    let audit = machine.ok(&["audit", "--json"]).json();
    let rows: Vec<_> =
        audit["entries"].as_array().unwrap().iter().filter(|row| row["subject"] == "pbx").cloned().collect();
    let actions: Vec<_> = rows.iter().map(|row| row["action"].as_str().unwrap().to_owned()).collect();
    assert_eq!(actions, ["service.add", "service.add", "service.remove"]);
    assert_eq!(rows[2]["before"]["status"]["observed"], "up");
}

#[test]
fn a_unit_without_systemd_is_said_to_be_one() {
    if Path::new("/run/systemd/system").exists() {
        return;
    }
    let (_root, machine) = master();
    machine.ok(&["service", "add", "pbx", "--unit", "kamailio.service", "--timeout", "1"]);
    until("it is told", || {
        let status = entry(&machine, "pbx")["status"].clone();
        status["observed"] == "unknown" && status["detail"].as_str().unwrap_or_default().contains("no systemd")
    });
}

#[test]
fn a_service_that_takes_its_time_does_not_hold_up_the_node() {
    let (root, mut machine) = master();
    let pbx = Daemon::new(root.path(), "pbx");
    pbx.declare_as(&machine, ["sleep 20", "true", "false"], &["--timeout", "60"]);
    let began = Instant::now();
    machine.ok(&["service", "list"]);
    machine.status();
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(machine.stop().0 < Duration::from_secs(5));
}

#[test]
fn a_start_that_was_under_way_when_tvox_dr_died_is_waited_for_and_not_begun_again() {
    let (root, mut machine) = master();
    let pbx = Daemon::new(root.path(), "pbx");
    let begun = pbx.file("begun");
    let start = format!("echo x >> {begun}; sleep 3; {}", pbx.start_command());
    pbx.declare_as(&machine, [&start, &pbx.stop_command(), &pbx.check_command()], &[]);
    until("the start is under way", || fs::exists(&begun).unwrap());
    machine.kill();
    machine.start();
    until_seen(&machine, "pbx", "up");
    assert_eq!((fs::read_to_string(begun).unwrap().lines().count(), pbx.starts()), (1, 1));
}

#[test]
fn a_start_that_was_left_behind_does_not_come_up_on_a_standby() {
    let root = tempfile::tempdir().unwrap();
    let mut machine = Machine::ready(root.path(), "client", "dr1");
    let pbx = Daemon::new(root.path(), "pbx");
    pbx.declare(&machine, &[]);
    until_seen(&machine, "pbx", "down");
    machine.stop();
    // As if the last one had died in the middle of a start.
    let mut former = std::process::Command::new("/bin/sh");
    former.args(["-c", &format!("sleep 3; {}", pbx.start_command())]);
    let mut former = std::os::unix::process::CommandExt::process_group(&mut former, 0).spawn().unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", former.id())).unwrap();
    let began: u64 = stat.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap().parse().unwrap();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned();
    let note = serde_json::json!({"wanted": "up", "process": {"boot": boot, "pid": former.id(), "began": began}});
    fs::create_dir_all(machine.dir.join("services")).unwrap();
    fs::write(machine.dir.join("services/pbx.running"), note.to_string()).unwrap();
    machine.start();
    until_seen(&machine, "pbx", "down");
    assert!(!former.wait().unwrap().success(), "it was killed");
    assert_eq!(pbx.starts(), 0);
}
