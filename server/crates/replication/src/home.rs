//! Bringing content home: the source path itself takes the content of a generation, while nobody uses it. Whatever is
//! replaced is put away first, so that it ends at the new content or, by [`Source::put_back`], at what was there before;
//! both may be cut off anywhere and are simply called again. It refuses to touch what lies outside of the declaration.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{AtFlags, Mode, linkat, mkdirat, renameat, statat, unlinkat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::beneath::Beneath;
use crate::error::{Error, ErrorKind, Result};
use crate::home_database;
use crate::manifest::{ContentId, Entry, EntryKind, Manifest};
use crate::path::TreePath;
use crate::promote::Copier;
use crate::source::{Source, SourceKind};
use crate::store::{read_manifest, read_record, sync_dir, sync_file_system, write_durably, write_record};
use crate::tree::{Contents, dress, make_special};
use crate::watch::{Phase, Point, Tally, Watch, pass};

/// What comes home.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// What the source is to hold.
    pub manifest: &'a Manifest,
    /// A complete tree of it.
    pub tree: &'a Path,
    /// A directory of its own in which everything is put away that is replaced: `tree` in it holds files as they were.
    pub kept: &'a Path,
}

/// What stood in the source before, as recorded beside what was put away.
#[derive(Debug, Serialize, Deserialize)]
struct Before {
    content_id: ContentId,
    at: Timestamp,
}

/// A file on its way to its name.
pub(crate) const ARRIVING: &[u8] = b".tvox-dr.arriving";
const ATTEMPT: &str = "cannot bring the content home";
const PREPARE: &str = "cannot prepare the place for what is replaced";

impl Source {
    /// Makes the source path hold `arrival`, as far as the declaration goes, and measures it: the content as it stands
    /// then. That is the arrival's own, unless directories had to stay for what lies in them outside of the declaration.
    ///
    /// Nobody may use the source meanwhile. After an error it is somewhere between: call again, or
    /// [`Source::put_back`].
    pub fn take_in(&mut self, arrival: &Arrival<'_>, now: Timestamp, watch: &dyn Watch) -> Result<ContentId> {
        let trouble = |e: io::Error| Error::io(PREPARE, arrival.kept, e);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(arrival.kept).map_err(trouble)?;
        match self.spec().kind {
            SourceKind::Files => {
                let have = self.capture(now, false, watch)?.manifest;
                self.remember(&have, arrival.kept, now)?;
                let aside = Some(arrival.kept.join("tree"));
                Change {
                    root: &self.spec().path,
                    have: &have,
                    want: arrival.manifest,
                    from: arrival.tree,
                    aside,
                    watch,
                }
                .run()?;
            }
            SourceKind::Sqlite => {
                // A database that cannot be read, with a journal that only its owner may roll back, is replaced as well.
                let have = self.capture(now, false, watch).ok().map(|capture| capture.manifest);
                let equal = |have: &Manifest| have.entries().get(1) == arrival.manifest.entries().get(1);
                if !have.as_ref().is_some_and(equal) {
                    home_database::exchange(&self.spec().path, arrival, watch)?;
                }
            }
        }
        pass(watch, Point::TakenIn)?;
        let measured = self.capture(now, false, watch)?.manifest;
        self.check_arrived(arrival.manifest, &measured)?;
        Ok(measured.content_id())
    }

    /// Makes the source path hold what was there before an arrival whose `kept` this is; nothing where nothing was
    /// replaced. What was put away stays there, too.
    pub fn put_back(&mut self, kept: &Path, now: Timestamp, watch: &dyn Watch) -> Result<()> {
        match self.spec().kind {
            SourceKind::Files => {
                if !kept.join("record").exists() {
                    return Ok(());
                }
                let before: Before = read_record(kept)?;
                let want = read_manifest(kept, before.content_id)?;
                let have = self.capture(now, false, watch)?.manifest;
                let from = kept.join("tree");
                Change { root: &self.spec().path, have: &have, want: &want, from: &from, aside: None, watch }.run()
            }
            SourceKind::Sqlite => home_database::put_back(&self.spec().path, kept),
        }
    }

    /// Bytes that an arrival writes into the source: what stands there already is not written again.
    pub fn bytes_to_take_in(&mut self, manifest: &Manifest, now: Timestamp, watch: &dyn Watch) -> Result<u64> {
        let have = match self.capture(now, false, watch) {
            Ok(capture) => capture.manifest,
            Err(_) if self.spec().kind == SourceKind::Sqlite => return Ok(manifest.bytes()),
            Err(error) => return Err(error),
        };
        let size = |entry: &Entry| match entry.kind {
            EntryKind::File { size, .. } => size.next_multiple_of(4096),
            _ => 0,
        };
        let new = |entry: &&Entry| have.get(&entry.path).is_none_or(|old| old.kind != entry.kind);
        Ok(manifest.entries().iter().filter(new).map(size).sum())
    }

