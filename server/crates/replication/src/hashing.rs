//! Hashing beside whoever reads or writes: a long content is hashed on a thread of its own, a few blocks behind. It
//! refuses to hold more than those few blocks.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use crate::fingerprint::Fingerprint;
use crate::manifest::ContentHash;
use crate::reading::{BLOCK, Piece};

/// From this size on it pays to hand the bytes over.
const LONG: u64 = 256 * 1024;
/// Blocks on their way to the thread.
const AHEAD: usize = 3;

/// Makes the hashes of contents that come one after the other.
#[derive(Default)]
pub(crate) struct Hashing {
    here: Fingerprint,
    /// The content at hand is hashed there.
    away: bool,
    thread: Option<Beside>,
}

impl Hashing {
    /// Begins a content of at most this size, of which `sofar` came already. `u64::MAX`: nobody knows.
    pub(crate) fn begin(&mut self, size: u64, sofar: Fingerprint) {
        self.abandon();
        self.here = sofar;
        if size < LONG || size == u64::MAX {
            return;
        }
        if self.thread.is_none() {
            // Without a thread it takes longer, no more.
            self.thread = Beside::start().ok();
        }
        if let Some(beside) = &mut self.thread {
            beside.put(Part::Begin(Box::new(std::mem::take(&mut self.here))));
            self.away = true;
        }
    }

    /// Takes what comes next.
    pub(crate) fn take(&mut self, piece: Piece<'_>) {
        match self.thread.as_mut().filter(|_| self.away) {
            Some(beside) => beside.take(piece),
            None => self.here.take(piece),
        }
    }

    /// The hash of everything that came since the beginning.
    pub(crate) fn hash(&mut self) -> ContentHash {
        if let Some(beside) = self.thread.as_mut().filter(|_| self.away) {
            self.here = beside.end();
            self.away = false;
        }
        self.here.finish()
    }

    /// The content at hand has no end that anybody waits for.
    fn abandon(&mut self) {
        if std::mem::take(&mut self.away)
            && let Some(beside) = &mut self.thread
        {
            beside.end();
        }
    }
}

enum Part {
    Begin(Box<Fingerprint>),
    Data(Vec<u8>),
    Zeros(u64),
    End,
}

/// The thread, and the ways to it and back.
struct Beside {
    /// `None` only while it is dropped.
    to: Option<SyncSender<Part>>,
    done: Receiver<Fingerprint>,
    spent: Receiver<Vec<u8>>,
    /// Bytes that wait for more of them.
    block: Vec<u8>,
    thread: Option<JoinHandle<()>>,
}

impl Beside {
    fn start() -> std::io::Result<Self> {
        let (to, parts) = sync_channel(AHEAD);
        let (ended, done) = sync_channel(1);
        let (back, spent) = sync_channel(AHEAD);
        let work = move || {
            let mut fingerprint = Fingerprint::default();
            for part in parts {
                match part {
                    Part::Begin(sofar) => fingerprint = *sofar,
                    Part::Data(block) => {
                        fingerprint.update(&block);
                        // One too many is dropped.
                        let _ = back.try_send(block);
                    }
                    Part::Zeros(count) => fingerprint.zeros(count),
                    Part::End => {
                        if ended.send(std::mem::take(&mut fingerprint)).is_err() {
                            return;
                        }
                    }
                }
            }
        };
        let thread = thread::Builder::new().name("hashing".into()).spawn(work)?;
        Ok(Self { to: Some(to), done, spent, block: Vec::new(), thread: Some(thread) })
    }

    fn take(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Data(bytes) => {
                self.block.extend_from_slice(bytes);
                if self.block.len() >= BLOCK {
                    self.push();
                }
            }
            Piece::Zeros(count) => {
                self.push();
                self.put(Part::Zeros(count));
            }
        }
    }

    fn push(&mut self) {
        if !self.block.is_empty() {
            let mut next = self.spent.try_recv().unwrap_or_default();
            next.clear();
            let block = std::mem::replace(&mut self.block, next);
            self.put(Part::Data(block));
        }
    }

    fn put(&mut self, part: Part) {
        if self.to.as_ref().is_none_or(|to| to.send(part).is_err()) {
            self.fail();
        }
    }

    fn end(&mut self) -> Fingerprint {
        self.push();
        self.put(Part::End);
        self.done.recv().unwrap_or_else(|_| self.fail())
    }

    /// It ends only by a panic while somebody still needs it: that goes on here.
    fn fail(&mut self) -> ! {
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(panic)) => resume_unwind(panic),
            _ => unreachable!("the thread that hashes waits for more"),
        }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.to = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(content: &[u8]) -> ContentHash {
        let mut fingerprint = Fingerprint::default();
        fingerprint.update(content);
        fingerprint.finish()
    }

    #[test]
    fn one_content_after_the_other_has_its_own_hash_whoever_makes_it() {
        let content: Vec<u8> = (0..3_000_000u32).map(|n| (n / 777) as u8).collect();
        let mut hashing = Hashing::default();
        for (len, piece) in [(10, 3), (3_000_000, 1 << 20), (5000, 4096), (2_000_001, 4096), (300_000, 300_000), (0, 1)]
        {
            hashing.begin(len as u64, Fingerprint::default());
            content[..len].chunks(piece).for_each(|piece| hashing.take(Piece::Data(piece)));
            assert_eq!(hashing.hash(), hash(&content[..len]), "{len} bytes in pieces of {piece}");
            assert_eq!(hashing.hash(), hash(&content[..len]), "asked again");
        }
    }

    #[test]
    fn what_came_before_counts_and_what_was_left_in_the_middle_does_not() {
        let content = vec![7; 1 << 20];
        let mut sofar = Fingerprint::default();
        sofar.update(&content[..1000]);
        let mut hashing = Hashing::default();
        hashing.begin(1 << 20, Fingerprint::default());
        hashing.take(Piece::Data(b"left in the middle"));
        hashing.begin(1 << 20, sofar);
        hashing.take(Piece::Data(&content[1000..500_000]));
        hashing.take(Piece::Zeros(1 << 20));
        let whole = [&content[..500_000], &vec![0; 1 << 20]].concat();
        assert_eq!(hashing.hash(), hash(&whole));
    }
}
