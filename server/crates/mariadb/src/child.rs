//! The server's own tools, run as children with a limit and a way to stop them.

use std::io::Read as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};

/// Where the tools are found, whatever the caller was started with.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How soon a tool that runs learns that the caller has had enough.
const LOOK_UP: Duration = Duration::from_millis(100);
/// As much of what a tool complains about is kept, in bytes.
const WORDS: u64 = 4096;

/// Whether the caller wants no more.
pub(crate) type Stop<'a> = &'a (dyn Fn() -> bool + Sync);

/// A tool with a clean environment.
pub(crate) fn tool(name: &str) -> Command {
    let mut command = Command::new(name);
    command.env_clear().env("PATH", PATH).env("LANG", "C.UTF-8").current_dir("/");
    // The server's own way to keep a password: ~/.my.cnf.
    if let Some(home) = std::env::var_os("HOME") {
        command.env("HOME", home);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// A tool that runs, and that is killed when it is not waited for to its end.
pub(crate) struct Running {
    child: Child,
    name: String,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child =
            command.spawn().map_err(|error| Error::new(ErrorKind::Io, format_args!("cannot run {name}: {error}")))?;
        Ok(Self { child, name })
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub(crate) fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for tools that belong together, in this order. All of them are killed when one fails, at the limit, or when the caller
/// asks to stop. `work` runs meanwhile, on this thread: it reads or writes what the tools say or hear, and ends when they do.
pub(crate) fn wait<T>(
    mut tools: Vec<Running>,
    limit: Option<Duration>,
    stop: Stop<'_>,
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let complaints: Vec<_> = tools.iter_mut().map(|tool| (tool.name.clone(), tool.child.stderr.take())).collect();
    let tools = Arc::new(Mutex::new(tools));
    let (done, over) = mpsc::channel::<()>();
    let began = Instant::now();
    thread::scope(|scope| {
        let heard: Vec<_> = complaints
            .into_iter()
            .map(|(name, stderr)| {
                let hear = move || {
                    let mut said = Vec::new();
                    if let Some(mut stderr) = stderr {
                        let _ = (&mut stderr).take(WORDS).read_to_end(&mut said);
                        let _ = std::io::copy(&mut stderr, &mut std::io::sink());
                    }
                    (name, String::from_utf8_lossy(&said).trim().to_owned())
                };
                scope.spawn(hear)
            })
            .collect();
        let watched = Arc::clone(&tools);
        let watchdog = scope.spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = over.recv_timeout(LOOK_UP) {
                let late = limit.is_some_and(|limit| began.elapsed() > limit);
                if late || stop() {
                    for tool in watched.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
                        let _ = tool.child.kill();
                    }
                    return Some(if late { ErrorKind::Unreachable } else { ErrorKind::Cancelled });
                }
            }
            None
        });
        let worked = work();
        let words: Vec<(String, String)> = heard.into_iter().filter_map(|thread| thread.join().ok()).collect();
        let mut ends = Vec::new();
        for tool in tools.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            ends.push(tool.child.wait());
        }
        drop(done);
        match watchdog.join().ok().flatten() {
            Some(ErrorKind::Cancelled) => return Err(Error::new(ErrorKind::Cancelled, "stopped as asked")),
            Some(kind) => return Err(Error::new(kind, "the server did not answer in time")),
            None => {}
        }
        // Who feeds another one is cut off when that one fails: the last in the row says why.
        for (end, (name, said)) in ends.iter().zip(&words).rev() {
            match end {
                Ok(status) if status.success() => {}
                Ok(status) => {
                    return Err(Error::new(
                        complaint(said),
                        format_args!("{name}: {}", told(said, &status.to_string())),
                    ));
                }
                Err(error) => return Err(Error::new(ErrorKind::Io, format_args!("{name}: {error}"))),
            }
        }
        worked
    })
}

/// Client errors 2002 and 2006: no server there, or not any more; 1045, 1698: no entry.
fn complaint(said: &str) -> ErrorKind {
    let silent = ["ERROR 2002", "ERROR 2006", "ERROR 2013", "ERROR 1045", "ERROR 1698", "error: 2002", "error: 1045"];
    if silent.iter().any(|one| said.contains(one)) { ErrorKind::Unreachable } else { ErrorKind::Unplayable }
}

fn told(said: &str, status: &str) -> String {
    said.lines().rev().find(|line| !line.trim().is_empty()).map_or_else(|| status.to_owned(), str::to_owned)
}
