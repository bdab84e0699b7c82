//! What the writable copy looked like the moment before anybody could write into it: the keys under which its files had
//! their content. It refuses to vouch for a key that a later write could have, and costs only time when it is lost.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::beneath::{Beneath, FileKey};
use crate::difference::Difference;
use crate::error::{Error, Result};
use crate::field::{Fields, Truncated};
use crate::manifest::{ContentHash, EntryKind, FileTime, Manifest};
use crate::scan::{Known, stat_of};
use crate::store::write_durably;

const NAME: &str = "baseline";
const MAGIC: &[u8; 4] = b"TVDB";

/// How often we look whether the file system's clock has moved on, a second in all.
const LOOKS: u32 = 500;
const BETWEEN_LOOKS: rustix::thread::Timespec = rustix::thread::Timespec { tv_sec: 0, tv_nsec: 2_000_000 };

/// Writes down the keys of all files of the tree but the damaged ones, and returns when no later write can have one of them.
pub(crate) fn record(dir: &Path, tree: &Path, manifest: &Manifest, damaged: &[Difference]) -> Result<()> {
    let trouble = |e: io::Error| Error::io("cannot note how the serving copy begins", tree, e);
    let mut files = Beneath::open(tree).map_err(trouble)?;
    let mut out = MAGIC.to_vec();
    let mut latest = FileTime::default();
    // Of these nobody knows the hash.
    let unknown: HashSet<&str> = damaged.iter().map(|one| one.path.as_str()).collect();
    for entry in manifest.entries() {
        let EntryKind::File { hash, .. } = &entry.kind else { continue };
        if !unknown.is_empty() && unknown.contains(entry.path.to_string().as_str()) {
            continue;
        }
        let key = FileKey::of(&files.stat(&entry.path).map_err(trouble)?);
        latest = latest.max(key.ctime);
        out.extend_from_slice(&key.ino.to_le_bytes());
        out.extend_from_slice(&key.size.to_le_bytes());
        for time in [key.mtime, key.ctime] {
            out.extend_from_slice(&time.seconds.to_le_bytes());
            out.extend_from_slice(&time.nanoseconds.to_le_bytes());
        }
        out.extend_from_slice(&hash.0);
    }
    if !moved_on(dir, latest).map_err(trouble)? {
        tracing::warn!("the clock of the file system stands still: the ledger will read every file");
        out.truncate(MAGIC.len());
    }
    let sum = *blake3::hash(&out).as_bytes();
    out.extend_from_slice(&sum);
    write_durably(&dir.join(NAME), &out)
}

/// Whether the file system stamps later than `latest` by now; waits for its next tick.
fn moved_on(dir: &Path, latest: FileTime) -> io::Result<bool> {
    let probe = dir.join("clock");
    for _ in 0..LOOKS {
        let stamped = FileKey::of(&stat_of(&File::create(&probe)?)?).ctime;
        fs::remove_file(&probe)?;
        if stamped > latest {
            return Ok(true);
        }
        let _ = rustix::thread::nanosleep(&BETWEEN_LOOKS);
    }
    Ok(false)
}

/// The content known by key, for files on `dev`; nothing where the note is lost or damaged.
pub(crate) fn read(dir: &Path, dev: u64) -> HashMap<FileKey, Known> {
    let known = fs::read(dir.join(NAME)).ok().and_then(|bytes| decode(&bytes, dev));
    known.unwrap_or_else(|| {
        tracing::warn!(dir = %dir.display(), "nothing is known of how the serving copy began: every file is read");
        HashMap::new()
    })
}

fn decode(bytes: &[u8], dev: u64) -> Option<HashMap<FileKey, Known>> {
    let (body, sum) = bytes.split_last_chunk::<32>()?;
    if blake3::hash(body).as_bytes() != sum {
        return None;
    }
    let mut fields = Fields::new(body.strip_prefix(MAGIC)?);
    let mut known = HashMap::new();
    while !fields.is_empty() {
        let (key, hash) = key(&mut fields, dev).ok()?;
        known.insert(key, Known { hash, database: false, xattrs: None });
    }
    Some(known)
}

fn key(fields: &mut Fields<'_>, dev: u64) -> Result<(FileKey, ContentHash), Truncated> {
    let (ino, size) = (fields.u64()?, fields.u64()?);
    let mtime = FileTime { seconds: fields.i64()?, nanoseconds: fields.u32()? };
    let ctime = FileTime { seconds: fields.i64()?, nanoseconds: fields.u32()? };
    Ok((FileKey { dev, ino, size, mtime, ctime }, ContentHash(fields.array()?)))
}
