//! Frames on the stream: one byte of type, a bounded length, fields. Version 3.
//! It refuses frames longer than a mebibyte and a bit, unknown types, and types that are not due.
//!
//! ```text
//! puller                                    source
//! Request(version, purpose, have?)   ──▶
//!                                    ◀──    Accounts(kind, number, name…)      (where owners go by their names)
//!                                    ◀──    Unchanged(generation, captured, id)
//!                                     or    Offer(generation, captured, id, entries, bytes) Part… PartEnd
//!                                     or    Changes(the same) Part… PartEnd   (to the list that the puller has)
//!                                           each with Room(entry, bytes)…     (of files that are mostly holes)
//!                                           and Along(content of entries)…    (of small files that are new in a list)
//! Working…                           ──▶    (while it hashes what it has)
//! Need(entry, offset)… NeedEnd       ──▶    (and Claim, for files that are here in an older state: see `bases`)
//!                                    ◀──    Data… DataEnd        (objects and amendments, see `transfer`; nothing,
//!                                                                where nothing was needed)
//! Ack(id)                            ──▶    after the commit is durable
//! either side: Fail(code, text)
//! ```

use std::io::{self, Read, Write};

use crate::error::{Error, ErrorKind, Result};
use crate::field::{Fields, Truncated, put_string};
use crate::watch::Watch;

pub(crate) const VERSION: u16 = 3;
/// What a request says of the puller: it has nothing.
pub(crate) const NOTHING: u8 = 0;
/// It has this content of the source, not exactly or not with its list.
pub(crate) const CONTENT: u8 = 1;
/// It has this content and its list: what changed since is enough.
pub(crate) const CONTENT_AND_LIST: u8 = 2;
/// Content in one data frame, before compression.
pub(crate) const CHUNK: usize = 1 << 20;
/// Longest frame accepted: a chunk that did not compress, and its head.
const MAX_FRAME: usize = CHUNK + 4096;
/// Written to the stream at once.
const BATCH: usize = 256 * 1024;
/// From here on a body is written from where it is: copying it to the rest of its frame costs more than a write.
const DIRECT: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Request = 1,
    Unchanged = 2,
    Offer = 3,
    Part = 4,
    PartEnd = 5,
    Working = 6,
    Need = 7,
    NeedEnd = 8,
    Data = 9,
    DataEnd = 10,
    Ack = 11,
    Fail = 12,
    Claim = 13,
    Ask = 14,
    Blocks = 15,
    BlocksEnd = 16,
    Settled = 17,
    Changes = 18,
    Room = 19,
    Accounts = 20,
    Along = 21,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        use Kind::{
            Accounts, Ack, Along, Ask, Blocks, BlocksEnd, Changes, Claim, Data, DataEnd, Fail, Need, NeedEnd, Offer,
            Part, PartEnd, Request, Room, Settled, Unchanged, Working,
        };
        const ALL: &[Kind] = &[
            Request, Unchanged, Offer, Part, PartEnd, Working, Need, NeedEnd, Data, DataEnd, Ack, Fail, Claim, Ask,
            Blocks, BlocksEnd, Settled, Changes, Room, Accounts, Along,
        ];
        ALL.iter().copied().find(|kind| *kind as u8 == byte)
    }
}

/// One end of the conversation.
pub(crate) struct Link<'a, S> {
    stream: &'a mut S,
    out: Vec<u8>,
    frame: Vec<u8>,
    sent: u64,
    received: u64,
    watch: &'a dyn Watch,
}

impl<'a, S: Read + Write> Link<'a, S> {
    pub(crate) fn new(stream: &'a mut S, watch: &'a dyn Watch) -> Self {
        Self { stream, out: Vec::new(), frame: Vec::new(), sent: 0, received: 0, watch }
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent + self.out.len() as u64
    }

    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Queues a frame whose payload comes in two pieces; [`Link::flush`] before waiting for the other side.
    pub(crate) fn send(&mut self, kind: Kind, head: &[u8], body: &[u8]) -> Result<()> {
        let len = (1 + head.len() + body.len()) as u32;
        self.out.extend_from_slice(&len.to_le_bytes());
        self.out.push(kind as u8);
        self.out.extend_from_slice(head);
        if body.len() >= DIRECT {
            self.push_out()?;
            return self.write(body);
        }
        self.out.extend_from_slice(body);
        if self.out.len() >= BATCH { self.push_out() } else { Ok(()) }
    }

