//! What works when nothing else does: looking at the mandate, keeping this machine down, and taking the service, with
//! neither database nor daemon. Whatever is done here is written into a file of its own, which the next start of the node
//! takes over into the audit log.

pub mod journal;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use contract::mandate::{Mandate, MandateKind};
use contract::service::{Observed, Service};
use contract::{Failure, NodeRole, Timestamp};
use replication::{Replica, SourceKind};

use crate::clock::Clock;
use crate::data_dir::DataDir;
use crate::error::OpenError;
use crate::mandate::file::{Files, Opened, Record};
use crate::mandate::{Raise, boot_id, rules};
use crate::runs::damage;
use crate::sync::pull::RESERVE_OF_SERVING;
use crate::{random, services};

/// A data directory without its daemon.
#[derive(Debug)]
pub struct Rescue {
    dir: DataDir,
    files: Files,
    record: Option<Record>,
}

/// What is known without database or daemon.
#[derive(Debug)]
pub struct Found {
    /// The record; `None` when neither file holds one.
    pub record: Option<Record>,
    /// Whether the gate is open in this boot of the machine.
    pub may_serve: bool,
    /// Every service, in starting order, with what its own check says.
    pub services: Vec<(Service, Observed, String)>,
}

/// What was done on the way, one thing after the other.
pub type Told<'a> = &'a mut dyn FnMut(&str, Result<&str, &Failure>);

/// Looks, changes nothing, and needs nobody's leave.
///
/// # Errors
/// [`OpenError::Unusable`] when there is no such directory.
pub async fn show(root: &Path) -> Result<Found, OpenError> {
    let root = &fs::canonicalize(root)
        .map_err(|error| OpenError::Unusable { dir: root.to_owned(), why: format!("it cannot be opened: {error}") })?;
    let record = Files::of(root).read();
    let mut found = Vec::new();
    for service in services::declared_on_disk(root).unwrap_or_default() {
        let checked = services::check(root, &service).await;
        found.push((service, checked.observed, checked.detail));
    }
    let may_serve = record.as_ref().is_some_and(|record| rules::may_serve(record, &boot_id()));
    Ok(Found { record, may_serve, services: found })
}

impl Rescue {
    /// Holds the directory: while a daemon does, its own commands are the way.
    ///
    /// # Errors
    /// [`OpenError::Unusable`].
    pub fn hold(root: &Path) -> Result<Self, OpenError> {
        let dir = DataDir::hold(root)?;
        let files = Files::of(dir.root());
        let record = files.read();
        Ok(Self { dir, files, record })
    }

    /// Keeps this machine down until an operator takes the service here again: first on disk, then the services.
    ///
    /// # Errors
    /// What went wrong first; everything else was done all the same.
    pub async fn fence(&mut self, reason: &str, clock: &dyn Clock, told: Told<'_>) -> Result<(), Failure> {
        let failed = |cause: io::Error| Failure { attempt: "write the mandate down".into(), cause: cause.to_string() };
        let mut last = Ok(());
        if let Some(record) = &mut self.record {
            record.opened = None;
            record.held_by = Some(reason.to_owned());
            record.revision += 1;
            let held = self.files.write(record).map_err(failed);
            told("hold", held.as_ref().map(|()| "this machine stays down until the service is taken here"));
            last = held;
        } else {
            told("hold", Ok("there is no mandate here: nothing starts by itself anyway"));
        }
        // A disk that takes nothing is no reason to let two machines serve.
        last = last.and(self.write_down("rescue.fence", reason, clock));
        for service in self.services()?.iter().rev() {
            let stopped = services::stop(self.dir.root(), service).await;
            told(&format!("stop:{}", service.name), stopped.as_deref());
            last = last.and(stopped.map(drop));
        }
        last
    }

    /// Takes the service: the mandate first, then the data, then the services. Only an operator does this, after making
    /// sure that the other site is off.
    ///
    /// # Errors
    /// What went wrong; every part can be tried again.
    pub async fn open(&mut self, reason: &str, clock: &dyn Clock, told: Told<'_>) -> Result<(), Failure> {
        let receiving = self.record.as_ref().and_then(|record| record.receiving.as_ref());
        if receiving.is_some_and(|run| self.dir.preserved().join(run).exists()) {
            let cause = "the DR's data was coming home and may be half in its place: `tvox-dr serve` ends that first";
            return Err(Failure { attempt: "take the mandate".into(), cause: cause.into() });
        }
        let pair = self.pair().await?;
        let mandate = self.take(&pair, reason, clock)?;
        told("mandate", Ok(&format!("epoch {} names this site", mandate.epoch)));
        self.write_down("rescue.open", reason, clock)?;
        let mut data = Ok(());
        if mandate.holder == NodeRole::Client {
            let run = serving_run(&mandate);
            // One store that fails, perhaps of a dataset that nobody declares any more, must not keep the service down.
            for store in self.replicas() {
                let name = store.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let promoted = promote(store, &run, clock.now());
                told(&format!("freeze:{name}"), promoted.as_deref());
                data = data.and(promoted.map(drop));
            }
        }
        for service in self.services()? {
            let started = services::start(self.dir.root(), &service).await;
            told(&format!("start:{}", service.name), started.as_deref());
            started?;
        }
        data
    }

