//! Receiving content into the stage. It refuses content that does not have the hash it was announced with, entries that
//! were not asked for, and to fill the disk beyond the reserve.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;

use crate::encoding::decode_entry;
use crate::error::{Error, ErrorKind, Result};
use crate::field::Fields;
use crate::manifest::{ContentHash, ContentId, Entry, EntryKind, Manifest};
use crate::stage::Stage;
use crate::store::free_bytes_near;
use crate::transfer::{AMEND, CHANGED, DONE, DROPPED, DataReader, KEPT, OBJECT};
use crate::watch::{Point, Tally, Watch, pass};

/// Larger objects go to disk as they come.
const IN_MEMORY: usize = 1 << 20;
/// How often the free space is looked at while one object arrives.
const LOOK_AT_DISK: u64 = 64 << 20;
/// Longest encoded entry: a path and a link target, and the rest.
const MAX_ENTRY: u32 = 80 * 1024;

pub(crate) struct Receiver<'r> {
    pub(crate) manifest: &'r Manifest,
    /// Offset at which each entry that was asked for goes on.
    pub(crate) asked: HashMap<u32, u64>,
    pub(crate) stage: &'r mut Stage,
    pub(crate) reserve: u64,
    pub(crate) tally: Tally<'r>,
    pub(crate) watch: &'r dyn Watch,
}

/// Where the bytes of an object go.
enum Sink {
    Memory(Vec<u8>),
    Part(File),
}

impl Receiver<'_> {
    /// Takes everything up to the end: the amendments, and the id that the source ends with.
    pub(crate) fn run<S: Read + Write>(
        mut self,
        mut data: DataReader<'_, '_, S>,
    ) -> Result<(BTreeMap<u32, Option<Entry>>, ContentId)> {
        let mut amended = BTreeMap::new();
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
                    return Ok((amended, id));
                }
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
        let part = self.stage.part(&expected);
        let trouble = |e: std::io::Error| Error::io("cannot write to the stage", &part, e);
        let mut hasher = blake3::Hasher::new();
        let mut sink = if offset == 0 && size <= IN_MEMORY as u64 {
            Sink::Memory(Vec::with_capacity(size as usize))
        } else {
            let (file, sofar) = self.stage.resume(&expected, offset)?;
            hasher = sofar;
            Sink::Part(file)
        };
        let mut since_look = 0u64;
        loop {
            let len = data.u32()? as usize;
            if len == 0 {
                break;
            }
            let Self { stage, tally, reserve, .. } = self;
            data.pieces(len, |piece| {
                hasher.update(piece);
                if let Sink::Memory(content) = &sink
                    && content.len() + piece.len() > IN_MEMORY
                {
                    let (mut file, _) = stage.resume(&expected, 0)?;
                    file.write_all(content).map_err(trouble)?;
                    sink = Sink::Part(file);
                }
                match &mut sink {
                    Sink::Memory(content) => content.extend_from_slice(piece),
                    Sink::Part(file) => {
                        file.write_all(piece).map_err(trouble)?;
                        since_look += piece.len() as u64;
                        if since_look >= LOOK_AT_DISK {
                            since_look = 0;
                            let free = free_bytes_near(&part);
                            if free < *reserve {
                                return Err(Error::disk_full("the disk of the replica is full", *reserve, free));
                            }
                        }
                    }
                }
                tally.bytes(piece.len() as u64)
            })?;
        }
        let verdict = data.u8()?;
        let announced = ContentHash(data.array()?);
        let hash = ContentHash(*hasher.finalize().as_bytes());
        let right = match verdict {
            KEPT => hash == announced && hash == expected,
            CHANGED => hash == announced,
            DROPPED => return self.stage.forget_part(&expected),
            _ => return Err(Error::protocol(format!("an unknown verdict {verdict} on an object"))),
        };
        if !right {
            self.stage.forget_part(&expected)?;
            let path = self.manifest.entries()[index as usize].path.as_path();
            return Err(Error::new(ErrorKind::HashMismatch, "content does not have the announced hash").at(path));
        }
        match sink {
            Sink::Memory(content) => self.stage.put(hash, &content)?,
            Sink::Part(file) => {
                // A part from an earlier run may be longer than what came now.
                let len = file.metadata().map_err(trouble)?.size();
                drop(file);
                if len == 0 {
                    self.stage.forget_part(&expected)?;
                } else {
                    self.stage.adopt(&part, hash)?;
                }
            }
        }
        self.tally.file()?;
        pass(self.watch, Point::ObjectStaged)
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
