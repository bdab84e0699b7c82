//! `tvox-dr rescue`: with neither database nor daemon.

use std::path::Path;

use clap::Subcommand;
use contract::{Failure, SCHEMA};
use node::SystemClock;
use node::rescue::{self, Rescue};
use serde_json::json;

use super::{Exit, print};

/// What works when nothing else does.
#[derive(Debug, Subcommand)]
pub enum RescueVerb {
    /// The mandate and the services, as far as this machine knows them
    Show,
    /// Stop the services and keep them down until the service is taken on this machine
    Fence {
        /// Why; for the audit log
        #[arg(long, default_value = "rescue fence")]
        reason: String,
    },
    /// Take the service on this machine. FIRST make sure that the other site is off, and stays off
    Open {
        /// Why; for the audit log
        #[arg(long)]
        reason: String,
    },
}

/// Does what a rescue verb says.
pub async fn run(data: &Path, verb: RescueVerb, json: bool) -> Exit {
    let done = match verb {
        RescueVerb::Show => return show(data, json).await,
        RescueVerb::Fence { reason } => match Rescue::hold(data) {
            Ok(mut rescue) => rescue.fence(&reason, &SystemClock, &mut told).await,
            Err(error) => return running(error),
        },
        RescueVerb::Open { reason } if reason.trim().is_empty() => {
            return Exit::Usage.saying("reason: This field is required");
        }
        RescueVerb::Open { reason } => match Rescue::hold(data) {
            Ok(mut rescue) => rescue.open(&reason, &SystemClock, &mut told).await,
            Err(error) => return running(error),
        },
    };
    match done {
        Ok(()) => Exit::Done,
        Err(failure) => Exit::failed(format_args!("could not {}: {}", failure.attempt, failure.cause)),
    }
}

fn running(error: node::OpenError) -> Exit {
    let exit = Exit::from(error);
    eprintln!("tvox-dr: while the node runs, use `tvox-dr activate`, `takeover` or `suspend`; or stop it first");
    exit
}

fn told(step: &str, result: Result<&str, &Failure>) {
    match result {
        Ok(words) => print::line(&format!("done    {step}: {words}")),
        Err(failure) => print::line(&format!("FAILED  {step}: {}", failure.cause)),
    }
}

async fn show(data: &Path, as_json: bool) -> Exit {
    let found = match rescue::show(data).await {
        Ok(found) => found,
        Err(error) => return error.into(),
    };
    if as_json {
        let services: Vec<_> = found
            .services
            .iter()
            .map(|(service, observed, detail)| json!({ "name": service.name, "observed": observed, "detail": detail }))
            .collect();
        let record = found.record.as_ref();
        print::json(&json!({
            "schema": SCHEMA,
            "node": record.map(|record| json!({ "name": record.name, "id": record.node, "role": record.site })),
            "mandate": record.and_then(|record| record.mandate.clone()),
            "findings": record.map(node::mandate::file::Record::findings),
            "held_by": record.and_then(|record| record.held_by.clone()),
            "may_serve": found.may_serve,
            "services": services,
        }));
        return Exit::Done;
    }
    match &found.record {
        None => print::line("Mandate:  missing, or cannot be read"),
        Some(record) => {
            print::line(&format!("Machine:  {} ({})", record.name, record.site.as_str()));
            match &record.mandate {
                None => print::line("Mandate:  none; this machine belongs to no pair"),
                Some(mandate) => print::line(&format!(
                    "Mandate:  epoch {}, holder {}, {}, by {}: {}",
                    mandate.epoch,
                    mandate.holder,
                    mandate.kind.as_str(),
                    mandate.operator,
                    mandate.reason
                )),
            }
            for finding in record.findings() {
                print::line(&format!("FINDING:  {}", finding.sentence(contract::Lang::En)));
            }
            if let Some(reason) = &record.held_by {
                print::line(&format!("Held by an operator: {reason}"));
            }
        }
    }
    print::line(&format!("May serve in this boot: {}", if found.may_serve { "yes" } else { "no" }));
    for (service, observed, detail) in &found.services {
        let seen = observed.label(contract::Lang::En);
        print::line(&format!(
            "Service:  {} is {seen}{}{detail}",
            service.name,
            if detail.is_empty() { "" } else { ": " }
        ));
    }
    Exit::Done
}
