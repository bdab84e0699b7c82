//! Content that comes along with a list: whoever has the list before it lacks the small files that are new in this one, and
//! need not ask for them. It refuses to be an answer to everything: what is large, has several names, or is not as it was
//! captured is left to be asked for.
//!
//! ```text
//! Along    (entry u32, length u32, bytes)…, coded like a block of content
//! ```

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;

use crate::beneath::FileKey;
use crate::capture::{Capture, Content};
use crate::error::{Error, Result};
use crate::field::Fields;
use crate::manifest::{ContentHash, Entry, EntryKind, Manifest};
use crate::packer::Packer;
use crate::scan::stat_of;
use crate::watch::{Point, Watch, pass};
use crate::wire::{CHUNK, Kind, Link};

/// What is larger is asked for.
const LARGEST: u64 = 64 * 1024;
/// Of all that goes along: one block.
const MOST: usize = CHUNK;
/// Bytes before each content.
const HEAD: usize = 8;
/// A list with more entries is not looked through.
const LONGEST_LIST: usize = 100_000;

/// What came along.
#[derive(Default)]
pub(crate) struct Along {
    pub(crate) contents: Vec<(u32, Vec<u8>)>,
    bytes: usize,
}

impl Along {
    /// Takes a block of it.
    pub(crate) fn take(&mut self, block: &[u8]) -> Result<()> {
        let mut fields = Fields::new(block);
        while !fields.is_empty() {
            let (index, len) = (fields.u32()?, fields.u32()? as usize);
            self.bytes = self.bytes.saturating_add(HEAD + len);
            let content = fields.rest().get(..len).filter(|_| len > 0 && self.bytes <= MOST);
            let content = content.ok_or_else(|| Error::protocol("more comes along than may"))?.to_vec();
            fields = Fields::new(&fields.rest()[len..]);
            self.contents.push((index, content));
        }
        Ok(())
    }
}

impl Capture {
    /// Sends, of these new entries, the content that is small; gives of how many.
    pub(crate) fn send_along<S: Read + Write>(
        &self,
        link: &mut Link<'_, S>,
        base: &Manifest,
        new: &[Entry],
        watch: &dyn Watch,
    ) -> Result<u64> {
        let small = |entry: &Entry| match entry.kind {
            EntryKind::File { size: 1..=LARGEST, hash, group: 0 } => Some(hash),
            _ => None,
        };
        let mut lacking: HashSet<ContentHash> = new.iter().filter_map(small).collect();
        // Whatever has another name by now is there. To look through a long list costs more than to send that again.
        if !lacking.is_empty() && base.entries().len() <= LONGEST_LIST {
            for hash in base.entries().iter().filter_map(small) {
                lacking.remove(&hash);
            }
        }
        let (mut block, mut files) = (Vec::new(), 0);
        for entry in new {
            let EntryKind::File { size, hash, .. } = entry.kind else { continue };
            let fits = size as usize + HEAD <= MOST.saturating_sub(block.len());
            if small(entry).is_none() || !fits || !lacking.remove(&hash) {
                continue;
            }
            let Some((index, content)) = self.manifest.position(&entry.path).zip(self.small(entry, size)) else {
                continue;
            };
            if ContentHash(*blake3::hash(&content).as_bytes()) == hash {
                block.extend_from_slice(&(index as u32).to_le_bytes());
                block.extend_from_slice(&(content.len() as u32).to_le_bytes());
                block.extend_from_slice(&content);
                files += 1;
                pass(watch, Point::ObjectSent)?;
            }
        }
        if files > 0 {
            let mut packer = Packer::new()?;
            let (head, body) = packer.pack(&block);
            link.send(Kind::Along, &head, body)?;
        }
        Ok(files)
    }

    /// The content of an entry, if its file is as it was captured.
    fn small(&self, entry: &Entry, size: u64) -> Option<Vec<u8>> {
        let mut content = vec![0; size as usize];
        match &self.content {
            Content::Copy { file } => file.read_exact_at(&mut content, 0).ok()?,
            Content::Tree { root, keys, .. } => {
                let (file, stat) = root.again().ok()?.open_file(&entry.path).ok()?;
                let key = keys.get(&entry.path).filter(|key| **key == FileKey::of(&stat))?;
                file.read_exact_at(&mut content, 0).ok()?;
                is_still(&file, key)?;
            }
        }
        Some(content)
    }
}

fn is_still(file: &File, key: &FileKey) -> Option<()> {
    stat_of(file).ok().filter(|stat| FileKey::of(stat) == *key).map(|_| ())
}
