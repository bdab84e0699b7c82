//! One object on its way into the stage: hashed as it comes, small ones kept in memory until they are whole. It refuses
//! to fill the disk beyond the reserve.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use crate::capture::FromStart;
use crate::error::{Error, Result};
use crate::fingerprint::Fingerprint;
use crate::hashing::Hashing;
use crate::manifest::ContentHash;
use crate::nursery::Nursery;
use crate::own_copy::Lent;
use crate::reading::{Piece, Scratch, digest};
use crate::sparse::SparseFile;
use crate::stage::Stage;
use crate::store::free_bytes_near;

/// Objects of this size and larger go to disk as they come: their bytes are not copied once more.
const IN_MEMORY: usize = 1 << 20;
/// What no file system of ours goes beyond.
const LONGEST: u64 = i64::MAX as u64;
/// Places in a file that was written to which are remembered: 16 MiB.
const MOST_PLACES: usize = 1 << 20;
/// How often the free space is looked at while one object arrives.
const LOOK_AT_DISK: u64 = 64 << 20;

pub(crate) struct Incoming {
    /// Under what it was announced, and is kept until it is whole.
    expected: ContentHash,
    part: PathBuf,
    hashing: Hashing,
    len: u64,
    sink: Sink,
    reserve: u64,
    since_look: u64,
}

/// Where the bytes go.
enum Sink {
    Memory(Vec<u8>),
    Part(SparseFile),
    Patch(Box<Patch>),
}

/// Older content that is written to until it is the new one.
struct Patch {
    lent: Lent,
    /// Bytes that were written, from and to.
    written: Vec<(u64, u64)>,
    /// Zeros came, which are hashed otherwise; or it was written to in more places than are worth remembering.
    whole: bool,
}

impl Incoming {
    /// An object announced with this hash and size, of which everything before `offset` is here.
    pub(crate) fn begin(
        stage: &Stage,
        expected: ContentHash,
        size: u64,
        offset: u64,
        reserve: u64,
        mut hashing: Hashing,
    ) -> Result<Self> {
        let (sink, sofar) = if offset == 0 && size < IN_MEMORY as u64 {
            (Sink::Memory(Vec::with_capacity(size as usize)), Fingerprint::default())
        } else {
            let (file, sofar) = stage.resume(&expected, offset)?;
            (Sink::Part(SparseFile::new(file, offset)), sofar)
        };
        hashing.begin(size, sofar);
        Ok(Self { expected, part: stage.part(&expected), hashing, len: offset, sink, reserve, since_look: 0 })
    }

    /// An object of which most may be in its place already.
    pub(crate) fn over(stage: &Stage, expected: ContentHash, lent: Lent, reserve: u64, hashing: Hashing) -> Self {
        let sink = Sink::Patch(Box::new(Patch { lent, written: Vec::new(), whole: false }));
        Self { expected, part: stage.part(&expected), hashing, len: 0, sink, reserve, since_look: 0 }
    }

    /// Takes what comes next.
    pub(crate) fn take(&mut self, piece: Piece<'_>, stage: &Stage) -> Result<()> {
        let part = &self.part;
        let trouble = |e: io::Error| Error::io("cannot write to the stage", part, e);
        let too_long = || Error::protocol("content that is longer than any file");
        self.len = self.len.checked_add(piece.len()).filter(|len| *len <= LONGEST).ok_or_else(too_long)?;
        if !matches!(self.sink, Sink::Patch(_)) {
            self.hashing.take(piece);
        }
        if let Sink::Memory(content) = &self.sink
            && self.len > IN_MEMORY as u64
        {
            let (file, _) = stage.resume(&self.expected, 0)?;
            let mut file = SparseFile::new(file, 0);
            file.write(content).map_err(trouble)?;
            self.sink = Sink::Part(file);
        }
        match &mut self.sink {
            Sink::Memory(content) => match piece {
                Piece::Data(bytes) => content.extend_from_slice(bytes),
                Piece::Zeros(count) => content.resize(content.len() + count as usize, 0),
            },
            Sink::Patch(patch) => patch.take(piece, self.len - piece.len()).map_err(trouble)?,
            Sink::Part(file) => file.take(piece).map_err(trouble)?,
        }
        if let (Piece::Data(bytes), Sink::Patch(_) | Sink::Part(_)) = (piece, &self.sink) {
            self.since_look += bytes.len() as u64;
        }
        if self.since_look >= LOOK_AT_DISK {
            self.since_look = 0;
            let free = free_bytes_near(part);
            if free < self.reserve {
                return Err(Error::disk_full("the disk of the replica is full", self.reserve, free));
            }
        }
        Ok(())
    }

