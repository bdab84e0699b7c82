//! `tvox-dr gate`: whether this machine may serve after a boot, what happens when nobody can be asked, and how whoever
//! starts a service outside of `tvox-dr` asks first.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use contract::gate::{GateCheck, GateReport};
use contract::gate_explained::{GateExplanation, explain};
use contract::{Command, Lang, query};
use node::{DataDir, gate_on_disk};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use super::Exit;
use super::gate_units;
use super::operate::SettleArgs;
use super::print::{self, text};
use super::remote::Line;
use crate::socket::{self, Request, Told};

/// How long a node that runs is waited for; then the files answer. A VRRP daemon and systemd wait for the answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a closed gate is looked at by whoever waits for it.
const LOOK: Duration = Duration::from_secs(1);

/// The return gate.
#[derive(Debug, Subcommand)]
pub enum GateVerb {
    /// How it stands, and who was asked
    Show {
        /// In plain words: why, who answered what, what is still missing, what can be done now
        #[arg(long)]
        explain: bool,
    },
    /// Choose what happens when the other machine does not answer
    Set {
        /// strict: wait for an operator; unverified: open after the wait, with an alarm
        #[arg(long)]
        policy: String,
        /// Seconds of silence before an unverified opening
        #[arg(long, value_name = "S", default_value = "", hide_default_value = true)]
        wait: String,
    },
    /// Master of two: state that this machine has the data with which the other one of the cluster serves
    Same(SettleArgs),
    /// Whether a service may be started now: 0 it may, 3 it may not. Works without the node, too
    Check,
    /// The same, once it may
    Wait {
        /// Give up after so many seconds, with 3
        #[arg(long, value_name = "S")]
        timeout: Option<u64>,
    },
    /// Let systemd ask the gate before it starts these units, whoever wants them started
    Install {
        /// Services
        #[arg(required = true, value_name = "UNIT")]
        units: Vec<String>,
        /// Where the system's files are
        #[arg(long, value_name = "DIR", default_value = "/")]
        root: PathBuf,
    },
    /// Let it start them without asking again
    Remove {
        /// Services
        #[arg(required = true, value_name = "UNIT")]
        units: Vec<String>,
        /// Where the system's files are
        #[arg(long, value_name = "DIR", default_value = "/")]
        root: PathBuf,
    },
    /// Which units ask
    List {
        /// Where the system's files are
        #[arg(long, value_name = "DIR", default_value = "/")]
        root: PathBuf,
    },
}

/// Does what a gate verb says; without one it shows.
pub async fn gate(line: &Line, verb: Option<GateVerb>, explained: bool) -> Result<Exit, Exit> {
    match verb.unwrap_or(GateVerb::Show { explain: explained }) {
        GateVerb::Show { explain } if explain || explained => show_explained(line).await,
        GateVerb::Show { .. } => Ok(line.show(&line.ask(query::Gate {}).await?, words)),
        GateVerb::Set { policy, wait } => line.tell(Command::GateSet { policy, wait }).await.map(|_| Exit::Done),
        GateVerb::Same(args) => line.tell(Command::GateSame(args.into_settle())).await.map(|_| Exit::Done),
        GateVerb::Check => check(line).await,
        GateVerb::Wait { timeout } => wait(line, timeout.map(Duration::from_secs)).await,
        GateVerb::Install { units, root } => gate_units::install(line, &root, &units).await,
        GateVerb::Remove { units, root } => gate_units::remove(line, &root, &units).await,
        GateVerb::List { root } => gate_units::list(line, &root),
    }
}

fn words(gate: &Value) {
    print::line(&format!("Gate:    {} since {}", text(&gate["answer"]), text(&gate["since"])));
    print::line(&format!("Policy:  {}, after {} s of silence", text(&gate["policy"]), text(&gate["wait_seconds"])));
    if !gate["opens_at"].is_null() {
        print::line(&format!("Opens by itself at {} unless somebody answers", text(&gate["opens_at"])));
    }
    for asked in print::list(&gate["asked"]) {
        print::line(&format!("Asked:   {}: {}", text(&asked["ip"]), text(&asked["answer"])));
    }
}

