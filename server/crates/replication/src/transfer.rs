//! The stream of content inside data frames: objects, amendments, and the id both sides must end with. Small files
//! share a frame, large ones span many. It refuses to hold more than one frame in memory on either side.
//!
//! ```text
//! Object   1, entry u32, offset u64, (length u32, bytes | all ones u32, from u64, length u64 |
//!             one less u32, zeros u64)…, 0 u32, verdict u8, hash
//! Amend    2, entry u32, 0 = gone | 1 then the entry as in a manifest
//! Renumber 4, generation u64: of what was amended, where that has one of its own
//! Done     3, content id
//! ```

use std::io::{Read, Write};
use std::time::Instant;

use jiff::Timestamp;

use crate::error::{Error, Result};
use crate::field::Fields;
use crate::packer::{Packer, Unpacker};
use crate::wire::{CHUNK, Kind, Link};

pub(crate) const OBJECT: u8 = 1;
pub(crate) const AMEND: u8 = 2;
pub(crate) const DONE: u8 = 3;
pub(crate) const RENUMBER: u8 = 4;

/// The content is what the manifest says.
pub(crate) const KEPT: u8 = 0;
/// The content is another one, whose hash follows; an amendment comes next.
pub(crate) const CHANGED: u8 = 1;
/// The file moved while it was read: forget these bytes.
pub(crate) const DROPPED: u8 = 2;

/// In the place of a length: so many bytes of the receiver's old content, from there.
pub(crate) const REFERENCE: u32 = u32::MAX;
/// In the place of a length: so many zeros.
pub(crate) const ZEROS: u32 = u32::MAX - 1;

pub(crate) fn put_captured(out: &mut Vec<u8>, at: Timestamp) {
    out.extend_from_slice(&at.as_second().to_le_bytes());
    out.extend_from_slice(&at.subsec_nanosecond().to_le_bytes());
}

pub(crate) fn captured(fields: &mut Fields<'_>) -> Result<Timestamp> {
    let (seconds, nanoseconds) = (fields.i64()?, i32::from_le_bytes(fields.array()?));
    Timestamp::new(seconds, nanoseconds).map_err(|e| Error::protocol("an impossible time of capture").with(e))
}

/// Cuts the stream of content into data frames.
pub(crate) struct DataWriter<'l, 'a, S> {
    link: &'l mut Link<'a, S>,
    packer: Packer,
    block: Vec<u8>,
}

impl<'l, 'a, S: Read + Write> DataWriter<'l, 'a, S> {
    pub(crate) fn new(link: &'l mut Link<'a, S>) -> Result<Self> {
        Ok(Self { link, packer: Packer::new()?, block: Vec::with_capacity(CHUNK) })
    }

    pub(crate) fn put(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK - self.block.len()));
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() == CHUNK {
                self.emit()?;
            }
        }
        Ok(())
    }

    fn emit(&mut self) -> Result<()> {
        let (head, body) = self.packer.pack(&self.block);
        let (bytes, began) = (body.len(), Instant::now());
        self.link.send(Kind::Data, &head, body)?;
        self.packer.sent(bytes, began.elapsed());
        self.block.clear();
        Ok(())
    }

    pub(crate) fn end(mut self) -> Result<()> {
        if !self.block.is_empty() {
            self.emit()?;
        }
        self.link.send(Kind::DataEnd, &[], &[])?;
        self.link.flush()
    }
}

/// Joins data frames to the stream of content again.
pub(crate) struct DataReader<'l, 'a, S> {
    link: &'l mut Link<'a, S>,
    unpacker: Unpacker,
    block: Vec<u8>,
    at: usize,
}

impl<'l, 'a, S: Read + Write> DataReader<'l, 'a, S> {
    pub(crate) fn new(link: &'l mut Link<'a, S>) -> Result<Self> {
        Ok(Self { link, unpacker: Unpacker::new()?, block: Vec::new(), at: 0 })
    }

    /// Gives the next `len` bytes in pieces.
    pub(crate) fn pieces(&mut self, mut len: usize, mut sink: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        while len > 0 {
            if self.at == self.block.len() {
                let (kind, payload) = self.link.receive(&[Kind::Data, Kind::DataEnd])?;
                if kind == Kind::DataEnd {
                    return Err(Error::protocol("the content ends in the middle"));
                }
                // What is as it was sent stays where it was received; a frame begins with its type.
                self.at = match Unpacker::plain(payload)? {
                    Some(begin) => {
                        self.link.swap_frame(&mut self.block);
                        begin + 1
                    }
                    None => {
                        self.unpacker.unpack(payload, &mut self.block)?;
                        0
                    }
                };
                continue;
            }
            let piece = &self.block[self.at..self.block.len().min(self.at + len)];
            sink(piece)?;
            self.at += piece.len();
            len -= piece.len();
        }
        Ok(())
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut out = [0u8; N];
        let mut at = 0;
        self.pieces(N, |piece| {
            out[at..at + piece.len()].copy_from_slice(piece);
            at += piece.len();
            Ok(())
        })?;
        Ok(out)
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Nothing may follow.
    pub(crate) fn end(self) -> Result<()> {
        if self.at != self.block.len() {
            return Err(Error::protocol("content goes on after its end"));
        }
        self.link.receive(&[Kind::DataEnd]).map(|_| ())
    }
}
