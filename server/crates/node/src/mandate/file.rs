//! The two files in which a node keeps what it knows of the mandate, outside of SQLite: `tvox-dr rescue` reads and writes
//! them with neither database nor daemon.
//!
//! Each file is two lines: the SHA-256 of the second, and the record as JSON. They are written one after the other, each
//! durably; whichever is whole and has the larger revision counts.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use contract::mandate::{Mandate, MandateFinding, Tombstone};
use contract::{NodeRole, Timestamp};
use serde::{Deserialize, Serialize};

use super::session::Session;
use crate::cluster::Given;
use crate::data_dir::write_durably;
use crate::identity::sha256;

/// How the gate came to be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Opening {
    /// The other side confirmed it, or there was none yet.
    Verified,
    /// Nobody answered and the policy allows it.
    Unverified,
    /// An operator took the mandate.
    Operator,
}

/// The gate, opened in one boot of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Opened {
    /// The kernel's id of that boot.
    pub boot: String,
    /// When.
    pub at: Timestamp,
    /// How.
    pub how: Opening,
}

/// What this node remembers of the other one: whoever comes back with less was put back to an earlier copy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Remembered {
    /// The newest mandate that it had.
    pub mandate: Option<String>,
    /// The highest generation that it had given (of a Master).
    pub generation: Option<u64>,
    /// Where its panel listens: what still answers there is alive.
    #[serde(default)]
    pub panel: Option<u16>,
    /// It is in the place of a Master that was lost, and had no data yet when it said so last.
    #[serde(default)]
    pub recovering: bool,
}

/// Which of the two machines that a node may talk with a word comes from, or is meant for. A pair of two machines needs
/// only the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Seat {
    /// The other side's machine; of a site of two members, the one that is named first.
    First,
    /// On the Client the other member of the Master site; on a member its sibling.
    Second,
}

impl Seat {
    /// Both.
    pub const ALL: [Self; 2] = [Self::First, Self::Second];

    /// Its place in what is kept for both.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::First => 0,
            Self::Second => 1,
        }
    }
}

/// What a node keeps of the second machine: the same as of the first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Acquaintance {
    /// What it remembers of it.
    pub peer: Remembered,
    /// The one-time secrets of both.
    pub session: Session,
}

/// Everything a node knows of the right to serve.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Record {
    /// Counts the writings.
    pub revision: u64,
    /// Whose record it is.
    pub node: String,
    /// Its name.
    pub name: String,
    /// Its site.
    pub site: NodeRole,
    /// The newest mandate known; `None` before there is a pair, or when it was lost.
    pub mandate: Option<Mandate>,
    /// One that neither descends from it nor the other way round.
    pub rival: Option<Mandate>,
    /// The mandate that this node once had and does not know any more, or the one it stood at when it was found to lack
    /// generations: only a descendant settles it.
    pub set_back: Option<String>,
    /// The mandate under which two machines of one node were found: only a descendant settles it.
    #[serde(default)]
    pub cloned: Option<String>,
    /// Set by a node that was paired and found no record.
    pub missing: bool,
    /// The gate, where it is open.
    pub opened: Option<Opened>,
    /// It has stopped at the other side's request, and starts only when that side says so.
    pub yielded: bool,
    /// An operator has stopped the services and kept the mandate.
    pub suspended: bool,
    /// An operator keeps this machine down, with this reason: only a take opens it again.
    #[serde(default)]
    pub held_by: Option<String>,
    /// The last `tvox-dr rescue open` on this machine: a run that began before it has lost its sense.
    #[serde(default)]
    pub rescued: Option<String>,
    /// The failback by which the DR's content comes to this machine: while it is named here nothing is served, whoever
    /// may, because the source may be between two contents.
    #[serde(default)]
    pub receiving: Option<String>,
    /// The mandate by which what comes in is to be put in its place, while it does: of a site of two the other member may be
    /// named by another one.
    #[serde(default)]
    pub promised: Option<String>,
    /// The mandate whose content stands here, of those that name one.
    #[serde(default)]
    pub settled: Option<String>,
    /// The mandate of the other side that was learnt while this machine still served: both have.
    #[serde(default)]
    pub overlapped: Option<String>,
    /// This very machine was declared lost: it belongs to the pair no more, and only `tvox-dr rescue open` lets it serve.
    #[serde(default)]
    pub declared_lost: Option<Tombstone>,
    /// It joined in the place of a Master that was lost: it has nothing to serve with before it was given that.
    #[serde(default)]
    pub recovering: bool,
    /// Of a site of two: the other member was given content, under this mandate or one before, that this one has not.
    #[serde(default)]
    pub stale: bool,
    /// What the Client had of the lost Master last, until the content that comes from there is in its place.
    #[serde(default)]
    pub past: Vec<Given>,
    /// Of the other node.
    pub peer: Remembered,
    /// The one-time secrets of both, under this mandate.
    #[serde(default)]
    pub session: Session,
    /// The same of the second machine, in a cluster.
    #[serde(default)]
    pub second: Acquaintance,
}

