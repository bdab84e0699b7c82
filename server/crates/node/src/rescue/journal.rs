//! What was done while no node ran: a file that the next start takes over into the audit log.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use contract::{Failure, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::audit::{self, Event};
use crate::clock::Clock;
use crate::data_dir::DataDir;
use crate::store::{Store, db};

/// One line of it.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    at: Timestamp,
    action: String,
    reason: String,
    login_uid: Option<u32>,
    epoch: Option<u64>,
}

/// Writes one thing down; on disk when this returns. `root` is the data directory.
///
/// # Errors
/// [`Failure`] when the disk does not take it.
pub fn write_down(
    root: &Path,
    action: &str,
    reason: &str,
    epoch: Option<u64>,
    clock: &dyn Clock,
) -> Result<(), Failure> {
    let (action, reason) = (action.to_owned(), reason.to_owned());
    let line = Line { at: clock.now(), action, reason, login_uid: crate::init::login_uid(), epoch };
    let written = || {
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(journal(root))?;
        file.write_all(format!("{}\n", serde_json::to_string(&line)?).as_bytes())?;
        file.sync_all()
    };
    written()
        .map_err(|error: io::Error| Failure { attempt: "write down what is done".into(), cause: error.to_string() })
}

fn journal(root: &Path) -> PathBuf {
    root.join("rescue.jsonl")
}

/// Takes over into the audit log what was done while there was no daemon.
///
/// # Errors
/// [`contract::Denied::Failed`] when the audit log cannot be written; then it is tried again at the next start.
pub(crate) async fn take_over(dir: &DataDir, store: &Store, name: &str) -> Result<(), contract::Denied> {
    let file = journal(dir.root());
    let Ok(text) = fs::read_to_string(&file) else { return Ok(()) };
    let mut tx = store.begin().await?;
    // A line that a crash cut in half tells nothing.
    for line in text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()) {
        let actor = contract::Actor { from: "rescue".into(), ..contract::Actor::root(line.login_uid) };
        let event = Event {
            reason: Some(line.reason),
            epoch: line.epoch,
            after: Some(json!({ "done_at": line.at })),
            ..Event::done(&actor, &line.action, Some(name.to_owned()))
        };
        audit::append(&mut tx, line.at, event).await?;
    }
    tx.commit().await.map_err(db("commit what was done by rescue"))?;
    fs::remove_file(&file).map_err(|error| contract::Denied::failed("take over what was done by rescue", error))
}
