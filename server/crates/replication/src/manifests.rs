//! The manifests of what is kept: some whole, the others as what changed since an older one, so that keeping one more
//! costs what changed. It refuses a manifest that does not have the id of its commit, whatever it was put together from.
//!
//! ```text
//! manifests/<generation>-<content id>     whole: as encoded
//!                                         or: "TVDP", how many patches down to a whole one u32, bytes of these patches
//!                                         u64, bytes of the whole one u64, name of the base, the patch
//! ```

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::field::{Fields, Truncated, put_string};
use crate::manifest::{ContentId, Manifest, ManifestFault};
use crate::tree_changes::TreeChanges;

const MAGIC: &[u8; 4] = b"TVDP";
/// Patches on top of each other; each makes reading an older manifest slower.
const DEEPEST: u32 = 32;
/// More than everything before a patch.
const HEAD: u64 = 256;

/// Which manifest: content may come again under a later generation, and a patch must never lean on itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Holds {
    pub(crate) generation: u64,
    pub(crate) content_id: ContentId,
}

impl Holds {
    fn name(self) -> String {
        format!("{}-{}", self.generation, self.content_id)
    }

    fn parse(name: &str) -> Option<Self> {
        let (generation, id) = name.split_once('-')?;
        Some(Self { generation: generation.parse().ok()?, content_id: id.parse().ok()? })
    }
}

/// How a kept manifest is put together.
struct Kept<'a> {
    depth: u32,
    patched: u64,
    whole: u64,
    base: Holds,
    patch: &'a [u8],
}

pub(crate) struct Manifests(PathBuf);

impl Manifests {
    /// Makes the directory where it is missing.
    pub(crate) fn open(root: &Path) -> Result<Self> {
        let dir = root.join("manifests");
        fs::create_dir_all(&dir).map_err(|e| Error::io("cannot open the store of the replica", &dir, e))?;
        Ok(Self(dir))
    }

    /// Writes a manifest down; the caller makes it durable. A patch only on an older generation.
    pub(crate) fn keep(&self, holds: Holds, manifest: &Manifest, base: Option<(Holds, &Manifest)>) -> Result<()> {
        let patched = base.filter(|(base, _)| base.generation < holds.generation);
        let bytes = match patched.and_then(|(base, old)| self.patched(base, old, manifest)) {
            Some(bytes) => bytes,
            None => manifest.encode(),
        };
        let path = self.0.join(holds.name());
        let new = path.with_extension("new");
        let written = fs::write(&new, bytes).and_then(|()| fs::rename(&new, &path));
        written.map_err(|e| Error::io("cannot keep a manifest", path, e))
    }

    /// The manifest as a patch on `base`, while that is worth it.
    fn patched(&self, base: Holds, old: &Manifest, new: &Manifest) -> Option<Vec<u8>> {
        let (head, len) = self.head(base).ok()?;
        let (depth, patched, whole) = match kept(&head) {
            Ok(Some(kept)) => (kept.depth, kept.patched, kept.whole),
            Ok(None) => (0, 0, len),
            Err(_) => return None,
        };
        let patch = new.changes_from(old).encode();
        let patched = patched + patch.len() as u64;
        if depth >= DEEPEST || patched > whole / 2 {
            return None;
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&(depth + 1).to_le_bytes());
        bytes.extend_from_slice(&patched.to_le_bytes());
        bytes.extend_from_slice(&whole.to_le_bytes());
        put_string(&mut bytes, base.name().as_bytes());
        bytes.extend_from_slice(&patch);
        Some(bytes)
    }

    /// The first bytes of a kept manifest, and how many there are.
    fn head(&self, holds: Holds) -> io::Result<(Vec<u8>, u64)> {
        let file = fs::File::open(self.0.join(holds.name()))?;
        let len = file.metadata()?.len();
        let mut head = Vec::new();
        file.take(HEAD).read_to_end(&mut head)?;
        Ok((head, len))
    }

    /// Reads a manifest and checks that it is the one.
    pub(crate) fn read(&self, holds: Holds) -> Result<Manifest> {
        let path = self.0.join(holds.name());
        let damaged = || Error::new(ErrorKind::StoreDamaged, "the manifest of a generation is damaged").at(&path);
        let mut patches = Vec::new();
        let mut at = holds;
        let whole = loop {
            let bytes = fs::read(self.0.join(at.name())).map_err(|e| damaged().with(e))?;
            let Some(found) = kept(&bytes).map_err(|_| damaged())? else { break bytes };
            if found.base.generation >= at.generation {
                return Err(damaged());
            }
            at = found.base;
            patches.push(found.patch.to_vec());
        };
        let put_together = || {
            let whole = Manifest::decode(&whole, u64::MAX)?;
            patches.iter().rev().try_fold(whole, |older, patch| older.apply(&TreeChanges::decode(patch, u64::MAX)?))
        };
        let manifest = put_together().map_err(|e: ManifestFault| damaged().with(e))?;
        if manifest.content_id() == holds.content_id { Ok(manifest) } else { Err(damaged()) }
    }

    /// Removes what nobody needs: neither itself nor to put another one together.
    pub(crate) fn sweep(&self, needed: impl Iterator<Item = Holds>) -> Result<()> {
        let trouble = |e: io::Error| Error::io("cannot remove an old manifest", &self.0, e);
        let mut keep = HashSet::new();
        for holds in needed {
            let mut at = Some(holds);
            while let Some(holds) = at.filter(|holds| keep.insert(holds.name())) {
                let (head, _) = self.head(holds).unwrap_or_default();
                at = kept(&head).ok().flatten().map(|kept| kept.base);
            }
        }
        for item in fs::read_dir(&self.0).map_err(trouble)? {
            let item = item.map_err(trouble)?;
            if !item.file_name().to_str().is_some_and(|name| keep.contains(name)) {
                fs::remove_file(item.path()).map_err(trouble)?;
            }
        }
        Ok(())
    }
}

/// A patch with its head; `None` for a whole manifest.
fn kept(bytes: &[u8]) -> Result<Option<Kept<'_>>, Truncated> {
    let Some(rest) = bytes.strip_prefix(MAGIC) else { return Ok(None) };
    let mut fields = Fields::new(rest);
    let (depth, patched, whole) = (fields.u32()?, fields.u64()?, fields.u64()?);
    let base = std::str::from_utf8(fields.string()?).ok().and_then(Holds::parse).ok_or(Truncated)?;
    Ok(Some(Kept { depth, patched, whole, base, patch: fields.rest() }))
}
