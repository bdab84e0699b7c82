//! The start or stop of a service that is under way, written down, so that the next `tvox-dr` waits for what this one
//! left behind instead of starting the same service a second time beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use contract::service::{Desired, Service};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::output;
use crate::process::Process;

/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(100);

/// The note: which command, and who runs it.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    wanted: Desired,
    process: Process,
}

impl Note {
    fn read(file: &Path) -> Option<Self> {
        let note: Self = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
        Some(note).filter(|note| note.process.lives())
    }
}

/// What was written down of one command.
#[derive(Debug)]
pub(super) struct UnderWay {
    file: PathBuf,
}

impl UnderWay {
    fn file(root: &Path, service: &str) -> PathBuf {
        root.join("services").join(format!("{service}.running"))
    }

    /// A command has begun. It goes on all the same where the disk does not take the note.
    pub(super) fn note(root: &Path, service: &str, wanted: Desired, leader: Pid) -> Option<Self> {
        let note = Note { wanted, process: Process::of(leader.as_raw_nonzero().get())? };
        let file = Self::file(root, service);
        output::directory(root).ok()?;
        fs::write(&file, serde_json::to_vec(&note).ok()?).ok()?;
        Some(Self { file })
    }

    /// It has ended.
    pub(super) fn over(self) {
        let _ = fs::remove_file(self.file);
    }

    /// Whether a start or a stop is under way, whoever began it.
    pub(super) fn is(root: &Path, service: &str) -> bool {
        Note::read(&Self::file(root, service)).is_some()
    }

    /// Waits for the end of a command that an earlier `tvox-dr` left behind, at most as long as one may take; then it is
    /// killed. A start that is not wanted any more is killed at once.
    pub(super) async fn wait_for_former(root: &Path, service: &Service, wanted: Desired) {
        let file = Self::file(root, &service.name);
        let Some(Note { wanted: before, process }) = Note::read(&file) else { return };
        tracing::info!(service = service.name, pid = process.pid, "a command was left behind");
        let unwanted = (before, wanted) == (Desired::Up, Desired::Down);
        let patience = if unwanted { 0 } else { service.timeout_seconds };
        let deadline = Instant::now() + Duration::from_secs(patience.into());
        while process.lives() {
            if Instant::now() >= deadline {
                if let Some(group) = Pid::from_raw(process.pid) {
                    let _ = kill_process_group(group, Signal::KILL);
                }
                break;
            }
            sleep(LOOK).await;
        }
        let _ = fs::remove_file(file);
    }
}
