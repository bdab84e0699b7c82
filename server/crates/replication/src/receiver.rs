//! Receiving content into the stage. It refuses content that does not have the hash it was announced with, entries that
//! were not asked for, and to fill the disk beyond the reserve.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Write};

use crate::bases::Bases;
use crate::encoding::decode_entry;
use crate::error::{Error, ErrorKind, Result};
use crate::field::Fields;
use crate::hashing::Hashing;
use crate::incoming::Incoming;
use crate::manifest::{ContentHash, ContentId, Entry, EntryKind, Manifest};
use crate::nursery::Nursery;
use crate::own_copy::Lent;
use crate::path::MAX_PATH;
use crate::reading::Piece;
use crate::reuse::Reuse;
use crate::stage::Stage;
use crate::transfer::{AMEND, CHANGED, DONE, DROPPED, DataReader, KEPT, OBJECT, REFERENCE, RENUMBER, ZEROS};
use crate::watch::{Point, Tally, Watch, pass};
use crate::xattr::MAX_XATTRS;

/// Longest encoded entry: a path, a link target, extended attributes, and the rest.
const MAX_ENTRY: u32 = (MAX_PATH + 2 * MAX_XATTRS) as u32;

/// How the content ended.
pub(crate) struct Ended {
    /// What is not as it was offered, by entry.
    pub(crate) amended: BTreeMap<u32, Option<Entry>>,
    /// The generation of what was sent, where it is another one than was offered.
    pub(crate) generation: Option<u64>,
    /// Of what was sent.
    pub(crate) id: ContentId,
}

pub(crate) struct Receiver<'r> {
    pub(crate) manifest: &'r Manifest,
    /// Offset at which each entry that was asked for goes on.
    pub(crate) asked: HashMap<u32, u64>,
    pub(crate) stage: &'r mut Stage,
    pub(crate) reserve: u64,
    pub(crate) tally: Tally<'r>,
    pub(crate) watch: &'r dyn Watch,
    /// Old content that was claimed, and where it is.
    pub(crate) bases: &'r Bases,
    /// Copies of it that may be written to.
    pub(crate) lent: HashMap<u32, Lent>,
    pub(crate) reuse: Option<&'r mut Reuse>,
    pub(crate) buffer: Vec<u8>,
    pub(crate) hashing: Hashing,
    /// Where small files go at once, in a first copy.
    pub(crate) nursery: Option<&'r mut Nursery>,
}

