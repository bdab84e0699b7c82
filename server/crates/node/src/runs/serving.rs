//! The steps that bring the services of this machine up and down. What counts is each service's own check.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use contract::Failure;
use contract::service::{Observed, Service};

use super::log::Plan;
use super::step::{Seen, Stop};
use crate::node::Node;

/// How often services are looked at that are not up yet.
const LOOK: Duration = Duration::from_millis(200);

impl Node {
    pub(super) fn suspension_is(&self, wanted: bool) -> Seen {
        self.book.look(|record| (record.suspended == wanted).then(String::new))
    }

    pub(super) async fn set_suspended(&self, suspended: bool) -> Result<(), Stop> {
        self.book.change(move |record| record.suspended = suspended).await?;
        self.mandate_changed();
        Ok(())
    }

    /// A service of the plan, as it is declared now: whoever corrects a declaration of a run that is stuck means this.
    async fn planned(&self, plan: &Plan, name: &str) -> Result<Service, Stop> {
        let declared = self.declared_services().await?.into_iter().find(|service| service.name == name);
        let planned = || plan.services.iter().find(|service| service.name == name).cloned();
        let missing = || Failure { attempt: format!("find the service {name}"), cause: "it is not declared".into() };
        declared.or_else(planned).ok_or_else(|| Stop::failed(&missing()))
    }

    pub(super) async fn service_is_up(&self, plan: &Plan, name: &str) -> Result<Seen, Stop> {
        self.service_is(plan, name, Observed::Up).await
    }

    pub(super) async fn service_is_down(&self, plan: &Plan, name: &str) -> Result<Seen, Stop> {
        self.service_is(plan, name, Observed::Down).await
    }

    async fn service_is(&self, plan: &Plan, name: &str, wanted: Observed) -> Result<Seen, Stop> {
        let service = self.planned(plan, name).await?;
        Ok((self.check_service(&service).await == wanted).then(String::new))
    }

    pub(super) async fn bring_up(&self, plan: &Plan, name: &str) -> Result<String, Stop> {
        let service = self.planned(plan, name).await?;
        self.start_service(&service).await.map_err(|failure| Stop::failed(&failure))
    }

    pub(super) async fn take_down(&self, plan: &Plan, name: &str) -> Result<String, Stop> {
        let service = self.planned(plan, name).await?;
        self.stop_service(&service).await.map_err(|failure| Stop::failed(&failure))
    }

    /// Every service is down, those too that were declared since.
    pub(super) async fn take_all_down(&self, plan: &Plan) -> Result<(), Stop> {
        let declared = self.declared_services().await?;
        let names = declared.iter().chain(&plan.services).map(|service| service.name.as_str());
        for name in names.collect::<BTreeSet<_>>() {
            self.take_down(plan, name).await?;
        }
        Ok(())
    }

    /// Every service of the plan is up at the same time.
    pub(super) async fn services_are_up(&self, plan: &Plan) -> Result<Seen, Stop> {
        let missing = self.missing(plan).await?;
        let names = || plan.services.iter().map(|service| service.name.as_str()).collect::<Vec<_>>().join(", ");
        Ok(missing.is_empty().then(names))
    }

    /// Waits until they are, as long as the most patient of them is given.
    pub(super) async fn await_services(&self, plan: &Plan) -> Result<(), Stop> {
        let patience = plan.services.iter().map(|service| service.timeout_seconds).max().unwrap_or_default();
        let began = Instant::now();
        loop {
            let missing = self.missing(plan).await?;
            if missing.is_empty() {
                return Ok(());
            }
            // What was started before the machine booted, or has died since, is started again.
            for name in &missing {
                self.bring_up(plan, name).await?;
            }
            if began.elapsed() > Duration::from_secs(patience.into()) {
                let attempt = "see every service up at the same time".into();
                return Err(Stop::failed(&Failure { attempt, cause: format!("not up: {}", missing.join(", ")) }));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn missing(&self, plan: &Plan) -> Result<Vec<String>, Stop> {
        let mut missing = Vec::new();
        for service in &plan.services {
            if self.service_is_up(plan, &service.name).await?.is_none() {
                missing.push(service.name.clone());
            }
        }
        Ok(missing)
    }
}