    /// Written once, before anything is touched.
    fn remember(&self, have: &Manifest, kept: &Path, now: Timestamp) -> Result<()> {
        if read_record::<Before>(kept).is_ok() {
            return Ok(());
        }
        write_durably(&kept.join("manifest"), &have.encode())?;
        write_record(kept, &Before { content_id: have.content_id(), at: now })?;
        sync_dir(kept)
    }

    /// Whether the source holds what came. A directory that does not belong to it may have had to stay.
    fn check_arrived(&self, want: &Manifest, measured: &Manifest) -> Result<()> {
        let other = |path: &TreePath| {
            let text = "the source does not hold what was brought home";
            Error::new(ErrorKind::HashMismatch, text).at(self.spec().path.join(path.as_path()))
        };
        // Of a database the directory around it is nobody's business.
        let counts = usize::from(self.spec().kind == SourceKind::Sqlite);
        if let Some(entry) = want.entries()[counts..].iter().find(|entry| measured.get(&entry.path) != Some(*entry)) {
            return Err(other(&entry.path));
        }
        let extra = |entry: &&Entry| entry.kind != EntryKind::Dir && want.get(&entry.path).is_none();
        match measured.entries().iter().find(extra) {
            Some(entry) => Err(other(&entry.path)),
            None => Ok(()),
        }
    }
}

/// One tree of files on its way from what it holds to what it is to hold.
struct Change<'c> {
    root: &'c Path,
    have: &'c Manifest,
    want: &'c Manifest,
    /// Where the content is.
    from: &'c Path,
    /// Where what is replaced goes; without it is removed.
    aside: Option<PathBuf>,
    watch: &'c dyn Watch,
}

impl Change<'_> {
    fn run(&self) -> Result<()> {
        let mut live = Beneath::open(self.root).map_err(|e| self.trouble(&TreePath::root(), e))?;
        self.clear(&mut live)?;
        pass(self.watch, Point::Cleared)?;
        live.forget();
        self.fill(&mut live)?;
        for entry in self.want.entries().iter().rev().filter(|entry| entry.kind == EntryKind::Dir) {
            let failed = |e| self.trouble(&entry.path, e);
            let (dir, name) = live.locate(&entry.path).map_err(failed)?;
            dress(dir, name, entry).map_err(failed)?;
        }
        sync_file_system(self.root)
    }

    fn trouble(&self, path: &TreePath, e: impl Into<io::Error>) -> Error {
        Error::io(ATTEMPT, self.root.join(path.as_path()), e)
    }

    /// Takes away what does not stay, leaves first.
    fn clear(&self, live: &mut Beneath) -> Result<()> {
        let mut aside =
            self.aside.as_deref().map(|to| Aside::open(to, self.root, self.have, self.watch)).transpose()?;
        let stays = |old: &Entry| self.want.get(&old.path).is_some_and(|new| new.kind == old.kind);
        for old in self.have.entries().iter().skip(1).rev().filter(|old| !stays(old)) {
            let failed = |e: io::Error| self.trouble(&old.path, e);
            let (dir, name) = live.locate(&old.path).map_err(failed)?;
            match (&old.kind, &mut aside) {
                (EntryKind::Dir, _) => match unlinkat(dir, name, AtFlags::REMOVEDIR) {
                    // Something lies in it that the declaration does not name.
                    Err(Errno::NOTEMPTY | Errno::EXIST | Errno::BUSY) => {}
                    done => done.map_err(|e| failed(e.into()))?,
                },
                (_, Some(aside)) if name != ARRIVING => aside.take(dir, name, old)?,
                _ => unlinkat(dir, name, AtFlags::empty()).map_err(|e| failed(e.into()))?,
            }
        }
        if self.aside.is_some() { sync_file_system(self.root) } else { Ok(()) }
    }

    /// Makes what is missing, and gives what stays the metadata it is to have.
    fn fill(&self, live: &mut Beneath) -> Result<()> {
        // Beside the tree of what is kept, never in it.
        let scratch = self.aside.as_deref().unwrap_or(self.from).parent().unwrap_or(self.from);
        let mut copier = Copier::new(self.from.to_owned(), scratch, self.want)?;
        let mut tally = Tally::new(self.watch, Phase::Building, Some((self.want.files(), self.want.bytes())))?;
        let mut first_names = live.again().map_err(|e| self.trouble(&TreePath::root(), e))?;
        let stays = |new: &Entry| self.have.get(&new.path).filter(|old| old.kind == new.kind);
        let mut groups: HashMap<(usize, u32), &TreePath> = HashMap::new();
        for new in self.want.entries().iter().rev().filter(|new| stays(new).is_some()) {
            groups.extend(group(new).map(|group| (group, &new.path)));
        }
        for new in self.want.entries().iter().skip(1) {
            let failed = |e: io::Error| self.trouble(&new.path, e);
            let (dir, name) = live.locate(&new.path).map_err(failed)?;
            match (stays(new), &new.kind) {
                (Some(old), kind) if old == new || *kind == EntryKind::Dir => {}
                (Some(_), _) => dress(dir, name, new).map_err(failed)?,
                (None, EntryKind::Dir) => mkdirat(dir, name, Mode::RWXU).map_err(|e| failed(e.into()))?,
                (None, _) => match group(new).and_then(|group| groups.get(&group)) {
                    Some(first) => {
                        let (from, from_name) = first_names.locate(first).map_err(failed)?;
                        linkat(from, from_name, dir, name, AtFlags::empty()).map_err(|e| failed(e.into()))?;
                    }
                    None => {
                        place(dir, name, new, &mut copier, &mut tally, failed)?;
                        groups.extend(group(new).map(|group| (group, &new.path)));
                    }
                },
            }
            if matches!(new.kind, EntryKind::File { .. }) {
                tally.file()?;
            }
        }
        tally.finish()
    }
}

