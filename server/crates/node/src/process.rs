//! Commands of the customer's, run as children: in a process group of their own, with a clean environment, a time limit,
//! and no descriptor of ours. What each of them does is others' business (`services`, `own_steps`).

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

mod identity;
pub(crate) mod program;

pub(crate) use identity::Process;

/// Where a command finds its programs, whatever `tvox-dr` was started with.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// As much of what a command said last is kept, in bytes.
pub(crate) const WORDS: usize = 4096;
/// How long a command may take to end after SIGTERM.
const MERCY: Duration = Duration::from_secs(2);

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    Code(i32),
    Signal(i32),
    /// It was killed at its limit, in seconds.
    TimedOut(u32),
    /// It could not be run at all.
    NotRun(String),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::TimedOut(seconds) => write!(f, "timeout {seconds} s"),
            Self::NotRun(why) => f.write_str(why),
        }
    }
}

/// A command that is ready to be started: argument vector and environment are the caller's, all else is the house's.
pub(crate) fn command(argv: &[String], stdout: Stdio, stderr: Stdio) -> Command {
    let (program, arguments) = argv.split_first().map_or(("", &[][..]), |(program, rest)| (program.as_str(), rest));
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", std::env::var_os("HOME").unwrap_or_else(|| OsString::from("/")))
        .env("LANG", "C.UTF-8")
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr);
    command
}

/// A command on its way, with its whole group.
#[derive(Debug)]
pub(crate) struct Group {
    child: Child,
}

impl Group {
    /// Starts it.
    pub(crate) fn start(mut command: Command) -> io::Result<Self> {
        command.spawn().map(|child| Self { child })
    }

    /// The group's number, as long as its leader was not reaped.
    pub(crate) fn id(&self) -> Option<Pid> {
        self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
    }

    /// Waits for its end, however that comes.
    pub(crate) async fn ended(&mut self) -> End {
        told(self.child.wait().await)
    }

    /// SIGKILL, at once.
    pub(crate) fn kill(&self) {
        if let Some(group) = self.id() {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// SIGTERM, some mercy, SIGKILL; to the whole group. Its leader is not reaped before the last signal was sent: as long
    /// as it is there, nobody else can have its number.
    pub(crate) async fn put_down(&mut self) {
        let Some(group) = self.id() else { return };
        let _ = kill_process_group(group, Signal::TERM);
        let merciful = Instant::now() + MERCY;
        let seen = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        while Instant::now() < merciful && matches!(waitid(WaitId::Pid(group), seen), Ok(None)) {
            sleep(Duration::from_millis(20)).await;
        }
        let _ = kill_process_group(group, Signal::KILL);
        // What hangs in the kernel does not die of SIGKILL either; nobody waits for it.
        let _ = timeout(MERCY, self.child.wait()).await;
    }
}

fn told(status: io::Result<ExitStatus>) -> End {
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => End::Code(code),
            (None, signal) => End::Signal(signal.unwrap_or_default()),
        },
        Err(error) => End::NotRun(error.to_string()),
    }
}

/// The last that a command says into a pipe.
#[derive(Debug)]
pub(crate) struct Heard {
    reader: Option<pipe::Receiver>,
    last: Vec<u8>,
}

impl Heard {
    /// A pipe: our end, and the command's standard output and error.
    pub(crate) fn open() -> io::Result<(Self, Stdio, Stdio)> {
        let (reader, writer) = io::pipe()?;
        let reader = pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?;
        let second = writer.try_clone()?;
        Ok((Self { reader: Some(reader), last: Vec::new() }, writer.into(), second.into()))
    }

    /// Returns when something was said; never once nobody can speak any more.
    pub(crate) async fn listen(&mut self) {
        let Some(reader) = &self.reader else { return std::future::pending().await };
        let _ = reader.readable().await;
        if !swallow(reader, &mut self.last) {
            self.reader = None;
        }
    }

    /// The last that was said.
    pub(crate) fn words(mut self) -> String {
        if let Some(reader) = &self.reader {
            swallow(reader, &mut self.last);
        }
        legible(&self.last)
    }
}

/// The end of what was said, as far as it can be shown.
pub(crate) fn legible(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(&said[said.len().saturating_sub(WORDS)..]);
    text.trim().chars().filter(|c| *c == '\n' || !c.is_control()).collect()
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
