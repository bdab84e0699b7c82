//! The commands of a step. Unlike those of a service they leave nothing behind that is meant to go on, so they survive
//! nothing either: whoever is not waited for any more is killed with its group, and what an earlier `tvox-dr` was killed
//! over is put down before the step is taken again. Then the step's check decides; without one the command runs again.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::time::{Instant, sleep};

use crate::process::{self, End, Group, Heard, Process};

/// No check may keep a run waiting longer, in seconds.
const CHECK_LIMIT: u32 = 10;
/// How long a killed group may take to be gone.
const GONE: Duration = Duration::from_secs(5);
/// How often it is looked whether it is.
const LOOK: Duration = Duration::from_millis(50);

/// For whom a command runs: what it finds in its environment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Purpose<'a> {
    /// The data directory.
    pub(crate) root: &'a Path,
    /// `TVOX_DR_RUN`
    pub(crate) run: &'a str,
    /// `TVOX_DR_STEP`
    pub(crate) step: &'a str,
    /// `TVOX_DR_SITE`: `master` or `client`.
    pub(crate) site: &'a str,
}

/// A command that has ended, with the last it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) end: End,
    pub(crate) words: String,
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.end.fmt(f)?;
        if self.words.is_empty() { Ok(()) } else { write!(f, ": {}", self.words) }
    }
}

/// Runs what changes something. Dropped before its end, the command is killed.
pub(crate) async fn act(text: &str, purpose: Purpose<'_>, limit: u32) -> Ran {
    let note = note_file(purpose);
    put_down_former(&note, purpose).await;
    run(text, purpose, limit, Some(note)).await
}

/// Runs what only looks.
pub(crate) async fn look(text: &str, purpose: Purpose<'_>, limit: u32) -> Ran {
    run(text, purpose, limit.min(CHECK_LIMIT), None).await
}

async fn run(text: &str, purpose: Purpose<'_>, limit: u32, note: Option<PathBuf>) -> Ran {
    let not_run = |why: io::Error| Ran { end: End::NotRun(format!("/bin/sh: {why}")), words: String::new() };
    let (mut heard, stdout, stderr) = match Heard::open() {
        Ok(pipe) => pipe,
        Err(error) => return not_run(error),
    };
    let mut command = process::command(&["/bin/sh", "-c", text].map(str::to_owned), stdout, stderr);
    for (name, value) in [("RUN", purpose.run), ("STEP", purpose.step), ("SITE", purpose.site)] {
        command.env(format!("TVOX_DR_{name}"), value);
    }
    let group = match Group::start(command) {
        Ok(group) => group,
        Err(error) => return not_run(error),
    };
    let mut running = Running::new(group, note);
    let deadline = Instant::now() + Duration::from_secs(limit.into());
    let end = loop {
        tokio::select! {
            end = running.group.ended() => break end,
            () = heard.listen() => {}
            () = tokio::time::sleep_until(deadline) => {
                running.group.put_down().await;
                break End::TimedOut(limit);
            }
        }
    };
    running.ended = true;
    Ran { end, words: heard.words() }
}

/// A command on its way, and the note of it.
#[derive(Debug)]
struct Running {
    group: Group,
    note: Option<PathBuf>,
    ended: bool,
}

impl Running {
    fn new(group: Group, note: Option<PathBuf>) -> Self {
        if let (Some(file), Some(leader)) = (&note, group.id())
            && let Some(process) = Process::of(leader.as_raw_nonzero().get())
        {
            // Without a note the command runs all the same: a full disk must not stop an activation.
            let _ = write_note(file, &process);
        }
        Self { group, note, ended: false }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            self.group.kill();
        }
        if let Some(file) = self.note.take() {
            let _ = fs::remove_file(file);
        }
    }
}

/// Where it is noted that a command of this step runs.
fn note_file(purpose: Purpose<'_>) -> PathBuf {
    purpose.root.join("steps").join(format!("{}.running", purpose.step))
}

fn write_note(file: &Path, process: &Process) -> io::Result<()> {
    if let Some(dir) = file.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    fs::write(file, serde_json::to_vec(process)?)
}

/// Kills what an earlier `tvox-dr` left of this step when it died.
async fn put_down_former(note: &Path, purpose: Purpose<'_>) {
    let Ok(bytes) = fs::read(note) else { return };
    let former = serde_json::from_slice::<Process>(&bytes).ok().filter(Process::lives);
    if let Some(former) = former {
        tracing::warn!(step = purpose.step, pid = former.pid, "a command was left behind: it is put down");
        if let Some(group) = Pid::from_raw(former.pid) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let until = Instant::now() + GONE;
        while former.lives() && Instant::now() < until {
            sleep(LOOK).await;
        }
    }
    let _ = fs::remove_file(note);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purpose(root: &Path) -> Purpose<'_> {
        Purpose { root, run: "activation-1", step: "carrier", site: "client" }
    }

    #[tokio::test]
    async fn a_command_is_told_for_which_run_step_and_site_it_runs_and_its_words_are_kept() {
        let root = tempfile::tempdir().unwrap();
        let text = "echo $TVOX_DR_RUN $TVOX_DR_STEP $TVOX_DR_SITE; exit 3";
        let ran = act(text, purpose(root.path()), 30).await;
        assert_eq!(ran.to_string(), "exit 3: activation-1 carrier client");
        assert!(!note_file(purpose(root.path())).exists());
    }

    #[tokio::test]
    async fn a_command_at_its_limit_is_killed_with_everything_it_has_started() {
        let root = tempfile::tempdir().unwrap();
        let pid = root.path().join("pid");
        let text = format!("sleep 1000 & echo $! > {}; wait", pid.display());
        assert_eq!(act(&text, purpose(root.path()), 1).await.end, End::TimedOut(1));
        let child: i32 = fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
        gone(child).await;
    }

    #[tokio::test]
    async fn what_a_dead_tvox_dr_left_behind_is_put_down_before_the_step_is_taken_again() {
        let root = tempfile::tempdir().unwrap();
        let (stdout, stderr) = (std::process::Stdio::null(), std::process::Stdio::null());
        let left = process::command(&["/bin/sleep", "1000"].map(str::to_owned), stdout, stderr);
        let mut left = Group::start(left).unwrap();
        let id = left.id().unwrap().as_raw_nonzero().get();
        write_note(&note_file(purpose(root.path())), &Process::of(id).unwrap()).unwrap();
        let ran = act("true", purpose(root.path()), 30).await;
        assert_eq!(ran.end, End::Code(0));
        assert_eq!(left.ended().await, End::Signal(9));
    }

    async fn gone(pid: i32) {
        let until = Instant::now() + Duration::from_secs(30);
        while Process::of(pid).is_some() {
            assert!(Instant::now() < until, "{pid} still lives");
            sleep(LOOK).await;
        }
    }
}