    /// Takes a piece of old content that is here.
    pub(crate) fn take_from(
        &mut self,
        old: &File,
        from: u64,
        len: u64,
        buffer: &mut Vec<u8>,
        stage: &Stage,
        mut told: impl FnMut(u64) -> Result<()>,
    ) -> Result<()> {
        // What is written to has it in its place.
        if matches!(self.sink, Sink::Patch(_)) && from == self.len {
            self.len += len;
            return told(len);
        }
        buffer.resize(crate::reading::BLOCK, 0);
        let mut at = from;
        while at < from + len {
            let want = usize::try_from(from + len - at).map_or(buffer.len(), |left| left.min(buffer.len()));
            let piece = &mut buffer[..want];
            old.read_exact_at(piece, at).map_err(|e| Error::io("cannot read the last generation", &self.part, e))?;
            self.take(Piece::Data(piece), stage)?;
            told(want as u64)?;
            at += want as u64;
        }
        Ok(())
    }

    /// The hash of everything that came, which was announced as this one.
    pub(crate) fn hash(&mut self, announced: &ContentHash) -> Result<ContentHash> {
        let trouble = |e: io::Error| Error::io("cannot write to the stage", &self.part, e);
        match &mut self.sink {
            Sink::Patch(patch) => patch.hash(self.len, announced).map_err(trouble),
            _ => Ok(self.hashing.hash()),
        }
    }

    /// Nobody wants it.
    pub(crate) fn forget(self, stage: &Stage) -> Result<()> {
        match self.sink {
            Sink::Patch(_) => stage.forget_patch(&self.expected),
            _ => stage.forget_part(&self.expected),
        }
    }

    /// Keeps the object under the hash it was found to have. Gives back what hashes.
    pub(crate) fn keep(
        self,
        hash: ContentHash,
        stage: &mut Stage,
        place: Option<(&mut Nursery, u32)>,
    ) -> Result<Hashing> {
        match self.sink {
            Sink::Memory(content) => match place {
                Some((nursery, index)) => nursery.put(index, hash, content)?,
                None => stage.put(hash, &content)?,
            },
            Sink::Patch(_) => stage.adopt_patched(&self.expected, hash)?,
            Sink::Part(mut file) => {
                let len = file.len();
                file.write_out();
                file.finish().map_err(|e| Error::io("cannot write to the stage", &self.part, e))?;
                if len == 0 { stage.forget_part(&self.expected)? } else { stage.adopt(&self.part, hash)? }
            }
        }
        Ok(self.hashing)
    }
}

impl Patch {
    fn take(&mut self, piece: Piece<'_>, at: u64) -> io::Result<()> {
        let (file, end) = (&self.lent.file, at + piece.len());
        match piece {
            Piece::Data(bytes) => file.write_all_at(bytes, at)?,
            Piece::Zeros(count) => {
                self.whole = true;
                // Beyond the end a hole comes by itself.
                let inside = file.metadata()?.len().saturating_sub(at).min(count);
                if inside > 0 {
                    clear(file, at, inside)?;
                }
            }
        }
        let few = self.written.len() < MOST_PLACES;
        match self.written.last_mut() {
            Some((_, last)) if *last == at => *last = end,
            _ if few => self.written.push((at, end)),
            _ => self.whole = true,
        }
        Ok(())
    }

    fn hash(&mut self, len: u64, announced: &ContentHash) -> io::Result<ContentHash> {
        let Lent { file, size, values } = &mut self.lent;
        file.set_len(len)?;
        if !self.whole && len / 4 <= *size {
            values.read_again(len, &self.written, |part, at| file.read_exact_at(part, at))?;
            if values.hash().as_ref() == Some(announced) {
                return Ok(*announced);
            }
        }
        digest::<io::Error>(&mut FromStart { file, at: 0 }, len, &mut Scratch::default(), |_| Ok(()))
            .map(|read| read.hash)
    }
}

/// Makes a hole of what is there, or zeros where the file system knows no holes.
fn clear(file: &File, at: u64, len: u64) -> io::Result<()> {
    let hole = FallocateFlags::PUNCH_HOLE.union(FallocateFlags::KEEP_SIZE);
    match fallocate(file, hole, at, len) {
        Err(Errno::OPNOTSUPP) => {
            let zeros = vec![0; 1 << 20];
            let mut done = 0;
            while done < len {
                let now = (len - done).min(zeros.len() as u64);
                file.write_all_at(&zeros[..now as usize], at + done)?;
                done += now;
            }
            Ok(())
        }
        done => Ok(done?),
    }
}
