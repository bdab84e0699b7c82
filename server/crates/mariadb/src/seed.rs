//! The beginning of a journal: a dump that is consistent in itself, and the transaction that it was made after.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result, at};
use crate::gtid::Position;
use crate::journal::Journal;
use crate::server::Server;

/// How often a dump is made again that had accounts or databases changed under it.
const TRIES: usize = 5;
/// The lines of a dump that can say where it was made.
const HEAD: usize = 200;

/// Where a seed was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed {
    /// The GTID position that it holds.
    position: String,
    /// The binary log that goes on from there, and its byte.
    pub(crate) file: String,
    pub(crate) offset: u64,
    /// The server's id.
    pub server: u32,
    /// The server's version.
    pub version: String,
    /// Whether the server's own events run.
    pub events: bool,
}

/// A seed that was made and is no part of a journal yet.
#[derive(Debug)]
pub(crate) struct Prepared(PathBuf);

impl Seed {
    pub(crate) fn read(volume: &Path) -> Result<Self> {
        let path = volume.join("seed.json");
        let text = fs::read(&path).map_err(at("read", &path))?;
        serde_json::from_slice(&text)
            .map_err(|error| Error::new(ErrorKind::NoSeed, format_args!("{}: {error}", path.display())))
    }

    pub(crate) fn position(&self) -> Result<Position> {
        self.position.parse().map_err(|error| Error::new(ErrorKind::NoSeed, error))
    }
}

impl Journal {
    /// What the journal began with.
    ///
    /// # Errors
    /// [`ErrorKind::NoSeed`] before there is one.
    pub fn seed(&self) -> Result<Seed> {
        Ok(self.whole()?.seed)
    }

    /// Begins the journal anew with a dump of the server; what went before it is dropped once that is whole. `scratch` is an
    /// empty place of its own on the same file system. `stop` ends it.
    ///
    /// # Errors
    /// [`ErrorKind::Unreachable`] or [`ErrorKind::Unsuited`], and what the server's tools say.
    pub fn begin(&self, server: &Server, scratch: &Path, stop: &(dyn Fn() -> bool + Sync)) -> Result<()> {
        self.adopt(prepare(server, scratch, stop)?)
    }

    fn adopt(&self, prepared: Prepared) -> Result<()> {
        let before = self.volume()?;
        let number = before.as_ref().map_or(1, |volume| volume.number + 1);
        let place = self.dir.join(format!("{number:04}"));
        fs::rename(&prepared.0, &place).map_err(at("write", &place))?;
        if let Some(before) = before {
            fs::remove_dir_all(&before.dir).map_err(at("remove", &before.dir))?;
        }
        Ok(())
    }
}

fn prepare(server: &Server, scratch: &Path, stop: &(dyn Fn() -> bool + Sync)) -> Result<Prepared> {
    for _ in 0..TRIES {
        match fs::remove_dir_all(scratch) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(at("remove", scratch)(error)),
            _ => {}
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(scratch).map_err(at("make", scratch))?;
        let mut look = server.look()?;
        look.check()?;
        if look.position.is_empty() {
            // A log in which nothing stands yet names no transaction that a dump could be made after.
            server.ask("DROP TABLE IF EXISTS mysql.tvox_dr_first_transaction")?;
            look = server.look()?;
        }
        let accounts = server.accounts()?;
        let dump = scratch.join("dump.sql");
        // There is no dump of nothing.
        let made = if look.schemas.is_empty() {
            write(&dump, b"")?;
            Some(server.stands()?)
        } else {
            server.dump(&look.schemas, &dump, stop)?;
            None
        };
        // Who was made or dropped meanwhile may be in the dump, or not.
        if server.accounts()? != accounts || server.look()?.schemas != look.schemas {
            continue;
        }
        let (file, offset, position) = match made {
            Some(made) => made,
            None => place(&dump)?,
        };
        let (server, version, events) = (look.id, look.version, look.events);
        let seed = Seed { position: position.to_string(), file, offset, server, version, events };
        let text = serde_json::to_vec_pretty(&seed).map_err(|error| Error::new(ErrorKind::Io, error))?;
        write(&scratch.join("accounts.sql"), accounts.as_bytes())?;
        write(&scratch.join("seed.json"), &text)?;
        return Ok(Prepared(scratch.to_owned()));
    }
    Err(Error::new(ErrorKind::Unsuited, "accounts or databases change all the time: no dump of them holds together"))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let written = || {
        let mut file = fs::File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    written().map_err(at("write", path))
}

/// Where a dump says that it was made: file, byte and position.
fn place(dump: &Path) -> Result<(String, u64, Position)> {
    let file = fs::File::open(dump).map_err(at("read", dump))?;
    let (mut log, mut position) = (None, None);
    // The log stands in the head of a dump, the position behind everything.
    for (number, line) in BufReader::new(file).split(b'\n').enumerate() {
        let line = line.map_err(at("read", dump))?;
        if line.starts_with(b"-- CHANGE MASTER TO MASTER_LOG_FILE=") && number < HEAD {
            log = between(&line, "MASTER_LOG_FILE='", "'").zip(between(&line, "MASTER_LOG_POS=", ";"));
        } else if line.starts_with(b"-- SET GLOBAL gtid_slave_pos=") {
            position = between(&line, "gtid_slave_pos='", "'");
        }
    }
    let read = || {
        let (file, offset) = log?;
        let position: Position = position?.parse().ok()?;
        Some((file, offset.parse().ok()?, position)).filter(|(_, _, position)| !position.is_empty())
    };
    read().ok_or_else(|| Error::new(ErrorKind::Unsuited, "the dump does not say where in the binary log it was made"))
}

fn between(line: &[u8], before: &str, behind: &str) -> Option<String> {
    let line = std::str::from_utf8(line).ok()?;
    let (_, rest) = line.split_once(before)?;
    rest.split_once(behind).map(|(value, _)| value.to_owned())
}
