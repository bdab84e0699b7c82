//! What a large file is made of, in eight bytes a block: enough to find out which blocks of it are new, not enough to
//! vouch for any. It refuses to be a proof: whatever is put together by it must have the hash of the whole file.
//!
//! The hash of a block is XXH3 (<https://xxhash.com>): a tenth of the cost of BLAKE3. Two blocks that collide cost one
//! more transfer of that file, nothing else.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use twox_hash::XxHash3_64;

use crate::manifest::ContentHash;
use crate::reading::{BLOCK, Content, Piece, pieces};

/// Smaller files travel whole.
pub(crate) const LARGE: u64 = 256 * 1024;
/// What databases and most programs write at once.
const SMALLEST: u64 = 4096;
/// Longer files travel whole, but for their holes.
const LONGEST: u64 = 1 << 40;
/// Above so many blocks they grow, up to one read: a list stays below 8 MiB for anything up to 256 GB.
const MOST: u64 = 1 << 20;
/// What the lists kept at a source may take in memory; they are worth time only.
const KEPT_BYTES: usize = 48 << 20;

/// Whether the blocks of a file of this size are remembered: one that is longer is one of holes, and its list would be
/// long for nothing.
pub(crate) fn is_listed(size: u64) -> bool {
    (LARGE..=LONGEST).contains(&size)
}

/// The hash of one block or chunk.
pub(crate) fn weak(block: &[u8]) -> u64 {
    XxHash3_64::oneshot(block)
}

/// Bytes in each block of a file of this size, the last one excepted: a power of two that divides [`BLOCK`].
pub(crate) fn block_size(size: u64) -> u64 {
    (size / MOST).next_power_of_two().clamp(SMALLEST, BLOCK as u64)
}

/// The blocks of one content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BlockList {
    pub(crate) size: u64,
    pub(crate) hashes: Vec<u64>,
}

impl BlockList {
    /// How many hashes a file of this size has.
    pub(crate) fn count(size: u64) -> u64 {
        size.div_ceil(block_size(size))
    }

    /// Reads a file into its list; `None` when it is shorter than it should be.
    pub(crate) fn read(file: &mut impl Content, size: u64) -> io::Result<Option<Self>> {
        let mut lister = Lister::new(size);
        pieces::<io::Error>(file, size, &mut Vec::new(), |piece| {
            lister.take(piece);
            Ok(())
        })?;
        Ok(lister.finish())
    }

    /// Whether the block at this place of another file, told by its offset and content, is here at the same place.
    pub(crate) fn has(&self, offset: u64, block: &[u8]) -> bool {
        let step = block_size(self.size);
        let len = step.min(self.size.saturating_sub(offset));
        let known = usize::try_from(offset / step).ok().and_then(|at| self.hashes.get(at));
        block.len() as u64 == len && known == Some(&weak(block))
    }

    /// Whether most of what could have stayed in its place has not: then something was inserted or taken out before it.
    pub(crate) fn shifted(&self, new: &BlockList) -> bool {
        if block_size(self.size) != block_size(new.size) {
            return false;
        }
        let same = self.hashes.iter().zip(&new.hashes).filter(|(old, new)| old == new).count();
        same * 2 < self.hashes.len().min(new.hashes.len())
    }
}

/// Makes a list from content as it comes, whatever the pieces.
pub(crate) struct Lister {
    list: BlockList,
    step: usize,
    seen: u64,
    /// The beginning of a block that came in pieces.
    begun: Vec<u8>,
}

impl Lister {
    pub(crate) fn new(size: u64) -> Self {
        let list = BlockList { size, hashes: Vec::with_capacity(BlockList::count(size) as usize) };
        Self { list, step: block_size(size) as usize, seen: 0, begun: Vec::new() }
    }

    /// Takes what comes next; zeros only where a block begins.
    pub(crate) fn take(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Data(bytes) => self.push(bytes),
            Piece::Zeros(count) => {
                let blank = weak(&vec![0; self.step]);
                let blocks = (count / self.step as u64) as usize;
                self.seen += count;
                self.list.hashes.resize(self.list.hashes.len() + blocks, blank);
            }
        }
    }

    fn push(&mut self, mut bytes: &[u8]) {
        self.seen += bytes.len() as u64;
        if !self.begun.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(self.step - self.begun.len()));
            self.begun.extend_from_slice(now);
            bytes = later;
            if self.begun.len() == self.step {
                self.list.hashes.push(weak(&self.begun));
                self.begun.clear();
            }
        }
        let (whole, rest) = bytes.split_at(bytes.len() - bytes.len() % self.step);
        self.list.hashes.extend(whole.chunks_exact(self.step).map(weak));
        self.begun.extend_from_slice(rest);
    }

    /// The list, if as much came as was announced.
    pub(crate) fn finish(mut self) -> Option<BlockList> {
        if !self.begun.is_empty() {
            self.list.hashes.push(weak(&self.begun));
        }
        (self.seen == self.list.size).then_some(self.list)
    }
}

