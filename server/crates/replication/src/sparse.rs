//! Writing files so that what is nothing but zeros takes no room: a disk image or a log with holes must not fill the disk
//! of the replica. It refuses to write over what is there: a hole is only what was never written.

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;

use rustix::fs::{Advice, fadvise};

use crate::reading::Piece;

/// The block of common file systems: shorter holes save nothing.
const BLOCK: usize = 4096;

/// So much is on its way to the disk before the next begins.
const WRITE_OUT: u64 = 8 << 20;

static ZEROS: [u8; BLOCK] = [0; BLOCK];

/// A file that grows at its end, with holes where zeros come.
pub(crate) struct SparseFile {
    file: File,
    at: u64,
    /// Where the file itself ends so far.
    end: u64,
    /// Everything before it is on its way to the disk.
    out: u64,
}

impl SparseFile {
    /// Goes on at `at`, where the file ends.
    pub(crate) fn new(file: File, at: u64) -> Self {
        Self { file, at, end: at, out: at }
    }

    /// Takes the next bytes. Until [`SparseFile::finish`] the file may end before the zeros that came last.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let zeros = self.spans(rest, true);
            self.at += zeros as u64;
            let data = self.spans(&rest[zeros..], false);
            if data > 0 {
                self.file.write_all_at(&rest[zeros..zeros + data], self.at)?;
                self.at += data as u64;
                self.end = self.at;
            }
            rest = &rest[zeros + data..];
        }
        Ok(())
    }

    /// Takes what comes next.
    pub(crate) fn take(&mut self, piece: Piece<'_>) -> io::Result<()> {
        match piece {
            Piece::Data(bytes) => self.write(bytes)?,
            Piece::Zeros(count) => self.at += count,
        }
        if self.end - self.out >= WRITE_OUT {
            self.write_out();
        }
        Ok(())
    }

    /// Sets the disk to work on what came, without waiting for it: a commit would find all of it unwritten, and the disk
    /// idle for as long as the line was busy. The advice not to keep it is how Linux is told so, and lets go only of what
    /// is written already (`fadvise64` in mm/fadvise.c). Durability comes from the commit, never from here.
    pub(crate) fn write_out(&mut self) {
        if let Some(len) = NonZeroU64::new(self.end - self.out) {
            let _ = fadvise(&self.file, self.out, Some(len), Advice::DontNeed);
            self.out = self.end;
        }
    }

    /// How many of these bytes lie in blocks that are all zeros, or in blocks that are not.
    fn spans(&self, bytes: &[u8], zeros: bool) -> usize {
        let mut len = 0;
        while len < bytes.len() {
            let in_block = BLOCK - ((self.at + len as u64) % BLOCK as u64) as usize;
            let end = bytes.len().min(len + in_block);
            if (bytes[len..end] == ZEROS[..end - len]) != zeros {
                break;
            }
            len = end;
        }
        len
    }

    /// Bytes that are there, with all that came.
    pub(crate) fn len(&self) -> u64 {
        self.at
    }

    /// The file, as long as what came.
    pub(crate) fn finish(self) -> io::Result<File> {
        if self.end < self.at {
            self.file.set_len(self.at)?;
        }
        Ok(self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek};
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn what_comes_is_what_is_there_in_whatever_pieces_and_zeros_take_no_room() {
        let mut content = vec![0u8; 1 << 20];
        content[5..9].copy_from_slice(b"data");
        content[300_000..310_000].fill(7);
        for piece in [1 << 20, 100_000, 4096, 777] {
            for tail in [0usize, 1, 5000] {
                let whole = [content.as_slice(), &vec![9; tail]].concat();
                let mut sparse = SparseFile::new(tempfile::tempfile().unwrap(), 0);
                whole.chunks(piece).for_each(|piece| sparse.write(piece).unwrap());
                let mut file = sparse.finish().unwrap();
                let (mut read, room) = (Vec::new(), file.metadata().unwrap().blocks() * 512);
                file.rewind().unwrap();
                file.read_to_end(&mut read).unwrap();
                assert!(read == whole, "pieces of {piece}, {tail} after it");
                assert!(room < 64 * 1024, "pieces of {piece}: {room} bytes on the disk");
            }
        }
    }
}
