//! What both sides know of the old content of files that changed. The replica claims what it has; the source, which
//! remembers the blocks of what it had, asks only for the blocks of content it does not know, or for its chunks where
//! something was inserted. It refuses lists longer than the claimed content, and more of them than it would keep.
//!
//! ```text
//! replica                                   source
//! Claim(entry, size, hash)… with the needs ──▶
//!                                          ◀──   Ask(scheme, entries)        none, once or twice
//! Blocks(entry, hashes)… BlocksEnd         ──▶
//!                                          ◀──   Settled, then the content
//! ```

use std::collections::HashMap;
use std::io::{Read, Write};
use std::sync::{Arc, PoisonError};

use crate::blocks::{BlockList, SharedLists, is_listed};
use crate::chunks::{self, Chunk, ChunkMap, SHORTEST};
use crate::delta::Base;
use crate::error::{Error, Result};
use crate::field::Fields;
use crate::manifest::{ContentHash, EntryKind, Manifest};
use crate::reading::Content;
use crate::reuse::Reuse;
use crate::stage::Stage;
use crate::wire::{CHUNK, Kind, Link};

const BLOCKS: u8 = 0;
const CHUNKS: u8 = 1;
/// Hashes that are asked for in one pull; what is above travels whole.
const MOST_HASHES: u64 = 8 << 20;

/// Old content that the replica says it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The entry it may be the base of.
    pub(crate) index: u32,
    pub(crate) size: u64,
    pub(crate) hash: ContentHash,
}

impl Claim {
    const LEN: usize = 4 + 8 + 32;

    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self> {
        Ok(Self { index: fields.u32()?, size: fields.u64()?, hash: ContentHash(fields.array()?) })
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.index.to_le_bytes());
        out.extend_from_slice(&self.size.to_le_bytes());
        out.extend_from_slice(&self.hash.0);
    }
}

/// The source's part: what is known of the claimed contents, asking for what is not.
pub(crate) fn settle<S: Read + Write>(
    link: &mut Link<'_, S>,
    manifest: &Manifest,
    claims: &[Claim],
    lists: &SharedLists,
) -> Result<HashMap<u32, Base>> {
    let mut bases = HashMap::new();
    if claims.is_empty() {
        return Ok(bases);
    }
    let known = |hash| lists.lock().unwrap_or_else(PoisonError::into_inner).get(hash);
    let mut blocks: HashMap<u32, Arc<BlockList>> =
        claims.iter().filter_map(|claim| Some((claim.index, known(&claim.hash)?))).collect();
    let unknown: Vec<&Claim> = claims.iter().filter(|claim| !blocks.contains_key(&claim.index)).collect();
    let asked = within(unknown, |claim| BlockList::count(claim.size));
    for (claim, bytes) in ask(link, BLOCKS, &asked, |claim| BlockList::count(claim.size) * 8)? {
        let hashes: Vec<u64> = bytes.as_chunks().0.iter().copied().map(u64::from_le_bytes).collect();
        // An empty answer: the replica cannot read it any more.
        if hashes.len() as u64 == BlockList::count(claim.size) {
            blocks.insert(claim.index, Arc::new(BlockList { size: claim.size, hashes }));
        }
    }
    let shifted = |claim: &&Claim| {
        let new = match manifest.entries().get(claim.index as usize).map(|entry| &entry.kind) {
            Some(EntryKind::File { hash, .. }) => known(hash),
            _ => None,
        };
        blocks.get(&claim.index).zip(new).is_some_and(|(old, new)| old.shifted(&new))
    };
    let asked = within(claims.iter().filter(shifted).collect(), |claim| claim.size / SHORTEST as u64 + 1);
    for (claim, bytes) in ask(link, CHUNKS, &asked, |claim| (claim.size / SHORTEST as u64 + 1) * 12)? {
        let mut fields = Fields::new(&bytes);
        let mut chunks: Vec<Chunk> = Vec::with_capacity(bytes.len() / 12);
        while !fields.is_empty() {
            chunks.push((fields.u64()?, fields.u32()?));
        }
        if chunks.iter().map(|chunk| u64::from(chunk.1)).sum::<u64>() > claim.size {
            return Err(Error::protocol("chunks of more than there is were told"));
        }
        bases.insert(claim.index, Base::Chunks(ChunkMap::new(chunks)));
    }
    for (index, list) in blocks {
        bases.entry(index).or_insert(Base::Blocks(list));
    }
    link.send(Kind::Settled, &[], &[])?;
    Ok(bases)
}

