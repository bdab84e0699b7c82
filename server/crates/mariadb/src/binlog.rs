//! Where the transactions of a binary log begin and end (mariadb.com/kb/en/replication-protocol, "Event types").
//!
//! Nothing of what a transaction holds is read but the text of a statement, for the eyes of whoever must know what was
//! changed. A log that ends within a transaction ends, for us, before it.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::gtid::{Gtid, Position};

const MAGIC: &[u8; 4] = b"\xfebin";
const HEADER: usize = 19;
const CHECKSUM: usize = 4;
/// Larger events are passed over without a look; nothing that ends a transaction is that large.
const READ_AT_MOST: u32 = 1 << 20;

const QUERY: u8 = 2;
const FORMAT: u8 = 15;
const XID: u8 = 16;
const INCIDENT: u8 = 26;
const XA_PREPARE: u8 = 38;
const GTID: u8 = 162;
const GTID_LIST: u8 = 163;
const START_ENCRYPTION: u8 = 164;
const QUERY_COMPRESSED: u8 = 165;
const STANDALONE: u8 = 1;

/// One whole transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) gtid: Gtid,
    /// Where it begins, in bytes from the beginning of the file.
    pub(crate) start: u64,
    /// The byte after it.
    pub(crate) end: u64,
    /// The statement, where it is one by itself: DDL, accounts.
    pub(crate) statement: Option<String>,
}

/// A log of which the head was read.
#[derive(Debug)]
pub(crate) struct Log {
    file: BufReader<File>,
    at: u64,
    limit: u64,
    checksums: bool,
    /// How far its server was when it began; `None` where that was not written yet.
    pub(crate) begins: Option<Position>,
}

struct Event {
    kind: u8,
    start: u64,
    end: u64,
    body: Vec<u8>,
}

impl Log {
    /// Opens a log and reads its head. `None`: there is no whole head in it yet.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>> {
        let failed = |error: &io::Error| Error::io("read the binary log", path, error);
        let file = File::open(path).map_err(|error| failed(&error))?;
        let limit = file.metadata().map_err(|error| failed(&error))?.len();
        let mut log =
            Self { file: BufReader::with_capacity(1 << 16, file), at: 4, limit, checksums: false, begins: None };
        let mut magic = [0; 4];
        match log.file.read_exact(&mut magic) {
            Ok(()) if magic == *MAGIC => {}
            Ok(()) => return Err(not_a_log(path)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(failed(&error)),
        }
        let Some(format) = log.event(path)? else { return Ok(None) };
        if format.kind != FORMAT {
            return Err(not_a_log(path));
        }
        // The last byte before the checksum says whether there are any.
        log.checksums = format.body.len().checked_sub(CHECKSUM + 1).and_then(|at| format.body.get(at)) == Some(&1);
        let head = log.at;
        match log.event(path)? {
            Some(list) if list.kind == GTID_LIST => log.begins = Some(position(log.payload(&list.body), path)?),
            Some(event) if event.kind == START_ENCRYPTION => {
                let text = format!("the binary log {} is encrypted: it cannot be read here", path.display());
                return Err(Error::new(ErrorKind::Unsuited, text));
            }
            Some(_) => log.go_to(head, path)?,
            None => return Ok(None),
        }
        Ok(Some(log))
    }

    /// Goes on from the beginning of an event.
    pub(crate) fn go_to(&mut self, at: u64, path: &Path) -> Result<()> {
        self.file.seek(SeekFrom::Start(at)).map_err(|error| Error::io("read the binary log", path, &error))?;
        self.at = at;
        Ok(())
    }