impl Record {
    /// The record of a node that knows nothing yet.
    #[must_use]
    pub fn new(node: &str, name: &str, site: NodeRole) -> Self {
        Self {
            revision: 0,
            node: node.to_owned(),
            name: name.to_owned(),
            site,
            mandate: None,
            rival: None,
            set_back: None,
            cloned: None,
            missing: false,
            opened: None,
            yielded: false,
            suspended: false,
            held_by: None,
            rescued: None,
            receiving: None,
            promised: None,
            settled: None,
            overlapped: None,
            declared_lost: None,
            recovering: false,
            stale: false,
            past: Vec::new(),
            peer: Remembered::default(),
            session: Session::default(),
            second: Acquaintance::default(),
        }
    }

    /// Does something with the record as it is towards one machine: what is remembered, and the one-time secrets, are
    /// that machine's meanwhile.
    pub fn facing<T>(&mut self, seat: Seat, work: impl FnOnce(&mut Self) -> T) -> T {
        self.turn(seat);
        let outcome = work(self);
        self.turn(seat);
        outcome
    }

    /// The record as it is towards one machine.
    #[must_use]
    pub fn towards(mut self, seat: Seat) -> Self {
        self.turn(seat);
        self
    }

    fn turn(&mut self, seat: Seat) {
        if seat == Seat::Second {
            std::mem::swap(&mut self.peer, &mut self.second.peer);
            std::mem::swap(&mut self.session, &mut self.second.session);
        }
    }

    /// A new mandate begins the count of generations and of tickets anew, with every machine.
    pub fn begin_anew(&mut self) {
        for (peer, session) in [(&mut self.peer, &mut self.session), (&mut self.second.peer, &mut self.second.session)]
        {
            peer.generation = None;
            *session = Session::default();
        }
    }

    /// What speaks against it.
    #[must_use]
    pub fn findings(&self) -> Vec<MandateFinding> {
        let found = [
            (self.rival.is_some(), MandateFinding::Fork),
            (self.set_back.is_some(), MandateFinding::SetBack),
            (self.cloned.is_some(), MandateFinding::Cloned),
            (self.missing, MandateFinding::Missing),
        ];
        let set: BTreeSet<_> = found.into_iter().filter(|(is, _)| *is).map(|(_, finding)| finding).collect();
        set.into_iter().collect()
    }

    /// Whether the newest known mandate names this site, and this machine still is one of it.
    #[must_use]
    pub fn is_holder(&self) -> bool {
        self.declared_lost.is_none() && self.mandate.as_ref().is_some_and(|mandate| mandate.holder == self.site)
    }
}

/// The two files.
#[derive(Debug, Clone)]
pub struct Files([PathBuf; 2]);

impl Files {
    /// Names them in a data directory.
    #[must_use]
    pub fn of(root: &Path) -> Self {
        Self([root.join("mandate.a"), root.join("mandate.b")])
    }

    /// The newest whole record; `None` when neither file holds one.
    #[must_use]
    pub fn read(&self) -> Option<Record> {
        self.0.iter().filter_map(|path| read_one(path)).max_by_key(|record| record.revision)
    }

    /// Whether there is any file at all, whole or not.
    #[must_use]
    pub fn exist(&self) -> bool {
        self.0.iter().any(|path| path.exists())
    }

