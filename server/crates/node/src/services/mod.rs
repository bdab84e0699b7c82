//! Services: declared, started, stopped, checked, and kept as the state of the machine wants them.

use std::sync::Arc;

use contract::service::{Observed, Service, ServiceForm, ServiceStatus, ServicesReport};
use contract::{Denied, Failure, Outcome, SCHEMA};

use crate::door::Act;
use crate::node::Node;

/// What is known of the services at this moment.
#[derive(Debug, Default)]
pub(crate) struct Services {}

impl Node {
    /// Keeps every service as the state of the machine wants it, until the node stops.
    pub(crate) async fn keep_services(self: Arc<Self>) {
        self.stop.cancelled().await;
    }

    /// All declared services, in starting order.
    pub(crate) async fn declared_services(&self) -> Result<Vec<Service>, Denied> {
        Ok(Vec::new())
    }

    /// Brings a service up, unless it is up; returns once its own check has seen it.
    pub(crate) async fn start_service(&self, _service: &Service) -> Result<String, Failure> {
        Err(Failure { attempt: "start a service".into(), cause: "not built yet".into() })
    }

    /// Takes a service down, unless it is down; returns once its own check has seen it.
    pub(crate) async fn stop_service(&self, _service: &Service) -> Result<String, Failure> {
        Err(Failure { attempt: "stop a service".into(), cause: "not built yet".into() })
    }

    /// Asks a service's own check.
    pub(crate) async fn check_service(&self, _service: &Service) -> Observed {
        Observed::Unknown
    }

    /// Whether every service was last seen down, after the last change of what is wanted.
    pub(crate) fn services_are_down(&self) -> bool {
        true
    }

    pub(crate) async fn service_add(&self, _act: Act<'_>, _form: &ServiceForm) -> Result<Outcome, Denied> {
        Err(Denied::failed("declare a service", "not built yet"))
    }

    pub(crate) async fn service_remove(&self, _act: Act<'_>, _name: &str) -> Result<Outcome, Denied> {
        Err(Denied::failed("take a service back", "not built yet"))
    }

    pub(crate) async fn services_report(&self) -> Result<ServicesReport, Denied> {
        Ok(ServicesReport { schema: SCHEMA, services: Vec::new() })
    }

    pub(crate) async fn service_statuses(&self) -> Result<Vec<ServiceStatus>, Denied> {
        Ok(self.services_report().await?.services.into_iter().map(|entry| entry.status).collect())
    }
}
