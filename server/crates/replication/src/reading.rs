//! Reading file content in a streaming way: hash and pass on, never more than a buffer in memory.
//! It refuses to read more than it was told, so that a file that keeps growing cannot hold it for ever.

use std::io::{self, Read};

use crate::manifest::ContentHash;

/// One read at a time; small enough for the cache, large enough for the disk.
pub(crate) const BLOCK: usize = 256 * 1024;

/// The first bytes of every SQLite database (<https://www.sqlite.org/fileformat2.html#magic_header_string>).
pub(crate) const SQLITE_HEADER: &[u8; 16] = b"SQLite format 3\0";

/// What a pass over a file found.
pub(crate) struct Digest {
    pub(crate) hash: ContentHash,
    /// Bytes read: less than asked for if the file is shorter.
    pub(crate) bytes: u64,
    /// It begins like a SQLite database.
    pub(crate) database: bool,
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

/// Reads at most `limit` bytes from the front, giving each block, whole but for the last one, to `sink`; an error of `sink` ends it.
pub(crate) fn digest<E: From<io::Error>>(
    file: &mut impl Read,
    limit: u64,
    buffer: &mut Vec<u8>,
    mut sink: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<Digest, E> {
    buffer.resize(BLOCK, 0);
    let mut hasher = blake3::Hasher::new();
    let mut bytes = 0u64;
    let mut database = false;
    while bytes < limit {
        let want = usize::try_from(limit - bytes).map_or(BLOCK, |left| left.min(BLOCK));
        let got = fill(file, &mut buffer[..want])?;
        if got == 0 {
            break;
        }
        let block = &buffer[..got];
        database |= bytes == 0 && block.starts_with(SQLITE_HEADER);
        hasher.update(block);
        bytes += got as u64;
        sink(block)?;
    }
    Ok(Digest { hash: ContentHash(*hasher.finalize().as_bytes()), bytes, database })
}
