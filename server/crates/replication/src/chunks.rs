//! Where to cut a file so that an insert moves the cuts along with it (FastCDC). It refuses to be used where blocks at
//! fixed places do: cutting costs more than hashing.

use std::collections::HashMap;
use std::io;

use fastcdc::v2020::FastCDC;

use crate::blocks::weak;
use crate::reading::{Content, Piece, pieces};

pub(crate) const SHORTEST: usize = 4 * 1024;
const USUAL: usize = 16 * 1024;
pub(crate) const LONGEST: usize = 64 * 1024;

/// In the place of a hash: nothing but zeros, which nobody looks for.
const ZEROS: u64 = 0;

/// One chunk: its hash and its length.
pub(crate) type Chunk = (u64, u32);

/// Cuts content as it comes into chunks, whatever the pieces.
#[derive(Default)]
pub(crate) struct Chunker {
    waiting: Vec<u8>,
}

impl Chunker {
    /// Gives each chunk that is complete to `sink`, with its bytes.
    pub(crate) fn push<E>(&mut self, bytes: &[u8], sink: impl FnMut(Chunk, &[u8]) -> Result<(), E>) -> Result<(), E> {
        self.waiting.extend_from_slice(bytes);
        self.cut(LONGEST, sink)
    }

    /// The chunks that are left.
    pub(crate) fn finish<E>(mut self, sink: impl FnMut(Chunk, &[u8]) -> Result<(), E>) -> Result<(), E> {
        self.cut(1, sink)
    }

    /// Cuts as long as `enough` bytes are there: a cut looks at most [`LONGEST`] bytes ahead.
    fn cut<E>(&mut self, enough: usize, mut sink: impl FnMut(Chunk, &[u8]) -> Result<(), E>) -> Result<(), E> {
        let cutter = FastCDC::new(&self.waiting, SHORTEST, USUAL, LONGEST);
        let mut at = 0;
        while self.waiting.len() - at >= enough {
            let (_, end) = cutter.cut(at, self.waiting.len() - at);
            let chunk = &self.waiting[at..end];
            sink((weak(chunk), chunk.len() as u32), chunk)?;
            at = end;
        }
        self.waiting.drain(..at);
        Ok(())
    }
}

/// Reads a file into its chunks; what a shorter one lacks is simply not there.
pub(crate) fn read(file: &mut impl Content, size: u64) -> io::Result<Vec<Chunk>> {
    let mut chunks = Vec::new();
    let mut chunker = Chunker::default();
    let keep = |chunks: &mut Vec<Chunk>, chunk| {
        chunks.push(chunk);
        Ok::<(), io::Error>(())
    };
    pieces::<io::Error>(file, size, &mut Vec::new(), |piece| match piece {
        Piece::Data(bytes) => chunker.push(bytes, |chunk, _| keep(&mut chunks, chunk)),
        Piece::Zeros(mut count) => {
            std::mem::take(&mut chunker).finish(|chunk, _| keep(&mut chunks, chunk))?;
            while count > 0 {
                let len = u32::try_from(count).unwrap_or(u32::MAX);
                chunks.push((ZEROS, len));
                count -= u64::from(len);
            }
            Ok(())
        }
    })?;
    chunker.finish(|chunk, _| keep(&mut chunks, chunk))?;
    Ok(chunks)
}

/// Where each chunk of a content is.
pub(crate) struct ChunkMap(HashMap<Chunk, u64>);

impl ChunkMap {
    pub(crate) fn new(chunks: impl IntoIterator<Item = Chunk>) -> Self {
        let mut at = 0u64;
        let mut map = HashMap::new();
        for chunk in chunks {
            map.entry(chunk).or_insert(at);
            at += u64::from(chunk.1);
        }
        Self(map)
    }

    pub(crate) fn find(&self, chunk: &Chunk) -> Option<u64> {
        self.0.get(chunk).copied()
    }
}
