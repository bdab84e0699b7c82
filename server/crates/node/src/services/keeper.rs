//! Keeps every service as the state of the machine wants it: at each change of who may serve, and again and again,
//! because *fenced* is maintained and not an event.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use contract::service::{Desired, Service};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::output;
use crate::node::Node;

/// The shortest pause between two looks.
const LEAST_PAUSE: Duration = Duration::from_secs(2);
/// As many probes of the other machine as there are between two looks.
const PROBES: u32 = 5;
/// How soon a start notices that it is not wanted any more.
const NOTICE: Duration = Duration::from_millis(200);

impl Node {
    /// Keeps every service as the state of the machine wants it, until the node stops. It leaves them as they are.
    pub(crate) async fn keep_services(self: Arc<Self>) {
        let mut changes = self.book.watch();
        let mut heard = false;
        let mut first_word = pin!(self.first_word());
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.tend(heard) => {}
            }
            let pause = self.limits().await.map_or(LEAST_PAUSE, |limits| limits.probe_interval() * PROBES);
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = &mut first_word, if !heard => heard = true,
                _ = changes.changed() => {}
                () = self.services.woken.notified() => {}
                () = sleep(pause.max(LEAST_PAUSE)) => {}
            }
        }
    }

    /// Looks at all of them once, and starts or stops what is not as it is wanted.
    async fn tend(&self, may_start: bool) {
        let Ok(services) = self.services_to_tend().await else { return };
        self.services.look(|standings| standings.want_all(self.desired()));
        join_all(services.iter().map(|service| async {
            self.check_service(service).await;
            output::trim_log(self.dir.root(), &service.name);
        }))
        .await;
        match self.desired() {
            None => {}
            Some(Desired::Up) if !may_start => {}
            Some(Desired::Up) => {
                for service in &services {
                    self.tend_one(service, Desired::Up).await;
                }
            }
            Some(Desired::Down) => {
                // Whose check hangs comes last: it must not keep the others up.
                let mute = |service: &&Service| self.services.look(|standings| standings.is_mute(&service.name));
                let (last, first): (Vec<_>, Vec<_>) = services.iter().rev().partition(mute);
                for service in first.into_iter().chain(last) {
                    self.tend_one(service, Desired::Down).await;
                }
            }
        }
    }

    async fn services_to_tend(&self) -> Result<Vec<Service>, contract::Denied> {
        if !self.services.is_copied() {
            self.take_declarations().await.inspect_err(|error| tracing::error!(?error, "services"))?;
        }
        Ok(self.services.look(|standings| standings.declared().unwrap_or_default().to_vec()))
    }

    async fn tend_one(&self, service: &Service, wanted: Desired) {
        let still = || {
            self.desired() == Some(wanted)
                && self.services.look(|standings| standings.is_due(&service.name, wanted, Instant::now()))
        };
        if !still() {
            return;
        }
        let attempt = self.bring_service(service, wanted, still);
        let result = match wanted {
            Desired::Up => tokio::select! {
                result = attempt => result,
                () = self.no_longer(wanted) => {
                    tracing::warn!(service = service.name, "a start was broken off: it is not wanted any more");
                    return;
                }
            },
            // A stop that was begun is brought to its end: half of it helps nobody.
            Desired::Down => attempt.await,
        };
        match result {
            Ok(told) => tracing::info!(service = service.name, told, "a service was brought where it is wanted"),
            Err(failure) => {
                tracing::warn!(service = service.name, cause = failure.cause, "could not {}", failure.attempt)
            }
        }
    }

    async fn no_longer(&self, wanted: Desired) {
        while self.desired() == Some(wanted) {
            sleep(NOTICE).await;
        }
    }
}
