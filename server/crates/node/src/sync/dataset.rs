//! Declaring datasets on the Master: what can be checked only with the disk at hand.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use contract::dataset::{Dataset, DatasetForm, DatasetKind};
use contract::query::{DatasetEntry, DatasetsReport};
use contract::{Denied, FieldError, NodeRole, Outcome, Problem, SCHEMA};
use serde_json::json;

use crate::door::Act;
use crate::node::Node;
use crate::store::{Tx, db};

type Row = (String, String, String, String, String, String, String);

fn dataset((name, kind, class, source, target, excludes, owners): Row) -> Result<Dataset, Denied> {
    let bad = |problem: Problem| Denied::failed("read the datasets", problem);
    Ok(Dataset {
        name,
        kind: kind.parse().map_err(bad)?,
        class: class.parse().map_err(bad)?,
        source,
        target,
        excludes: serde_json::from_str(&excludes).map_err(|error| Denied::failed("read the datasets", error))?,
        owners: owners.parse().map_err(bad)?,
    })
}

pub(crate) async fn insert(tx: &mut Tx, dataset: &Dataset) -> Result<bool, Denied> {
    let excludes = serde_json::to_string(&dataset.excludes).map_err(|error| Denied::failed("add a dataset", error))?;
    let done = sqlx::query(
        "INSERT OR IGNORE INTO dataset (name, kind, class, source, target, excludes, owners) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&dataset.name)
    .bind(dataset.kind.as_str())
    .bind(dataset.class.as_str())
    .bind(&dataset.source)
    .bind(&dataset.target)
    .bind(excludes)
    .bind(dataset.owners.as_str())
    .execute(&mut **tx)
    .await
    .map_err(db("add a dataset"))?;
    Ok(done.rows_affected() == 1)
}

impl Node {
    /// Every declared dataset, by name.
    pub(crate) async fn datasets(&self) -> Result<Vec<Dataset>, Denied> {
        let rows: Vec<Row> =
            sqlx::query_as("SELECT name, kind, class, source, target, excludes, owners FROM dataset ORDER BY name")
                .fetch_all(self.store.pool())
                .await
                .map_err(db("read the datasets"))?;
        rows.into_iter().map(dataset).collect()
    }

    /// The datasets with their size: the Master counts, the Client only lists.
    pub(crate) async fn datasets_report(&self) -> Result<DatasetsReport, Denied> {
        let mut entries = Vec::new();
        for dataset in self.datasets().await? {
            let counted = match self.info.role {
                NodeRole::Master => Some(self.measure(&dataset).await),
                NodeRole::Client => None,
            };
            let (measure, problem) = match counted {
                Some(Ok(measure)) => (Some(measure), None),
                Some(Err(problem)) => (None, Some(problem)),
                None => (None, None),
            };
            entries.push(DatasetEntry {
                dataset,
                files: measure.as_ref().map(|m| m.files),
                bytes: measure.as_ref().map(|m| m.bytes),
                problem,
            });
        }
        Ok(DatasetsReport { schema: SCHEMA, datasets: entries })
    }

    pub(crate) async fn dataset_add(self: &Arc<Self>, act: Act<'_>, form: &DatasetForm) -> Result<Outcome, Denied> {
        let dataset = form.check().map_err(Denied::Invalid)?;
        self.declares()?;
        let mut errors = Vec::new();
        if let Err(problem) = self.usable_source(&dataset) {
            errors.push(FieldError::new("source", problem));
        }
        if let Err(error) = self.try_source(&dataset) {
            errors.push(match error.kind() {
                replication::ErrorKind::BadExclude => FieldError::new("excludes", Problem::BadGlob),
                _ => FieldError::new("source", Problem::Other(super::told(&error))),
            });
        }
        let others = self.datasets().await?;
        if others.iter().any(|other| overlap(&other.target, &dataset.target)) {
            errors.push(FieldError::new("target", Problem::Taken));
        }
        if others.iter().any(|other| other.name == dataset.name) {
            errors.push(FieldError::new("name", Problem::Taken));
        }
        if !errors.is_empty() {
            return Err(Denied::Invalid(errors));
        }
        let mut tx = self.store.begin().await?;
        if !insert(&mut tx, &dataset).await? {
            return Err(Denied::field("name", Problem::Taken));
        }
        let outcome = act.done(tx, None, Some(json!(dataset))).await?;
        self.refresh_sources().await?;
        Ok(outcome)
    }

    pub(crate) async fn dataset_remove(self: &Arc<Self>, act: Act<'_>, name: &str) -> Result<Outcome, Denied> {
        let known = self.datasets().await?.into_iter().find(|dataset| dataset.name == name);
        let Some(known) = known else { return Err(Denied::field("name", Problem::NotFound)) };
        self.declares()?;
        let mut tx = self.store.begin().await?;
        sqlx::query("DELETE FROM dataset WHERE name = ?")
            .bind(name)
            .execute(&mut *tx)
            .await
            .map_err(db("remove a dataset"))?;
        let outcome = act.done(tx, Some(json!(known)), None).await?;
        self.refresh_sources().await?;
        self.forget_source(name);
        Ok(outcome)
    }

    /// What was noted of a source goes with its declaration, the volumes that were mounted in it first of all: declared
    /// again it is looked at as it is then.
    fn forget_source(&self, name: &str) {
        match fs::remove_dir_all(self.dir.scratch().join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(dataset = name, %error, "what was noted of its source could not be removed");
            }
            _ => {}
        }
    }

    fn usable_source(&self, dataset: &Dataset) -> Result<(), Problem> {
        let path = Path::new(&dataset.source);
        let real = fs::canonicalize(path).map_err(|_| Problem::NoSuchPath)?;
        let own = self.dir.root();
        if real.starts_with(own) || (dataset.kind == DatasetKind::Files && real == own) {
            return Err(Problem::OwnData);
        }
        if super::own::is_own(&real) {
            return Err(Problem::MachinesOwn);
        }
        match dataset.kind {
            DatasetKind::Files if !real.is_dir() => Err(Problem::NotADirectory),
            DatasetKind::Sqlite if !is_sqlite(&real) => Err(Problem::NotADatabase),
            _ => Ok(()),
        }
    }
}

/// A SQLite database by its first sixteen bytes (sqlite.org/fileformat.html, 1.3.1). One that was just made and never
/// written to is empty and counts too.
fn is_sqlite(path: &Path) -> bool {
    let mut head = Vec::new();
    path.is_file()
        && File::open(path).is_ok_and(|file| file.take(16).read_to_end(&mut head).is_ok())
        && (head.is_empty() || head == b"SQLite format 3\0")
}

/// Whether one path is the other or lies in it.
fn overlap(a: &str, b: &str) -> bool {
    Path::new(a).starts_with(b) || Path::new(b).starts_with(a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_targets_overlap_when_one_lies_in_the_other_and_not_when_they_only_share_letters() {
        assert!(overlap("/a/b", "/a/b"));
        assert!(overlap("/a", "/a/b"));
        assert!(!overlap("/a/b", "/a/bc"));
    }
}
