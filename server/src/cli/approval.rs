//! `tvox-dr approval`: whether grave runs need a second person, and which one waits for theirs.

use clap::Subcommand;
use contract::{Command, query};
use serde_json::Value;

use super::Exit;
use super::print::{self, text};
use super::remote::Line;

/// The second person.
#[derive(Debug, Subcommand)]
pub enum ApprovalVerb {
    /// What is wanted, and the run that waits
    Show,
    /// Choose whether two persons are needed
    Set {
        /// on: activation, take-over, roll back and failback wait for another person; off: they do not
        #[arg(long, value_name = "on|off")]
        activation: Option<String>,
        /// Seconds after which a run that nobody approves gives itself up
        #[arg(long, value_name = "S")]
        wait: Option<String>,
    },
}

/// Does what an approval verb says.
pub async fn approval(line: &Line, verb: ApprovalVerb) -> Result<Exit, Exit> {
    match verb {
        ApprovalVerb::Show => Ok(line.show(&line.ask(query::Approval {}).await?, words)),
        ApprovalVerb::Set { activation, wait } => {
            line.tell(Command::ApprovalSet { activation, wait }).await.map(|_| Exit::Done)
        }
    }
}

fn words(report: &Value) {
    print::line(&format!("Second person: {}", text(&report["activation"])));
    print::line(&format!("Wait:          {} s", text(&report["wait_seconds"])));
    print::line(&format!("May approve:   {} users of the panel", text(&report["operators"])));
    let waiting = &report["waiting"];
    if !waiting.is_null() {
        print::line(&format!(
            "WAITING:       {} asked for by {} until {}: {}",
            text(&waiting["run"]),
            text(&waiting["asked_by"]["name"]),
            text(&waiting["until"]),
            text(&waiting["reason"])
        ));
        print::line("               approve: tvox-dr run approve; decline: tvox-dr run decline --reason TEXT");
    }
}

/// The id of the run that an answer is about: the one that was named, else the one that waits at this moment.
pub async fn named(line: &Line, id: Option<String>) -> Result<String, Exit> {
    if let Some(id) = id {
        return Ok(id);
    }
    let report = line.ask(query::Approval {}).await?;
    Ok(report["waiting"]["run"].as_str().unwrap_or("-").to_owned())
}
