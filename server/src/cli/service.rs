//! `tvox-dr service`: what is started, stopped and checked on this machine.

use clap::Subcommand;
use contract::service::ServiceForm;
use contract::{Command, query};
use serde_json::Value;

use super::remote::Line;
use super::{Exit, print};

/// Services.
#[derive(Debug, Subcommand)]
pub enum ServiceVerb {
    /// Declare one, or replace the one of that name: a systemd unit, or all three commands
    Add {
        /// Its name
        name: String,
        /// A systemd unit
        #[arg(long, default_value = "")]
        unit: String,
        /// Brings it up, and returns; run by /bin/sh -c
        #[arg(long, value_name = "CMD", default_value = "")]
        start: String,
        /// Takes it down
        #[arg(long, value_name = "CMD", default_value = "")]
        stop: String,
        /// Exits 0 exactly when it is up
        #[arg(long, value_name = "CMD", default_value = "")]
        check: String,
        /// How long each command may take, in seconds; 30 unless given
        #[arg(long, value_name = "S", default_value = "", hide_default_value = true)]
        timeout: String,
        /// Its place: started in this order, stopped in the reverse one; the last unless given
        #[arg(long, value_name = "N", default_value = "", hide_default_value = true)]
        order: String,
    },
    /// Which there are and how they stand, in starting order
    List,
    /// Take a declaration back; what runs goes on running
    Remove {
        /// Its name
        name: String,
    },
}

/// Does what a verb says.
pub async fn run(line: &Line, verb: ServiceVerb) -> Result<Exit, Exit> {
    match verb {
        ServiceVerb::List => Ok(line.show(&line.ask(query::Services {}).await?, services)),
        ServiceVerb::Remove { name } => line.tell(Command::ServiceRemove { name }).await.map(|_| Exit::Done),
        ServiceVerb::Add { name, unit, start, stop, check, timeout, order } => {
            let form = ServiceForm { name, unit, start, stop, check, timeout, order };
            line.tell(Command::ServiceAdd(form)).await.map(|_| Exit::Done)
        }
    }
}

fn services(report: &Value) {
    let rows = report["services"].as_array().into_iter().flatten().map(|service| {
        let status = &service["status"];
        let mut row = print::cells(service, &["order", "name"]);
        row.extend(print::cells(status, &["desired", "observed", "checked_at"]));
        row.push(match &service["handling"]["unit"] {
            Value::Null => print::text(&service["handling"]["commands"]["start"]),
            unit => print::text(unit),
        });
        // The last words may be many lines; a table has one.
        row.push(print::text(&status["detail"]).replace('\n', " "));
        row
    });
    let heads = ["ORDER", "SERVICE", "DESIRED", "OBSERVED", "CHECKED", "STARTED BY", "DETAIL"];
    print::table(&heads, &rows.collect::<Vec<_>>());
}
