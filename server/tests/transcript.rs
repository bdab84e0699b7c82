//! The whole story of a pair, from nothing to the roll back, with real servers: every command with what it said, the
//! states, the mails, the SMS, and both audit logs, compared with the transcript in `golden/transcript.txt`. What differs
//! from one run to the next (ids, times, ports, paths) has a name instead. `UPDATE_GOLDEN=1` writes it anew.
#![allow(clippy::unwrap_used, reason = "test code")]

mod counterparts;
mod machines;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use counterparts::{Kannel, MailServer};
use machines::{Machine, Pair, Ran, until};
use regex::Regex;
use serde_json::Value;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/transcript.txt");
const ATTEST: &str = "127.0.0.1=off and unplugged, seen by Rossi";

struct Transcript {
    text: String,
    root: PathBuf,
    names: Vec<(Regex, &'static str)>,
}

impl Transcript {
    fn new(root: &Path) -> Self {
        let names = [
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
            (r"TVOX-DR-JOIN-1\.[0-9a-f]+\.[A-Za-z0-9_-]+", "TOKEN"),
            (r"\b[0-9a-f]{32,64}\b", "ID"),
            (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
            (r"\b\d+(\.\d+)? s\b", "N s"),
            (r"\b\d+(\.\d+)? seconds\b", "N seconds"),
        ];
        let names = names.map(|(pattern, name)| (Regex::new(pattern).unwrap(), name)).into();
        Self { text: String::new(), root: root.to_owned(), names }
    }

    fn say(&mut self, line: &str) {
        let mut line = line.replace(self.root.to_str().unwrap(), "ROOT");
        for (pattern, name) in &self.names {
            line = pattern.replace_all(&line, *name).into_owned();
        }
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn chapter(&mut self, title: &str) {
        let line = "=".repeat(title.len());
        let _ = write!(self.text, "\n{title}\n{line}\n");
    }

    /// Runs a command and writes down what it said.
    fn run(&mut self, on: &Machine, args: &[&str]) -> Ran {
        self.run_with(on, args, "")
    }

    fn run_with(&mut self, on: &Machine, args: &[&str], stdin: &str) -> Ran {
        let ran = on.run_with(args, stdin);
        let quoted: Vec<String> = args
            .iter()
            .map(|arg| if arg.contains([' ', ';', '\'']) { format!("\"{arg}\"") } else { (*arg).to_owned() })
            .collect();
        self.say(&format!("{}$ tvox-dr {}", name(on), quoted.join(" ")));
        for line in ran.out.lines().chain(ran.err.lines()) {
            self.say(&format!("    {line}"));
        }
        if ran.code != 0 {
            self.say(&format!("    [exit {}]", ran.code));
        }
        ran
    }

    /// Runs a command that must succeed.
    fn ok(&mut self, on: &Machine, args: &[&str]) -> Ran {
        let ran = self.run(on, args);
        assert_eq!(ran.code, 0, "{args:?}: {ran:?}\n{}", self.text);
        ran
    }

    /// How a machine stands, in a few lines.
    fn standing(&mut self, on: &Machine) {
        let status = on.status();
        let mandate = &status["mandate"];
        self.say(&format!(
            "{}: {}, epoch {} held by {} ({}), gate {}, run {}",
            name(on),
            word(&status["state"]),
            mandate["epoch"],
            word(&mandate["holder"]),
            word(&mandate["kind"]),
            word(&status["gate"]["answer"]),
            word(&status["run"]["state"]),
        ));
        for service in status["services"].as_array().unwrap() {
            self.say(&format!(
                "    {} should be {}, is {}",
                word(&service["name"]),
                word(&service["desired"]),
                word(&service["observed"])
            ));
        }
    }

    /// The whole audit log: who, what, on what, why, how it ended.
    fn audit(&mut self, on: &Machine) {
        self.say(&format!("{}: audit log", name(on)));
        for entry in on.ok(&["audit", "--json"]).json()["entries"].as_array().unwrap() {
            let detail: Vec<String> =
                [&entry["reason"], &entry["rule"]].into_iter().filter(|v| !v.is_null()).map(word).collect();
            self.say(
                format!(
                    "    {:<7} {:<16} {:<34} {:<8} {}",
                    word(&entry["actor"]["name"]),
                    word(&entry["action"]),
                    entry["subject"].as_str().unwrap_or("-"),
                    word(&entry["outcome"]),
                    detail.join("; ")
                )
                .trim_end(),
            );
        }
        let verdict = on.ok(&["audit", "--verify", "--json"]).json();
        assert_eq!(verdict["valid"], true);
        self.say("    the chain is whole");
    }
}

fn name(on: &Machine) -> &'static str {
    if on.role == "master" { "master1" } else { "dr1" }
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| if value.is_null() { "-".into() } else { value.to_string() }, str::to_owned)
}

/// A telephone system: it is up while its file is there.
fn declare(transcript: &mut Transcript, machine: &Machine, flag: &Path) {
    let flag = flag.to_str().unwrap();
    let (start, stop, check) = (format!("touch {flag}"), format!("rm -f {flag}"), format!("test -e {flag}"));
    transcript.ok(machine, &["service", "add", "pbx", "--start", &start, "--stop", &stop, "--check", &check]);
}

#[test]
fn from_nothing_to_the_roll_back_everything_is_as_it_was_written_down() {
    let mut pair = Pair::strangers();
    let root = pair.root.path().to_owned();
    let mut t = Transcript::new(&root);
    let (mails, kannel) = (MailServer::up(&root, &[]), Kannel::start(&root));
    let (on_master, on_client) = (pair.path("up-on-master"), pair.path("up-on-client"));

    t.chapter("A pair from nothing");
    let token = pair.token();
    t.run_with(&pair.client, &["peer", "join", "-"], &token);
    let (source, target) = pair.declare("etc", "files");
    fs::write(source.join("extensions.conf"), "exten => 100").unwrap();
    declare(&mut t, &pair.master, &on_master);
    declare(&mut t, &pair.client, &on_client);
    until("the copy is there", || target.join("extensions.conf").exists());
    pair.until_current("etc");
    until("the telephones work", || pair.master.status()["services"][0]["observed"] == "up");
    until("the DR is quiet", || pair.client.status()["services"][0]["observed"] == "down");
    t.standing(&pair.master);
    t.standing(&pair.client);

    t.chapter("Who is told");
    let port = mails.port.to_string();
    let smtp =
        ["smtp", "set", "--server", "127.0.0.1", "--port", &port, "--security", "none", "--from", "dr@example.com"];
    assert_eq!(pair.client.run(&smtp).code, 0);
    let url = kannel.url();
    let sms = ["sms", "account", "add", "kannel", "--url", &url, "--method", "GET", "--secret-stdin"];
    assert_eq!(pair.client.run_with(&sms, Kannel::PASSWORD).code, 0);
    t.ok(&pair.client, &["recipient", "add", "email", "noc@example.com"]);
    t.ok(&pair.client, &["recipient", "add", "sms", "3471234567"]);
    t.ok(&pair.client, &["recipient", "language", "en"]);
    for machine in [&pair.master, &pair.client] {
        machine.ok(&["threshold", "set", "probe.interval_ms", "200"]);
    }
    // What the test machine's own disk made them say before that is not part of the story.
    let at_first = mails.mails().len();

    t.chapter("The Master burns down");
    pair.master.kill();
    fs::remove_file(&on_master).unwrap();
    let said = |what: &str, count: usize| {
        let mails = mails.mails();
        mails.iter().skip(at_first).filter(|mail| mail.header("Subject").contains(what)).count() == count
    };
    until("the mail", || said("The Master master1 does not answer", 1));
    until("the SMS", || kannel.network().contains("The Master master1 does not answer"));

    t.chapter("The operator, at 3 a.m.");
    t.run(&pair.client, &["activate", "--confirm-name", "master1", "--reason", "fire"]);
    t.run(&pair.client, &["activate", "--confirm-name", "dr1", "--reason", "fire"]);
    // The machine dies in the middle, right after the command that starts the telephones.
    pair.client.kill();
    pair.client.env.push(("TVOX_DR_TEST_STEP", "kill:start:pbx:after_do".into()));
    pair.client.start();
    let button = ["activate", "--confirm-name", "dr1", "--reason", "fire", "--attest", ATTEST, "--accept-data-loss"];
    let cut_off = pair.client.run(&button);
    assert_ne!(cut_off.code, 0, "its node died under it: {cut_off:?}");
    pair.client.kill();
    pair.client.env.retain(|(key, _)| *key != "TVOX_DR_TEST_STEP");
    pair.client.start();
    t.say("dr1: killed after the start of pbx, and started again");
    until("it went on by itself", || pair.client.status()["run"]["state"] == "done");
    until("it is up", || pair.client.status()["services"][0]["observed"] == "up");
    t.standing(&pair.client);
    let run = pair.client.ok(&["run", "show", "--json"]).json();
    for step in run["steps"].as_array().unwrap() {
        t.say(&format!("    {:<14} {}", word(&step["id"]), word(&step["state"])));
    }
    assert!(run["rto_seconds"].as_f64().unwrap() > 0.0);
    until("it is told", || said("DR ACTIVE", 1));
    fs::write(target.join("voicemail-0001"), "made on the DR").unwrap();

    t.chapter("The Master comes back");
    pair.master.boot("after the fire");
    pair.master.start();
    until("it learns who serves", || pair.master.status()["state"] == "fenced");
    until("it is quiet", || pair.master.status()["services"][0]["observed"] == "down");
    assert!(!on_master.exists());
    t.standing(&pair.master);
    until("it is told", || said("The Master master1 is fenced", 1));
    until("it answers again", || said("The Master master1 answers again", 1));
    assert_eq!(fs::read_to_string(source.join("extensions.conf")).unwrap(), "exten => 100");

    t.chapter("Home again");
    t.run(&pair.client, &["deactivate", "--confirm-name", "dr1", "--reason", "master repaired"]);
    assert!(on_client.exists(), "a refusal stops nothing");
    let back = ["deactivate", "--confirm-name", "dr1", "--reason", "master repaired", "--discard-dr-data"];
    assert_eq!(pair.client.run(&back).code, 0);
    until("the Master serves", || pair.master.status()["state"] == "serving");
    until("the telephones work", || pair.master.status()["services"][0]["observed"] == "up");
    until("the DR is quiet", || pair.client.status()["services"][0]["observed"] == "down");
    fs::write(source.join("extensions.conf"), "exten => 101").unwrap();
    until("the sync goes on", || {
        fs::read_to_string(target.join("extensions.conf")).is_ok_and(|text| text == "exten => 101")
    });
    assert!(!target.join("voicemail-0001").exists());
    t.standing(&pair.master);
    t.standing(&pair.client);
    let points = pair.client.ok(&["sync", "status", "--json"]).json();
    let kept =
        points["restore_points"].as_array().unwrap().iter().filter(|p| word(&p["id"]).starts_with("dr-")).count();
    t.say(&format!("dr1: keeps {kept} restore point of what was made on the DR"));
    until("it is told", || said("is no longer active", 1) && said("is no longer fenced", 1));

    t.chapter("What they were told");
    let mut subjects: Vec<String> = mails.mails().iter().skip(at_first).map(|mail| mail.header("Subject")).collect();
    subjects.sort();
    subjects.iter().for_each(|subject| t.say(&format!("mail to noc@example.com: {subject}")));
    let told = pair.client.ok(&["alarm", "list", "--all", "--json"]).json();
    let sms = |alarm: &Value| {
        let all = alarm["deliveries"].as_array().unwrap().clone();
        let state = |event: &str| {
            all.iter()
                .find(|one| one["channel"] == "sms" && one["event"] == event)
                .map_or("-".into(), |one| word(&one["state"]))
        };
        format!("{}: raise {}, clear {}", word(&alarm["code"]), state("raise"), state("clear"))
    };
    let mut lines: Vec<String> =
        told["alarms"].as_array().unwrap().iter().filter(|alarm| alarm["code"] != "dr.disk.low").map(sms).collect();
    lines.sort();
    lines.iter().for_each(|line| t.say(&format!("SMS to +393471234567: {line}")));

    t.chapter("What an auditor reads");
    t.audit(&pair.master);
    t.audit(&pair.client);

    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(Path::new(GOLDEN).parent().unwrap()).unwrap();
        fs::write(GOLDEN, &t.text).unwrap();
    }
    let golden = fs::read_to_string(GOLDEN).unwrap_or_default();
    for (number, (now, then)) in t.text.lines().zip(golden.lines()).enumerate() {
        assert_eq!(now, then, "line {} of the transcript\n{}", number + 1, t.text);
    }
    assert_eq!(t.text.lines().count(), golden.lines().count(), "{}", t.text);
}
