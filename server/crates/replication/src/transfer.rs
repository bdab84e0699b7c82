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

use jiff::Timestamp;
use zstd::bulk::{Compressor, Decompressor};

use crate::error::{Error, Result};
use crate::field::Fields;
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

const RAW: u8 = 0;
const ZSTD: u8 = 1;
/// Bytes before the content of a frame: coding and length.
const HEAD: usize = 5;
/// After a block that does not compress, so many are sent as they are before the next try.
const INCOMPRESSIBLE_RUN: u32 = 3;
/// What of a block is tried first, after one that did not compress.
const PROBE: usize = 32 * 1024;

pub(crate) fn put_captured(out: &mut Vec<u8>, at: Timestamp) {
    out.extend_from_slice(&at.as_second().to_le_bytes());
    out.extend_from_slice(&at.subsec_nanosecond().to_le_bytes());
}

pub(crate) fn captured(fields: &mut Fields<'_>) -> Result<Timestamp> {
    let (seconds, nanoseconds) = (fields.i64()?, i32::from_le_bytes(fields.array()?));
    Timestamp::new(seconds, nanoseconds).map_err(|e| Error::protocol("an impossible time of capture").with(e))
}

/// Compresses blocks where it pays.
pub(crate) struct Packer {
    zstd: Compressor<'static>,
    packed: Vec<u8>,
    skip: u32,
    /// The last block that was tried compressed.
    trusting: bool,
}

impl Packer {
    pub(crate) fn new() -> Result<Self> {
        let zstd = Compressor::new(1).map_err(|e| Error::io("cannot start compression", "", e))?;
        let packed = Vec::with_capacity(zstd::zstd_safe::compress_bound(CHUNK));
        Ok(Self { zstd, packed, skip: 0, trusting: false })
    }

    /// Head and body of a frame that carries this block.
    pub(crate) fn pack<'a>(&'a mut self, block: &'a [u8]) -> ([u8; HEAD], &'a [u8]) {
        self.skip = self.skip.saturating_sub(1);
        if self.skip == 0 && block.len() >= 64 {
            // A piece from the middle tells what the whole would, for a thirtieth of the time.
            let probe = block.get((block.len() - PROBE.min(block.len())) / 2..).unwrap_or(block);
            let probe = &probe[..PROBE.min(probe.len())];
            self.trusting = (self.trusting || block.len() < 2 * PROBE || self.shrinks(probe)) && self.shrinks(block);
            if self.trusting {
                return (head(ZSTD, block.len()), &self.packed);
            }
            self.skip = INCOMPRESSIBLE_RUN;
        }
        (head(RAW, block.len()), block)
    }

    /// Compresses, and says whether that was worth it.
    fn shrinks(&mut self, bytes: &[u8]) -> bool {
        self.packed.clear();
        let done = self.zstd.compress_to_buffer(bytes, &mut self.packed);
        done.is_ok_and(|len| len < bytes.len() - bytes.len() / 16)
    }
}

fn head(codec: u8, len: usize) -> [u8; HEAD] {
    let [a, b, c, d] = (len as u32).to_le_bytes();
    [codec, a, b, c, d]
}

/// Undoes [`Packer`], within the bound of one block.
pub(crate) struct Unpacker(Decompressor<'static>);

impl Unpacker {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Decompressor::new().map_err(|e| Error::io("cannot start decompression", "", e))?))
    }

    /// Where the content of a frame's payload begins, if it is there as it is.
    fn plain(payload: &[u8]) -> Result<Option<usize>> {
        let mut fields = Fields::new(payload);
        let (codec, len) = (fields.u8()?, fields.u32()? as usize);
        Ok((codec == RAW && fields.rest().len() == len && len <= CHUNK).then_some(HEAD))
    }

    /// Replaces `block` by the content of a frame.
    pub(crate) fn unpack(&mut self, payload: &[u8], block: &mut Vec<u8>) -> Result<()> {
        let mut fields = Fields::new(payload);
        let (codec, len) = (fields.u8()?, fields.u32()? as usize);
        let body = payload.get(HEAD..).unwrap_or_default();
        if len > CHUNK {
            return Err(Error::protocol(format!("a block of {len} bytes is above the limit of {CHUNK}")));
        }
        block.clear();
        match codec {
            RAW => block.extend_from_slice(body),
            ZSTD => {
                block.reserve(len);
                self.0
                    .decompress_to_buffer(body, block)
                    .map_err(|e| Error::protocol("a block that does not decompress").with(e))?;
            }
            _ => return Err(Error::protocol(format!("a block in the unknown coding {codec}"))),
        }
        if block.len() == len { Ok(()) } else { Err(Error::protocol("a block of another length than announced")) }
    }
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
        self.link.send(Kind::Data, &head, body)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_compresses_is_compressed_soon_after_what_does_not() {
        let mut noise = vec![0; CHUNK];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        let text = b"2026-11-23 one line of a log like any other\n".repeat(CHUNK / 44);
        let (mut packer, mut unpacker) = (Packer::new().unwrap(), Unpacker::new().unwrap());
        let mut block = Vec::new();
        let mut coded = |content: &[u8]| {
            let (head, body) = packer.pack(content);
            unpacker.unpack(&[&head[..], body].concat(), &mut block).unwrap();
            assert!(block == content);
            (head[0], body.len())
        };
        assert!((0..20).all(|_| coded(&noise) == (RAW, CHUNK)));
        let tries: Vec<_> = (0..5).map(|_| coded(&text)).collect();
        let first = tries.iter().position(|(codec, _)| *codec == ZSTD).unwrap();
        assert!(first <= INCOMPRESSIBLE_RUN as usize, "{tries:?}");
        assert!(tries[first..].iter().all(|(codec, len)| *codec == ZSTD && *len < text.len() / 10), "{tries:?}");
        assert_eq!(coded(&text[..63]).0, RAW, "too short to gain anything");
        assert_eq!(coded(&text[..200]).0, ZSTD, "a short one is tried at once");
    }
}
