//! Recording: what the server has written to its binary log since the last time is copied behind what is in the journal.
//! The server need not run for it.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::binlog::Log;
use crate::error::{Error, ErrorKind, Result, at};
use crate::gtid::Position;
use crate::journal::{Journal, Volume};
use crate::server::Server;

/// As much of what was recorded is compared with the server's, in bytes.
const COMPARED: u64 = 4096;

/// What recording came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// How far the journal goes now.
    pub position: Position,
    /// Bytes of log that were new.
    pub bytes: u64,
    /// Whether the journal was begun, or begun anew because the server had dropped what follows.
    pub seeded: bool,
}

/// Where a journal goes on in the server's binary log.
enum Next {
    /// In this of the server's files; whether the last log is its beginning.
    In { file: usize, goes_on: bool },
    /// What follows is gone.
    Gone,
}

impl Journal {
    /// Brings the journal to what the server has written, and begins it where there is none. `scratch` is a place of its
    /// own for a dump, on the same file system; `stop` ends it.
    ///
    /// # Errors
    /// [`ErrorKind::SetBack`] where the server's log is not the one that was recorded: nothing is changed then, and
    /// nothing of it counts before somebody has said which of the two is right. [`ErrorKind::Unreachable`] where the
    /// server must be asked and does not answer.
    pub fn record(&self, server: &Server, scratch: &Path, stop: &(dyn Fn() -> bool + Sync)) -> Result<Tail> {
        let (base, id) = self.log_of(server)?;
        let mut seeded = false;
        let mut volume = match self.volume()? {
            Some(volume) => volume,
            None => {
                self.begin(server, scratch, stop)?;
                seeded = true;
                self.whole()?
            }
        };
        let mut files = files(&base)?;
        let next = match volume.next(&files, id)? {
            Next::Gone => {
                // The server went on, and dropped what lies between: only a new dump holds that.
                let look = server.look()?;
                if !look.position.reaches(&volume.end()?) {
                    return Err(set_back(&base));
                }
                self.begin(server, scratch, stop)?;
                seeded = true;
                volume = self.whole()?;
                files = self::files(&base)?;
                volume.next(&files, id)?
            }
            next => next,
        };
        let Next::In { file, goes_on } = next else { return Err(set_back(&base)) };
        let bytes = volume.append(&files[file..], goes_on, id)?;
        let position = if bytes > 0 { self.whole()?.end()? } else { volume.end()? };
        let known = position.to_string();
        self.remember(|state| state.known = Some(known))?;
        Ok(Tail { position, bytes, seeded })
    }

    /// The newest file of the server's binary log, and its size: another one than before means news.
    #[must_use]
    pub fn newest(&self) -> Option<(PathBuf, u64)> {
        let (base, _) = self.state().log?;
        let newest = files(&base).ok()?.pop()?;
        let size = fs::metadata(&newest).ok()?.len();
        Some((newest, size))
    }

    /// Where the server's log lies: as it says, or as it said when it answered last.
    fn log_of(&self, server: &Server) -> Result<(PathBuf, u32)> {
        match server.look() {
            Ok(look) => {
                look.check()?;
                let log = look.log.map(|log| (log, look.id));
                let kept = log.clone();
                self.remember(|state| state.log = kept)?;
                log.ok_or_else(|| Error::new(ErrorKind::Unsuited, "the server keeps no binary log"))
            }
            Err(error) if error.kind() == ErrorKind::Unreachable => self.state().log.ok_or(error),
            Err(error) => Err(error),
        }
    }
}

impl Volume {
    fn next(&self, files: &[PathBuf], id: u32) -> Result<Next> {
        let named = |name: &str| files.iter().position(|file| file.file_name().is_some_and(|one| one == name));
        let Some(last) = self.logs.last() else {
            if self.seed.server != id {
                return self.begins_here(files);
            }
            return Ok(named(&self.seed.file).map_or(Next::Gone, |file| Next::In { file, goes_on: false }));
        };
        if last.server != id {
            return self.begins_here(files);
        }
        let Some(file) = named(&last.name) else { return Ok(Next::Gone) };
        if !is_beginning(&last.path, &files[file])? {
            return Err(set_back(&files[file]));
        }
        Ok(Next::In { file, goes_on: true })
    }

