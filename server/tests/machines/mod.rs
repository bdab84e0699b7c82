//! Real machines for tests: each is a data directory, two free ports and a `tvox-dr serve` process, used through the
//! command line only.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    reason = "test code; each test file uses its own part of it"
)]

use std::collections::BTreeSet;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The binary under test.
pub const TVOX_DR: &str = env!("CARGO_BIN_EXE_tvox-dr");

/// A port that was free a moment ago, that this test was not given before, and that the kernel gives to nobody's
/// connection while its machine is down.
pub fn free_port() -> u16 {
    use std::hash::{BuildHasher as _, RandomState};
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let random = || 10_000 + (RandomState::new().hash_one(0) % 22_000) as u16;
    let mut given = GIVEN.lock().unwrap();
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    std::iter::repeat_with(random).find(|port| is_free(*port) && given.insert(*port)).unwrap()
}

/// Waits until something holds, by looking; says what it waited for when it never does.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "never came to pass: {what}");
        std::thread::yield_now();
        // Looking is not free either: each look starts a process.
        let (lock, wake) = (std::sync::Mutex::new(()), std::sync::Condvar::new());
        let _ = wake.wait_timeout(lock.lock().unwrap(), Duration::from_millis(50));
    }
}

/// How a command line ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// The rule of the first finding.
    pub fn rule(&self) -> String {
        self.json()["refused"][0]["rule"].as_str().unwrap_or_else(|| panic!("no finding: {self:?}")).to_owned()
    }
}

/// Bytes that do not compress.
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..len / 8).flat_map(|_| step().to_le_bytes()).collect()
}

/// Runs the binary without any node.
pub fn tvox_dr(args: &[&str]) -> Ran {
    Ran::of(&Command::new(TVOX_DR).args(args).stdin(Stdio::null()).output().unwrap())
}

/// A supplier of licences.
#[derive(Debug)]
pub struct Supplier {
    key: PathBuf,
}

impl Supplier {
    pub fn new(dir: &Path) -> Self {
        let key = dir.join("supplier");
        if !key.exists() {
            assert_eq!(tvox_dr(&["licence", "keygen", "--out", key.to_str().unwrap()]).code, 0);
        }
        Self { key }
    }

    pub fn public(&self) -> PathBuf {
        self.key.with_extension("pub")
    }

    pub fn licence(&self, out: &Path, module: &str, more: &[&str]) -> PathBuf {
        let mut args =
            vec!["licence", "issue", "--key", self.key.to_str().unwrap(), "--serial", "S1", "--company", "Azienda"];
        args.extend(["--module", module, "--out", out.to_str().unwrap()]);
        args.extend(more);
        let ran = tvox_dr(&args);
        assert_eq!(ran.code, 0, "{ran:?}");
        out.to_owned()
    }
}

/// One machine.
#[derive(Debug)]
pub struct Machine {
    pub dir: PathBuf,
    pub panel: u16,
    pub peer: u16,
    pub role: &'static str,
    pub password: String,
    pub env: Vec<(&'static str, String)>,
    /// What the node is started by, where it does not run in this test's own network.
    pub within: Vec<String>,
    process: Option<Child>,
}

impl Machine {
    /// Initialised and not started.
    pub fn init(root: &Path, role: &'static str, name: &str) -> Self {
        Self::init_in(&root.join(format!("{role}-{name}")), root, role, name)
    }

    pub fn init_in(dir: &Path, root: &Path, role: &'static str, name: &str) -> Self {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self::init_at(dir, root, (role, name), local(free_port()), local(free_port()))
    }

