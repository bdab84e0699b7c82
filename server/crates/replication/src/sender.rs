//! Sending the content that was asked for, each file whole: as captured if it still is, else as it is now, with an
//! amendment. It refuses to wait for a file to stand still: after three tries what was read is sent and said so.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::PoisonError;

use crate::beneath::{Beneath, FileKey};
use crate::capture::{Capture, Content, FromStart};
use crate::delta::{Base, Encoder};
use crate::encoding::encode_entry;
use crate::error::{Error, ErrorKind, Result};
use crate::field::put_string;
use crate::known::Known;
use crate::manifest::{ContentHash, ContentId, Entry, EntryKind, Manifest, ManifestFault};
use crate::reading::{Content as Readable, Digest, Scratch, digest};
use crate::scan::{ATTEMPTS, Stop, entry, is_gone, stat_of};
use crate::source::still_there;
use crate::transfer::{AMEND, CHANGED, DONE, DROPPED, DataWriter, KEPT, OBJECT, RENUMBER};
use crate::tree_changes::TreeChanges;
use crate::watch::Tally;
use crate::xattr::{self, Xattrs};

/// What both sides agreed on in the end.
pub(crate) struct Sealed {
    pub(crate) manifest: Manifest,
    pub(crate) amended: u64,
    /// Of what was amended, where that has one of its own.
    pub(crate) generation: Option<u64>,
}

/// An inode that was sent as it is now.
#[derive(Clone)]
struct Sent {
    key: FileKey,
    size: u64,
    hash: ContentHash,
    group: u32,
}

pub(crate) struct Sender<'c, 'l, 'a, S> {
    capture: &'c Capture,
    tree: Option<Beneath>,
    out: DataWriter<'l, 'a, S>,
    tally: Tally<'c>,
    /// Names of each hardlink group, by entry.
    groups: HashMap<u32, Vec<u32>>,
    amended: BTreeMap<u32, Option<Entry>>,
    sent: HashMap<(u64, u64), Sent>,
    unsettled: Vec<String>,
    scratch: Scratch,
    /// What the replica has of the older content of some entries.
    bases: HashMap<u32, Base>,
}

impl<'c, 'l, 'a, S: Read + Write> Sender<'c, 'l, 'a, S> {
    pub(crate) fn new(
        capture: &'c Capture,
        out: DataWriter<'l, 'a, S>,
        tally: Tally<'c>,
        bases: HashMap<u32, Base>,
    ) -> Result<Self> {
        let tree = match &capture.content {
            Content::Tree { root, .. } => Some(root.again().map_err(|e| Error::unreadable(&capture.source, e))?),
            Content::Copy { .. } => None,
        };
        let mut groups: HashMap<u32, Vec<u32>> = HashMap::new();
        for (index, entry) in capture.manifest.entries().iter().enumerate() {
            if let EntryKind::File { group: group @ 1.., .. } = entry.kind {
                groups.entry(group).or_default().push(index as u32);
            }
        }
        Ok(Self {
            capture,
            tree,
            out,
            tally,
            groups,
            amended: BTreeMap::new(),
            sent: HashMap::new(),
            unsettled: Vec::new(),
            scratch: Scratch::default(),
            bases,
        })
    }

    /// Sends the content of one entry from `offset` on, or amends the entry (and its hardlinks).
    pub(crate) fn object(&mut self, index: u32, offset: u64) -> Result<()> {
        let EntryKind::File { size, hash, group } = self.entry(index)?.kind else {
            return Err(Error::protocol("something that is not a file was asked for"));
        };
        let capture = self.capture;
        let Content::Tree { keys, cache, .. } = &capture.content else { return self.copy(index, size, hash, offset) };
        let names = self.groups.get(&group).cloned().unwrap_or_else(|| vec![index]);
        for name in &names {
            let path = &self.entry(*name)?.path;
            let Some(key) = keys.get(path) else { continue };
            let Some((mut file, now)) = self.open(*name)? else { continue };
            if now != *key {
                continue;
            }
            let known = if offset == 0 { self.known(index, &hash) } else { None };
            let as_captured = match known {
                Some(known) => self.differing(index, &file, &known, *name)?,
                None => {
                    let read = self.stream(index, &mut file, size, offset, *name)?;
                    read.bytes == size && read.hash == hash
                }
            };
            let still = FileKey::of(&stat_of(&file).map_err(|e| Error::unreadable(self.full(*name), e))?) == *key;
            if still && as_captured {
                self.verdict(KEPT, hash)?;
                return self.tally.file();
            }
            if still {
                // The key says "the same", the content does not: never trust this key again.
                cache.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
            }
            self.verdict(DROPPED, hash)?;
            break;
        }
        for name in names {
            self.amend(name)?;
        }
        self.tally.file()
    }