    /// The pair this machine belongs to: as the mandate says, or, where that was lost, the database. A mandate written
    /// after such a loss descends from none; the other side will see a fork, and an operator settles it.
    async fn pair(&mut self) -> Result<String, Failure> {
        if let Some(head) = self.record.as_ref().and_then(|record| record.mandate.as_ref()) {
            return Ok(head.pair.clone());
        }
        let failed = |cause: String| Failure { attempt: "find out which pair this machine belongs to".into(), cause };
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.dir.database()).read_only(true);
        let read = async {
            let pool = sqlx::SqlitePool::connect_with(options).await?;
            sqlx::query_as::<_, (String, String, String, Option<String>)>(
                "SELECT node.id, node.name, node.role, peer.pair_id FROM node LEFT JOIN peer",
            )
            .fetch_one(&pool)
            .await
        };
        let (id, name, role, pair) = read.await.map_err(|error| {
            failed(format!("neither the mandate nor the database can be read ({error}): restore mandate.a or mandate.b, or start the services by hand"))
        })?;
        let role: NodeRole = role.parse().map_err(|problem| failed(format!("its role cannot be read: {problem}")))?;
        self.record.get_or_insert_with(|| Record::new(&id, &name, role));
        pair.ok_or_else(|| failed("this machine belongs to no pair".into()))
    }

    fn take(&mut self, pair: &str, reason: &str, clock: &dyn Clock) -> Result<Mandate, Failure> {
        let failed = |cause: String| Failure { attempt: "take the mandate".into(), cause };
        let record = self.record.as_mut().ok_or_else(|| failed("there is no record of it".into()))?;
        let (at, boot) = (clock.now(), boot_id());
        record.rescued = Some(random::id());
        let settled = record.findings().is_empty();
        let ours = |head: &&Mandate| settled && head.kind == MandateKind::Rescue && head.holder == record.site;
        if let Some(head) = record.mandate.as_ref().filter(ours).cloned() {
            // Tried before: the mandate is there, the rest is gone through again.
            let opened = Opened { boot, at, how: crate::mandate::file::Opening::Operator };
            record.opened = Some(opened);
            record.held_by = None;
            record.declared_lost = None;
            record.suspended = false;
            record.yielded = false;
            record.revision += 1;
            self.files.write(record).map_err(|error| failed(error.to_string()))?;
            return Ok(head);
        }
        let raise = Raise {
            id: random::id(),
            kind: MandateKind::Rescue,
            holder: record.site,
            operator: "root".into(),
            reason: reason.to_owned(),
            evidence: Vec::new(),
            base: None,
            retired: Vec::new(),
        };
        let mandate = raise.mandate(record, pair, at);
        rules::raise(record, mandate.clone(), &boot, at);
        // Nothing of it has been put in its place yet.
        record.receiving = None;
        record.revision += 1;
        self.files.write(record).map_err(|error| failed(error.to_string()))?;
        Ok(mandate)
    }

    fn services(&self) -> Result<Vec<Service>, Failure> {
        services::declared_on_disk(self.dir.root())
            .map_err(|error| Failure { attempt: "read the declared services".into(), cause: error.to_string() })
    }

    fn replicas(&self) -> Vec<PathBuf> {
        let mut stores: Vec<PathBuf> =
            fs::read_dir(self.dir.replicas()).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        stores.sort();
        stores
    }

    fn write_down(&self, action: &str, reason: &str, clock: &dyn Clock) -> Result<(), Failure> {
        let epoch = self.record.as_ref().and_then(|record| record.mandate.as_ref().map(|mandate| mandate.epoch));
        journal::write_down(self.dir.root(), action, reason, epoch, clock)
    }
}

/// The name under which the copies of a rescue serve.
pub(crate) fn serving_run(mandate: &Mandate) -> String {
    format!("rescue-{}", &mandate.id[..8.min(mandate.id.len())])
}

fn promote(store: PathBuf, run: &str, now: Timestamp) -> Result<String, Failure> {
    let name = store.display().to_string();
    let kind = match store.extension().and_then(|kind| kind.to_str()) {
        Some("sqlite") => SourceKind::Sqlite,
        _ => SourceKind::Files,
    };
    let failed = |error: replication::Error| Failure {
        attempt: format!("make the copy in {name} writable"),
        cause: crate::sync::told(&error),
    };
    let mut replica = Replica::open(store, kind).map_err(failed)?;
    if let Some(served) = replica.promoted() {
        return Ok(format!("already writable since generation {}{}", served.generation, damage(served)));
    }
    if replica.committed().is_none() {
        return Ok("nothing was ever copied".into());
    }
    let promoted = replica.promote(run, None, RESERVE_OF_SERVING, now, &replication::Unwatched).map_err(failed)?;
    Ok(format!("writable, from generation {}{}", promoted.generation, damage(&promoted)))
}