impl Receiver<'_> {
    /// Takes everything up to the end.
    pub(crate) fn run<S: Read + Write>(mut self, mut data: DataReader<'_, '_, S>) -> Result<Ended> {
        let (mut amended, mut generation) = (BTreeMap::new(), None);
        loop {
            match data.u8()? {
                OBJECT => self.object(&mut data)?,
                AMEND => {
                    let (index, now) = self.amendment(&mut data)?;
                    if amended.insert(index, now).is_some() {
                        return Err(Error::protocol("an entry was amended twice"));
                    }
                }
                DONE => {
                    let id = ContentId(data.array()?);
                    data.end()?;
                    self.tally.finish()?;
                    return Ok(Ended { amended, generation, id });
                }
                RENUMBER if generation.is_none() => generation = Some(data.u64()?),
                op => return Err(Error::protocol(format!("an unknown operation {op} in the content"))),
            }
        }
    }

    fn object<S: Read + Write>(&mut self, data: &mut DataReader<'_, '_, S>) -> Result<()> {
        let (index, offset) = (data.u32()?, data.u64()?);
        let (expected, size) = self.file(index)?;
        if offset != 0 && self.asked.get(&index) != Some(&offset) {
            return Err(Error::protocol("content begins where it was not asked for"));
        }
        let hashing = std::mem::take(&mut self.hashing);
        let mut incoming = match self.lent.remove(&index).filter(|_| offset == 0) {
            Some(lent) => Incoming::over(self.stage, expected, lent, self.reserve, hashing),
            None => Incoming::begin(self.stage, expected, size, offset, self.reserve, hashing)?,
        };
        let mut old = None;
        // No honest source refers to more than it announced: a few bytes cannot fill the disk.
        let mut referable = size;
        loop {
            match data.u32()? {
                0 => break,
                REFERENCE => {
                    let (from, len) = (data.u64()?, data.u64()?);
                    let file = match old.take() {
                        Some(file) => file,
                        None => self.old(index)?,
                    };
                    let inside = from.checked_add(len).is_some_and(|end| end <= file.1);
                    let outside = || Error::protocol("a reference to what is not there");
                    referable = referable.checked_sub(len).filter(|_| inside).ok_or_else(outside)?;
                    let Self { stage, tally, buffer, .. } = self;
                    let copied = incoming.take_from(&file.0, from, len, buffer, stage, |bytes| tally.bytes(bytes));
                    copied.or_else(|error| self.give_up(index, error))?;
                    old = Some(file);
                }
                ZEROS => {
                    let zeros = Piece::Zeros(data.u64()?);
                    incoming.take(zeros, self.stage)?;
                    self.tally.bytes(zeros.len())?;
                }
                len => {
                    let Self { stage, tally, .. } = self;
                    data.pieces(len as usize, |piece| {
                        incoming.take(Piece::Data(piece), stage)?;
                        tally.bytes(piece.len() as u64)
                    })?;
                }
            }
        }
        let verdict = data.u8()?;
        let announced = ContentHash(data.array()?);
        let hash = incoming.hash(&announced)?;
        let right = match verdict {
            KEPT => hash == announced && hash == expected,
            CHANGED => hash == announced,
            DROPPED => return incoming.forget(self.stage),
            _ => return Err(Error::protocol(format!("an unknown verdict {verdict} on an object"))),
        };
        if !right {
            incoming.forget(self.stage)?;
            let path = self.manifest.entries()[index as usize].path.as_path();
            let error = Error::new(ErrorKind::HashMismatch, "content does not have the announced hash").at(path);
            return if old.is_some() { self.give_up(index, error) } else { Err(error) };
        }
        let as_asked = verdict == KEPT && self.asked.contains_key(&index);
        let place = self.nursery.as_deref_mut().filter(|_| as_asked).map(|nursery| (nursery, index));
        self.hashing = incoming.keep(hash, self.stage, place)?;
        self.tally.file()?;
        pass(self.watch, Point::ObjectStaged)
    }

    /// The old content of an entry, and its size.
    fn old(&mut self, index: u32) -> Result<(File, u64)> {
        let base = self.bases.get(index).zip(self.reuse.as_deref_mut());
        let (base, reuse) = base.ok_or_else(|| Error::protocol("a reference to content that was not claimed"))?;
        let opened = reuse.open(base.entry).map_err(|e| Error::io("cannot read the last generation", "", e));
        let size = base.size;
        opened.map(|file| (file, size)).or_else(|error| self.give_up(index, error))
    }

    /// The old content, or who referred to it, is not to be trusted: the next attempt does without.
    fn give_up<T>(&mut self, index: u32, error: Error) -> Result<T> {
        if let Some(base) = self.bases.get(index).filter(|_| error.kind() != ErrorKind::Cancelled) {
            self.stage.set_rotten(&base.hash)?;
        }
        Err(error)
    }

    fn amendment<S: Read + Write>(&mut self, data: &mut DataReader<'_, '_, S>) -> Result<(u32, Option<Entry>)> {
        let index = data.u32()?;
        self.file(index)?;
        if data.u8()? == 0 {
            return Ok((index, None));
        }
        let len = data.u32()?;
        if len > MAX_ENTRY {
            return Err(Error::protocol("an amended entry is too long"));
        }
        let mut encoded = Vec::new();
        data.pieces(len as usize, |piece| {
            encoded.extend_from_slice(piece);
            Ok(())
        })?;
        let malformed = |e| Error::protocol("a malformed amendment").with(e);
        let mut fields = Fields::new(&encoded);
        let entry = decode_entry(&mut fields, u64::from(index)).map_err(malformed)?;
        let file = matches!(entry.kind, EntryKind::File { .. });
        if !fields.is_empty() || !file || entry.path != self.manifest.entries()[index as usize].path {
            return Err(Error::protocol("an amendment changes more than a file's content and metadata"));
        }
        Ok((index, Some(entry)))
    }

    /// Hash and size of an entry that may be sent: a file that was asked for, or a hardlink of one.
    fn file(&self, index: u32) -> Result<(ContentHash, u64)> {
        match self.manifest.entries().get(index as usize).map(|entry| &entry.kind) {
            Some(EntryKind::File { size, hash, group }) if *group > 0 || self.asked.contains_key(&index) => {
                Ok((*hash, *size))
            }
            _ => Err(Error::protocol("content that was not asked for")),
        }
    }
}
