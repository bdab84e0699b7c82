//! A real BIND on a loopback port, with one zone that takes updates signed with one key.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    reason = "test code; each test file uses its own part of it"
)]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::machines::{free_port, until};

pub const ZONE: &str = "example.org";
pub const RECORD: &str = "pbx.example.org";
pub const KEY: &str = "dr-key";
/// 32 bytes in Base64; a test's key opens nothing.
pub const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
pub const ANOTHER_SECRET: &str = "HxscGxoZGBcWFRQTEhEQDw4NDAsKCQgHBgUEAwIBAAA=";

#[derive(Debug)]
pub struct Bind {
    pub port: u16,
    /// What it is run by, where it does not run in this test's own network.
    within: Vec<String>,
    dir: PathBuf,
    process: Option<Child>,
}

impl Bind {
    pub fn start(root: &Path, value: &str) -> Self {
        Self::start_with_ttl(root, value, 60)
    }

    pub fn start_with_ttl(root: &Path, value: &str, ttl: u32) -> Self {
        Self::start_within(Vec::new(), root, value, ttl)
    }

    /// In another network.
    pub fn start_within(within: Vec<String>, root: &Path, value: &str, ttl: u32) -> Self {
        Self::create(within, root, value, ttl, "").0
    }

    /// With a second server, at `::1`, that the zone names and that takes the zone over from it.
    pub fn start_with_second(root: &Path, value: &str) -> (Self, Second) {
        let (first, port) = Self::create(Vec::new(), root, value, 60, "@ IN NS ns2\nns2 IN AAAA ::1\n");
        (first, Second::start(root, port))
    }

    fn create(within: Vec<String>, root: &Path, value: &str, ttl: u32, more: &str) -> (Self, u16) {
        let port = free_port();
        let dir = root.join(format!("bind-{port}"));
        fs::create_dir_all(&dir).unwrap();
        let zone = format!(
            "$TTL {ttl}\n@ IN SOA ns.{ZONE}. admin.{ZONE}. 1 3600 600 86400 60\n@ IN NS ns.{ZONE}.\n\
             ns IN A 127.0.0.1\npbx IN A {value}\n{more}"
        );
        fs::write(dir.join("zone"), zone).unwrap();
        let at = dir.display();
        let config = format!(
            "options {{ directory \"{at}\"; pid-file \"{at}/named.pid\"; session-keyfile \"{at}/session.key\"; \
             listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no; \
             dnssec-validation no; notify no; }};\ncontrols {{ }};\n\
             key \"{KEY}\" {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};\n\
             zone \"{ZONE}\" {{ type primary; file \"{at}/zone\"; allow-update {{ key \"{KEY}\"; }}; allow-transfer {{ any; }}; }};\n"
        );
        fs::write(dir.join("named.conf"), config).unwrap();
        let mut bind = Self { port, within, dir, process: None };
        bind.start_again();
        (bind, port)
    }

    /// On the same port, with everything that it was told before.
    pub fn start_again(&mut self) {
        self.process = Some(run(self.command(&named()), &self.dir));
        until("BIND answers", || !self.record().is_empty());
    }

    fn command(&self, program: &str) -> Command {
        let words: Vec<&str> = self.within.iter().map(String::as_str).chain([program]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        command
    }

    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// What it answers for the record; empty where it does not.
    pub fn record(&self) -> String {
        dig(self.command("dig"), "127.0.0.1", self.port, "A", RECORD)
    }

    /// Somebody else changes the record.
    pub fn update(&self, from: &str, to: &str) {
        let mut child = Command::new("nsupdate")
            .args(["-v", "-y", &format!("hmac-sha256:{KEY}:{SECRET}")])
            .stdin(Stdio::piped())
            .spawn()
            .expect("nsupdate is there: run 'make setup'");
        let text = format!(
            "server 127.0.0.1 {}\nzone {ZONE}\nupdate delete {RECORD} A {from}\nupdate add {RECORD} 60 A {to}\nsend\n",
            self.port
        );
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(self.record(), to);
    }
}

/// Another server of the zone, which nobody can update: it has what the first one gives it.
#[derive(Debug)]
pub struct Second(Child);

impl Second {
    fn start(root: &Path, port: u16) -> Self {
        let dir = root.join(format!("second-{port}"));
        fs::create_dir_all(&dir).unwrap();
        let at = dir.display();
        let config = format!(
            "options {{ directory \"{at}\"; pid-file \"{at}/named.pid\"; session-keyfile \"{at}/session.key\"; \
             listen-on {{ none; }}; listen-on-v6 port {port} {{ ::1; }}; recursion no; \
             dnssec-validation no; notify no; }};\ncontrols {{ }};\n\
             zone \"{ZONE}\" {{ type secondary; file \"{at}/zone\"; primaries {{ 127.0.0.1 port {port}; }}; }};\n"
        );
        fs::write(dir.join("named.conf"), config).unwrap();
        let second = Self(run(Command::new(named()), &dir));
        until("it has taken the zone over", || dig(Command::new("dig"), "::1", port, "SOA", ZONE).contains("admin"));
        second
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn named() -> String {
    let home = std::env::var("TVOX_DR_BIND")
        .unwrap_or_else(|_| format!("{}/.cache/tvox-dr/bind", std::env::var("HOME").unwrap()));
    format!("{home}/usr/sbin/named")
}

fn run(mut command: Command, dir: &Path) -> Child {
    let log = || fs::File::options().create(true).append(true).open(dir.join("log")).unwrap();
    command.args(["-g", "-n", "1", "-c"]).arg(dir.join("named.conf"));
    command.stdin(Stdio::null()).stdout(log()).stderr(log()).spawn().expect("BIND is there: run 'make setup'")
}

/// What a server answers; empty where it does not.
fn dig(mut command: Command, server: &str, port: u16, kind: &str, name: &str) -> String {
    let (at, port) = (format!("@{server}"), port.to_string());
    let asked = command.args(["+short", "+tcp", "+time=2", "+tries=1", &at, "-p", &port, name, kind]).output();
    let said = String::from_utf8_lossy(&asked.expect("dig is there: run 'make setup'").stdout).trim().to_owned();
    if said.contains(';') { String::new() } else { said }
}

impl Drop for Bind {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("---- log of BIND\n{}", fs::read_to_string(self.dir.join("log")).unwrap_or_default());
        }
    }
}
