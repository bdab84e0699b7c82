//! The writable copies: the one that serves, and what earlier ones left behind as DR restore points. It refuses to guess
//! which is which, and to move a tree that readers may stand in because of a record it cannot read.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::difference::Difference;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{ContentId, Manifest};
use crate::store::{
    BUILDING, Commit, DAMAGED, PRUNED, REHEARSAL, Store, read_manifest, read_record, remove_tree, sync_dir,
    write_record,
};

/// The writable copy that serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promoted {
    /// The activation it belongs to, as given.
    pub run: String,
    /// The generation it was made from.
    pub generation: u64,
    /// Of that generation: what the copy held before anybody wrote into it.
    pub content_id: ContentId,
    /// When it was made, by our clock.
    pub at: Timestamp,
    /// The tree on disk: it shares no inode with any generation.
    pub tree: PathBuf,
    /// What was damaged in that generation and is here only as far as it could be read; an empty path: its list.
    pub damaged: Vec<Difference>,
    /// What the copy held where the list of that generation was damaged.
    held: Option<ContentId>,
}

/// What a hand-back left: the data of one activation, kept as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrPoint {
    /// The activation it belongs to.
    pub run: String,
    /// The generation it was made from; that one may be pruned by now.
    pub generation: u64,
    /// When it began to serve, by our clock.
    pub promoted_at: Timestamp,
    /// When it was handed back, by our clock.
    pub handed_back_at: Timestamp,
    /// Names of regular files, as counted at the hand-back.
    pub files: u64,
    /// Bytes of content.
    pub bytes: u64,
    /// The tree on disk.
    pub tree: PathBuf,
    /// Readers of the target still see it: no pull has ended since.
    pub visible: bool,
    /// How long it was kept since then, as [`Replica::dr_points_were_kept`](crate::Replica::dr_points_were_kept) was told.
    pub kept: Duration,
}

/// One writable copy, as recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Serving {
    pub(crate) run: String,
    pub(crate) generation: u64,
    pub(crate) content_id: ContentId,
    pub(crate) promoted_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) handed_back: Option<HandedBack>,
    /// What the copy began with, where that is not the content of the generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) held: Option<ContentId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) damaged: Vec<Difference>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HandedBack {
    pub(crate) at: Timestamp,
    /// The newest generation at that time: readers move on to whatever is newer.
    pub(crate) newest: Option<u64>,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    /// Seconds that it was kept since.
    #[serde(default)]
    pub(crate) kept_s: u64,
}

impl Serving {
    pub(crate) fn promoted(&self, store: &Store) -> Promoted {
        Promoted {
            run: self.run.clone(),
            generation: self.generation,
            content_id: self.content_id,
            at: self.promoted_at,
            tree: store.serving(&self.run).join("tree"),
            damaged: self.damaged.clone(),
            held: self.held,
        }
    }

    pub(crate) fn point(&self, store: &Store) -> Option<DrPoint> {
        let ended = self.handed_back.as_ref()?;
        Some(DrPoint {
            run: self.run.clone(),
            generation: self.generation,
            promoted_at: self.promoted_at,
            handed_back_at: ended.at,
            files: ended.files,
            bytes: ended.bytes,
            tree: store.serving(&self.run).join("tree"),
            visible: store.shows(&self.link()),
            kept: Duration::from_secs(ended.kept_s),
        })
    }

    /// Handed back, and no pull has ended since.
    fn is_still_shown(&self, store: &Store, newest: Option<u64>) -> bool {
        self.handed_back.as_ref().is_some_and(|ended| ended.newest >= newest) && store.shows(&self.link())
    }

    /// What `current` says when readers see this copy.
    fn link(&self) -> PathBuf {
        link(&self.run)
    }
}

fn link(run: &str) -> PathBuf {
    PathBuf::from(format!("serving/{run}/tree"))
}

/// Refuses what cannot name a run: it becomes the name of a directory.
pub(crate) fn check_run(run: &str) -> Result<()> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if (1..=64).contains(&run.len()) && run.bytes().all(fits) {
        return Ok(());
    }
    let text = format!("{} cannot name a run", crate::path::escape(run.as_bytes()));
    Err(Error::new(ErrorKind::BadRun, text))
}

