//! The inner values of a content's hash, by which the hash of a content that differs in few places is made from those
//! places alone (BLAKE3 is a tree: <https://github.com/BLAKE3-team/BLAKE3-specs>). It refuses nothing: whether it is the hash
//! that was announced is for others to compare.

use std::io;

use blake3::hazmat::{ChainingValue, HasherExt, Mode, left_subtree_len, merge_subtrees_non_root, merge_subtrees_root};

use crate::manifest::ContentHash;

/// Smallest part with a value of its own.
const SMALLEST: u64 = 16 * 1024;
/// Above so many parts they grow: the values of one file take 2 MiB at most.
const MOST: u64 = 1 << 16;

/// The values of the parts of one content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HashTree {
    size: u64,
    /// Bytes in each part, the last one excepted: a power of two.
    part: u64,
    values: Vec<ChainingValue>,
}

impl HashTree {
    /// Of a content of this size of which nothing is known yet.
    pub(crate) fn new(size: u64) -> Self {
        let part = size.div_ceil(MOST).next_power_of_two().max(SMALLEST);
        Self { size, part, values: Vec::new() }
    }

    /// Of a content whose parts have these values.
    pub(crate) fn of_parts(size: u64, part: u64, values: Vec<ChainingValue>) -> Self {
        Self { size, part, values }
    }

    /// Reads again the parts that these ranges of bytes touch, in order, of a content that is `size` bytes long now.
    pub(crate) fn read_again(
        &mut self,
        size: u64,
        ranges: &[(u64, u64)],
        mut read: impl FnMut(&mut [u8], u64) -> io::Result<()>,
    ) -> io::Result<()> {
        let known = self.values.len() as u64;
        let parts = size.div_ceil(self.part);
        self.values.resize(parts as usize, ChainingValue::default());
        let mut buffer = vec![0; self.part as usize];
        let mut next = 0;
        // Where the end has moved, the part in which it was or is has another value.
        let ends = if size == self.size && known == parts {
            None
        } else {
            Some((size.min(self.size).min(known * self.part).saturating_sub(1), size))
        };
        let touched = ranges.iter().copied().chain(ends);
        let mut sorted: Vec<(u64, u64)> = touched.filter(|(from, to)| from < to).collect();
        sorted.sort_unstable();
        for (from, to) in sorted {
            for at in (from / self.part).max(next)..to.min(size).div_ceil(self.part) {
                let begin = at * self.part;
                let part = &mut buffer[..(size - begin).min(self.part) as usize];
                read(part, begin)?;
                let mut hasher = blake3::Hasher::new();
                hasher.set_input_offset(begin).update(part);
                self.values[at as usize] = hasher.finalize_non_root();
                next = at + 1;
            }
        }
        self.size = size;
        Ok(())
    }

    /// The hash of the whole; `None` where there is too little for a tree.
    pub(crate) fn hash(&self) -> Option<ContentHash> {
        if self.size <= self.part {
            return None;
        }
        let left = left_subtree_len(self.size);
        let root = merge_subtrees_root(&self.value(0, left), &self.value(left, self.size - left), Mode::Hash);
        Some(ContentHash(*root.as_bytes()))
    }

    fn value(&self, from: u64, len: u64) -> ChainingValue {
        if len <= self.part {
            return self.values[(from / self.part) as usize];
        }
        let left = left_subtree_len(len);
        merge_subtrees_non_root(&self.value(from, left), &self.value(from + left, len - left), Mode::Hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(content: &[u8]) -> impl FnMut(&mut [u8], u64) -> io::Result<()> + '_ {
        |part, at| {
            part.copy_from_slice(&content[at as usize..at as usize + part.len()]);
            Ok(())
        }
    }

    fn whole(content: &[u8]) -> HashTree {
        let mut tree = HashTree::new(content.len() as u64);
        tree.read_again(content.len() as u64, &[(0, content.len() as u64)], reader(content)).unwrap();
        tree
    }

    fn content(len: usize) -> Vec<u8> {
        (0..len as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8).collect()
    }

    #[test]
    fn it_is_the_hash_of_the_whole_for_any_length() {
        for len in [16_385, 20_000, 32_768, 32_769, 100_000, 163_840, 1 << 20, (1 << 20) + 1, 3_333_333] {
            let content = content(len);
            assert_eq!(whole(&content).hash(), Some(ContentHash(*blake3::hash(&content).as_bytes())), "{len} bytes");
        }
        assert_eq!(whole(&content(16_384)).hash(), None);
    }

    #[test]
    fn what_is_written_in_place_grows_or_is_cut_off_is_found_by_reading_what_was_touched() {
        let old = content(1_000_000);
        for len in [1_000_000, 999_999, 983_040, 500_000, 16_385, 1_000_001, 1_500_000] {
            let mut new = old.clone();
            new.resize(len, 9);
            for at in [0usize, 5000, 400_000, 999_998] {
                if let Some(byte) = new.get_mut(at) {
                    *byte ^= 1;
                }
            }
            let mut tree = whole(&old);
            let mut read = 0;
            let mut fetch = reader(&new);
            let ranges = [(0, 1), (5000, 5001), (400_000, 400_001), (999_998, 1_500_000)];
            tree.read_again(len as u64, &ranges, |part, at| {
                read += part.len();
                fetch(part, at)
            })
            .unwrap();
            assert_eq!(tree.hash(), Some(ContentHash(*blake3::hash(&new).as_bytes())), "{len} bytes");
            assert!(len > 1_000_001 || read <= 5 * 16_384, "{read} bytes read for {len}");
        }
    }

    #[test]
    fn of_a_long_content_the_parts_are_larger() {
        assert_eq!(HashTree::new(1 << 30).part, 16_384);
        assert_eq!(HashTree::new(1 << 40).part, 1 << 24);
    }
}
