//! Reading file content in a streaming way: hash and pass on, never more than a buffer in memory, and holes without reading
//! them. It refuses to read more than it was told, so that a file that keeps growing cannot hold it for ever.

use std::fs::File;
use std::io::{self, Read, Seek};

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

use crate::fingerprint::{Fingerprint, is_zeros};
use crate::hashing::Hashing;
use crate::manifest::ContentHash;

/// One read at a time; small enough for the cache, large enough for the disk.
pub(crate) const BLOCK: usize = 256 * 1024;

/// The first bytes of every SQLite database (<https://www.sqlite.org/fileformat2.html#magic_header_string>).
pub(crate) const SQLITE_HEADER: &[u8; 16] = b"SQLite format 3\0";

/// What a pass over a file found.
pub(crate) struct Digest {
    pub(crate) hash: ContentHash,
    /// How long it is: less than asked for if the file is shorter.
    pub(crate) bytes: u64,
    /// Bytes that had to be read for it.
    pub(crate) read: u64,
    /// It begins like a SQLite database.
    pub(crate) database: bool,
}

/// A part of a content, in its order.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Piece<'a> {
    /// A block, whole but for the last one.
    Data(&'a [u8]),
    /// Whole blocks of nothing but zeros.
    Zeros(u64),
}

impl Piece<'_> {
    /// Bytes of content.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Data(bytes) => bytes.len() as u64,
            Self::Zeros(count) => *count,
        }
    }
}

/// Content that is read from its beginning to its end and can pass over its holes.
pub(crate) trait Content: Read {
    /// Moves on, from `at` where it stands, over the whole blocks before `limit` that are a hole; how many bytes.
    fn pass_hole(&mut self, at: u64, limit: u64) -> io::Result<u64>;
}

#[cfg(test)]
impl Content for &[u8] {
    fn pass_hole(&mut self, _: u64, _: u64) -> io::Result<u64> {
        Ok(0)
    }
}

impl Content for File {
    fn pass_hole(&mut self, at: u64, limit: u64) -> io::Result<u64> {
        let hole = hole(self, at, limit)?;
        self.seek(io::SeekFrom::Start(at + hole))?;
        Ok(hole)
    }
}

/// Bytes in whole blocks from `at` on, before `limit`, of which the file system knows that nothing was written there.
pub(crate) fn hole(file: &File, at: u64, limit: u64) -> io::Result<u64> {
    let data = match seek(file, SeekFrom::Data(at)) {
        Ok(data) => data,
        // Nothing but a hole up to the end, or the end itself.
        Err(Errno::NXIO) => file.metadata()?.len(),
        // A file system that cannot tell.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => at,
        Err(e) => return Err(e.into()),
    };
    let hole = data.min(limit).saturating_sub(at);
    Ok(hole - hole % BLOCK as u64)
}

/// Reads until the buffer is full or the file ends.
pub(crate) fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut at = 0;
    while at < buffer.len() {
        match file.read(&mut buffer[at..]) {
            Ok(0) => break,
            Ok(got) => at += got,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(at)
}

/// Reads at most `limit` bytes from the front, giving each piece to `sink`; an error of `sink` ends it. Answers how long
/// that was, and how many bytes had to be read for it.
pub(crate) fn pieces<E: From<io::Error>>(
    file: &mut impl Content,
    limit: u64,
    buffer: &mut Vec<u8>,
    mut sink: impl FnMut(Piece<'_>) -> Result<(), E>,
) -> Result<(u64, u64), E> {
    buffer.resize(BLOCK, 0);
    let (mut at, mut read) = (0, 0);
    while at < limit {
        let want = usize::try_from(limit - at).map_or(BLOCK, |left| left.min(BLOCK));
        if want == BLOCK {
            let hole = file.pass_hole(at, limit)?;
            if hole > 0 {
                sink(Piece::Zeros(hole))?;
                at += hole;
                continue;
            }
        }
        let got = fill(file, &mut buffer[..want])?;
        if got == 0 {
            break;
        }
        let block = &buffer[..got];
        let blank = got == BLOCK && is_zeros(block);
        sink(if blank { Piece::Zeros(got as u64) } else { Piece::Data(block) })?;
        at += got as u64;
        read += got as u64;
    }
    Ok((at, read))
}

/// What reading files one after the other needs again for each.
#[derive(Default)]
pub(crate) struct Scratch {
    buffer: Vec<u8>,
    hashing: Hashing,
}

/// As [`pieces`], and finds out what it is.
pub(crate) fn digest<E: From<io::Error>>(
    file: &mut impl Content,
    limit: u64,
    scratch: &mut Scratch,
    mut sink: impl FnMut(Piece<'_>) -> Result<(), E>,
) -> Result<Digest, E> {
    let Scratch { buffer, hashing } = scratch;
    hashing.begin(limit, Fingerprint::default());
    let (mut first, mut database) = (true, false);
    let (bytes, read) = pieces(file, limit, buffer, |piece| {
        if let (true, Piece::Data(block)) = (first, piece) {
            database = block.starts_with(SQLITE_HEADER);
        }
        first = false;
        hashing.take(piece);
        sink(piece)
    })?;
    Ok(Digest { hash: hashing.hash(), bytes, read, database })
}
