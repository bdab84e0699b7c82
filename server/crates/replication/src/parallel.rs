//! A long file hashed by several threads at once, each with parts of its own: BLAKE3 is a tree, and so are the values of
//! its parts ([`HashTree`]). It refuses what has whole blocks of zeros, which are counted instead of hashed: that is for
//! whoever reads from the beginning to the end.

use std::fs::File;
use std::io;
use std::num::NonZero;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use blake3::hazmat::{ChainingValue, HasherExt};
use rustix::fs::{SeekFrom, seek};

use crate::blocks::{BlockList, block_size, weak};
use crate::fingerprint::is_zeros;
use crate::hash_tree::HashTree;
use crate::manifest::ContentHash;
use crate::reading::{BLOCK, SQLITE_HEADER};
use crate::scan::Stop;

/// What one thread takes at a time: neighbours read close to each other, as disks like it.
const PART: u64 = 4 << 20;
/// What is shorter is hashed before a second thread has begun.
pub(crate) const SHORTEST: u64 = 4 * PART;
/// Blocks that are looked into before it begins.
const LOOKS: u64 = 16;
/// More threads wait for the memory, and for each other.
const MOST_THREADS: usize = 4;

/// What was found.
pub(crate) struct Whole {
    pub(crate) hash: ContentHash,
    pub(crate) list: BlockList,
    /// It begins like a SQLite database.
    pub(crate) database: bool,
}

/// Hashes a file of this size and lists its blocks. `None`: it is not for this, or was not that long; what was read of it by
/// then has been told.
pub(crate) fn digest(
    file: &File,
    size: u64,
    mut told: impl FnMut(u64) -> Result<(), Stop>,
) -> Result<Option<Whole>, Stop> {
    if size < SHORTEST || has_holes(file, size) || shows_zeros(file, size)? {
        return Ok(None);
    }
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
    if threads == 1 {
        return Ok(None);
    }
    let work = Work { file, size, next: AtomicU64::new(0), done: AtomicU64::new(0), over: AtomicBool::new(false) };
    let mut parts = thread::scope(|scope| {
        // A thread that cannot be had is done without.
        let another = || thread::Builder::new().name("hashing".into()).spawn_scoped(scope, || work.run(|| Ok(()))).ok();
        let others: Vec<_> = (1..threads).filter_map(|_| another()).collect();
        // Only this one has somebody to tell; it tells for all of them.
        let mut before = 0;
        let mut tell = || {
            let done = work.done.load(Ordering::Relaxed);
            let more = done - before;
            before = done;
            told(more)
        };
        let mut parts = work.run(&mut tell);
        for other in others {
            let found = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            parts = parts.and_then(|mut parts| {
                parts.extend(found?);
                Ok(parts)
            });
        }
        tell()?;
        parts
    })?;
    parts.sort_unstable_by_key(|part| part.number);
    if parts.len() as u64 != size.div_ceil(PART) {
        return Ok(None);
    }
    let values = parts.iter().map(|part| part.value).collect();
    let Some(hash) = HashTree::of_parts(size, PART, values).hash() else { return Ok(None) };
    let database = parts.first().is_some_and(|first| first.database);
    let hashes = parts.into_iter().flat_map(|part| part.hashes).collect();
    Ok(Some(Whole { hash, list: BlockList { size, hashes }, database }))
}

fn has_holes(file: &File, size: u64) -> bool {
    let first = seek(file, SeekFrom::Hole(0));
    // A file system that cannot tell has none.
    let holes = first.is_ok_and(|first| first < size);
    seek(file, SeekFrom::Start(0)).is_err() || holes
}

/// Looks into some blocks: a file with blocks of zeros as a rule has many of them, or ends in them.
fn shows_zeros(file: &File, size: u64) -> io::Result<bool> {
    let (blocks, mut block) = (size / BLOCK as u64, vec![0; BLOCK]);
    for look in 1..=LOOKS {
        let at = (blocks * look / LOOKS - 1) * BLOCK as u64;
        if file.read_at(&mut block, at)? == BLOCK && is_zeros(&block) {
            return Ok(true);
        }
    }
    Ok(false)
}

struct Part {
    number: u64,
    value: ChainingValue,
    hashes: Vec<u64>,
    database: bool,
}

