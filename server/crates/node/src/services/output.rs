//! Where the commands of a service write, and the last of what they said.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use contract::service::Service;
use tokio::time::sleep;

use super::command::Verb;
use crate::process::{Heard, WORDS, legible};

/// A log beyond this begins anew, in bytes.
const LOG_LIMIT: u64 = 1 << 20;
/// How often a log that is being written to is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Where what concerns the commands of services lies, 0700; `root` is the data directory.
pub(super) fn directory(root: &Path) -> io::Result<PathBuf> {
    let dir = root.join("services");
    DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
    Ok(dir)
}

fn log_file(root: &Path, service: &str) -> PathBuf {
    root.join("services").join(format!("{service}.log"))
}

/// A log that a daemon goes on writing to begins anew when it has grown too long.
pub(super) fn trim_log(root: &Path, service: &str) {
    let path = log_file(root, service);
    if fs::metadata(&path).is_ok_and(|told| told.len() > LOG_LIMIT) {
        let _ = OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(0));
    }
}

/// Where a command writes.
#[derive(Debug)]
pub(super) enum Output {
    /// A file that may outlive us in the hands of a daemon, and where it began.
    Log { file: File, from: u64 },
    /// A pipe, for a check: it must not depend on the disk, and leaves no daemon behind.
    Pipe(Heard),
    /// Nobody can listen; the command is run all the same.
    Nowhere,
}

impl Output {
    pub(super) fn open(root: &Path, service: &Service, verb: Verb) -> io::Result<(Self, Stdio, Stdio)> {
        if verb == Verb::Check {
            let (heard, first, second) = Heard::open()?;
            return Ok((Self::Pipe(heard), first, second));
        }
        match Self::log(root, &service.name) {
            Ok((output, first, second)) => Ok((output, first.into(), second.into())),
            Err(error) => {
                tracing::warn!(service = service.name, %error, "what a service says cannot be kept");
                Ok((Self::Nowhere, Stdio::null(), Stdio::null()))
            }
        }
    }

    fn log(root: &Path, service: &str) -> io::Result<(Self, File, File)> {
        directory(root)?;
        trim_log(root, service);
        let path = log_file(root, service);
        let file = OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(path)?;
        let from = file.metadata()?.len();
        let (first, second) = (file.try_clone()?, file.try_clone()?);
        Ok((Self::Log { file, from }, first, second))
    }

    /// Returns when there was something to shorten.
    pub(super) async fn keep_short(&mut self) {
        match self {
            Self::Log { file, from } => {
                sleep(LOOK).await;
                if file.metadata().is_ok_and(|told| told.len() > LOG_LIMIT) && file.set_len(0).is_ok() {
                    *from = 0;
                }
            }
            Self::Pipe(heard) => heard.listen().await,
            Self::Nowhere => std::future::pending().await,
        }
    }

    /// The last that was said.
    pub(super) fn words(self) -> String {
        match self {
            Self::Nowhere => String::new(),
            Self::Pipe(heard) => heard.words(),
            Self::Log { mut file, from } => legible(&read_end(&mut file, from).unwrap_or_default()),
        }
    }
}

fn read_end(file: &mut File, from: u64) -> io::Result<Vec<u8>> {
    let end = file.metadata()?.len();
    let from = if from > end { 0 } else { from };
    file.seek(SeekFrom::Start(from.max(end.saturating_sub(WORDS as u64))))?;
    let mut bytes = Vec::new();
    file.take(WORDS as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
