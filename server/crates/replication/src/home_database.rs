//! A database at home is exchanged as a whole: file and journals are put away together, and the new file takes the name in
//! one step. It refuses to let a journal of the old database meet the new one.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, renameat, unlinkat};
use rustix::io::Errno;

use crate::beneath::Beneath;
use crate::error::{Error, Result};
use crate::home::Arrival;
use crate::promote::Copier;
use crate::source::DATABASE_NAME;
use crate::sqlite;
use crate::store::{remove_tree, sync_dir, sync_file_system};
use crate::tree::Contents;
use crate::watch::{Phase, Point, Tally, Watch, pass};

const ATTEMPT: &str = "cannot exchange the database";
/// What belongs to the content of a database beside its file.
const JOURNALS: [&str; 2] = ["-wal", "-journal"];

/// Where the database really lies, by whatever name it is declared.
struct Place {
    dir: PathBuf,
    name: OsString,
}

impl Place {
    fn of(path: &Path) -> Result<Self> {
        let real = fs::canonicalize(path).map_err(|e| sqlite::missing_or_unreadable(path, e))?;
        let dir = real.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Self { name: real.file_name().unwrap_or_default().to_owned(), dir })
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.name.clone();
        name.push(suffix);
        self.dir.join(name)
    }

    /// The name under which the new file waits.
    fn arriving(&self) -> Vec<u8> {
        [b".", self.name.as_bytes(), b".tvox-dr.arriving"].concat()
    }

    /// Puts the waiting file in its place. Nothing of the old database may meet it.
    fn take_place(&self) -> Result<()> {
        let trouble = |e: io::Error| Error::io(ATTEMPT, self.beside(""), e);
        for suffix in ["-wal", "-journal", "-shm"] {
            remove(&self.beside(suffix)).map_err(trouble)?;
        }
        let dir = Beneath::open(&self.dir).map_err(trouble)?;
        renameat(dir.root(), self.arriving(), dir.root(), self.name.as_bytes()).map_err(|e| trouble(e.into()))?;
        sync_dir(&self.dir)
    }
}

/// Puts the database of an arrival in the place of the one at `path`.
pub(crate) fn exchange(path: &Path, arrival: &Arrival<'_>, watch: &dyn Watch) -> Result<()> {
    let place = Place::of(path)?;
    let trouble = |e: io::Error| Error::io(ATTEMPT, path, e);
    let Some(new) = arrival.manifest.entries().get(1) else { return Ok(()) };
    let dir = Beneath::open(&place.dir).map_err(trouble)?;
    let name = place.arriving();
    match unlinkat(dir.root(), &name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(e) => return Err(trouble(e.into())),
    }
    let mut copier = Copier::new(arrival.tree.to_owned(), arrival.kept, arrival.manifest)?;
    let mut tally = Tally::new(watch, Phase::Building, Some((1, arrival.manifest.bytes())))?;
    copier.make(dir.root(), &name, 1, new, &mut tally)?;
    sync_file_system(&place.dir)?;
    sqlite::quick_check(&place.dir.join(OsString::from_vec(name)))?;
    put_away(&place, arrival.kept)?;
    pass(watch, Point::Cleared)?;
    place.take_place()
}

/// Keeps the old database with its journals, all of it or nothing; a second time is no other time.
fn put_away(place: &Place, kept: &Path) -> Result<()> {
    let (whole, part) = (kept.join("tree"), kept.join("tree.part"));
    if whole.exists() {
        return Ok(());
    }
    let trouble = |e: io::Error| Error::io("cannot put away what is replaced", &part, e);
    remove_tree(&part)?;
    fs::create_dir(&part).map_err(trouble)?;
    for suffix in ["", JOURNALS[0], JOURNALS[1]] {
        let (from, to) = (place.beside(suffix), part.join(format!("{DATABASE_NAME}{suffix}")));
        match fs::hard_link(&from, &to) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(_) => fs::copy(&from, &to).map(drop).map_err(trouble)?,
            Ok(()) => {}
        }
    }
    sync_file_system(&part)?;
    fs::rename(&part, &whole).map_err(trouble)?;
    sync_dir(kept)
}

/// Puts the old database back, if it was put away at all.
pub(crate) fn put_back(path: &Path, kept: &Path) -> Result<()> {
    let old = kept.join("tree");
    if !old.exists() {
        return Ok(());
    }
    let place = Place::of(path)?;
    let trouble = |e: io::Error| Error::io("cannot put the database back", path, e);
    let arriving = place.dir.join(OsString::from_vec(place.arriving()));
    remove(&arriving).map_err(trouble)?;
    copy(&old.join(DATABASE_NAME), &arriving).map_err(trouble)?;
    place.take_place()?;
    for suffix in JOURNALS {
        let journal = old.join(format!("{DATABASE_NAME}{suffix}"));
        if journal.exists() {
            copy(&journal, &place.beside(suffix)).map_err(trouble)?;
        }
    }
    sync_file_system(&place.dir)
}

/// A copy with the owner, permissions and time of the original.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    fs::copy(from, to)?;
    let meta = fs::metadata(from)?;
    match std::os::unix::fs::chown(to, Some(meta.uid()), Some(meta.gid())) {
        // Only root gives files away.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied && !rustix::process::geteuid().is_root() => {}
        done => done?,
    }
    let file = fs::File::options().write(true).open(to)?;
    file.set_modified(meta.modified()?)?;
    file.sync_all()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
