//! The declared services: the table, and beside the database a copy of it, for the day on which only `tvox-dr rescue`
//! runs.

use std::io;
use std::path::{Path, PathBuf};

use contract::run::RunState;
use contract::service::{SERVICE_ORDER_MAX, Service, ServiceForm};
use contract::{Denied, NodeRole, Outcome, Problem, Rule, SCHEMA};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::data_dir::write_durably;
use crate::door::Act;
use crate::mandate::file::Record;
use crate::node::Node;
use crate::store::db;

/// How far a service without a place comes behind the last one.
const STEP: u32 = 10;

/// The copy on disk.
#[derive(Debug, Serialize, Deserialize)]
struct Declared {
    schema: u32,
    services: Vec<Service>,
}

fn copy_file(root: &Path) -> PathBuf {
    root.join("services.json")
}

/// The declared services in starting order, read without the database; `root` is the data directory. None were declared
/// where there is no copy.
///
/// # Errors
/// When the copy is there and cannot be read: then nobody knows what runs.
pub fn declared_on_disk(root: &Path) -> io::Result<Vec<Service>> {
    match std::fs::read(copy_file(root)) {
        Ok(bytes) => Ok(serde_json::from_slice::<Declared>(&bytes)?.services),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn write_copy(root: &Path, services: &[Service]) -> io::Result<()> {
    let copy = Declared { schema: SCHEMA, services: services.to_vec() };
    write_durably(&copy_file(root), &serde_json::to_vec(&copy)?, 0o600)
}

impl Node {
    /// All declared services, in starting order.
    pub(crate) async fn declared_services(&self) -> Result<Vec<Service>, Denied> {
        let rows: Vec<(String, String, u32, u32)> =
            sqlx::query_as("SELECT name, handling, timeout, position FROM service ORDER BY position, name")
                .fetch_all(self.store.pool())
                .await
                .map_err(db("read the services"))?;
        let service = |(name, handling, timeout_seconds, order): (_, String, _, _)| {
            let handling =
                serde_json::from_str(&handling).map_err(|error| Denied::failed("read the services", error))?;
            Ok(Service { name, handling, timeout_seconds, order })
        };
        rows.into_iter().map(service).collect()
    }

    /// Takes the declarations from the database to where they are used: memory, and the copy on disk.
    pub(super) async fn take_declarations(&self) -> Result<(), Denied> {
        let _one = self.services.declaring.lock().await;
        let declared = self.declared_services().await?;
        // The database has the word; a copy that cannot be written now is written by the keeper later.
        let written = write_copy(self.dir.root(), &declared);
        if let Err(error) = &written {
            tracing::error!(%error, "the copy of the services for `tvox-dr rescue` cannot be written");
        }
        self.services.look(|standings| {
            standings.declare(declared);
            standings.want_all(self.desired());
        });
        self.services.copy_is_whole(written.is_ok());
        Ok(())
    }

    pub(crate) async fn service_add(&self, act: Act<'_>, form: &ServiceForm) -> Result<Outcome, Denied> {
        let known = self.declared_services().await?;
        let before = known.iter().find(|service| service.name == form.name);
        let last = known.iter().map(|service| service.order).max().unwrap_or(0);
        let place = before.map_or((last + STEP).min(SERVICE_ORDER_MAX), |service| service.order);
        let service = form.check(place).map_err(Denied::Invalid)?;
        if before.is_some_and(|before| before.handling != service.handling) {
            self.may_correct()?;
        }
        let handling =
            serde_json::to_string(&service.handling).map_err(|error| Denied::failed("declare a service", error))?;
        let mut tx = self.store.begin().await?;
        sqlx::query("INSERT OR REPLACE INTO service (name, handling, timeout, position) VALUES (?, ?, ?, ?)")
            .bind(&service.name)
            .bind(handling)
            .bind(service.timeout_seconds)
            .bind(service.order)
            .execute(&mut *tx)
            .await
            .map_err(db("declare a service"))?;
        let outcome = act.done(tx, before.map(|service| json!(service)), Some(json!(service))).await?;
        self.take_declarations().await?;
        self.services.wake();
        self.verdict_is_stale();
        Ok(outcome)
    }

    /// Other commands for a service may be declared at any time but while a run starts and stops it: a stop that is written
    /// wrong must not keep a DR from handing the service back.
    fn may_correct(&self) -> Result<(), Denied> {
        match self.runs.in_earnest() {
            Some(run) if run.state == RunState::Running => Err(self.keeps_declarations()),
            _ => Ok(()),
        }
    }

    fn keeps_declarations(&self) -> Denied {
        Denied::rule(Rule::StateIllegal, &self.info.name, self.state().as_str())
    }

    /// A DR that serves, or a machine in the middle of a run, keeps its services: what it has started it must be able to
    /// stop.
    fn may_let_go(&self) -> Result<(), Denied> {
        let serves = self.info.role == NodeRole::Client && self.book.look(Record::is_holder);
        if serves || self.runs.in_earnest().is_some() { Err(self.keeps_declarations()) } else { Ok(()) }
    }

    /// Takes a declaration back. What runs goes on running; the audit row says how it was seen last.
    pub(crate) async fn service_remove(&self, act: Act<'_>, name: &str) -> Result<Outcome, Denied> {
        let known = self.services_report().await?.services;
        let known = known.into_iter().find(|entry| entry.service.name == name);
        let Some(known) = known else { return Err(Denied::field("name", Problem::NotFound)) };
        self.may_let_go()?;
        let mut tx = self.store.begin().await?;
        sqlx::query("DELETE FROM service WHERE name = ?")
            .bind(name)
            .execute(&mut *tx)
            .await
            .map_err(db("take a service back"))?;
        let outcome = act.done(tx, Some(json!(known)), None).await?;
        self.take_declarations().await?;
        self.services.wake();
        self.verdict_is_stale();
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use contract::service::Handling;

    use super::*;

    #[test]
    fn the_copy_on_disk_tells_none_declared_from_not_readable() {
        let root = tempfile::tempdir().unwrap();
        assert!(declared_on_disk(root.path()).unwrap().is_empty());
        let pbx =
            Service { name: "pbx".into(), handling: Handling::Unit("a.service".into()), timeout_seconds: 3, order: 1 };
        write_copy(root.path(), std::slice::from_ref(&pbx)).unwrap();
        assert_eq!(declared_on_disk(root.path()).unwrap(), [pbx]);
        std::fs::write(copy_file(root.path()), "{").unwrap();
        assert!(declared_on_disk(root.path()).is_err());
    }
}
