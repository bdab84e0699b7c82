//! The canonical bytes of a manifest: what the content id is made of, sent, and kept beside a generation.
//! One tree has exactly one encoding; it refuses any other.

use crate::field::{Fields, Truncated, put_string};
use crate::manifest::{ContentHash, Entry, EntryKind, FileTime, Manifest, ManifestFault};
use crate::path::TreePath;
use crate::xattr::{Xattr, Xattrs};

pub(crate) const MAGIC: &[u8; 4] = b"TVDM";
/// Version 1 knew no extended attributes and no hardlinks of symlinks and pipes.
pub(crate) const VERSION: u8 = 2;

const DIR: u8 = 1;
const FILE: u8 = 2;
const SYMLINK: u8 = 3;
const FIFO: u8 = 4;

pub(crate) fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + entries.len() * 128);
    out.extend_from_slice(MAGIC);
    out.push(VERSION);
    out.extend_from_slice(&(entries.len() as u64).to_le_bytes());
    for entry in entries {
        encode_entry(&mut out, entry);
    }
    out
}

pub(crate) fn encode_entry(out: &mut Vec<u8>, entry: &Entry) {
    out.push(match entry.kind {
        EntryKind::Dir => DIR,
        EntryKind::File { .. } => FILE,
        EntryKind::Symlink { .. } => SYMLINK,
        EntryKind::Fifo { .. } => FIFO,
    });
    put_string(out, entry.path.as_bytes());
    out.extend_from_slice(&entry.mode.to_le_bytes());
    out.extend_from_slice(&entry.uid.to_le_bytes());
    out.extend_from_slice(&entry.gid.to_le_bytes());
    out.extend_from_slice(&entry.mtime.seconds.to_le_bytes());
    out.extend_from_slice(&entry.mtime.nanoseconds.to_le_bytes());
    match &entry.kind {
        EntryKind::Dir => {}
        EntryKind::File { size, hash, group } => {
            out.extend_from_slice(&size.to_le_bytes());
            out.extend_from_slice(&hash.0);
            out.extend_from_slice(&group.to_le_bytes());
        }
        EntryKind::Symlink { target, group } => {
            put_string(out, target);
            out.extend_from_slice(&group.to_le_bytes());
        }
        EntryKind::Fifo { group } => out.extend_from_slice(&group.to_le_bytes()),
    }
    // Never more than fit: a manifest bounds the bytes of all of them.
    out.extend_from_slice(&(entry.xattrs.all().len() as u16).to_le_bytes());
    for one in entry.xattrs.all() {
        put_string(out, &one.name);
        put_string(out, &one.value);
    }
}

impl Manifest {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        encode(self.entries())
    }

    /// Reads canonical bytes, at most `max_entries` entries; everything is checked.
    pub fn decode(bytes: &[u8], max_entries: u64) -> Result<Self, ManifestFault> {
        let mut fields = Fields::new(bytes);
        if fields.array::<4>()? != *MAGIC || fields.u8()? != VERSION {
            return Err(ManifestFault::Version);
        }
        let count = fields.u64()?;
        if count > max_entries {
            return Err(ManifestFault::TooMany);
        }
        // Grown by what is really there, not by what is announced.
        let mut entries = Vec::new();
        for index in 0..count {
            entries.push(decode_entry(&mut fields, index)?);
        }
        if !fields.is_empty() {
            return Err(ManifestFault::Length);
        }
        Self::new(entries)
    }
}

pub(crate) fn decode_entry(fields: &mut Fields<'_>, index: u64) -> Result<Entry, ManifestFault> {
    let kind = fields.u8()?;
    let path = TreePath::parse(fields.string()?).map_err(|fault| ManifestFault::Path { index, fault })?;
    let (mode, uid, gid) = (fields.u32()?, fields.u32()?, fields.u32()?);
    let mtime = FileTime { seconds: fields.i64()?, nanoseconds: fields.u32()? };
    let kind = match kind {
        DIR => EntryKind::Dir,
        FILE => EntryKind::File { size: fields.u64()?, hash: ContentHash(fields.array()?), group: fields.u32()? },
        SYMLINK => EntryKind::Symlink { target: fields.string()?.into(), group: fields.u32()? },
        FIFO => EntryKind::Fifo { group: fields.u32()? },
        _ => return Err(ManifestFault::Type(index)),
    };
    let mut xattrs = Vec::new();
    for _ in 0..fields.u16()? {
        xattrs.push(Xattr { name: fields.string()?.into(), value: fields.string()?.into() });
    }
    // Sorted here they would have a second encoding.
    if !xattrs.is_sorted_by(|a, b| a.name < b.name) {
        return Err(ManifestFault::Metadata(path));
    }
    Ok(Entry { path, kind, mode, uid, gid, mtime, xattrs: Xattrs::new(xattrs) })
}

impl From<Truncated> for ManifestFault {
    fn from(_: Truncated) -> Self {
        Self::Length
    }
}
