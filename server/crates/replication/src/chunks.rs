//! Where to cut a file so that an insert moves the cuts along with it (FastCDC). It refuses to be used where blocks at
//! fixed places do: cutting costs more than hashing.

use std::collections::HashMap;
use std::io::{self, Read};

use fastcdc::v2020::FastCDC;

use crate::blocks::weak;
use crate::reading::{BLOCK, fill};

pub(crate) const SHORTEST: usize = 4 * 1024;
const USUAL: usize = 16 * 1024;
pub(crate) const LONGEST: usize = 64 * 1024;

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
pub(crate) fn read(file: &mut impl Read, size: u64) -> io::Result<Vec<Chunk>> {
    let mut chunks = Vec::new();
    let mut chunker = Chunker::default();
    let mut keep = |chunk, _: &[u8]| {
        chunks.push(chunk);
        Ok::<(), io::Error>(())
    };
    let mut buffer = vec![0; BLOCK];
    let mut left = size;
    while left > 0 {
        let want = usize::try_from(left).map_or(BLOCK, |left| left.min(BLOCK));
        let got = fill(file, &mut buffer[..want])?;
        if got == 0 {
            break;
        }
        chunker.push(&buffer[..got], &mut keep)?;
        left -= got as u64;
    }
    chunker.finish(&mut keep)?;
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
