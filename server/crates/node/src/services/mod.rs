//! Services: declared, started, stopped, checked, and kept as the state of the machine wants them.
//!
//! They are not children of `tvox-dr` in any sense that matters: they go on when it ends, however it ends, and the next
//! one finds them by asking their own checks.

mod command;
mod keeper;
mod output;
mod preview;
mod standing;
mod start_stop;
mod store;
mod under_way;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use contract::service::{Desired, Observed, Service, ServiceStatus, ServicesReport};
use contract::{Denied, Failure, SCHEMA};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::node::Node;
pub(crate) use preview::preview;
use standing::Standings;
pub use start_stop::{Checked, check, start, stop};
pub use store::declared_on_disk;

/// What is known of the services at this moment.
#[derive(Debug, Default)]
pub(crate) struct Services {
    standings: Mutex<Standings>,
    woken: Notify,
    copied: AtomicBool,
    /// Held while the declarations go from the database to memory and disk.
    declaring: tokio::sync::Mutex<()>,
    /// Held while one is started or stopped: one after the other, whoever asks.
    moving: tokio::sync::Mutex<()>,
}

impl Services {
    fn look<T>(&self, look: impl FnOnce(&mut Standings) -> T) -> T {
        look(&mut self.standings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether every declared service was last seen up, as it is wanted.
    pub(crate) fn are_up(&self) -> bool {
        self.look(|standings| standings.are_up())
    }

    /// Whether any service is declared.
    pub(crate) fn manages_any(&self) -> bool {
        self.look(|standings| standings.manages_any())
    }

    /// What is wanted may have changed: the keeper looks at once.
    pub(crate) fn wake(&self) {
        self.woken.notify_one();
    }

    /// Whether memory and disk have what the database has.
    fn is_copied(&self) -> bool {
        self.copied.load(Ordering::Relaxed)
    }

    fn copy_is_whole(&self, whole: bool) {
        self.copied.store(whole, Ordering::Relaxed);
    }
}

/// That somebody is starting or stopping a service, until dropped.
struct Moving<'a> {
    services: &'a Services,
    name: &'a str,
}

impl Drop for Moving<'_> {
    fn drop(&mut self) {
        self.services.look(|standings| standings.end(self.name, None));
    }
}

impl Node {
    /// Brings a service up, unless it is up; returns once its own check has seen it.
    pub(crate) async fn start_service(&self, service: &Service) -> Result<String, Failure> {
        self.bring_service(service, Desired::Up, || true).await
    }

    /// Takes a service down, unless it is down; returns once its own check has seen it.
    pub(crate) async fn stop_service(&self, service: &Service) -> Result<String, Failure> {
        self.bring_service(service, Desired::Down, || true).await
    }

    /// `still` is asked right before, when it is this one's turn.
    async fn bring_service(
        &self,
        service: &Service,
        wanted: Desired,
        still: impl FnOnce() -> bool,
    ) -> Result<String, Failure> {
        let _one = self.services.moving.lock().await;
        if !still() {
            return Ok("not wanted any more".into());
        }
        let name = &service.name;
        self.services.look(|standings| standings.begin(name, wanted));
        let moving = Moving { services: &self.services, name };
        self.poke();
        let attempt = start_stop::bring(self.dir.root(), service, wanted, &self.stop).await;
        let now = self.clock.now();
        self.services.look(|standings| standings.end(name, Some((&attempt, now, Instant::now()))));
        drop(moving);
        self.poke();
        attempt.result
    }

    /// Asks a service's own check.
    pub(crate) async fn check_service(&self, service: &Service) -> Observed {
        let name = &service.name;
        let turn = self.services.look(|standings| standings.turn(name));
        let Checked { observed, detail } = start_stop::check(self.dir.root(), service).await;
        let now = self.clock.now();
        if self.services.look(|standings| standings.saw(name, turn, observed, &detail, now)) {
            tracing::info!(service = name, ?observed, detail, "a service is seen otherwise than before");
            self.poke();
        }
        observed
    }

    /// Whether every service was last seen down, after the last change of what is wanted.
    pub(crate) fn services_are_down(&self) -> bool {
        self.services.look(|standings| {
            standings.want_all(self.desired());
            standings.are_down()
        })
    }

    /// Those that are not as the state of the machine wants them, although there was time for it. While a run starts and
    /// stops them itself, none is.
    pub(crate) fn wrong_services(&self) -> Vec<ServiceStatus> {
        match self.desired() {
            None => Vec::new(),
            wanted => self.services.look(|standings| {
                standings.want_all(wanted);
                standings.wrong().collect()
            }),
        }
    }

    pub(crate) async fn services_report(&self) -> Result<ServicesReport, Denied> {
        if self.services.look(|standings| standings.declared().is_none()) {
            self.take_declarations().await?;
        }
        let services = self.services.look(|standings| {
            standings.want_all(self.desired());
            standings.entries()
        });
        Ok(ServicesReport { schema: SCHEMA, services })
    }

    pub(crate) async fn service_statuses(&self) -> Result<Vec<ServiceStatus>, Denied> {
        Ok(self.services_report().await?.services.into_iter().map(|entry| entry.status).collect())
    }
}
