//! What the Client learns from the Master: which datasets there are, who of them must be pulled, and who is up to date.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use contract::dataset::{Dataset, DatasetForm};
use contract::{Denied, FieldError};
use replication::{Replica, SourceKind};
use tokio::sync::Notify;

use crate::link::message::Pulse;
use crate::node::Node;
use crate::store::db;
use crate::sync::dataset;
use crate::sync::replica::Copy;

impl Node {
    /// Opens the replicas that were known before the last stop, so that what is here is known before anybody asks, and
    /// takes away the targets of those that are not declared any more.
    pub(crate) async fn resume_replicas(self: &Arc<Self>) -> Result<(), Denied> {
        let known = self.datasets().await?;
        self.align(&known);
        for copy in self.copies.all() {
            // A failure is shown with the dataset and tried again by its worker.
            let _ = self.open_engine(&copy).await;
        }
        self.release_orphans().await;
        Ok(())
    }

    /// Hears what the Master has: learns new declarations, wakes who must pull, and notes who is up to date.
    pub(crate) async fn replicas_hear(self: &Arc<Self>, pulse: Pulse) {
        self.copies.hear_clock(pulse.now);
        if pulse.generation.is_none() && self.copies.all().iter().any(|copy| copy.standing(|s| s.commit.is_some())) {
            // A Master that never captured anything has nothing to say about data that is here: it is new, or was
            // initialised again. Its empty list must not take the targets of the good copy away.
            return;
        }
        match self.learn(&pulse).await {
            Ok(Some(declared)) => {
                self.align(&declared);
                self.release_orphans().await;
            }
            Ok(None) => {}
            Err(error) => tracing::error!(?error, "the Master's datasets could not be kept"),
        }
        for beat in &pulse.datasets {
            let copies = self.copies.all.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(copy) = copies.get(&beat.dataset.name).cloned() else { continue };
            drop(copies);
            let wake = copy.change(|standing| {
                let held = standing.commit.as_ref().map(|commit| commit.generation);
                let equal = !beat.dirty && held.is_some() && held == beat.generation;
                if equal && !beat.reading && standing.pulling.is_none() {
                    standing.confirmed = Some(pulse.now);
                }
                standing.wanted = !equal;
                standing.skipped.clone_from(&beat.skipped);
                standing.wanted && standing.error.is_none() && standing.pulling.is_none()
            });
            if wake {
                copy.wake.notify_one();
            }
        }
    }

    /// Keeps the Master's list where it differs from the one that was kept, and gives it back. A Master of the pair is
    /// trusted with data, not with names and paths: the form's checks hold here too.
    async fn learn(&self, pulse: &Pulse) -> Result<Option<Vec<Dataset>>, Denied> {
        let told = pulse.datasets.iter().map(|beat| &beat.dataset);
        let mut declared: Vec<Dataset> = told.filter_map(|one| checked(one).ok()).collect();
        declared.sort_by(|a, b| a.name.cmp(&b.name));
        declared.dedup_by(|a, b| a.name == b.name);
        if self.datasets().await? == declared {
            return Ok(None);
        }
        for beat in &pulse.datasets {
            if let Err(errors) = checked(&beat.dataset) {
                tracing::warn!(?errors, "the Master declares a dataset that cannot be one; it is ignored");
            }
        }
        let mut tx = self.store.begin().await?;
        sqlx::query("DELETE FROM dataset").execute(&mut *tx).await.map_err(db("keep the Master's datasets"))?;
        for one in &declared {
            dataset::insert(&mut tx, one).await?;
        }
        tx.commit().await.map_err(db("keep the Master's datasets"))?;
        Ok(Some(declared))
    }

    /// Takes away the targets of replicas that nobody declares: the declaration may have been taken back while this
    /// machine was off. Their data stays.
    async fn release_orphans(&self) {
        let held: HashSet<PathBuf> = self.copies.all().iter().map(|copy| copy.store.clone()).collect();
        let (root, stop) = (self.dir.replicas(), self.stop.clone());
        let work = move || {
            let stores = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
            for store in stores.filter(|store| !held.contains(store)) {
                if stop.is_cancelled() {
                    return;
                }
                let kind = match store.extension().and_then(|kind| kind.to_str()) {
                    Some("files") => SourceKind::Files,
                    Some("sqlite") => SourceKind::Sqlite,
                    _ => continue,
                };
                // Busy: its worker is about to do the same.
                if let Ok(replica) = Replica::open(store.clone(), kind)
                    && replica.target().is_some()
                    && let Err(error) = replica.detach()
                {
                    tracing::warn!(store = %store.display(), %error, "a target could not be taken away");
                }
            }
        };
        let _ = tokio::task::spawn_blocking(work).await;
    }

    /// Brings the workers in line with what is declared. What is no longer declared loses its target; its data stays.
    fn align(self: &Arc<Self>, declared: &[Dataset]) {
        let mut copies = self.copies.all.lock().unwrap_or_else(PoisonError::into_inner);
        copies.retain(|name, copy| {
            let stays = declared.contains(&copy.dataset);
            if !stays {
                tracing::info!(dataset = name, "no longer declared as it was");
                copy.stop.cancel();
            }
            stays
        });
        for dataset in declared {
            if copies.contains_key(&dataset.name) {
                continue;
            }
            let copy = Arc::new(Copy {
                dataset: dataset.clone(),
                store: self.dir.replicas().join(format!("{}.{}", dataset.name, dataset.kind.as_str())),
                engine: Arc::default(),
                busy: tokio::sync::Mutex::default(),
                rehearsing: Arc::default(),
                standing: Mutex::default(),
                wake: Notify::new(),
                cut: Notify::new(),
                stop: self.stop.child_token(),
            });
            copies.insert(dataset.name.clone(), Arc::clone(&copy));
            self.tasks_running.spawn(Arc::clone(self).work(copy));
        }
        drop(copies);
        self.poke();
    }
}

/// A declaration as the Master told it, checked like one that a person typed.
fn checked(told: &Dataset) -> Result<Dataset, Vec<FieldError>> {
    let form = DatasetForm {
        name: told.name.clone(),
        kind: told.kind.as_str().into(),
        class: told.class.as_str().into(),
        source: told.source.clone(),
        target: told.target.clone(),
        excludes: told.excludes.clone(),
        owners: told.owners.as_str().into(),
    };
    form.check()
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::dataset::{DatasetClass, DatasetKind, Owners};

    #[test]
    fn a_master_cannot_name_a_path_outside_the_place_for_replicas() {
        let told = |name: &str, target: &str| Dataset {
            name: name.into(),
            kind: DatasetKind::Files,
            class: DatasetClass::Configuration,
            source: "/etc".into(),
            target: target.into(),
            excludes: vec![],
            owners: Owners::default(),
        };
        assert!(checked(&told("etc", "/srv/etc")).is_ok());
        for (name, target) in
            [("../../x", "/srv/etc"), ("a/b", "/srv/etc"), ("..", "/srv/etc"), ("etc", "/a/../b"), ("etc", "x")]
        {
            assert!(checked(&told(name, target)).is_err(), "{name} {target}");
        }
    }
}
