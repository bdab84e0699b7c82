//! How a journal lies on a disk, and how it is read.
//!
//! ```text
//! JOURNAL/0001/seed.json                where the dump was made, and by whom
//!              dump.sql  accounts.sql
//!              log/000001-1-bin.000017  the binary log since: number, server, its name there
//! ```
//!
//! Logs only grow, and end with a whole transaction, so that any moment of a journal can be replayed. A new volume comes
//! whole, and the one before it goes afterwards.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::binlog::{Group, Log};
use crate::error::{Error, ErrorKind, Result, at};
use crate::gtid::Position;
use crate::seed::Seed;

/// A journal, and what this machine knows of it beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    pub(crate) dir: PathBuf,
    state: PathBuf,
}

/// What stays on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct State {
    /// How far the server of this machine was when it was fed or recorded last: what it holds then lies in a journal, too.
    pub(crate) known: Option<String>,
    /// Where its binary log lies, and its id.
    pub(crate) log: Option<(PathBuf, u32)>,
}

/// A seed and what follows it.
#[derive(Debug)]
pub(crate) struct Volume {
    pub(crate) dir: PathBuf,
    pub(crate) number: u32,
    pub(crate) seed: Seed,
    pub(crate) logs: Vec<LogName>,
}

/// A log of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogName {
    pub(crate) number: u32,
    pub(crate) server: u32,
    /// What its server calls it.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

/// A place in a volume: the log, and the byte after a transaction. `None`: before the first one.
pub(crate) type Place = Option<(usize, u64)>;

impl LogName {
    fn parse(path: PathBuf) -> Option<Self> {
        let (number, rest) = path.file_name()?.to_str()?.split_once('-')?;
        let (server, name) = rest.split_once('-')?;
        let (number, server, name) = (number.parse().ok()?, server.parse().ok()?, name.to_owned());
        Some(Self { number, server, name, path })
    }
}

impl Journal {
    /// The journal in `dir`; what this machine must remember of its own server is kept in the file `state`.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, state: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), state: state.into() }
    }

    /// How far it goes.
    ///
    /// # Errors
    /// [`ErrorKind::NoSeed`] before there is one.
    pub fn end(&self) -> Result<Position> {
        self.whole()?.end()
    }

    /// Whether a new seed would be read sooner than the log that has gathered since the last one.
    #[must_use]
    pub fn is_long(&self) -> bool {
        /// Bytes of log that are nobody's trouble.
        const SHORT: u64 = 64 << 20;
        /// And what replaying a log costs more than loading a dump of that size.
        const DEARER: u64 = 4;
        self.volume().ok().flatten().is_some_and(|volume| {
            let size = |path: &Path| fs::metadata(path).map_or(0, |meta| meta.len());
            let log: u64 = volume.logs.iter().map(|log| size(&log.path)).sum();
            log > SHORT.max(size(&volume.dir.join("dump.sql")).saturating_mul(DEARER))
        })
    }

    pub(crate) fn whole(&self) -> Result<Volume> {
        self.volume()?.ok_or_else(|| Error::new(ErrorKind::NoSeed, "the journal holds no seed yet"))
    }

    pub(crate) fn volume(&self) -> Result<Option<Volume>> {
        let mut numbers: Vec<u32> = fs::read_dir(&self.dir)
            .map_err(at("read", &self.dir))?
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        numbers.sort_unstable();
        let Some(number) = numbers.pop() else { return Ok(None) };
        let dir = self.dir.join(format!("{number:04}"));
        let seed = Seed::read(&dir)?;
        let mut logs: Vec<LogName> = match fs::read_dir(dir.join("log")) {
            Ok(entries) => entries.flatten().filter_map(|entry| LogName::parse(entry.path())).collect(),
            Err(_) => Vec::new(),
        };
        logs.sort_by_key(|log| log.number);
        // What comes after one that is missing belongs to nothing.
        let whole = logs.iter().zip(1..).take_while(|(log, number)| log.number == *number).count();
        logs.truncate(whole);
        Ok(Some(Volume { dir, number, seed, logs }))
    }

    pub(crate) fn state(&self) -> State {
        fs::read(&self.state).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    /// Written only where it says something new; the old one or the new one survives a crash.
    pub(crate) fn remember(&self, change: impl FnOnce(&mut State)) -> Result<()> {
        let before = self.state();
        let mut state = before.clone();
        change(&mut state);
        if state == before {
            return Ok(());
        }
        let fresh = self.state.with_extension("new");
        let write = || {
            let mut file = fs::File::create(&fresh)?;
            file.write_all(&serde_json::to_vec(&state)?)?;
            file.sync_all()?;
            fs::rename(&fresh, &self.state)
        };
        write().map_err(at("write", &self.state))
    }
}

