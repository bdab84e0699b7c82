//! The hash by which content is known. It is BLAKE3 of the bytes, except that blocks which are nothing but zeros are
//! counted instead of hashed: a hole of a terabyte costs no more than a word about it. It refuses to depend on where a
//! disk happens to have holes: zeros are zeros, written or not.
//!
//! ```text
//! no block of zeros    BLAKE3(content)
//! otherwise            BLAKE3 in its own domain (BLAKE3(what is not in such blocks), length u64, (first block u64, blocks u64)…)
//! ```

use crate::manifest::ContentHash;
use crate::reading::{BLOCK, Piece};

const DOMAIN: &str = "tvox-dr 2026-11-23 content with blocks of zeros";

static ZEROS: [u8; 4096] = [0; 4096];

/// Whether there is nothing but zeros; what is not tells at its beginning, as a rule.
pub(crate) fn is_zeros(bytes: &[u8]) -> bool {
    bytes.chunks(ZEROS.len()).all(|chunk| *chunk == ZEROS[..chunk.len()])
}

/// Makes the hash of content as it comes, whatever the pieces.
pub(crate) struct Fingerprint {
    /// Everything that is not in a block of zeros.
    rest: blake3::Hasher,
    len: u64,
    /// The block under way began with so many zeros and has nothing else yet; else it is no block of zeros.
    blank: Option<u64>,
    /// Runs of blocks of zeros: the first one, and how many.
    runs: Vec<(u64, u64)>,
}

impl Default for Fingerprint {
    fn default() -> Self {
        Self { rest: blake3::Hasher::new(), len: 0, blank: Some(0), runs: Vec::new() }
    }
}

impl Fingerprint {
    /// Takes what comes next.
    pub(crate) fn take(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Data(bytes) => self.update(bytes),
            Piece::Zeros(count) => self.zeros(count),
        }
    }

    /// Takes the next bytes.
    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(self.left_in_block()));
            match self.blank {
                Some(zeros) if is_zeros(now) => self.blank = Some(zeros + now.len() as u64),
                blank => {
                    put_zeros(&mut self.rest, blank.unwrap_or(0));
                    self.blank = None;
                    self.rest.update(now);
                }
            }
            self.advance(now.len());
            bytes = later;
        }
    }

    /// Takes so many zeros.
    pub(crate) fn zeros(&mut self, mut count: u64) {
        while count > 0 {
            let left = self.left_in_block();
            let blocks = count / BLOCK as u64;
            if left == BLOCK && blocks > 0 {
                self.blocks_of_zeros(self.len, blocks);
                self.len += blocks * BLOCK as u64;
                count -= blocks * BLOCK as u64;
                continue;
            }
            let now = usize::try_from(count).map_or(left, |count| count.min(left));
            match &mut self.blank {
                Some(zeros) => *zeros += now as u64,
                None => put_zeros(&mut self.rest, now as u64),
            }
            self.advance(now);
            count -= now as u64;
        }
    }

    fn left_in_block(&self) -> usize {
        BLOCK - (self.len % BLOCK as u64) as usize
    }

    /// So many bytes of the block under way are done; never more than are left in it.
    fn advance(&mut self, bytes: usize) {
        self.len += bytes as u64;
        if self.len.is_multiple_of(BLOCK as u64) {
            if self.blank.is_some() {
                self.blocks_of_zeros(self.len - BLOCK as u64, 1);
            }
            self.blank = Some(0);
        }
    }

    fn blocks_of_zeros(&mut self, from: u64, count: u64) {
        let first = from / BLOCK as u64;
        match self.runs.last_mut() {
            Some((run, blocks)) if *run + *blocks == first => *blocks += count,
            _ => self.runs.push((first, count)),
        }
    }

    /// The hash of everything that came.
    pub(crate) fn finish(&self) -> ContentHash {
        let mut rest = self.rest.clone();
        // What is shorter than a block is no block of zeros.
        put_zeros(&mut rest, self.blank.unwrap_or(0));
        let rest = rest.finalize();
        if self.runs.is_empty() {
            return ContentHash(*rest.as_bytes());
        }
        let mut whole = blake3::Hasher::new_derive_key(DOMAIN);
        whole.update(rest.as_bytes()).update(&self.len.to_le_bytes());
        for (first, blocks) in &self.runs {
            whole.update(&first.to_le_bytes()).update(&blocks.to_le_bytes());
        }
        ContentHash(*whole.finalize().as_bytes())
    }
}

