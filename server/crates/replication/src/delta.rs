//! New content told by an old one: references into what the other side has, and only the rest as bytes. It refuses to
//! refer to more than the content is long, so that a few bytes cannot make the other side write without end.

use std::io::{Read, Write};
use std::sync::Arc;

use crate::blocks::{BlockList, block_size};
use crate::chunks::{ChunkMap, Chunker};
use crate::error::Result;
use crate::reading::Piece;
use crate::transfer::{DataWriter, REFERENCE, ZEROS};

/// What is known of the other side's old content.
pub(crate) enum Base {
    /// Its blocks: what is still in its place need not travel.
    Blocks(Arc<BlockList>),
    /// Its chunks: what is still there need not travel, wherever it is now.
    Chunks(ChunkMap),
}

/// Turns one content, given from its beginning, into what travels of it.
pub(crate) struct Encoder<'b> {
    base: Option<&'b Base>,
    /// The other side has everything before this.
    offset: u64,
    at: u64,
    /// Bytes that may still be referred to.
    allowance: u64,
    /// References that follow each other, not written yet: from where, how many bytes.
    run: (u64, u64),
    chunker: Chunker,
}

impl<'b> Encoder<'b> {
    /// For content that was announced with this size.
    pub(crate) fn new(base: Option<&'b Base>, size: u64, offset: u64) -> Self {
        Self { base, offset, at: 0, allowance: size, run: (0, 0), chunker: Chunker::default() }
    }

    /// Takes what comes next.
    pub(crate) fn take<S: Read + Write>(&mut self, piece: Piece<'_>, out: &mut DataWriter<'_, '_, S>) -> Result<()> {
        match piece {
            Piece::Data(bytes) => self.push(bytes, out),
            Piece::Zeros(count) => self.zeros(count, out),
        }
    }

    /// Takes so many bytes that the other side has at the same place.
    pub(crate) fn refer<S: Read + Write>(&mut self, len: u64, out: &mut DataWriter<'_, '_, S>) -> Result<()> {
        debug_assert!(self.offset == 0 && len <= self.allowance);
        self.allowance = self.allowance.saturating_sub(len);
        if self.run.1 == 0 || self.run.0 + self.run.1 != self.at {
            self.put_run(out)?;
            self.run = (self.at, 0);
        }
        self.run.1 += len;
        self.at += len;
        Ok(())
    }

    /// Zeros travel as their number: nobody refers to them, and a chunk ends before them.
    fn zeros<S: Read + Write>(&mut self, count: u64, out: &mut DataWriter<'_, '_, S>) -> Result<()> {
        self.cut_rest(out)?;
        self.put_run(out)?;
        let known = self.offset.saturating_sub(self.at).min(count);
        self.at += count;
        if known < count {
            out.put(&ZEROS.to_le_bytes())?;
            out.put(&(count - known).to_le_bytes())?;
        }
        Ok(())
    }

    /// Takes the next bytes: whole blocks, unless they are the last ones.
    fn push<S: Read + Write>(&mut self, bytes: &[u8], out: &mut DataWriter<'_, '_, S>) -> Result<()> {
        match self.base {
            None => self.put(bytes, None, out),
            Some(Base::Blocks(list)) => bytes.chunks(block_size(list.size) as usize).try_for_each(|block| {
                let from = list.has(self.at, block).then_some(self.at);
                self.put(block, from, out)
            }),
            Some(Base::Chunks(map)) => {
                let mut chunker = std::mem::take(&mut self.chunker);
                let cut = chunker.push(bytes, |chunk, bytes| self.put(bytes, map.find(&chunk), out));
                self.chunker = chunker;
                cut
            }
        }
    }

    /// Ends the content.
    pub(crate) fn finish<S: Read + Write>(mut self, out: &mut DataWriter<'_, '_, S>) -> Result<()> {
        self.cut_rest(out)?;
        self.put_run(out)?;
        out.put(&0u32.to_le_bytes())
    }

    /// What waits for the end of its chunk ends here.
    fn cut_rest<S: Read + Write>(&mut self, out: &mut DataWriter<'_, '_, S>) -> Result<()> {
        let Some(Base::Chunks(map)) = self.base else { return Ok(()) };
        std::mem::take(&mut self.chunker).finish(|chunk, bytes| self.put(bytes, map.find(&chunk), out))
    }

    fn put<S: Read + Write>(&mut self, bytes: &[u8], from: Option<u64>, out: &mut DataWriter<'_, '_, S>) -> Result<()> {
        let known = self.offset.saturating_sub(self.at).min(bytes.len() as u64);
        self.at += bytes.len() as u64;
        let bytes = &bytes[known as usize..];
        let len = bytes.len() as u64;
        if len == 0 {
            return Ok(());
        }
        match from.map(|from| from + known) {
            Some(from) if len <= self.allowance => {
                self.allowance -= len;
                if self.run.1 > 0 && self.run.0 + self.run.1 == from {
                    self.run.1 += len;
                } else {
                    self.put_run(out)?;
                    self.run = (from, len);
                }
                Ok(())
            }
            _ => {
                self.put_run(out)?;
                out.put(&(len as u32).to_le_bytes())?;
                out.put(bytes)
            }
        }
    }

    fn put_run<S: Read + Write>(&mut self, out: &mut DataWriter<'_, '_, S>) -> Result<()> {
        let (from, len) = std::mem::take(&mut self.run);
        if len == 0 {
            return Ok(());
        }
        let mut reference = [0u8; 20];
        reference[..4].copy_from_slice(&REFERENCE.to_le_bytes());
        reference[4..12].copy_from_slice(&from.to_le_bytes());
        reference[12..].copy_from_slice(&len.to_le_bytes());
        out.put(&reference)
    }
}