    fn copy(&mut self, index: u32, size: u64, hash: ContentHash, offset: u64) -> Result<()> {
        let capture = self.capture;
        let Content::Copy { file, .. } = &capture.content else { return Ok(()) };
        let known = if offset == 0 { self.known(index, &hash) } else { None };
        let whole = match known {
            Some(known) => self.differing(index, file, &known, index)?,
            None => self.stream(index, &mut FromStart { file, at: 0 }, size, offset, index)?.hash == hash,
        };
        if !whole {
            let error = Error::new(ErrorKind::HashMismatch, "the scratch copy of the database is damaged");
            return Err(error.at(&capture.source));
        }
        self.verdict(KEPT, hash)?;
        self.tally.file()
    }

    /// Sends a file as it is now.
    fn amend(&mut self, index: u32) -> Result<()> {
        for attempt in 1..=ATTEMPTS {
            let Some((mut file, key)) = self.open(index)? else { break };
            let stat = stat_of(&file).map_err(|e| Error::unreadable(self.full(index), e))?;
            let inode = (key.dev, key.ino);
            let same = self.sent.get(&inode).filter(|sent| sent.key == key && FileKey::of(&stat) == key).cloned();
            let sent = match same {
                Some(sent) => sent,
                None => {
                    let read = self.stream(index, &mut file, key.size, 0, index)?;
                    let after = FileKey::of(&stat_of(&file).map_err(|e| Error::unreadable(self.full(index), e))?);
                    let settled = after == key && read.bytes == key.size && FileKey::of(&stat) == key;
                    if !settled && attempt < ATTEMPTS {
                        self.verdict(DROPPED, read.hash)?;
                        continue;
                    }
                    self.verdict(CHANGED, read.hash)?;
                    if !settled && self.unsettled.len() < 1000 {
                        self.unsettled.push(self.entry(index)?.path.to_string());
                    }
                    // Above all numbers of the capture; groups of one dissolve when the manifest is sealed.
                    let sent = Sent { key, size: read.bytes, hash: read.hash, group: 1 << 31 | index };
                    self.sent.insert(inode, sent.clone());
                    sent
                }
            };
            let kind = EntryKind::File { size: sent.size, hash: sent.hash, group: sent.group };
            let Some(xattrs) = self.xattrs(index)? else { break };
            let now = Entry { mtime: key.mtime, ..entry(self.entry(index)?.path.clone(), kind, &stat, xattrs) };
            let now = match &self.capture.way_home {
                Some(way) => way.entry(&now),
                None => now,
            };
            return self.put_amendment(index, Some(now));
        }
        self.put_amendment(index, None)
    }

    fn put_amendment(&mut self, index: u32, now: Option<Entry>) -> Result<()> {
        let mut op = vec![AMEND];
        op.extend_from_slice(&index.to_le_bytes());
        op.push(u8::from(now.is_some()));
        if let Some(entry) = &now {
            let mut encoded = Vec::new();
            encode_entry(&mut encoded, entry);
            put_string(&mut op, &encoded);
        }
        self.out.put(&op)?;
        self.amended.insert(index, now);
        Ok(())
    }

    /// Sends one object up to its verdict; hashes all of it, also what the other side has already.
    fn stream(&mut self, index: u32, file: &mut impl Readable, size: u64, offset: u64, name: u32) -> Result<Digest> {
        self.begin(index, offset)?;
        let full = self.full(name);
        let (out, tally) = (&mut self.out, &mut self.tally);
        let EntryKind::File { size: announced, .. } = self.capture.manifest.entries()[index as usize].kind else {
            return Err(Error::protocol("something that is not a file was asked for"));
        };
        let mut encoder = Encoder::new(self.bases.get(&index), announced, offset);
        let mut at = 0u64;
        let read = digest::<Stop>(file, size, &mut self.scratch, |piece| {
            let known = offset.saturating_sub(at).min(piece.len());
            at += piece.len();
            encoder.take(piece, out)?;
            Ok(tally.bytes(piece.len() - known)?)
        });
        let read = read.map_err(|stop| stop.or_unreadable(&full))?;
        encoder.finish(&mut self.out)?;
        Ok(read)
    }

    /// The blocks of an entry's new content and of what the replica has of the old one, where both are known.
    fn known(&self, index: u32, hash: &ContentHash) -> Option<Known> {
        let Some(Base::Blocks(old)) = self.bases.get(&index) else { return None };
        let new = self.capture.lists.lock().unwrap_or_else(PoisonError::into_inner).get(hash)?;
        Known::of(old, new)
    }