    /// Writes both, durably. One that is written is enough: it is the newest whole record from then on, whatever the
    /// other one holds, and the next writing mends that.
    ///
    /// # Errors
    /// What the disk says of the first one, when it takes neither; both are then as they were.
    pub fn write(&self, record: &Record) -> io::Result<()> {
        let line = serde_json::to_string(record)?;
        let text = format!("{}\n{line}\n", sha256(line.as_bytes()));
        let [first, second] = self.0.each_ref().map(|path| {
            let before = fs::read(path).ok();
            write_durably(path, text.as_bytes(), 0o600).inspect_err(|error| {
                tracing::error!(%error, file = %path.display(), "a mandate file cannot be written");
                // The name may have been exchanged already: what is not durable must not be read, either.
                put_back(path, text.as_bytes(), before.as_deref());
            })
        });
        first.or_else(|error| second.map_err(|_| error))
    }

    /// Whether both hold the same whole record.
    #[must_use]
    pub fn agree(&self) -> bool {
        let [first, second] = self.0.each_ref().map(|path| read_one(path));
        first.is_some() && first == second
    }
}

/// Undoes an exchange of the name of which the disk did not say that it lasts.
fn put_back(path: &Path, tried: &[u8], before: Option<&[u8]>) {
    if fs::read(path).is_ok_and(|now| now == tried) && before != Some(tried) {
        let undone = match before {
            Some(before) => write_durably(path, before, 0o600),
            None => fs::remove_file(path),
        };
        if let Err(error) = undone {
            tracing::error!(%error, file = %path.display(), "a mandate file cannot be put back");
        }
    }
}

fn read_one(path: &Path) -> Option<Record> {
    let text = fs::read_to_string(path).ok()?;
    let (sum, line) = text.split_once('\n')?;
    let line = line.strip_suffix('\n')?;
    let whole = sha256(line.as_bytes()) == sum;
    if !whole {
        tracing::warn!(file = %path.display(), "a mandate file is damaged; the other one counts");
    }
    whole.then(|| serde_json::from_str(line).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(revision: u64) -> Record {
        Record { revision, ..Record::new("n", "dr1", NodeRole::Client) }
    }

    #[test]
    fn one_damaged_file_loses_nothing_and_two_are_never_guessed() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::of(dir.path());
        assert_eq!(files.read(), None);
        files.write(&record(7)).unwrap();
        for file in &files.0 {
            let whole = fs::read(file).unwrap();
            for cut in [0, 1, whole.len() / 2, whole.len() - 1] {
                fs::write(file, &whole[..cut]).unwrap();
                assert_eq!(files.read(), Some(record(7)), "{cut}");
            }
            fs::write(file, &whole).unwrap();
        }
        for file in &files.0 {
            let mut bytes = fs::read(file).unwrap();
            let last = bytes.len() - 3;
            bytes[last] ^= 1;
            fs::write(file, bytes).unwrap();
        }
        assert_eq!(files.read(), None);
        assert!(files.exist());
    }

    #[test]
    fn a_crash_between_the_two_writings_leaves_the_newer_one() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::of(dir.path());
        files.write(&record(1)).unwrap();
        let old = fs::read(&files.0[1]).unwrap();
        files.write(&record(2)).unwrap();
        fs::write(&files.0[1], old).unwrap();
        assert_eq!(files.read(), Some(record(2)));
    }

    #[test]
    fn one_file_that_can_be_written_is_enough_and_none_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::of(dir.path());
        files.write(&record(1)).unwrap();
        assert!(files.agree());
        // What is to be renamed over a file cannot be made where a directory has its name.
        let in_the_way = ["mandate.a.new", "mandate.b.new"].map(|name| dir.path().join(name));
        for (revision, blocked) in [(2, &in_the_way[0]), (3, &in_the_way[1])] {
            fs::create_dir(blocked).unwrap();
            files.write(&record(revision)).unwrap();
            assert_eq!(files.read(), Some(record(revision)));
            assert!(!files.agree());
            fs::remove_dir(blocked).unwrap();
        }
        in_the_way.iter().for_each(|path| fs::create_dir(path).unwrap());
        files.write(&record(4)).unwrap_err();
        assert_eq!(files.read(), Some(record(3)));
        in_the_way.iter().for_each(|path| fs::remove_dir(path).unwrap());
        files.write(&record(4)).unwrap();
        assert!(files.agree());
    }
}