    /// The last was another server's: this one's goes on in the file that it began right there.
    fn begins_here(&self, files: &[PathBuf]) -> Result<Next> {
        let end = self.end()?;
        for (at, file) in files.iter().enumerate().rev() {
            if Log::open(file)?.is_some_and(|log| log.begins.as_ref() == Some(&end)) {
                return Ok(Next::In { file: at, goes_on: false });
            }
        }
        let text = format!("the server has not gone on from {end}, where the journal ends");
        Err(Error::new(ErrorKind::SetBack, text))
    }

    /// Copies whole transactions, and on disk.
    fn append(&self, files: &[PathBuf], mut goes_on: bool, id: u32) -> Result<u64> {
        let mut number = self.logs.last().map_or(0, |log| log.number);
        let place = self.dir.join("log");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&place).map_err(at("make", &place))?;
        let mut new = 0;
        for file in files {
            let own = self.logs.last().filter(|_| goes_on).map(|log| log.path.clone());
            let have =
                own.as_ref().map_or(Ok(0), |own| fs::metadata(own).map(|meta| meta.len()).map_err(at("read", own)))?;
            let end = end_of(file, have)?;
            goes_on = false;
            let Some(end) = end else { continue };
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let to = own.unwrap_or_else(|| {
                number += 1;
                place.join(format!("{number:06}-{id}-{name}"))
            });
            copy(file, &to, have, end)?;
            new += end - have;
        }
        Ok(new)
    }
}

/// The byte after the last whole transaction behind `have`; `None` if there is none.
fn end_of(file: &Path, have: u64) -> Result<Option<u64>> {
    let Some(mut log) = Log::open(file)? else { return Ok(None) };
    if have > 0 {
        log.go_to(have, file)?;
    }
    let mut end = None;
    while let Some(group) = log.group(file)? {
        end = Some(group.end);
    }
    Ok(end)
}

fn copy(from: &Path, to: &Path, have: u64, end: u64) -> Result<()> {
    let copied = || {
        let mut source = File::open(from)?;
        source.seek(SeekFrom::Start(have))?;
        let fresh = to.with_extension("new");
        let mut target = if have == 0 {
            OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&fresh)?
        } else {
            OpenOptions::new().append(true).open(to)?
        };
        std::io::copy(&mut source.take(end - have), &mut target)?;
        target.sync_data()?;
        if have == 0 { fs::rename(&fresh, to) } else { Ok(()) }
    };
    copied().map_err(at("write", to))
}

/// Whether what was recorded is how the server's file begins: by both of its ends.
fn is_beginning(own: &Path, file: &Path) -> Result<bool> {
    let compare = || {
        let (own, file) = (File::open(own)?, File::open(file)?);
        let length = own.metadata()?.len();
        if file.metadata()?.len() < length {
            return Ok(false);
        }
        // The last part begins behind the flag, which stands in the first.
        let last = length.saturating_sub(COMPARED).max(IN_USE as u64 + 1).min(length);
        for (from, to) in [(0, COMPARED.min(length)), (last, length)] {
            let size = (to - from) as usize;
            let (mut ours, mut theirs) = (vec![0; size], vec![0; size]);
            own.read_exact_at(&mut ours, from)?;
            file.read_exact_at(&mut theirs, from)?;
            // The flag that says whether the file is in use is taken off when it is closed.
            for bytes in [&mut ours, &mut theirs].into_iter().filter(|_| from == 0) {
                bytes.iter_mut().skip(IN_USE).take(1).for_each(|byte| *byte = 0);
            }
            if ours != theirs {
                return Ok(false);
            }
        }
        Ok(true)
    };
    compare().map_err(at("read", file))
}

/// Where the flags of the first event stand: magic, then seventeen bytes of its header.
const IN_USE: usize = 4 + 17;

fn set_back(log: &Path) -> Error {
    let text = format!(
        "{} is not the binary log that was recorded: the database was set back, or its log made anew",
        log.display()
    );
    Error::new(ErrorKind::SetBack, text)
}

/// The files of a binary log, the oldest first, as its index lists them.
fn files(base: &Path) -> Result<Vec<PathBuf>> {
    let index = PathBuf::from(format!("{}.index", base.display()));
    let listed = fs::read_to_string(&index).map_err(at("read", &index))?;
    let dir = base.parent().unwrap_or(Path::new("/"));
    let names = listed.lines().filter_map(|line| Path::new(line).file_name());
    Ok(names.map(|name| dir.join(name)).collect())
}