    /// Sends of one object what differs, up to its verdict; gives whether the file is what was captured.
    fn differing(&mut self, index: u32, file: &File, known: &Known, name: u32) -> Result<bool> {
        self.begin(index, 0)?;
        let full = self.full(name);
        let mut encoder = Encoder::new(self.bases.get(&index), known.new.size, 0);
        let sent = known.send(file, &mut encoder, &mut self.out, &mut self.tally);
        let sent = sent.map_err(|stop| stop.or_unreadable(&full))?;
        encoder.finish(&mut self.out)?;
        Ok(sent)
    }

    fn begin(&mut self, index: u32, offset: u64) -> Result<()> {
        let mut op = vec![OBJECT];
        op.extend_from_slice(&index.to_le_bytes());
        op.extend_from_slice(&offset.to_le_bytes());
        self.out.put(&op)
    }

    fn verdict(&mut self, verdict: u8, hash: ContentHash) -> Result<()> {
        self.out.put(&[verdict])?;
        self.out.put(&hash.0)
    }

    /// Opens an entry's file as it is now; `None`: gone, or no regular file any more.
    fn open(&mut self, index: u32) -> Result<Option<(File, FileKey)>> {
        let capture = self.capture;
        let path = &self.entry(index)?.path;
        let Some(tree) = &mut self.tree else { return Ok(None) };
        match tree.open_file(path) {
            Ok((file, stat)) => Ok(Some((file, FileKey::of(&stat)))),
            Err(e) if is_gone(&e) => {
                // The directories on the way may have been replaced: do not look into the old ones again.
                tree.forget();
                Ok(None)
            }
            Err(e) => Err(Error::unreadable(capture.source.join(path.as_path()), e)),
        }
    }

    /// The extended attributes of an entry's file as it is now; `None`: gone.
    fn xattrs(&mut self, index: u32) -> Result<Option<Xattrs>> {
        let capture = self.capture;
        let path = &self.entry(index)?.path;
        let Some(tree) = &mut self.tree else { return Ok(None) };
        match tree.locate(path).and_then(|(dir, name)| xattr::read(dir, name)) {
            Ok(xattrs) => Ok(Some(xattrs)),
            Err(e) if is_gone(&e) => Ok(None),
            Err(e) => Err(Error::unreadable(capture.source.join(path.as_path()), e)),
        }
    }

    fn entry(&self, index: u32) -> Result<&'c Entry> {
        let entry = self.capture.manifest.entries().get(index as usize);
        entry.ok_or_else(|| Error::protocol("an entry that does not exist was asked for"))
    }

    fn full(&self, index: u32) -> PathBuf {
        let entry = self.capture.manifest.entries().get(index as usize);
        entry.map_or_else(|| self.capture.source.clone(), |entry| self.capture.source.join(entry.path.as_path()))
    }

    /// Seals the amended manifest: recorded first, then told.
    pub(crate) fn finish(
        mut self,
        record: impl FnOnce(ContentId) -> Result<Option<u64>>,
    ) -> Result<(Sealed, Vec<String>)> {
        let gone = self.amended.values().any(Option::is_none);
        if let (true, Content::Tree { identity, .. }) = (gone, &self.capture.content) {
            still_there(&self.capture.source, *identity)?;
        }
        let amended = self.amended.len() as u64;
        let (mut manifest, mut generation) = (self.capture.manifest.clone(), None);
        if amended > 0 {
            manifest = seal(&self.capture.manifest, self.amended).map_err(|fault| {
                let error = Error::new(ErrorKind::SourceUnreadable, "the source changed while it was sent");
                error.at(&self.capture.source).with(fault)
            })?;
            generation = record(manifest.content_id())?;
        }
        self.tally.finish()?;
        if let Some(generation) = generation {
            self.out.put(&[RENUMBER])?;
            self.out.put(&generation.to_le_bytes())?;
        }
        self.out.put(&[DONE])?;
        self.out.put(&manifest.content_id().0)?;
        self.out.end()?;
        Ok((Sealed { manifest, amended, generation }, self.unsettled))
    }
}

/// The manifest with amendments applied; both sides compute it and must agree.
pub(crate) fn seal(manifest: &Manifest, amended: BTreeMap<u32, Option<Entry>>) -> Result<Manifest, ManifestFault> {
    let (mut gone, mut put) = (Vec::new(), Vec::new());
    for (index, now) in amended {
        match (now, manifest.entries().get(index as usize)) {
            (Some(entry), _) => put.push(entry),
            (None, Some(entry)) => gone.push(entry.path.clone()),
            (None, None) => {}
        }
    }
    manifest.apply_normalising(&TreeChanges::new(gone, put))
}
