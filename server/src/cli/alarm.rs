//! `tvox-dr alarm` and `tvox-dr threshold`: what is wrong, who took note, and from when on it counts as wrong.

use clap::Subcommand;
use contract::{Command, query};
use serde_json::Value;

use super::remote::Line;
use super::{Exit, print};

/// Alarms.
#[derive(Debug, Subcommand)]
pub enum AlarmVerb {
    /// The open ones
    List {
        /// Also those that have ended
        #[arg(long)]
        all: bool,
    },
    /// Take note of one
    Ack {
        /// Its id
        id: String,
        /// What is to be remembered
        #[arg(long)]
        note: Option<String>,
    },
}

/// Thresholds.
#[derive(Debug, Subcommand)]
pub enum ThresholdVerb {
    /// Every limit with its value
    List,
    /// Set one
    Set {
        /// Its name
        name: String,
        /// A whole number
        value: String,
    },
    /// Give one its default back
    Reset {
        /// Its name
        name: String,
    },
}

/// Does what an alarm verb says.
pub async fn alarm(line: &Line, verb: AlarmVerb) -> Result<Exit, Exit> {
    match verb {
        AlarmVerb::List { all } => {
            let report = line.ask(query::Alarms { all }).await?;
            Ok(line.show(&report, alarms))
        }
        AlarmVerb::Ack { id, note } => line.tell(Command::AlarmAck { id, note }).await.map(|_| Exit::Done),
    }
}

/// Does what a threshold verb says.
pub async fn threshold(line: &Line, verb: ThresholdVerb) -> Result<Exit, Exit> {
    match verb {
        ThresholdVerb::List => {
            let report = line.ask(query::Thresholds {}).await?;
            Ok(line.show(&report, thresholds))
        }
        ThresholdVerb::Set { name, value } => {
            line.tell(Command::ThresholdSet { name, value }).await.map(|_| Exit::Done)
        }
        ThresholdVerb::Reset { name } => line.tell(Command::ThresholdReset { name }).await.map(|_| Exit::Done),
    }
}

fn alarms(report: &Value) {
    let rows = report["alarms"].as_array().into_iter().flatten().map(|alarm| {
        let state = match (alarm["cleared_at"].is_null(), alarm["acknowledged"].is_null()) {
            (true, true) => "OPEN",
            (true, false) => "open, noted",
            (false, _) => "ended",
        };
        let mut row = print::cells(alarm, &["id", "priority", "raised_at", "code", "subject"]);
        row.push(state.into());
        row.push(print::text(&alarm["text"]["en"]));
        row
    });
    print::table(&["ID", "PRIORITY", "SINCE", "CODE", "SUBJECT", "STATE", "WHAT"], &rows.collect::<Vec<_>>());
}

fn thresholds(report: &Value) {
    print::table(
        &["THRESHOLD", "VALUE", "UNIT", "DEFAULT"],
        &print::rows(&report["thresholds"], &["name", "value", "unit", "default"]),
    );
}
