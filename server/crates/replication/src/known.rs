//! Sending a file of which both the new and the replica's old blocks are known: only those that differ are read. It refuses
//! to send a block that is not what is known of it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::blocks::{BlockList, block_size, weak};
use crate::delta::Encoder;
use crate::reading::{BLOCK, Piece};
use crate::scan::Stop;
use crate::transfer::DataWriter;
use crate::watch::Tally;

/// What is known of the two states.
pub(crate) struct Known {
    pub(crate) old: Arc<BlockList>,
    pub(crate) new: Arc<BlockList>,
}

/// How a block of the new state is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Same,
    Zeros,
    Other,
}

impl Known {
    /// Where the blocks of both have one size.
    pub(crate) fn of(old: &Arc<BlockList>, new: Arc<BlockList>) -> Option<Self> {
        let alike = block_size(old.size) == block_size(new.size);
        alike.then(|| Self { old: Arc::clone(old), new })
    }

    /// Sends the new state; `false` where the file is not that any more.
    pub(crate) fn send<S: Read + Write>(
        &self,
        file: &File,
        encoder: &mut Encoder<'_>,
        out: &mut DataWriter<'_, '_, S>,
        tally: &mut Tally<'_>,
    ) -> Result<bool, Stop> {
        let step = block_size(self.new.size);
        let blank = weak(&vec![0; step as usize]);
        let mut buffer = vec![0; BLOCK];
        let (mut at, count) = (0, self.new.hashes.len());
        while at < count {
            let kind = self.kind(at, blank);
            // At most what is read at once.
            let most = if kind == Block::Other { BLOCK / step as usize } else { usize::MAX };
            let run = (at + 1..count).take(most - 1).take_while(|next| self.kind(*next, blank) == kind).count() + 1;
            let from = at as u64 * step;
            let len = (run as u64 * step).min(self.new.size - from);
            match kind {
                Block::Same => encoder.refer(len, out)?,
                Block::Zeros => encoder.take(Piece::Zeros(len), out)?,
                Block::Other => {
                    let bytes = &mut buffer[..len as usize];
                    match file.read_exact_at(bytes, from) {
                        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(false),
                        read => read?,
                    }
                    if bytes
                        .chunks(step as usize)
                        .zip(&self.new.hashes[at..])
                        .any(|(block, known)| weak(block) != *known)
                    {
                        return Ok(false);
                    }
                    encoder.take(Piece::Data(bytes), out)?;
                }
            }
            tally.bytes(len)?;
            at += run;
        }
        Ok(true)
    }

    fn kind(&self, at: usize, blank: u64) -> Block {
        let step = block_size(self.new.size);
        let whole = |list: &BlockList| (at as u64 + 1) * step <= list.size;
        let ends_alike = self.old.size == self.new.size || whole(&self.old) && whole(&self.new);
        if self.new.hashes[at] == blank && whole(&self.new) {
            Block::Zeros
        } else if ends_alike && self.old.hashes.get(at) == Some(&self.new.hashes[at]) {
            Block::Same
        } else {
            Block::Other
        }
    }
}
