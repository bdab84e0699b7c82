//! What a failback has put aside lies there until an administrator discards it: nothing else ever does. On the Master it is
//! what was replaced (`DATA/preserved`), on the Client what was made there and did not travel (`DATA/exports`). It refuses
//! while the run goes on that put it there, and may have to put it back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use contract::preflight::age;
use contract::preserved::{PreservedDataset, PreservedDiscard, PreservedReport, PreservedRun};
use contract::{Denied, NodeRole, Outcome, Problem, Refused, Rule, SCHEMA, Timestamp};
use replication::DATABASE_NAME;
use serde_json::json;

use crate::door::Act;
use crate::node::Node;

/// How the name of what is being removed ends: it counts as gone already.
const GOING: &str = "discarded";

impl Node {
    /// `tvox-dr preserved list`.
    pub(crate) async fn preserved_report(&self) -> Result<PreservedReport, Denied> {
        let place = self.put_aside();
        let listed = tokio::task::spawn_blocking(move || list(&place)).await;
        let listed = listed.map_err(|error| Denied::failed("list what was put aside", error))?;
        let mut preserved = listed.map_err(|error| Denied::failed("list what was put aside", error))?;
        let now = self.clock.now();
        for run in &mut preserved {
            run.age_seconds = run.at.map(|at| age(at, now));
            run.in_use = self.may_be_put_back(&run.run);
        }
        preserved.sort_by(|a, b| (b.at, &b.run).cmp(&(a.at, &a.run)));
        Ok(PreservedReport { schema: SCHEMA, preserved })
    }

    /// Where this side keeps it.
    fn put_aside(&self) -> PathBuf {
        match self.info.role {
            NodeRole::Master => self.dir.preserved(),
            NodeRole::Client => self.dir.exports(),
        }
    }

    /// Whether the run that put this aside goes on: as this machine knows, or as the DR tells.
    fn may_be_put_back(&self, run: &str) -> bool {
        if self.info.role == NodeRole::Client {
            // It would be written once more.
            return self.runs.open().is_some_and(|open| open.id == run);
        }
        let receives = self.book.look(|record| record.receiving.as_deref() == Some(run));
        receives || self.peer_standing().is_some_and(|told| told.sending.as_deref() == Some(run) || told.taking)
    }

    /// Discards what one run has put aside.
    pub(crate) async fn preserved_discard(&self, act: Act<'_>, discard: &PreservedDiscard) -> Result<Outcome, Denied> {
        if let Err(problem) = self.confirm_password(act.actor, discard.password.as_ref()).await? {
            return Err(Denied::field("password", problem));
        }
        let run = discard.run.trim();
        let known = self.preserved_report().await?.preserved.into_iter().find(|one| one.run == run);
        let known = known.ok_or_else(|| Denied::field("run", Problem::NotFound))?;
        // Nothing is put aside, or back, from here on.
        let _busy = self.home.busy.lock().await;
        let mut refused = self.guard(&discard.confirm_name);
        if self.may_be_put_back(run) && !refused.iter().any(|one| one.rule == Rule::RunInProgress) {
            refused.push(Refused::new(Rule::RunInProgress, &self.info.name, "failback"));
        }
        if !refused.is_empty() {
            return Err(Denied::Refused(refused));
        }
        let place = self.put_aside().join(run);
        let going = place.with_extension(GOING);
        let trouble = |error: io::Error| Denied::failed(format!("discard what {run} has put aside"), error);
        fs::rename(&place, &going).map_err(trouble)?;
        let written = async {
            let tx = self.store.begin().await?;
            let before = json!({ "bytes": known.bytes, "files": known.files, "at": known.at });
            act.done(tx, Some(before), None).await
        };
        let outcome = match written.await {
            Ok(outcome) => outcome,
            Err(denied) => {
                fs::rename(&going, &place).map_err(trouble)?;
                return Err(denied);
            }
        };
        let removed = tokio::task::spawn_blocking(move || fs::remove_dir_all(&going)).await;
        removed.map_err(|error| Denied::failed("remove what was discarded", error))?.map_err(trouble)?;
        Ok(outcome)
    }