    /// The next whole transaction; `None` when none is left.
    pub(crate) fn group(&mut self, path: &Path) -> Result<Option<Group>> {
        let mut begun: Option<(Gtid, u64, bool)> = None;
        while let Some(event) = self.event(path)? {
            let payload = self.payload(&event.body);
            match (event.kind, begun) {
                (GTID, _) => {
                    let (gtid, flags) = gtid(payload, server(&event), path)?;
                    begun = Some((gtid, event.start, flags & STANDALONE != 0));
                }
                (QUERY | QUERY_COMPRESSED | INCIDENT, Some((gtid, start, true))) => {
                    let statement = (event.kind == QUERY).then(|| statement(payload)).flatten();
                    return Ok(Some(Group { gtid, start, end: event.end, statement }));
                }
                (XID | XA_PREPARE, Some((gtid, start, false))) => {
                    return Ok(Some(Group { gtid, start, end: event.end, statement: None }));
                }
                (QUERY, Some((gtid, start, false))) if ends(payload) => {
                    return Ok(Some(Group { gtid, start, end: event.end, statement: None }));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// The next whole event; of a long one only the head.
    fn event(&mut self, path: &Path) -> Result<Option<Event>> {
        let failed = |error: io::Error| Error::io("read the binary log", path, &error);
        let start = self.at;
        if self.limit.saturating_sub(start) < HEADER as u64 {
            return Ok(None);
        }
        let mut header = [0; HEADER];
        self.file.read_exact(&mut header).map_err(failed)?;
        let length = u32::from_le_bytes([header[9], header[10], header[11], header[12]]);
        let end = start + u64::from(length);
        if end > self.limit {
            return Ok(None);
        }
        if (length as usize) < HEADER {
            // What was never written is read as zeros after a crash.
            return if header == [0; HEADER] { Ok(None) } else { Err(not_a_log(path)) };
        }
        let mut body = Vec::new();
        if length <= READ_AT_MOST {
            // The server's id goes before what is the event's own.
            body.extend_from_slice(&header[5..9]);
            let rest = u64::from(length) - HEADER as u64;
            (&mut self.file).take(rest).read_to_end(&mut body).map_err(failed)?;
        } else {
            self.file.seek(SeekFrom::Start(end)).map_err(failed)?;
        }
        self.at = end;
        Ok(Some(Event { kind: header[4], start, end, body }))
    }

    /// What is the event's own: without the server's id before it, and the checksum behind.
    fn payload<'a>(&self, body: &'a [u8]) -> &'a [u8] {
        let behind = if self.checksums { CHECKSUM } else { 0 };
        body.get(4..body.len().saturating_sub(behind)).unwrap_or_default()
    }
}

fn not_a_log(path: &Path) -> Error {
    Error::new(ErrorKind::Unsuited, format_args!("{} is not a binary log that can be read", path.display()))
}

fn server(event: &Event) -> u32 {
    number(&event.body, 0).unwrap_or_default()
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes)
}

fn gtid(payload: &[u8], server: u32, path: &Path) -> Result<(Gtid, u8)> {
    let read = || {
        let (sequence, domain) = (long(payload, 0)?, number(payload, 8)?);
        Some((Gtid { domain, server, sequence }, *payload.get(12)?))
    };
    read().ok_or_else(|| not_a_log(path))
}

/// The transactions that a log begins after, the last of each domain last.
fn position(payload: &[u8], path: &Path) -> Result<Position> {
    let read = || {
        let count = (number(payload, 0)? & 0x0fff_ffff) as usize;
        let mut position = Position::default();
        for at in (0..count).map(|one| 4 + one * 16) {
            let (domain, server) = (number(payload, at)?, number(payload, at + 4)?);
            position.advance(Gtid { domain, server, sequence: long(payload, at + 8)? });
        }
        Some(position)
    };
    read().ok_or_else(|| not_a_log(path))
}

/// The text of a statement.
fn statement(payload: &[u8]) -> Option<String> {
    let schema = usize::from(*payload.get(8)?);
    let variables = usize::from(u16::from_le_bytes(payload.get(11..13)?.try_into().ok()?));
    let text = payload.get(13 + variables + schema + 1..)?;
    Some(String::from_utf8_lossy(text).into_owned())
}

/// Whether a statement ends a transaction of tables that know none.
fn ends(payload: &[u8]) -> bool {
    statement(payload).is_some_and(|text| text == "COMMIT" || text == "ROLLBACK")
}
