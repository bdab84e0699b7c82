//! `tvox-dr preserved`: what failbacks have put aside, and how it goes.

use clap::Subcommand;
use contract::preserved::PreservedDiscard;
use contract::{Command, query};
use serde_json::Value;

use super::remote::Line;
use super::{Exit, print};

/// What failbacks have put aside: on the Master what was replaced, on the Client what did not travel.
#[derive(Debug, Subcommand)]
pub enum PreservedVerb {
    /// What lies there, the newest first; nothing goes by itself
    List,
    /// Discard what one run has put aside, for good
    Discard {
        /// The run
        run: String,
        /// The name of the machine on which the command runs
        #[arg(long, value_name = "NAME")]
        confirm_name: String,
    },
}

/// Does what the verb says.
pub async fn preserved(line: &Line, verb: PreservedVerb) -> Result<Exit, Exit> {
    match verb {
        PreservedVerb::List => Ok(line.show(&line.ask(query::Preserved {}).await?, list)),
        PreservedVerb::Discard { run, confirm_name } => {
            let discard = PreservedDiscard { run, confirm_name, password: None };
            line.tell(Command::PreservedDiscard(discard)).await.map(|_| Exit::Done)
        }
    }
}

fn list(report: &Value) {
    let rows = print::list(&report["preserved"]).map(|run| {
        let mut row = print::cells(run, &["run", "at", "age_seconds", "files", "bytes", "in_use"]);
        row.push(print::list(&run["datasets"]).map(|one| print::text(&one["name"])).collect::<Vec<_>>().join(", "));
        row
    });
    let rows: Vec<Vec<String>> = rows.collect();
    print::table(&["RUN", "PUT ASIDE", "AGE s", "FILES", "BYTES", "IN USE", "DATASETS"], &rows);
}