struct Work<'f> {
    file: &'f File,
    size: u64,
    /// The part that is next.
    next: AtomicU64,
    /// Bytes that were read.
    done: AtomicU64,
    /// There is no use in going on.
    over: AtomicBool,
}

impl Work<'_> {
    /// Takes one part after the other, until there is none left or no use in it.
    fn run(&self, mut tell: impl FnMut() -> Result<(), Stop>) -> Result<Vec<Part>, Stop> {
        let mut buffer = vec![0; BLOCK];
        let mut parts = Vec::new();
        while !self.over.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number * PART >= self.size {
                break;
            }
            let part = self.part(number, &mut buffer);
            let part = part.map_err(Stop::Read).and_then(|part| tell().map(|()| part));
            match part {
                Ok(Some(part)) => parts.push(part),
                Ok(None) => self.over.store(true, Ordering::Relaxed),
                Err(stop) => {
                    self.over.store(true, Ordering::Relaxed);
                    return Err(stop);
                }
            }
        }
        Ok(parts)
    }

    fn part(&self, number: u64, buffer: &mut [u8]) -> io::Result<Option<Part>> {
        let begin = number * PART;
        let (end, step) = ((begin + PART).min(self.size), block_size(self.size) as usize);
        let mut hasher = blake3::Hasher::new();
        hasher.set_input_offset(begin);
        let mut hashes = Vec::with_capacity((end - begin).div_ceil(step as u64) as usize);
        let (mut at, mut database) = (begin, false);
        while at < end {
            let block = &mut buffer[..(end - at).min(BLOCK as u64) as usize];
            match self.file.read_exact_at(block, at) {
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                read => read?,
            }
            if block.len() == BLOCK && is_zeros(block) {
                return Ok(None);
            }
            database |= at == 0 && block.starts_with(SQLITE_HEADER);
            hasher.update(block);
            hashes.extend(block.chunks(step).map(weak));
            at += block.len() as u64;
            self.done.fetch_add(block.len() as u64, Ordering::Relaxed);
        }
        Ok(Some(Part { number, value: hasher.finalize_non_root(), hashes, database }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::reading::Scratch;

    fn file(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file
    }

    fn content(len: u64) -> Vec<u8> {
        (0..len as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8 | 1).collect()
    }

    fn serially(file: &mut File, len: u64) -> (ContentHash, bool) {
        io::Seek::rewind(file).unwrap();
        let read = crate::reading::digest::<io::Error>(file, len, &mut Scratch::default(), |_| Ok(())).unwrap();
        (read.hash, read.database)
    }

    #[test]
    fn several_threads_find_what_one_finds() {
        for (more, header) in [(0, false), (1, true), (PART / 2 + 7, true), (PART, false)] {
            let mut content = content(SHORTEST + more);
            if header {
                content[..16].copy_from_slice(SQLITE_HEADER);
            }
            let (mut file, len) = (file(&content), content.len() as u64);
            let mut told = 0;
            let found = digest(&file, len, |bytes| {
                told += bytes;
                Ok(())
            });
            let Ok(Some(found)) = found else { panic!("{len} bytes are for this") };
            assert_eq!((found.hash, found.database, told), (serially(&mut file, len).0, header, len));
            let list = BlockList::read(&mut &*content, len).unwrap().unwrap();
            assert_eq!(found.list, list, "{len} bytes");
        }
    }

    #[test]
    fn zeros_holes_short_files_and_files_that_were_cut_off_are_left_to_others() {
        let mut zeros = content(SHORTEST);
        zeros[3 * BLOCK..4 * BLOCK].fill(0);
        let sparse = file(&content(SHORTEST));
        sparse.set_len(2 * SHORTEST).unwrap();
        let cases = [
            (file(&zeros), SHORTEST),
            (sparse, 2 * SHORTEST),
            (file(&content(SHORTEST - 1)), SHORTEST - 1),
            (file(&content(SHORTEST)), SHORTEST + 1),
        ];
        for (file, len) in cases {
            assert!(matches!(digest(&file, len, |_| Ok(())), Ok(None)), "{len} bytes");
        }
    }

    #[test]
    fn whoever_is_told_can_end_it() {
        let file = file(&content(SHORTEST));
        let ended = digest(&file, SHORTEST, |_| Err(Stop::Read(io::ErrorKind::Interrupted.into())));
        assert!(matches!(ended, Err(Stop::Read(_))));
    }
}
