//! Who may still be in a tree that is not shown any more, as the kernel tells it. It refuses to guess: what it may not look
//! into may be a reader.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// Whether a process has one of these directories, or something below, as its working directory, its root or an open
/// directory. An open *file* does not count: nobody writes into it or takes it away, it only loses this name.
pub(crate) struct Readers {
    /// With the symlinks resolved: so the kernel names it.
    below: PathBuf,
    device: u64,
    namespace: PathBuf,
    found: HashSet<u64>,
}

impl Readers {
    /// The generations below `generations` in which somebody is; an error where that cannot be told.
    pub(crate) fn look(generations: &Path) -> io::Result<HashSet<u64>> {
        let below = fs::canonicalize(generations)?;
        let device = fs::metadata(&below)?.dev();
        let mut readers = Self { below, device, namespace: fs::read_link("/proc/self/ns/mnt")?, found: HashSet::new() };
        for process in numbered(Path::new("/proc"))? {
            // Nobody's data is read by init, which may have more capabilities than this process, and then shows nothing.
            if !process.ends_with("1") {
                readers.process(&process).or_else(gone)?;
            }
        }
        Ok(readers.found)
    }

    fn process(&mut self, process: &Path) -> io::Result<()> {
        let abroad = fs::read_link(process.join("ns/mnt"))? != self.namespace;
        for thread in numbered(&process.join("task"))? {
            for link in ["cwd", "root"] {
                self.reference(&thread.join(link), abroad).or_else(gone)?;
            }
        }
        for open in numbered(&process.join("fd"))? {
            self.reference(&open, abroad).or_else(gone)?;
        }
        Ok(())
    }

    fn reference(&mut self, link: &Path, abroad: bool) -> io::Result<()> {
        let path = fs::read_link(link)?;
        if !path.is_absolute() {
            // A socket, a pipe.
            return Ok(());
        }
        if let Ok(inside) = path.strip_prefix(&self.below) {
            let generation = inside.iter().next().and_then(|name| name.to_str()?.parse().ok());
            if let Some(generation) = generation
                && fs::metadata(link)?.is_dir()
            {
                self.found.insert(generation);
            }
        } else if abroad {
            // Where other things are mounted, a tree of ours may be called anything.
            let there = fs::metadata(link)?;
            let same = |here: fs::Metadata| (here.dev(), here.ino()) == (there.dev(), there.ino());
            if there.is_dir() && there.dev() == self.device && !fs::metadata(&path).is_ok_and(same) {
                return Err(io::Error::other(format!("{} may be a tree of ours", link.display())));
            }
        }
        Ok(())
    }
}

/// What goes by a number in a directory of `/proc`.
fn numbered(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for item in fs::read_dir(dir)? {
        let item = item?;
        if item.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            found.push(item.path());
        }
    }
    Ok(found)
}

/// A process that has ended meanwhile is in no tree, and one of the kernel's own has no directory.
fn gone(error: io::Error) -> io::Result<()> {
    let gone = [Errno::NOENT, Errno::SRCH].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()));
    if gone { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::process::{Command, Stdio};

    #[test]
    fn who_stands_in_a_tree_or_has_one_of_its_directories_open_is_found_and_who_reads_a_file_is_not() {
        let dir = tempfile::tempdir().unwrap();
        for generation in 1..=4 {
            let place = dir.path().join(format!("{generation}/tree/below"));
            fs::create_dir_all(&place).unwrap();
            fs::write(place.join("file"), "x").unwrap();
        }
        assert_eq!(Readers::look(dir.path()).unwrap(), HashSet::new());
        let file = File::open(dir.path().join("1/tree/below/file")).unwrap();
        let open = File::open(dir.path().join("2/tree/below")).unwrap();
        let inside = dir.path().join("3/tree");
        let mut stands = Command::new("cat").current_dir(inside).stdin(Stdio::piped()).spawn().unwrap();
        assert_eq!(Readers::look(dir.path()).unwrap(), HashSet::from([2, 3]));
        drop((file, open, stands.stdin.take()));
        stands.wait().unwrap();
        assert_eq!(Readers::look(dir.path()).unwrap(), HashSet::new());
    }
}