/// As many as may be asked for.
fn within(claims: Vec<&Claim>, hashes: impl Fn(&Claim) -> u64) -> Vec<&Claim> {
    let mut left = MOST_HASHES;
    let fits = |claim: &&Claim| match left.checked_sub(hashes(claim)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    claims.into_iter().filter(fits).collect()
}

/// Asks for what is known of these contents, and takes the answers.
fn ask<'c, S: Read + Write>(
    link: &mut Link<'_, S>,
    scheme: u8,
    asked: &[&'c Claim],
    longest: impl Fn(&Claim) -> u64,
) -> Result<Vec<(&'c Claim, Vec<u8>)>> {
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let mut answers: Vec<(&Claim, Vec<u8>)> = Vec::with_capacity(asked.len());
    // Some at a time: a frame holds so many, and an answer is waited for anyway.
    for some in asked.chunks(CHUNK / 8) {
        let indexes: Vec<u8> = some.iter().flat_map(|claim| claim.index.to_le_bytes()).collect();
        link.send(Kind::Ask, &[scheme], &indexes)?;
        link.flush()?;
        let mut left = some.iter();
        loop {
            let (kind, payload) = link.receive(&[Kind::Blocks, Kind::BlocksEnd])?;
            if kind == Kind::BlocksEnd {
                break;
            }
            let mut fields = Fields::new(payload);
            let index = fields.u32()?;
            if answers.last().is_none_or(|(claim, _)| claim.index != index) {
                let next = left.find(|claim| claim.index == index);
                let claim = next.ok_or_else(|| Error::protocol("blocks that were not asked for"))?;
                answers.push((*claim, Vec::new()));
            }
            if let Some((claim, bytes)) = answers.last_mut() {
                bytes.extend_from_slice(&payload[4..]);
                if bytes.len() as u64 > longest(claim) {
                    return Err(Error::protocol("more blocks than the content can have"));
                }
            }
        }
    }
    Ok(answers)
}

/// The replica's part: its old content of what it asks for.
#[derive(Default)]
pub(crate) struct Bases(HashMap<u32, Old>);

/// Old content, and where it is.
#[derive(Clone, Copy)]
pub(crate) struct Old {
    pub(crate) entry: usize,
    pub(crate) size: u64,
    pub(crate) hash: ContentHash,
}

impl Bases {
    /// What was at the same path, where both are large and nothing speaks against it.
    pub(crate) fn choose(asked: &HashMap<u32, u64>, offered: &Manifest, reuse: &Reuse, stage: &Stage) -> Self {
        let base = |index: &u32| {
            let entry = offered.entries().get(*index as usize)?;
            let old = reuse.at(&entry.path)?;
            let large = matches!(entry.kind, EntryKind::File { size, .. } if is_listed(size)) && is_listed(old.size);
            (large && !stage.rotten(&old.hash)).then_some((*index, old))
        };
        Self(asked.keys().filter_map(base).collect())
    }

    pub(crate) fn get(&self, index: u32) -> Option<&Old> {
        self.0.get(&index)
    }

    /// Tells the source; goes before the end of the needs.
    pub(crate) fn claim<S: Read + Write>(&self, link: &mut Link<'_, S>) -> Result<()> {
        let mut claims: Vec<Claim> =
            self.0.iter().map(|(index, old)| Claim { index: *index, size: old.size, hash: old.hash }).collect();
        claims.sort_unstable_by_key(|claim| claim.index);
        for some in claims.chunks(CHUNK / Claim::LEN) {
            let mut payload = Vec::with_capacity(some.len() * Claim::LEN);
            some.iter().for_each(|claim| claim.put(&mut payload));
            link.send(Kind::Claim, &payload, &[])?;
        }
        Ok(())
    }

    /// Answers what the source asks, until it has settled what it sends.
    pub(crate) fn answer<S: Read + Write>(&self, link: &mut Link<'_, S>, reuse: &mut Reuse) -> Result<()> {
        while !self.0.is_empty() {
            let (kind, payload) = link.receive(&[Kind::Ask, Kind::Settled])?;
            if kind == Kind::Settled {
                break;
            }
            let payload = payload.to_vec();
            let mut fields = Fields::new(&payload);
            let scheme = fields.u8()?;
            while !fields.is_empty() {
                let index = fields.u32()?;
                let old = self.get(index).ok_or_else(|| Error::protocol("the blocks of nothing were asked for"))?;
                // What cannot be read is not told: that file travels whole.
                let told = reuse.open(old.entry).and_then(|mut file| tell(scheme, &mut file, old.size));
                for part in told.unwrap_or_default().chunks(CHUNK) {
                    link.send(Kind::Blocks, &index.to_le_bytes(), part)?;
                }
            }
            link.send(Kind::BlocksEnd, &[], &[])?;
            link.flush()?;
        }
        Ok(())
    }
}

fn tell(scheme: u8, file: &mut impl Content, size: u64) -> std::io::Result<Vec<u8>> {
    Ok(match scheme {
        BLOCKS => {
            let list = BlockList::read(file, size)?;
            list.map(|list| list.hashes.iter().flat_map(|hash| hash.to_le_bytes()).collect()).unwrap_or_default()
        }
        CHUNKS => {
            let chunks = chunks::read(file, size)?;
            let tell = |(hash, len): Chunk| hash.to_le_bytes().into_iter().chain(len.to_le_bytes());
            chunks.into_iter().flat_map(tell).collect()
        }
        // A scheme of a later version: nothing is told, the file travels whole.
        _ => Vec::new(),
    })
}