    /// With these two addresses.
    pub fn init_at(
        dir: &Path,
        root: &Path,
        (role, name): (&'static str, &str),
        panel: SocketAddr,
        peer: SocketAddr,
    ) -> Self {
        let (panel_at, peer_at) = (panel.to_string(), peer.to_string());
        let key = Supplier::new(root).public();
        let ran = tvox_dr(&[
            "init",
            "--json",
            "--data",
            dir.to_str().unwrap(),
            "--role",
            role,
            "--name",
            name,
            "--panel",
            &panel_at,
            "--peer",
            &peer_at,
            "--insecure-http",
            "--licence-key",
            key.to_str().unwrap(),
        ]);
        assert_eq!(ran.code, 0, "{ran:?}");
        let password = ran.json()["password"].as_str().unwrap().to_owned();
        Self {
            dir: dir.to_owned(),
            panel: panel.port(),
            peer: peer.port(),
            role,
            password,
            env: Vec::new(),
            within: Vec::new(),
            process: None,
        }
    }

    /// A second machine with all that this one has on its disk, at addresses of its own. Not started.
    pub fn copied(&self, dir: &Path) -> Self {
        // Of a machine that runs a file may be gone before it is copied.
        until("it is copied whole", || {
            let _ = fs::remove_dir_all(dir);
            Command::new("cp").arg("-a").args([&self.dir, dir]).status().unwrap().success()
        });
        let (panel, peer) = (free_port(), free_port());
        let file = dir.join("tvox-dr.toml");
        let text = fs::read_to_string(&file).unwrap();
        let moved = [(self.panel, panel), (self.peer, peer)]
            .iter()
            .fold(text, |text, (from, to)| text.replace(&format!(":{from}\""), &format!(":{to}\"")));
        fs::write(&file, moved).unwrap();
        let (password, env, within) = (self.password.clone(), self.env.clone(), self.within.clone());
        Self { dir: dir.to_owned(), panel, peer, role: self.role, password, env, within, process: None }
    }

    /// What speaks against its mandate.
    pub fn findings(&self) -> Vec<String> {
        let found = self.status()["mandate"]["findings"].clone();
        found.as_array().into_iter().flatten().map(|one| one.as_str().unwrap().to_owned()).collect()
    }

    /// The number of the session ticket that it holds.
    pub fn ticket(&self) -> u64 {
        self.session()["held"]["number"].as_u64().unwrap()
    }

    /// The number of the last one that the other machine has shown it.
    pub fn expected_ticket(&self) -> u64 {
        self.session()["expected"]["ticket"]["number"].as_u64().unwrap()
    }

    fn session(&self) -> Value {
        let text = fs::read_to_string(self.dir.join("mandate.a")).unwrap();
        let record: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
        record["session"].clone()
    }

    /// Initialised, started, licensed.
    pub fn ready(root: &Path, role: &'static str, name: &str) -> Self {
        let mut machine = Self::init(root, role, name);
        machine.start();
        machine.license(root);
        machine
    }

    pub fn license(&self, root: &Path) {
        let module = if self.role == "master" { "DISASTER_RECOVERY" } else { "CLIENT_DISASTER_RECOVERY" };
        let file = Supplier::new(root).licence(&self.dir.with_extension("lic"), module, &[]);
        self.ok(&["licence", "load", file.to_str().unwrap()]);
    }

    /// Starts the node and waits until it answers.
    pub fn start(&mut self) {
        self.spawn();
        until("the node answers", || self.run(&["status"]).code == 0);
    }

    /// Starts the node, which may die before it answers.
    pub fn spawn(&mut self) {
        let log = fs::File::options().create(true).append(true).open(self.dir.with_extension("log")).unwrap();
        let words: Vec<&str> = self.within.iter().map(String::as_str).chain([TVOX_DR]).collect();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .args(["serve", "--data"])
            .arg(&self.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.process = Some(command.envs(self.env.iter().map(|(key, value)| (key, value))).spawn().unwrap());
    }

    /// Whether the node has died of its bad day, and of nothing else.
    pub fn died_of_it(&mut self) -> bool {
        use std::os::unix::process::ExitStatusExt as _;
        let aborted = rustix::process::Signal::ABORT.as_raw();
        self.process
            .as_mut()
            .and_then(|process| process.try_wait().unwrap())
            .is_some_and(|end| end.signal() == Some(aborted))
    }

    /// The next start has one bad day of the tests: see the injector of the runs.
    pub fn bad_day(&mut self, what: Option<String>) {
        self.env.retain(|(key, _)| *key != "TVOX_DR_TEST_STEP");
        self.env.extend(what.map(|what| ("TVOX_DR_TEST_STEP", what)));
    }

    /// The next start is another boot of the machine.
    pub fn boot(&mut self, id: &str) {
        self.env.retain(|(key, _)| *key != "TVOX_DR_BOOT_ID");
        self.env.push(("TVOX_DR_BOOT_ID", id.to_owned()));
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// SIGTERM; how long it took to end, and how.
    pub fn stop(&mut self) -> (Duration, Option<i32>) {
        let mut process = self.process.take().unwrap();
        let began = Instant::now();
        let pid = rustix::process::Pid::from_child(&process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let status = process.wait().unwrap();
        (began.elapsed(), status.code())
    }

    pub fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, "")
    }

    pub fn run_with(&self, args: &[&str], stdin: &str) -> Ran {
        use std::io::Write as _;
        let mut child = Command::new(TVOX_DR)
            .args(args)
            .arg("--data")
            .arg(&self.dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        Ran::of(&child.wait_with_output().unwrap())
    }

    /// Runs what must succeed.
    pub fn ok(&self, args: &[&str]) -> Ran {
        let ran = self.run(args);
        assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
        ran
    }

    pub fn status(&self) -> Value {
        self.ok(&["status", "--json"]).json()
    }

    pub fn dataset(&self, name: &str) -> Value {
        let report = self.ok(&["sync", "status", "--json"]).json();
        report["datasets"]
            .as_array()
            .unwrap()
            .iter()
            .find(|dataset| dataset["name"] == name)
            .cloned()
            .unwrap_or_default()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.with_extension("log")).unwrap_or_default()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("---- log of {}\n{}", self.dir.display(), self.log());
        }
    }
}

/// A Master and a Client that know each other.
#[derive(Debug)]
pub struct Pair {
    pub master: Machine,
    pub client: Machine,
    pub root: tempfile::TempDir,
}

impl Pair {
    /// Two licensed machines that know each other's address and nothing more.
    pub fn strangers() -> Self {
        let root = tempfile::tempdir().unwrap();
        let master = Machine::ready(root.path(), "master", "master1");
        let client = Machine::ready(root.path(), "client", "dr1");
        master.ok(&["peer", "set", &format!("127.0.0.1:{}", client.peer)]);
        client.ok(&["peer", "set", &format!("127.0.0.1:{}", master.peer)]);
        // How full the disk is on which the tests run is none of their business.
        for machine in [&master, &client] {
            machine.ok(&["threshold", "set", "disk.min_free_percent", "0"]);
        }
        Self { master, client, root }
    }