/// Everything in the store that counts, and what readers see made to agree with it: the copy that serves, else the copy
/// that was handed back until a newer generation or an ended pull replaces it, else the newest generation.
pub(crate) fn recover(store: &Store, leftovers: bool) -> Result<(Vec<Commit>, Vec<Serving>)> {
    let commits = store.recover(leftovers)?;
    let servings = copies(store, leftovers)?;
    let newest = commits.last().map(|commit| commit.generation);
    let serves = servings.iter().find(|serving| serving.handed_back.is_none());
    let shown = serves.or_else(|| servings.iter().find(|serving| serving.is_still_shown(store, newest)));
    match (shown, newest) {
        (Some(serving), _) => store.flip_to(&serving.link())?,
        (None, Some(newest)) => store.flip(newest)?,
        (None, None) => {}
    }
    Ok((commits, servings))
}

/// The writable copies, oldest first.
fn copies(store: &Store, leftovers: bool) -> Result<Vec<Serving>> {
    let dir = store.servings();
    let trouble = |e: io::Error| Error::io("cannot read the store of the replica", &dir, e);
    let mut found: Vec<Serving> = Vec::new();
    let items = match fs::read_dir(&dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(found),
        items => items.map_err(trouble)?,
    };
    for item in items {
        let path = item.map_err(trouble)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match name.split_once('.') {
            Some((_, BUILDING)) => remove_tree(&path)?,
            Some((_, PRUNED | REHEARSAL)) if leftovers => remove_tree(&path)?,
            Some(_) => {}
            None => match read(&path, &name) {
                Ok(serving) => found.push(serving),
                // Somebody may be serving from it right now: nothing is touched, and nothing else is shown.
                Err(error) if store.shows(&link(&name)) => return Err(error),
                Err(_) => {
                    tracing::warn!(path = %path.display(), "a serving copy has no valid record and is set aside");
                    fs::rename(&path, store.serving_aside(&name, DAMAGED)).map_err(trouble)?;
                }
            },
        }
    }
    found.sort_by(|a, b| (a.promoted_at, &a.run).cmp(&(b.promoted_at, &b.run)));
    Ok(found)
}

fn read(dir: &Path, name: &str) -> Result<Serving> {
    let serving: Serving = read_record(dir)?;
    if serving.run == name {
        return Ok(serving);
    }
    let text = format!("the record of a serving copy belongs to the run {}", serving.run);
    Err(Error::new(ErrorKind::StoreDamaged, text).at(dir))
}

/// The manifest the copy was made from.
pub(crate) fn manifest(store: &Store, promoted: &Promoted) -> Result<Manifest> {
    read_manifest(&store.serving(&promoted.run), promoted.held.unwrap_or(promoted.content_id))
}

/// Makes the copy that serves a DR restore point. Readers go on seeing it.
pub(crate) fn hand_back(store: &Store, serving: &Serving, newest: Option<u64>, now: Timestamp) -> Result<Serving> {
    let dir = store.serving(&serving.run);
    let mut seen = HashSet::new();
    let (files, bytes) = count(&dir.join("tree"), &mut seen);
    crate::store::sync_file_system(&dir)?;
    let ended =
        Serving { handed_back: Some(HandedBack { at: now, newest, files, bytes, kept_s: 0 }), ..serving.clone() };
    write_record(&dir, &ended)?;
    Ok(ended)
}

/// Regular files and their bytes. What cannot be read is not counted: a failing disk must not keep anybody from handing
/// back.
fn count(dir: &Path, seen: &mut HashSet<(u64, u64)>) -> (u64, u64) {
    let (mut files, mut bytes) = (0, 0);
    for item in fs::read_dir(dir).into_iter().flatten().flatten() {
        let Ok(meta) = item.metadata() else { continue };
        if meta.is_dir() {
            let below = count(&item.path(), seen);
            files += below.0;
            bytes += below.1;
        } else if meta.is_file() {
            files += 1;
            bytes += if seen.insert((meta.dev(), meta.ino())) { meta.len() } else { 0 };
        }
    }
    (files, bytes)
}

/// Takes the name away from a DR restore point; the caller removes the tree that is left.
pub(crate) fn set_aside(store: &Store, run: &str) -> Result<PathBuf> {
    let (place, aside) = (store.serving(run), store.serving_aside(run, PRUNED));
    remove_tree(&aside)?;
    fs::rename(&place, &aside).map_err(|e| Error::io("cannot drop a DR restore point", &place, e))?;
    sync_dir(&store.servings())?;
    Ok(aside)
}