    fn push_out(&mut self) -> Result<()> {
        let mut out = std::mem::take(&mut self.out);
        let written = self.write(&out);
        out.clear();
        self.out = out;
        written
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(0) => {
                    return Err(Error::connection("the connection takes no more", io::ErrorKind::WriteZero.into()));
                }
                Ok(done) => rest = &rest[done..],
                Err(e) => patient("cannot send to the other side", e, self.watch)?,
            }
        }
        self.sent += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> Result<()> {
        self.push_out()?;
        self.stream.flush().map_err(|e| Error::connection("cannot send to the other side", e))
    }

    /// Tells the other side why we stop; best effort.
    pub(crate) fn fail(&mut self, error: &Error) {
        if matches!(error.kind(), ErrorKind::ConnectionLost | ErrorKind::PeerFailed | ErrorKind::Cancelled) {
            return;
        }
        let mut payload = Vec::new();
        put_string(&mut payload, error.kind().code().as_bytes());
        let text = error.chain();
        put_string(&mut payload, text.as_bytes().get(..1024).unwrap_or(text.as_bytes()));
        if self.send(Kind::Fail, &payload, &[]).is_ok() {
            let _ = self.flush();
        }
    }

    /// The next frame of one of the kinds that are due. `Working` is swallowed, `Fail` becomes an error.
    pub(crate) fn receive(&mut self, due: &[Kind]) -> Result<(Kind, &[u8])> {
        loop {
            let mut head = [0u8; 4];
            self.read_exact(&mut head)?;
            let len = usize::try_from(u32::from_le_bytes(head)).unwrap_or(usize::MAX);
            if len == 0 || len > MAX_FRAME {
                return Err(Error::protocol(format!("a frame of {len} bytes is outside the limit of {MAX_FRAME}")));
            }
            let mut frame = std::mem::take(&mut self.frame);
            frame.resize(len, 0);
            let read = self.read_exact(&mut frame);
            self.frame = frame;
            read?;
            self.received += 4 + len as u64;
            match Kind::from_byte(self.frame[0]) {
                Some(Kind::Working) => {}
                Some(Kind::Fail) => return Err(told(&self.frame[1..])),
                Some(kind) if due.contains(&kind) => return Ok((kind, &self.frame[1..])),
                Some(kind) => return Err(Error::protocol(format!("a {kind:?} frame is not due here"))),
                None => return Err(Error::protocol(format!("a frame of the unknown type {}", self.frame[0]))),
            }
        }
    }

    /// Exchanges the frame that was received last for a buffer that is not needed any more.
    pub(crate) fn swap_frame(&mut self, buffer: &mut Vec<u8>) {
        std::mem::swap(&mut self.frame, buffer);
    }

    fn read_exact(&mut self, mut buffer: &mut [u8]) -> Result<()> {
        while !buffer.is_empty() {
            match self.stream.read(buffer) {
                Ok(0) => {
                    let end = io::ErrorKind::UnexpectedEof.into();
                    return Err(Error::connection("the other side closed the connection", end));
                }
                Ok(got) => buffer = &mut buffer[got..],
                Err(e) => patient("cannot receive from the other side", e, self.watch)?,
            }
        }
        Ok(())
    }
}

/// What an I/O error of the stream means: go on, stop as asked, or lost. A time limit set by the caller on the stream
/// counts as lost.
fn patient(attempted: &str, e: io::Error, watch: &dyn Watch) -> Result<()> {
    if watch.cancelled() {
        return Err(Error::cancelled());
    }
    if e.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(Error::connection(attempted, e)) }
}

fn told(payload: &[u8]) -> Error {
    let mut fields = Fields::new(payload);
    match (fields.string(), fields.string()) {
        (Ok(code), Ok(text)) if code.len() <= 64 && text.len() <= 1024 => {
            Error::peer_failed(&crate::path::escape(code), &crate::path::escape(text))
        }
        _ => Error::protocol("a malformed failure"),
    }
}

impl From<Truncated> for Error {
    fn from(e: Truncated) -> Self {
        Error::protocol("a frame is too short for what it holds").with(e)
    }
}