/// Which of several names of one file, symlink or pipe this is.
fn group(entry: &Entry) -> Option<(usize, u32)> {
    Some((entry.kind.numbering(), entry.kind.group())).filter(|(_, group)| *group > 0)
}

/// Makes one name that is no directory, metadata included: it appears whole.
fn place(
    dir: BorrowedFd<'_>,
    name: &[u8],
    entry: &Entry,
    from: &mut Copier,
    tally: &mut Tally<'_>,
    failed: impl Fn(io::Error) -> Error,
) -> Result<()> {
    match unlinkat(dir, ARRIVING, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(e) => return Err(failed(e.into())),
    }
    match &entry.kind {
        EntryKind::File { .. } => from.make(dir, ARRIVING, 0, entry, tally)?,
        _ => make_special(dir, ARRIVING, entry).map_err(&failed)?,
    }
    renameat(dir, ARRIVING, dir, name).map_err(|e| failed(e.into()))
}

/// Where what is replaced is put away, under the path it had.
struct Aside<'a> {
    tree: Beneath,
    path: &'a Path,
    /// Reads the source, where what is put away must go to another file system.
    copier: Copier,
    tally: Tally<'a>,
}

impl<'a> Aside<'a> {
    fn open(path: &'a Path, root: &Path, have: &Manifest, watch: &'a dyn Watch) -> Result<Self> {
        let trouble = |e: io::Error| Error::io(PREPARE, path, e);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(trouble)?;
        let copier = Copier::new(root.to_owned(), path.parent().unwrap_or(path), have)?;
        Ok(Self {
            tree: Beneath::open(path).map_err(trouble)?,
            path,
            copier,
            tally: Tally::new(watch, Phase::Building, None)?,
        })
    }

    /// What was put away first is what was there before: a later one of the same name has only been on its way.
    fn take(&mut self, dir: BorrowedFd<'_>, name: &[u8], old: &Entry) -> Result<()> {
        let full = self.path.join(old.path.as_path());
        let failed = |e: io::Error| Error::io("cannot put away what is replaced", &full, e);
        self.make_parents(&old.path).map_err(failed)?;
        let (to, last) = self.tree.locate(&old.path).map_err(failed)?;
        if statat(to, last, AtFlags::SYMLINK_NOFOLLOW).is_err() {
            match renameat(dir, name, to, last) {
                Err(Errno::XDEV) => place(to, last, old, &mut self.copier, &mut self.tally, failed)?,
                done => return done.map_err(|e| failed(e.into())),
            }
            // The last copy of it is taken away below.
            sync_file_system(self.path)?;
        }
        unlinkat(dir, name, AtFlags::empty()).map_err(|e| failed(e.into()))
    }

    fn make_parents(&mut self, path: &TreePath) -> io::Result<()> {
        let names: Vec<&[u8]> = path.names().collect();
        let mut at = TreePath::root();
        for name in names.iter().take(names.len().saturating_sub(1)) {
            at = at.join(name).map_err(io::Error::other)?;
            let (parent, last) = self.tree.locate(&at)?;
            match mkdirat(parent, last, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }
}
