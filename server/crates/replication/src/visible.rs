//! The one link that readers follow, and whether anybody followed it. Most file systems note when a symlink was last
//! read: a generation whose link nobody read has no reader, and need not be kept for one. It refuses to conclude anything
//! where the mount says that readings are not noted; whoever comes through another mount that says so is not seen.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, StatVfsMountFlags, Timespec, Timestamps, UTIME_OMIT, fstat, open, statvfs, utimensat,
};

use crate::error::{Error, Result};
use crate::store::sync_dir;

/// The link `current` of a store.
#[derive(Debug)]
pub(crate) struct Visible {
    root: PathBuf,
    /// The file system notes that a link was read.
    notes: bool,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// The link that was made here last.
    made: Option<Made>,
    /// Trees that were shown for a while, and that nobody has found through the link.
    unread: HashSet<PathBuf>,
}

#[derive(Debug)]
struct Made {
    tree: PathBuf,
    /// Device and inode.
    link: (u64, u64),
}

impl Visible {
    pub(crate) fn of(root: &Path) -> Self {
        let notes = notes_readings(root).unwrap_or(false);
        Self { root: root.to_owned(), notes, seen: Mutex::default() }
    }

    /// Where readers begin.
    pub(crate) fn link(&self) -> PathBuf {
        self.root.join("current")
    }

    /// Whether readers see this tree of ours (as the link has it, relative to the store).
    pub(crate) fn shows(&self, tree: &Path) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_shown(&seen, tree)
    }

    /// Our own reading of the link would count as a reader's: a link that was made here is known.
    fn is_shown(&self, seen: &Seen, tree: &Path) -> bool {
        let Ok(meta) = fs::symlink_metadata(self.link()) else { return false };
        match &seen.made {
            Some(made) if made.link == (meta.dev(), meta.ino()) => made.tree == tree,
            _ => fs::read_link(self.link()).is_ok_and(|now| now == tree),
        }
    }

    /// Makes readers see this tree; `false` where they do already.
    pub(crate) fn show(&self, tree: &Path) -> Result<bool> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.unread.remove(tree);
        if self.is_shown(&seen, tree) {
            return Ok(false);
        }
        let (link, new) = (self.link(), self.root.join("current.new"));
        let before = open(&link, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).ok();
        make_unread(tree, &new)
            .and_then(|identity| fs::rename(&new, &link).map(|()| identity))
            .map(|identity| seen.made.replace(Made { tree: tree.to_owned(), link: identity }))
            .map_err(|e| Error::io("cannot replace a link", &link, e))
            .map(|made| {
                // Looked at after the exchange: whoever follows the link from now on follows the new one.
                let unread = before.and_then(|fd| fstat(fd).ok()).filter(|stat| self.notes() && stat.st_atime == 0);
                if let (Some(made), Some(stat)) = (made, unread)
                    && made.link == (stat.st_dev, stat.st_ino)
                {
                    seen.unread.insert(made.tree);
                }
                true
            })
    }

    /// It did when the store was opened, and the mount has not been changed since.
    fn notes(&self) -> bool {
        let off = StatVfsMountFlags::NOATIME | StatVfsMountFlags::RDONLY;
        self.notes && statvfs(&self.root).is_ok_and(|found| !found.f_flag.intersects(off))
    }

    /// As [`Visible::show`], durably.
    pub(crate) fn show_durably(&self, tree: &Path) -> Result<()> {
        if self.show(tree)? { sync_dir(&self.root) } else { Ok(()) }
    }

    /// Whether this tree was shown and superseded, and nobody has found it through the link.
    pub(crate) fn was_unread(&self, tree: &Path) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).unread.contains(tree)
    }

    /// The tree goes.
    pub(crate) fn forget(&self, tree: &Path) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).unread.remove(tree);
    }
}

/// Makes a link that counts as never read; gives what it is. A file system that notes readings does so at the first one
/// after the inode has changed, also where it spares itself most of them (`relatime`).
fn make_unread(to: &Path, link: &Path) -> io::Result<(u64, u64)> {
    match fs::remove_file(link) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    std::os::unix::fs::symlink(to, link)?;
    let never = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: 0 },
        last_modification: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
    };
    utimensat(CWD, link, &never, AtFlags::SYMLINK_NOFOLLOW)?;
    let meta = fs::symlink_metadata(link)?;
    Ok((meta.dev(), meta.ino()))
}

/// Tries whether the file system notes that a link was read (a mount may say that it does not).
fn notes_readings(root: &Path) -> io::Result<bool> {
    let probe = root.join("current.probe");
    make_unread(Path::new("nowhere"), &probe)?;
    let unread = fs::symlink_metadata(&probe)?.atime() == 0;
    fs::read_link(&probe)?;
    let read = fs::symlink_metadata(&probe)?.atime() != 0;
    fs::remove_file(&probe)?;
    Ok(unread && read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_that_nobody_found_is_told_from_one_that_somebody_did() {
        let dir = tempfile::tempdir().unwrap();
        let visible = Visible::of(dir.path());
        let tree = |number: u32| PathBuf::from(format!("generations/{number}/tree"));
        for number in 1..=4 {
            assert!(visible.show(&tree(number)).unwrap());
            assert!(!visible.show(&tree(number)).unwrap(), "it is shown already");
            assert!(visible.shows(&tree(number)), "and our own looking is nobody's reading");
            if number == 2 {
                // Nothing is there, and yet somebody asked for it through the link.
                fs::metadata(visible.link().join("file")).unwrap_err();
            }
        }
        let unread: Vec<bool> = (1..=4).map(|number| visible.was_unread(&tree(number))).collect();
        // The first one was superseded, and so were the second, which was read, and the third.
        assert_eq!(unread, if visible.notes { [true, false, true, false] } else { [false; 4] });
        visible.show(&tree(1)).unwrap();
        assert!(!visible.was_unread(&tree(1)), "shown again");
    }

    #[test]
    fn a_link_that_an_earlier_process_made_may_have_been_read() {
        let dir = tempfile::tempdir().unwrap();
        Visible::of(dir.path()).show(Path::new("generations/1/tree")).unwrap();
        let visible = Visible::of(dir.path());
        assert!(visible.shows(Path::new("generations/1/tree")));
        visible.show(Path::new("generations/2/tree")).unwrap();
        assert!(!visible.was_unread(Path::new("generations/1/tree")));
    }
}
