//! Compression of blocks on their way, where it pays: where a block shrinks, and the line is slower than whoever compresses.
//! It refuses to believe that a line is fast before more has gone than the buffers on the way hold.

use std::time::{Duration, Instant};

use zstd::bulk::{Compressor, Decompressor};

use crate::error::{Error, Result};
use crate::field::Fields;
use crate::wire::CHUNK;

const RAW: u8 = 0;
const ZSTD: u8 = 1;
/// Bytes before the content of a frame: coding and length.
const HEAD: usize = 5;
/// After a block that does not compress, so many are sent as they are before the next try.
const INCOMPRESSIBLE_RUN: u32 = 3;
/// What of a block is tried first, after one that did not compress.
const PROBE: usize = 32 * 1024;

/// Compresses blocks where it pays.
pub(crate) struct Packer {
    zstd: Compressor<'static>,
    packed: Vec<u8>,
    skip: u32,
    /// The last block that was tried compressed.
    trusting: bool,
    line: Line,
}

impl Packer {
    pub(crate) fn new() -> Result<Self> {
        let zstd = Compressor::new(1).map_err(|e| Error::io("cannot start compression", "", e))?;
        let packed = Vec::with_capacity(zstd::zstd_safe::compress_bound(CHUNK));
        Ok(Self { zstd, packed, skip: 0, trusting: false, line: Line::default() })
    }

    /// Head and body of a frame that carries this block.
    pub(crate) fn pack<'a>(&'a mut self, block: &'a [u8]) -> ([u8; HEAD], &'a [u8]) {
        self.skip = self.skip.saturating_sub(1);
        if self.skip == 0 && block.len() >= 64 && self.line.is_slow() {
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

    /// Tells what it took to send so much.
    pub(crate) fn sent(&mut self, bytes: usize, took: Duration) {
        self.line.sent(bytes, took);
    }

    /// Compresses, and says whether that was worth it.
    fn shrinks(&mut self, bytes: &[u8]) -> bool {
        let began = Instant::now();
        self.packed.clear();
        let done = self.zstd.compress_to_buffer(bytes, &mut self.packed);
        let done = done.ok().filter(|len| *len < bytes.len() - bytes.len() / 16);
        if let Some(len) = done {
            self.line.packed(bytes.len(), len, began.elapsed());
        }
        done.is_some()
    }
}

/// What compressing costs and saves, and what sending costs. The last megabytes count.
#[derive(Debug, Default)]
struct Line {
    /// Bytes that were compressed, what became of them, and how long that took.
    packing: Option<(f64, f64, f64)>,
    /// Bytes that were sent, and how long that took.
    sending: (f64, f64),
    /// All bytes that were sent.
    all: u64,
}

/// Until so much was sent, it may only have gone into buffers.
const BUFFERED: u64 = 4 << 20;
/// So much of the past counts, in bytes.
const WINDOW: f64 = (2 << 20) as f64;
/// Whoever unpacks takes time, too, from what it does with the content.
const BOTH_ENDS: f64 = 2.0;

#[expect(clippy::cast_precision_loss, reason = "a rough measure")]
impl Line {
    fn packed(&mut self, bytes: usize, became: usize, took: Duration) {
        let (before, after, time) = self.packing.unwrap_or_default();
        let keep = if before > WINDOW { 0.5 } else { 1.0 };
        let now = (before * keep + bytes as f64, after * keep + became as f64, time * keep + took.as_secs_f64());
        self.packing = Some(now);
    }

    fn sent(&mut self, bytes: usize, took: Duration) {
        self.all += bytes as u64;
        let (before, time) = self.sending;
        let keep = if before > WINDOW { 0.5 } else { 1.0 };
        self.sending = (before * keep + bytes as f64, time * keep + took.as_secs_f64());
    }

    /// Whether a byte that need not be sent saves more than it costs.
    fn is_slow(&self) -> bool {
        let (Some((bytes, became, packing)), (sent, sending)) = (self.packing, self.sending) else { return true };
        if self.all < BUFFERED {
            return true;
        }
        // Per byte of content: seconds to compress it, and seconds on the line without it.
        let saved = (1.0 - became / bytes) * sending / sent;
        saved > BOTH_ENDS * packing / bytes
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
    pub(crate) fn plain(payload: &[u8]) -> Result<Option<usize>> {
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

    #[test]
    fn a_fast_line_is_not_kept_waiting_and_a_slow_one_is_relieved_again() {
        // Half of it compresses.
        let mut content = b"2026-11-23 one line of a log like any other\n".repeat(CHUNK / 44);
        blake3::Hasher::new().finalize_xof().fill(&mut content[..CHUNK / 2]);
        let mut packer = Packer::new().unwrap();
        let mut send = |per_mebibyte: Duration| {
            let (head, body) = packer.pack(&content);
            let (codec, len) = (head[0], body.len());
            packer.sent(len, per_mebibyte.mul_f64(len as f64 / f64::from(1 << 20)));
            codec
        };
        let (instantly, for_ever) = (Duration::ZERO, Duration::from_secs(10));
        let believed = (0..20).position(|_| send(instantly) == RAW).unwrap();
        assert!(believed as u64 * CHUNK as u64 / 2 >= BUFFERED - CHUNK as u64, "after {believed} blocks");
        assert!((0..20).all(|_| send(instantly) == RAW));
        let relieved = (0..20).position(|_| send(for_ever) == ZSTD).unwrap();
        assert!(relieved > 0, "what was sent before was sent as it was");
        assert!((0..20).all(|_| send(for_ever) == ZSTD));
    }
}