    /// Associated, with the Master's data in a place of its own.
    pub fn with_master_in(dir: &Path) -> Self {
        let mut pair = Self::strangers();
        pair.master.kill();
        pair.master = Machine::init_in(dir, pair.root.path(), "master", "master1");
        pair.master.start();
        pair.master.license(pair.root.path());
        pair.master.ok(&["peer", "set", &format!("127.0.0.1:{}", pair.client.peer)]);
        pair.master.ok(&["threshold", "set", "disk.min_free_percent", "0"]);
        pair.client.ok(&["peer", "set", &format!("127.0.0.1:{}", pair.master.peer)]);
        pair.join();
        pair
    }

    /// Associated.
    pub fn new() -> Self {
        let pair = Self::strangers();
        pair.join();
        pair
    }

    fn join(&self) {
        let joined = self.client.run_with(&["peer", "join", "-"], &self.token());
        assert_eq!(joined.code, 0, "{joined:?}");
    }

    pub fn token(&self) -> String {
        self.master.ok(&["peer", "token", "--json"]).json()["token"].as_str().unwrap().to_owned()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Declares `name` with its source at `src/NAME` and its target at `replica/NAME`.
    pub fn declare(&self, name: &str, kind: &str) -> (PathBuf, PathBuf) {
        let (source, target) = (self.path("src").join(name), self.path("replica").join(name));
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        if kind == "files" {
            fs::create_dir_all(&source).unwrap();
        }
        self.master.ok(&[
            "dataset",
            "add",
            name,
            "--kind",
            kind,
            "--source",
            source.to_str().unwrap(),
            "--target",
            target.to_str().unwrap(),
        ]);
        (source, target)
    }

    /// Lets so much through, in kbit/s.
    pub fn limit_to(&self, kbits: u32) {
        self.client.ok(&["sync", "bandwidth", "set", &format!("{kbits} kbit/s")]);
        until("the Master knows the limit", || {
            self.master.ok(&["sync", "bandwidth", "show", "--json"]).json()["now_kbits"] == kbits
        });
    }

    /// Declares a tree of 24 MB: minutes at a low limit.
    pub fn declare_large(&self, name: &str) -> (PathBuf, PathBuf) {
        let source = self.path("src").join(name);
        fs::create_dir_all(&source).unwrap();
        fs::write(source.join("large"), noise(24_000_000)).unwrap();
        self.declare(name, "files")
    }

    /// Whether bytes of it are on their way.
    pub fn has_begun(&self, name: &str) -> bool {
        self.client.dataset(name)["progress"]["bytes_done"].as_u64() > Some(0)
    }

    pub fn until_current(&self, name: &str) {
        until(&format!("{name} is current"), || self.client.dataset(name)["state"] == "current");
    }
}