async fn show_explained(line: &Line) -> Result<Exit, Exit> {
    let status = line.ask(query::Status {}).await?;
    let unreadable = |error| Exit::failed(format_args!("the node's answer cannot be read: {error}"));
    let status: contract::status::StatusReport = serde_json::from_value(status).map_err(unreadable)?;
    let Some(gate) = &status.gate else { return Err(Exit::failed("the node has no gate")) };
    let explanation = explain(gate, status.node.role, &status.node.name, status.peer_name());
    let mut shown = serde_json::to_value(gate).unwrap_or_default();
    if line.json {
        shown["schema"] = contract::SCHEMA.into();
        shown["explanation"] = serde_json::to_value(&explanation).unwrap_or_default();
        print::json(&shown);
    } else {
        words(&shown);
        explanation.lines(Lang::En).iter().for_each(|told| print::line(told));
    }
    Ok(Exit::Done)
}

/// Whether a service may be started now: the running node knows, else the files that it has left.
async fn ask(line: &Line) -> Option<GateCheck> {
    let request = Request::Ask(Box::new(query::GateCheck {}.into()));
    let told = match timeout(PATIENCE, socket::send(&line.data, &request)).await {
        Ok(Ok(Told::Answer(answer))) => serde_json::from_value(answer).ok(),
        _ => None,
    };
    told.or_else(|| gate_on_disk(&line.data))
}

fn explained(check: &GateCheck) -> GateExplanation {
    let gate: &GateReport = &check.gate;
    explain(gate, check.role, &check.name, check.role.other().label())
}

async fn check(line: &Line) -> Result<Exit, Exit> {
    let Some(check) = ask(line).await else { return Err(unknown(line)) };
    tell(line, &check);
    Ok(if check.open { Exit::Done } else { Exit::Refused })
}

/// Nothing is known of a mandate here: nothing may be started.
fn unknown(line: &Line) -> Exit {
    let dir = line.data.display();
    if DataDir::name(&line.data).config().exists() {
        return Exit::Refused.saying(format_args!("the mandate in {dir} cannot be read: nothing may be started"));
    }
    Exit::Data.saying(format_args!("there is no node in {dir}; make one with `tvox-dr init`"))
}

fn tell(line: &Line, check: &GateCheck) {
    let explanation = explained(check);
    if line.json {
        let mut shown = serde_json::to_value(check).unwrap_or_default();
        shown["explanation"] = serde_json::to_value(&explanation).unwrap_or_default();
        print::json(&shown);
    } else if check.open {
        print::line(&format!("open: {}", sentence(&explanation)));
    }
    if !check.open {
        eprintln!("refused: {}@{}: {}", check.gate.answer.as_str(), check.name, sentence(&explanation));
        for way in &explanation.to_do {
            eprintln!("  {}", way.en);
        }
    }
}

fn sentence(explanation: &GateExplanation) -> String {
    explanation.why.iter().map(|why| why.en.as_str()).collect::<Vec<_>>().join(" ")
}

/// Waits until it may. What changes on the way is told once.
async fn wait(line: &Line, patience: Option<Duration>) -> Result<Exit, Exit> {
    let began = Instant::now();
    let mut told = String::new();
    loop {
        let found = ask(line).await;
        match &found {
            Some(check) if check.open => {
                tell(line, check);
                return Ok(Exit::Done);
            }
            _ => {}
        }
        if patience.is_some_and(|patience| began.elapsed() >= patience) {
            let Some(check) = found else { return Err(unknown(line)) };
            tell(line, &check);
            return Ok(Exit::Refused);
        }
        let now = found.as_ref().map(|check| sentence(&explained(check))).unwrap_or_default();
        if now != told {
            eprintln!("waiting: {now}");
            told = now;
        }
        sleep(LOOK).await;
    }
}
