//! Real servers of their own: a data directory and a socket in a temporary directory, removed with it.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mariadb::{Error, Fed, Journal, Server, Tail};

/// A place for servers and journals.
pub struct Site {
    dir: tempfile::TempDir,
}

impl Site {
    pub fn new() -> Self {
        // Short: a socket's path has few bytes.
        Self { dir: tempfile::Builder::new().prefix("db").tempdir_in("/tmp").unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A directory that holds a journal, with what the machine `whose` remembers beside it.
    pub fn journal(&self, name: &str, whose: &Machine) -> Journal {
        fs::create_dir_all(self.path(name)).unwrap();
        Journal::new(self.path(name), whose.dir.join("state.json"))
    }

    /// What a journal was at this moment.
    pub fn copy(&self, from: &str, to: &str) {
        let done = Command::new("cp").arg("-a").arg(self.path(from)).arg(self.path(to)).status().unwrap();
        assert!(done.success());
    }
}

/// A machine with a server.
pub struct Machine {
    dir: PathBuf,
    id: u32,
    running: Option<Child>,
}

impl Machine {
    pub fn new(site: &Site, name: &str, id: u32) -> Self {
        let dir = site.path(name);
        fs::create_dir_all(&dir).unwrap();
        fs::create_dir_all(dir.join("tmp")).unwrap();
        let copied = Command::new("cp").arg("-a").arg(template()).arg(dir.join("data")).status().unwrap();
        assert!(copied.success());
        let mut machine = Self { dir, id, running: None };
        machine.start();
        machine
    }

    pub fn start(&mut self) {
        let log = fs::File::create(self.dir.join("log")).unwrap();
        let at = |name: &str| self.dir.join(name).display().to_string();
        let child = Command::new("mariadbd")
            .args(["--no-defaults", "--user=root", "--skip-networking", "--binlog-format=ROW", "--log-slave-updates"])
            .args(["--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=1", "--sync-binlog=1"])
            .arg(format!("--datadir={}", at("data")))
            // A server that starts removes what others have in the same place.
            .arg(format!("--tmpdir={}", at("tmp")))
            .arg(format!("--socket={}", at("sock")))
            .arg(format!("--log-bin={}", at("data/bin")))
            .arg(format!("--server-id={}", self.id))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.running = Some(child);
        let began = Instant::now();
        while !self.answers() {
            let said = || fs::read_to_string(self.dir.join("log")).unwrap_or_default();
            assert!(began.elapsed() < Duration::from_secs(60), "{}", said());
        }
    }

    fn answers(&self) -> bool {
        let mut ping = Command::new("mariadb-admin");
        ping.args(["--no-defaults", "--silent", "ping"]).arg(format!("--socket={}", self.dir.join("sock").display()));
        ping.stderr(Stdio::null()).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.running.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    pub fn server(&self) -> Server {
        Server::at(&self.dir.join("sock"))
    }

    /// Runs statements, and gives what they answer.
    pub fn sql(&self, statements: &str) -> String {
        let done = Command::new("mariadb")
            .arg("--no-defaults")
            .arg(format!("--socket={}", self.dir.join("sock").display()))
            .args(["--batch", "--raw", "--skip-column-names", "--execute", statements])
            .output()
            .unwrap();
        assert!(done.status.success(), "{statements}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim_end().to_owned()
    }

    pub fn record(&self, journal: &Journal) -> Result<Tail, Error> {
        journal.record(&self.server(), &self.dir.join("scratch"), &|| false)
    }

    pub fn feed(&self, journal: &Journal) -> Result<Fed, Error> {
        journal.feed(&self.server(), false, &self.aside(), &|| false)
    }

    pub fn aside(&self) -> PathBuf {
        self.dir.join("aside")
    }

    /// The subscribers that can register here.
    pub fn subscribers(&self) -> String {
        self.sql("SELECT GROUP_CONCAT(name ORDER BY name) FROM pbx.subscriber")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The data directory of a server that was never started, made once for all tests of this version.
fn template() -> PathBuf {
    let version = Command::new("mariadbd").arg("--version").output().unwrap().stdout;
    let version: String = String::from_utf8_lossy(&version).chars().filter(char::is_ascii_alphanumeric).collect();
    let room = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let whole = room.join(format!("mariadb-{version}"));
    if whole.exists() {
        return whole;
    }
    let part = tempfile::Builder::new().prefix("mariadb-part").tempdir_in(room).unwrap();
    let (data, tmp) = (part.path().join("data"), part.path().join("tmp"));
    fs::create_dir(&tmp).unwrap();
    let installed = Command::new("mariadb-install-db")
        .args(["--no-defaults", "--auth-root-authentication-method=socket", "--skip-test-db", "--user=root"])
        .arg(format!("--datadir={}", data.display()))
        .arg(format!("--tmpdir={}", tmp.display()))
        .output()
        .unwrap();
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    // Whoever was quicker has made the same.
    let _ = fs::rename(&data, &whole);
    whole
}

/// A pair: a telephone system with two subscribers here, an empty server there.
pub fn pair(site: &Site) -> (Machine, Machine) {
    let (master, client) = (Machine::new(site, "m", 1), Machine::new(site, "c", 2));
    master.sql(
        "CREATE DATABASE pbx; CREATE TABLE pbx.subscriber (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(20), \
         photo BLOB) ENGINE=InnoDB; INSERT INTO pbx.subscriber (name, photo) VALUES ('anna', x'000a0d1a27'), \
         ('bruno', NULL); CREATE USER pbx@localhost IDENTIFIED BY 'x'; GRANT ALL ON pbx.* TO pbx@localhost; \
         CREATE ROLE desk; GRANT SELECT ON pbx.* TO desk; GRANT desk TO pbx@localhost;",
    );
    (master, client)
}

/// Every file below a directory, with its content.
pub fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.extend(contents(&path));
        } else {
            all.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    all.sort();
    all
}
