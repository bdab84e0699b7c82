//! A live SQLite database as one consistent file: read transaction, one-step online backup, check.
//! It refuses to copy the file itself, to roll back somebody's journal, and to pass on what SQLite calls damaged.
//!
//! The backup writes the same bytes as long as nothing was written to the source: every copy goes to a fresh file, and
//! SQLite sets the copy's own counters from there (<https://www.sqlite.org/c3ref/backup_finish.html>).

use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::{Error, ErrorKind, Result};
use crate::reading::SQLITE_HEADER;

/// How often, and how soon after each other, we knock at a locked database: at least ten seconds in all.
const KNOCKS: i32 = 5000;
const BETWEEN_KNOCKS: rustix::thread::Timespec = rustix::thread::Timespec { tv_sec: 0, tv_nsec: 2_000_000 };

/// SQLite's own handler knocks ten times a second, and starves beside a writer that commits without a pause and leaves
/// the lock for a millisecond. A file lock gives no event to wait for.
fn knock_again(knocks: i32) -> bool {
    let _ = rustix::thread::nanosleep(&BETWEEN_KNOCKS);
    knocks < KNOCKS
}

/// Copies the database at `source` to the fresh file `copy` and checks the copy.
pub(crate) fn backup(source: &Path, copy: &Path) -> Result<()> {
    recognise(source)?;
    let from = open_live(source)?;
    let read = |e| fault("cannot read the database", source, e);
    // The transaction pins one state: under WAL writers go on, under a rollback journal they wait for this one step.
    from.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;").map_err(read)?;
    let write = |e| fault("cannot write the copy of the database", copy, e);
    let mut to = Connection::open(copy).map_err(write)?;
    to.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF;").map_err(write)?;
    {
        let pass = Backup::new(&from, &mut to).map_err(|e| fault("cannot start the backup", source, e))?;
        match pass.step(-1).map_err(|e| fault("cannot back up the database", source, e))? {
            StepResult::Done => {}
            _ => return Err(Error::new(ErrorKind::DatabaseBusy, "the database stayed locked").at(source)),
        }
    }
    to.close().map_err(|(_, e)| write(e))?;
    let _ = from.execute_batch("COMMIT;");
    quick_check(copy).map_err(|e| e.at(source))
}

/// Opens a database that others may be writing to, for reading.
pub(crate) fn open_live(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let trouble = |e| fault("cannot open the database", path, e);
    let db = Connection::open_with_flags(uri(path, ""), flags).map_err(trouble)?;
    db.busy_handler(Some(knock_again)).map_err(trouble)?;
    Ok(db)
}

/// Refuses what does not begin like a database.
fn recognise(path: &Path) -> Result<()> {
    let mut header = [0u8; 16];
    let mut file = File::open(path).map_err(|e| missing_or_unreadable(path, e))?;
    match file.read_exact(&mut header) {
        Ok(()) if header == *SQLITE_HEADER => Ok(()),
        Err(e) if e.kind() != std::io::ErrorKind::UnexpectedEof => Err(Error::unreadable(path, e)),
        _ => Err(Error::new(ErrorKind::NotADatabase, "this file is not a SQLite database").at(path)),
    }
}

pub(crate) fn missing_or_unreadable(path: &Path, e: std::io::Error) -> Error {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    if matches!(e.kind(), NotFound | NotADirectory) {
        Error::new(ErrorKind::SourceMissing, "the source is missing").at(path).with(e)
    } else {
        Error::unreadable(path, e)
    }
}

/// Asks SQLite whether the database at `path` is whole, without creating anything beside it.
pub(crate) fn quick_check(path: &Path) -> Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let damaged = |e| fault("the database does not pass its check", path, e);
    let db = Connection::open_with_flags(immutable(path), flags).map_err(damaged)?;
    let verdict: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(damaged)?;
    if verdict == "ok" {
        Ok(())
    } else {
        let error = Error::new(ErrorKind::DatabaseCorrupt, "the database does not pass its check");
        Err(error.at(path).with(verdict))
    }
}

/// A `file:` URI that tells SQLite that nobody writes (<https://www.sqlite.org/uri.html>): no lock, no `-shm`.
pub(crate) fn immutable(path: &Path) -> String {
    uri(path, "?immutable=1")
}

fn uri(path: &Path, query: &str) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            b if b.is_ascii_alphanumeric() => uri.push(char::from(*b)),
            b => uri.push_str(&format!("%{b:02X}")),
        }
    }
    uri.push_str(query);
    uri
}

pub(crate) fn fault(attempted: &str, path: &Path, e: rusqlite::Error) -> Error {
    let kind = match e.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => ErrorKind::NotADatabase,
        Some(ErrorCode::DatabaseCorrupt) => ErrorKind::DatabaseCorrupt,
        // Read-only here means: a journal that must be rolled back first, by the owner.
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::ReadOnly) => ErrorKind::DatabaseBusy,
        Some(ErrorCode::DiskFull) => {
            return Error::disk_full(attempted, 0, crate::store::free_bytes_near(path)).at(path).with(e);
        }
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => ErrorKind::SourceUnreadable,
        _ => ErrorKind::Io,
    };
    Error::new(kind, attempted).at(path).with(e)
}
