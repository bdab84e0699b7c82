//! Where the commands of a service write, and the last of what they said.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use contract::service::Service;
use tokio::net::unix::pipe;
use tokio::time::sleep;

use super::command::Verb;

/// As much of what a command said last is kept, in bytes.
const WORDS: usize = 4096;
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
    Pipe { reader: Option<pipe::Receiver>, last: Vec<u8> },
    /// Nobody can listen; the command is run all the same.
    Nowhere,
}

impl Output {
    pub(super) fn open(root: &Path, service: &Service, verb: Verb) -> io::Result<(Self, Stdio, Stdio)> {
        if verb == Verb::Check {
            let (reader, writer) = io::pipe()?;
            let reader = pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?;
            let second = writer.try_clone()?;
            return Ok((Self::Pipe { reader: Some(reader), last: Vec::new() }, writer.into(), second.into()));
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
            Self::Pipe { reader: Some(reader), last } => {
                let _ = reader.readable().await;
                if !swallow(reader, last) {
                    *self = Self::Pipe { reader: None, last: std::mem::take(last) };
                }
            }
            Self::Pipe { reader: None, .. } | Self::Nowhere => std::future::pending().await,
        }
    }

    /// The last that was said.
    pub(super) fn words(mut self) -> String {
        let bytes = match &mut self {
            Self::Nowhere => Vec::new(),
            Self::Pipe { reader, last } => {
                if let Some(reader) = reader {
                    swallow(reader, last);
                }
                std::mem::take(last)
            }
            Self::Log { file, from } => read_end(file, *from).unwrap_or_default(),
        };
        let last = &bytes[bytes.len().saturating_sub(WORDS)..];
        let text = String::from_utf8_lossy(last);
        text.trim().chars().filter(|c| *c == '\n' || !c.is_control()).collect()
    }
}

/// Takes what lies in the pipe and keeps the end of it. False once nobody can write any more.
fn swallow(reader: &pipe::Receiver, last: &mut Vec<u8>) -> bool {
    let mut chunk = [0; WORDS];
    loop {
        match reader.try_read(&mut chunk) {
            Ok(0) => return false,
            Ok(n) => {
                last.extend_from_slice(&chunk[..n]);
                last.drain(..last.len().saturating_sub(WORDS));
            }
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
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