impl Volume {
    /// Walks over everything since the seed, in order: the log's place in the list, and the transaction.
    pub(crate) fn walk(&self, mut each: impl FnMut(usize, &Group)) -> Result<()> {
        for (at, name) in self.logs.iter().enumerate() {
            let Some(mut log) = Log::open(&name.path)? else { continue };
            if at == 0 && self.is_seeds(name) {
                log.go_to(self.seed.offset, &name.path)?;
            }
            while let Some(group) = log.group(&name.path)? {
                each(at, &group);
            }
        }
        Ok(())
    }

    /// How far it goes: the last log says where it began, and what followed.
    pub(crate) fn end(&self) -> Result<Position> {
        let mut end = self.seed.position()?;
        if let [_, .., last] = &self.logs[..]
            && let Some(mut log) = Log::open(&last.path)?
            && let Some(begins) = log.begins.take()
        {
            end = begins;
            while let Some(group) = log.group(&last.path)? {
                end.advance(group.gtid);
            }
            return Ok(end);
        }
        self.walk(|_, group| end.advance(group.gtid))?;
        Ok(end)
    }

    /// Whether a log is the one in which the seed was made.
    fn is_seeds(&self, log: &LogName) -> bool {
        log.number == 1 && log.server == self.seed.server && log.name == self.seed.file
    }

    /// Where a server stands that is at `position`, and where the journal ends. `None`: it was never there.
    pub(crate) fn find(&self, position: &Position) -> Result<Found> {
        let mut found = Found { at: None, end: None, position: self.seed.position()?, statements: Vec::new(), left: 0 };
        if found.position == *position {
            found.at = Some(None);
        }
        self.walk(|log, group| {
            found.position.advance(group.gtid);
            found.end = Some((log, group.end));
            if found.at.is_some() {
                found.left += 1;
                found.statements.extend(group.statement.clone());
            }
            if found.position == *position {
                found.at = Some(found.end);
                (found.left, found.statements) = (0, Vec::new());
            }
        })?;
        Ok(found)
    }

    /// `mariadb-binlog` of everything between two places, the first of them before the second.
    pub(crate) fn between(&self, from: Place, to: (usize, u64)) -> std::process::Command {
        let mut tool = crate::child::tool("mariadb-binlog");
        // It only reads files, and stumbles over what a client's configuration may hold.
        tool.arg("--no-defaults");
        let first = match from {
            None if self.logs.first().is_some_and(|log| self.is_seeds(log)) => Some((0, self.seed.offset)),
            from => from,
        };
        let first = match first {
            None => 0,
            // Nothing is left in that one.
            Some((log, byte)) if log < to.0 && fs::metadata(&self.logs[log].path).is_ok_and(|m| m.len() <= byte) => {
                log + 1
            }
            Some((log, byte)) => {
                tool.arg(format!("--start-position={byte}"));
                log
            }
        };
        tool.arg(format!("--stop-position={}", to.1));
        tool.args(self.logs[first..=to.0].iter().map(|log| &log.path));
        tool
    }
}

/// Where a position lies in a volume.
#[derive(Debug)]
pub(crate) struct Found {
    /// The place behind it; `None` if the journal was never there.
    pub(crate) at: Option<Place>,
    /// The end; `None` where nothing follows the seed.
    pub(crate) end: Place,
    pub(crate) position: Position,
    /// Statements after it.
    pub(crate) statements: Vec<String>,
    /// Transactions after it.
    pub(crate) left: u64,
}