    /// Removes what was discarded before the process died.
    pub(crate) fn finish_discarding(&self) {
        for path in directories(&self.put_aside()).unwrap_or_default() {
            if is_going(&path)
                && let Err(error) = fs::remove_dir_all(&path)
            {
                tracing::warn!(%error, path = %path.display(), "what was discarded still takes space");
            }
        }
    }
}

fn is_going(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == GOING)
}

/// Every run that has put something aside.
fn list(place: &Path) -> io::Result<Vec<PreservedRun>> {
    let runs = directories(place)?.into_iter().filter(|path| !is_going(path));
    runs.map(|path| one(&path)).collect()
}

fn one(path: &Path) -> io::Result<PreservedRun> {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut datasets = Vec::new();
    for dir in directories(path)? {
        let full = name(&dir);
        let (dataset, kind) = full.rsplit_once('.').unwrap_or((&full, ""));
        let (files, bytes) = held(&dir)?;
        let path = dir.display().to_string();
        datasets.push(PreservedDataset { name: dataset.to_owned(), kind: kind.to_owned(), path, files, bytes });
    }
    datasets.sort_by(|a, b| a.name.cmp(&b.name));
    let changed = fs::metadata(path)?.modified().ok();
    Ok(PreservedRun {
        run: name(path),
        at: changed.and_then(|at| Timestamp::try_from(at).ok()),
        age_seconds: None,
        files: datasets.iter().map(|one| one.files).sum(),
        bytes: datasets.iter().map(|one| one.bytes).sum(),
        in_use: false,
        datasets,
    })
}

/// What one dataset holds there: a tree of files, or the file of a database.
fn held(dir: &Path) -> io::Result<(u64, u64)> {
    match fs::metadata(dir.join(DATABASE_NAME)) {
        Ok(database) if database.is_file() => Ok((1, database.len())),
        _ => count(&dir.join("tree")),
    }
}

/// The directories in a place; none where the place is not there.
fn directories(place: &Path) -> io::Result<Vec<PathBuf>> {
    let items = match fs::read_dir(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        items => items?,
    };
    let mut found = Vec::new();
    for item in items {
        let item = item?;
        if item.file_type()?.is_dir() {
            found.push(item.path());
        }
    }
    Ok(found)
}

/// Regular files below a place, and their bytes.
fn count(place: &Path) -> io::Result<(u64, u64)> {
    let items = match fs::read_dir(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((0, 0)),
        items => items?,
    };
    let (mut files, mut bytes) = (0, 0);
    for item in items {
        let item = item?;
        let kind = item.file_type()?;
        if kind.is_dir() {
            let below = count(&item.path())?;
            files += below.0;
            bytes += below.1;
        } else if kind.is_file() {
            files += 1;
            bytes += item.metadata()?.len();
        }
    }
    Ok((files, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_there_is_counted_and_what_is_going_counts_no_more() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("preserved");
        assert!(list(&place).unwrap().is_empty(), "nothing was ever put aside");
        for (file, text) in [
            ("failback-1/conf.files/tree/a/b", "four"),
            ("failback-1/conf.files/tree/c", "x"),
            ("failback-1/conf.files/record", "not content"),
            ("failback-1/voice.sqlite/tree/database", "12345"),
            ("failback-2/voice.sqlite/database", "123"),
            ("failback-0.discarded/conf.files/tree/c", "going"),
        ] {
            let path = place.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let listed = list(&place).unwrap();
        let mut told: Vec<_> = listed.iter().map(|run| (run.run.as_str(), run.files, run.bytes)).collect();
        told.sort_unstable();
        assert_eq!(told, [("failback-1", 3, 10), ("failback-2", 1, 3)]);
        let first = listed.iter().find(|run| run.run == "failback-1").unwrap();
        let parts: Vec<_> = first.datasets.iter().map(|one| (one.name.as_str(), one.kind.as_str())).collect();
        assert_eq!(parts, [("conf", "files"), ("voice", "sqlite")]);
    }
}