/// Lists of what a source has or had, by the hash of the content; those that were not looked at longest go first.
#[derive(Default)]
pub(crate) struct Lists {
    lists: HashMap<ContentHash, (Arc<BlockList>, u64)>,
    bytes: usize,
    ticks: u64,
}

/// Shared between a source and its captures in flight.
pub(crate) type SharedLists = Arc<Mutex<Lists>>;

impl Lists {
    pub(crate) fn get(&mut self, hash: &ContentHash) -> Option<Arc<BlockList>> {
        self.ticks += 1;
        let (list, used) = self.lists.get_mut(hash)?;
        *used = self.ticks;
        Some(Arc::clone(list))
    }

    pub(crate) fn keep(&mut self, hash: ContentHash, list: BlockList) {
        self.ticks += 1;
        let bytes = list.hashes.len() * 8;
        if bytes > KEPT_BYTES || self.lists.contains_key(&hash) {
            return;
        }
        self.bytes += bytes;
        self.lists.insert(hash, (Arc::new(list), self.ticks));
        if self.bytes > KEPT_BYTES {
            self.make_room();
        }
    }

    /// Lets go of the older half, so that a tree of many large files does not pay for each of them.
    fn make_room(&mut self) {
        let mut order: Vec<(u64, ContentHash, usize)> =
            self.lists.iter().map(|(hash, (list, used))| (*used, *hash, list.hashes.len() * 8)).collect();
        order.sort_unstable_by_key(|(used, _, _)| *used);
        for (_, hash, bytes) in order {
            if self.bytes <= KEPT_BYTES / 2 {
                break;
            }
            self.lists.remove(&hash);
            self.bytes -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(content: &[u8]) -> BlockList {
        BlockList::read(&mut &*content, content.len() as u64).unwrap().unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        #[test]
        fn a_list_does_not_depend_on_the_pieces(content in prop::collection::vec(any::<u8>(), 0..40_000), cut in 1usize..9000) {
            let mut lister = Lister::new(content.len() as u64);
            content.chunks(cut).for_each(|piece| lister.push(piece));
            prop_assert_eq!(lister.finish(), Some(list(&content)));
        }
    }

    #[test]
    fn a_list_has_as_many_hashes_as_its_size_says() {
        for size in [1usize, 4095, 4096, 4097, 1 << 20] {
            assert_eq!(list(&vec![7; size]).hashes.len() as u64, BlockList::count(size as u64), "{size}");
        }
        for size in [1u64 << 32, 1 << 33, 1 << 38, 1 << 45] {
            assert!(block_size(size).is_power_of_two() && block_size(size) <= BLOCK as u64, "{size}");
        }
        assert!(BlockList::count(1 << 38) <= MOST);
    }

    #[test]
    fn an_insert_shifts_a_file_and_a_change_or_growth_does_not() {
        let old: Vec<u8> = (0..1 << 20).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 9) as u8).collect();
        let mut changed = old.clone();
        changed[5000] ^= 1;
        assert!(!list(&old).shifted(&list(&changed)));
        assert!(!list(&old).shifted(&list(&[old.as_slice(), &old].concat())), "grown");
        assert!(!list(&old).shifted(&list(&old[..300_000])), "cut off");
        assert!(list(&old).shifted(&list(&[b"x".as_slice(), &old].concat())));
    }

    #[test]
    fn lists_that_were_used_stay_and_memory_is_bounded() {
        let mut lists = Lists::default();
        let hash = |n: u32| ContentHash(*blake3::hash(&n.to_le_bytes()).as_bytes());
        for n in 0..200u32 {
            lists.keep(hash(n), BlockList { size: 1 << 32, hashes: vec![0; 1 << 16] });
            assert!(lists.get(&hash(0)).is_some(), "used each time, kept each time");
            assert!(lists.bytes <= KEPT_BYTES);
        }
        assert!(lists.get(&hash(1)).is_none());
        assert_eq!(lists.bytes, lists.lists.len() << 19);
    }
}