/// At most one block of them.
fn put_zeros(hasher: &mut blake3::Hasher, mut count: u64) {
    while count > 0 {
        let now = count.min(ZEROS.len() as u64);
        hasher.update(&ZEROS[..now as usize]);
        count -= now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MORE: usize = 5000;

    /// Content with zeros at these places.
    fn content(len: usize, zeros: &[std::ops::Range<usize>]) -> Vec<u8> {
        let mut content = vec![7; len];
        zeros.iter().for_each(|range| content[range.clone()].fill(0));
        content
    }

    fn hash(content: &[u8]) -> ContentHash {
        let mut hasher = Fingerprint::default();
        hasher.update(content);
        hasher.finish()
    }

    #[test]
    fn what_has_no_block_of_zeros_is_known_by_its_plain_hash() {
        let nearly = content(3 * BLOCK, &[1..BLOCK, BLOCK + 1..3 * BLOCK - 1]);
        for content in [&[][..], b"x", &[0; 100], &vec![0; BLOCK - 1], &nearly, &nearly[..2 * BLOCK + 9]] {
            assert_eq!(hash(content), ContentHash(*blake3::hash(content).as_bytes()), "{} bytes", content.len());
        }
        assert_ne!(hash(&vec![0; BLOCK]), ContentHash(*blake3::hash(&vec![0; BLOCK]).as_bytes()));
    }

    #[test]
    fn pieces_and_holes_do_not_matter() {
        let holes = [0..BLOCK, 2 * BLOCK - 9..5 * BLOCK + 9, 6 * BLOCK..7 * BLOCK + MORE];
        for len in [7 * BLOCK + MORE, 7 * BLOCK + MORE - 1, 5 * BLOCK] {
            let holes: Vec<_> = holes.iter().map(|hole| hole.start.min(len)..hole.end.min(len)).collect();
            let whole = content(len, &holes);
            for piece in [len, BLOCK, BLOCK + 1, 4096, 70_001] {
                let mut pieces = Fingerprint::default();
                whole.chunks(piece).for_each(|piece| pieces.update(piece));
                assert_eq!(pieces.finish(), hash(&whole), "{len} bytes in pieces of {piece}");
            }
            let (mut told, mut at) = (Fingerprint::default(), 0);
            for hole in &holes {
                told.update(&whole[at..hole.start]);
                told.zeros(hole.len() as u64);
                at = hole.end;
            }
            told.update(&whole[at..]);
            assert_eq!(told.finish(), hash(&whole), "{len} bytes, holes told");
        }
    }

    #[test]
    fn other_content_has_another_hash_however_alike_its_holes_are() {
        let zeros = |len: usize, from: usize, to: usize| {
            let mut content = vec![7; len];
            content[from..to].fill(0);
            content
        };
        let contents = [
            zeros(3 * BLOCK, 0, BLOCK),
            zeros(3 * BLOCK, BLOCK, 2 * BLOCK),
            zeros(3 * BLOCK, 2 * BLOCK, 3 * BLOCK),
            zeros(3 * BLOCK, 0, 2 * BLOCK),
            zeros(4 * BLOCK, 0, 2 * BLOCK),
            zeros(2 * BLOCK, 0, 0),
            zeros(3 * BLOCK, 0, 3 * BLOCK),
            zeros(3 * BLOCK + 1, 0, 3 * BLOCK + 1),
        ];
        let hashes: std::collections::HashSet<ContentHash> = contents.iter().map(|one| hash(one)).collect();
        assert_eq!(hashes.len(), contents.len());
    }

    #[test]
    fn a_hole_of_any_length_is_done_at_once() {
        let mut hasher = Fingerprint::default();
        hasher.update(b"before");
        hasher.zeros(1 << 60);
        hasher.update(b"after");
        assert_ne!(hasher.finish(), hash(b"beforeafter"));
        assert_eq!(hasher.runs.len(), 1);
    }
}
