//! The verification that a person asks for: of the replica as it is now, against its disk and against the Master, or of
//! one restore point against what was committed.

use std::sync::Arc;
use std::time::Duration;

use contract::dataset::Group;
use contract::sync::SyncError;
use contract::task::{DifferenceInfo, LogLine, MAX_DIFFERENCES};
use replication::{Difference, Replica};

use crate::node::Node;
use crate::sync::generation_check::damaged;
use crate::sync::meter::Meter;
use crate::sync::pull::Manner;
use crate::sync::replica::Copy;
use crate::sync::sync_error;
use crate::sync::task::failure_line;

/// In which way something differs: the engine's word, and both values where it has them.
pub(super) fn word(difference: &Difference) -> String {
    let kind = serde_json::to_value(difference.what).ok().and_then(|word| word.as_str().map(str::to_owned));
    let kind = kind.unwrap_or_default();
    if difference.detail.is_empty() { kind } else { format!("{kind} ({})", difference.detail) }
}

impl Node {
    pub(super) async fn run_verify(self: &Arc<Self>, only: Option<Group>) -> bool {
        let mut good = self.check_versions();
        for copy in self.affected(only) {
            if self.tasks.token().is_cancelled() {
                return false;
            }
            let name = copy.dataset.name.clone();
            self.say(format!("{name}: rilettura della replica…"), format!("{name}: re-reading the replica…"));
            let Some(_busy) = self.alone(&copy).await else { return false };
            match self.verify_one(&copy).await {
                Ok(found) => good &= self.tell_found(&name, &found),
                Err(error) => {
                    good = false;
                    self.tell_failure(&name, &error);
                }
            }
        }
        good
    }

    /// A restore point: every dataset as it stood then.
    pub(super) async fn run_verify_point(self: &Arc<Self>, id: &str, only: Option<Group>) -> bool {
        let Ok(point) = self.verifiable(id) else {
            self.say(format!("{id}: non esiste più"), format!("{id}: it is gone"));
            return false;
        };
        let (mut good, mut differences) = (true, 0);
        for copy in self.affected(only) {
            let name = copy.dataset.name.clone();
            let Some(part) = point.datasets.iter().find(|part| part.dataset == name) else { continue };
            let generation = part.generation;
            self.say(
                format!("{name}: rilettura della generazione {generation}…"),
                format!("{name}: re-reading generation {generation}…"),
            );
            let Some(_busy) = self.alone(&copy).await else { return false };
            let read = self.read_again(&copy, move |replica, meter| replica.verify_generation(generation, meter)).await;
            match read {
                Ok(found) => {
                    differences += found.len() as u64;
                    if let Some(read) = copy.generation(generation)
                        && let Err(error) = self.keep_generation_check(&read, damaged(&found), "verify").await
                    {
                        tracing::warn!(?error, "what a verification came to cannot be kept");
                    }
                    good &= self.tell_found(&name, &found);
                }
                Err(error) => {
                    self.tell_failure(&name, &error);
                    return false;
                }
            }
        }
        if let Err(error) = self.keep_point_check(id, differences).await {
            tracing::warn!(?error, "what a verification came to cannot be kept");
        }
        good
    }

    fn tell_found(&self, name: &str, found: &[Difference]) -> bool {
        if found.is_empty() {
            self.say(format!("{name}: uguale"), format!("{name}: equal"));
            return true;
        }
        let total = found.len();
        self.say(format!("{name}: {total} differenze"), format!("{name}: {total} differences"));
        self.tasks.change(|task| {
            task.differences_total += total as u64;
            let room = MAX_DIFFERENCES.saturating_sub(task.differences.len());
            task.differences.extend(found.iter().take(room).map(|difference| DifferenceInfo {
                dataset: name.to_owned(),
                path: difference.path.clone(),
                what: word(difference),
            }));
        });
        false
    }

    fn tell_failure(&self, name: &str, error: &SyncError) {
        self.tasks.change(|task| task.log.push(LogLine { at: error.at, text: failure_line(name, error) }));
    }

    /// Reads something of a replica again, and shows how far it is.
    async fn read_again(
        &self,
        copy: &Arc<Copy>,
        read: impl FnOnce(&mut Replica, &Meter) -> replication::Result<Vec<Difference>> + Send + 'static,
    ) -> Result<Vec<Difference>, SyncError> {
        let (meter, now) = (Arc::new(Meter::new(self.tasks.token())), self.clock.now());
        let seen = Arc::clone(&meter);
        let watched = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(250));
            loop {
                ticks.tick().await;
                if let Some(progress) = meter.shown() {
                    self.tasks.change(|task| task.progress = progress);
                    self.poke();
                }
            }
        };
        let done = self.with_engine(copy, move |replica: &mut Replica| read(replica, &seen));
        let done = tokio::select! { done = done => done, () = watched => None };
        let nothing =
            || SyncError { code: "unseeded".into(), message: "there is no complete generation yet".into(), at: now };
        done.ok_or_else(nothing)?.map_err(|error| sync_error(&error, now))
    }

    /// What is wrong on the replica's disk, and what the Master has otherwise. While the switch is on, what the Master
    /// changed meanwhile is synced first: that is work to do, not a difference.
    async fn verify_one(self: &Arc<Self>, copy: &Arc<Copy>) -> Result<Vec<Difference>, SyncError> {
        let stop = self.tasks.token();
        let mut found = self.read_again(copy, |replica, meter| replica.verify(meter)).await?;
        if !found.is_empty()
            && let Err(error) = self.note_damage(&copy.dataset.name, &found).await
        {
            tracing::error!(?error, "a damage could not be noted");
        }
        let on = self.switches().await.is_ok_and(|switches| switches.of(copy.dataset.kind.group()).is_on());
        if on {
            self.pull(copy, Manner { rehash: true, forced: true, ..Manner::default() }, &stop).await?;
        } else {
            let manifest = tokio::select! {
                manifest = self.fetch_manifest(copy) => manifest?,
                () = stop.cancelled() => {
                    return Err(SyncError { code: "cancelled".into(), message: "stopped".into(), at: self.clock.now() });
                }
            };
            found.extend(self.read_again(copy, move |replica, meter| replica.compare(&manifest, meter)).await?);
        }
        Ok(found)
    }
}
