//! A pair whose DR serves and whose Master is back, fenced: where every failback begins.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::machines::{Machine, Pair, Ran, until};

const ATTEST: &str = "127.0.0.1=Rossi l'ha spenta e ha staccato il cavo";

/// A pair with a telephone system on each side and a tree of files and a database to replicate.
pub(crate) struct Site {
    pub(crate) pair: Pair,
    /// The tree on the Master, and where the DR shows it.
    pub(crate) conf: (PathBuf, PathBuf),
    /// The database on the Master, and where the DR shows it.
    pub(crate) voice: (PathBuf, PathBuf),
    boots: u32,
}

impl Site {
    /// The Master serves and the copies are complete.
    pub(crate) fn new() -> Self {
        Self::over(Pair::new())
    }

    /// Over a pair that is associated.
    pub(crate) fn over(pair: Pair) -> Self {
        for machine in [&pair.master, &pair.client] {
            let flag = up(machine);
            let (start, stop) = (format!("touch {}", flag.display()), format!("rm -f {}", flag.display()));
            let check = format!("test -e {}", flag.display());
            machine.ok(&["service", "add", "pbx", "--start", &start, "--stop", &stop, "--check", &check]);
        }
        pair.client.ok(&["threshold", "set", "failback.stable_s", "0"]);
        let voice = pair.path("src").join("voice");
        fs::create_dir_all(pair.path("src")).unwrap();
        sql(&voice, "CREATE TABLE account(name TEXT PRIMARY KEY) STRICT; INSERT INTO account VALUES ('rossi')");
        let voice = pair.declare("voice", "sqlite");
        let (source, target) = (pair.path("src").join("conf"), pair.path("replica").join("conf"));
        fs::create_dir_all(source.join("users")).unwrap();
        fs::create_dir_all(source.join("cache")).unwrap();
        fs::write(source.join("users/rossi"), "201").unwrap();
        fs::write(source.join("removed"), "later").unwrap();
        fs::write(source.join("cache/session"), "of the Master alone").unwrap();
        fs::write(source.join("users/core.dump"), "of the Master alone").unwrap();
        let declare = ["dataset", "add", "conf", "--kind", "files", "--exclude", "cache/", "--exclude", "*.dump"];
        let places = ["--source", source.to_str().unwrap(), "--target", target.to_str().unwrap()];
        pair.master.ok(&[&declare[..], &places[..]].concat());
        pair.until_current("conf");
        pair.until_current("voice");
        Self { pair, conf: (source, target), voice, boots: 0 }
    }

    /// The Master died, the DR has taken the service.
    pub(crate) fn taken() -> Self {
        let mut site = Self::new();
        site.lose_master();
        site.take();
        site
    }

    /// The Master died, the DR has taken the service, and the Master is back, fenced.
    pub(crate) fn away() -> Self {
        let mut site = Self::taken();
        site.return_master();
        site
    }

    /// The machine of the Master loses its power.
    pub(crate) fn lose_master(&mut self) {
        self.pair.master.kill();
        let _ = fs::remove_file(up(&self.pair.master));
        let silent = |status: &Value| status["pair"]["peer"]["machines"][0]["reachable"] == false;
        until("the Master is silent", || silent(&self.pair.client.status()));
    }

    pub(crate) fn take(&self) {
        let words =
            ["activate", "--confirm-name", "dr1", "--reason", "prova", "--attest", ATTEST, "--accept-data-loss"];
        self.pair.client.ok(&words);
        assert_eq!(self.pair.client.status()["state"], "active");
    }

    /// It boots, learns that the DR serves, and its services are down.
    pub(crate) fn return_master(&mut self) {
        self.boots += 1;
        self.pair.master.boot(&format!("boot {}", self.boots));
        self.pair.master.start();
        until("the Master is fenced", || self.pair.master.status()["state"] == "fenced");
        until("the DR sees it", || self.pair.client.status()["pair"]["peer"]["machines"][0]["reachable"] == true);
    }

    /// An account is made on the DR: a file and a row; another file goes.
    pub(crate) fn work_on_the_dr(&self) {
        fs::write(self.conf.1.join("users/bianchi"), "202").unwrap();
        fs::write(self.conf.1.join("users/rossi"), "201, moved to the second floor").unwrap();
        fs::remove_file(self.conf.1.join("removed")).unwrap();
        sql(&self.voice.1, "INSERT INTO account VALUES ('bianchi')");
    }

    /// What was made on the DR is on the Master, and what is the Master's alone is still there.
    pub(crate) fn assert_home(&self) {
        let text = |name: &str| fs::read_to_string(self.conf.0.join(name)).unwrap();
        assert_eq!(text("users/bianchi"), "202");
        assert_eq!(text("users/rossi"), "201, moved to the second floor");
        assert!(!self.conf.0.join("removed").exists());
        assert_eq!(text("cache/session"), "of the Master alone");
        assert_eq!(text("users/core.dump"), "of the Master alone");
        assert_eq!(accounts(&self.voice.0), ["bianchi", "rossi"]);
    }

    /// Presses the button and waits for the end.
    pub(crate) fn failback(&self, more: &[&str]) -> Ran {
        let words = ["failback", "--confirm-name", "dr1", "--reason", "riparato", "--json"];
        self.pair.client.run(&[&words[..], more].concat())
    }

    pub(crate) fn until_master_serves(&self) {
        until("the Master serves", || self.pair.master.status()["state"] == "serving");
        until("its services run", || up(&self.pair.master).exists());
    }
}

/// A service is up while this file is there.
pub(crate) fn up(machine: &Machine) -> PathBuf {
    machine.dir.with_extension("up")
}

pub(crate) fn sql(path: &Path, text: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(text).unwrap();
}

pub(crate) fn accounts(path: &Path) -> Vec<String> {
    let db = rusqlite::Connection::open(path).unwrap();
    let mut select = db.prepare("SELECT name FROM account ORDER BY name").unwrap();
    let names = select.query_map([], |row| row.get(0)).unwrap();
    names.map(Result::unwrap).collect()
}

pub(crate) fn last(machine: &Machine) -> Value {
    machine.ok(&["run", "show", "--json"]).json()
}

pub(crate) fn step<'a>(run: &'a Value, id: &str) -> &'a Value {
    run["steps"].as_array().unwrap().iter().find(|step| step["id"] == id).unwrap()
}
