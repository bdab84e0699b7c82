//! `tvox-dr activate`, `suspend`, `takeover` and `run`: the button from the command line. Each waits until
//! its run is done or stuck and tells every step on the way; the run itself goes on whoever looks.

use std::collections::HashMap;
use std::time::Duration;

use clap::{Args as ClapArgs, Subcommand};
use contract::preflight::{Release, Settle};
use contract::{Command, Lang, NodeRole, Outcome, Refused, Rule, query};
use serde_json::Value;

use super::preflight::{self, TakeArgs};
use super::remote::Line;
use super::{Exit, approval, print};

/// How often a run that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// What an operator brings to stop the service.
#[derive(Debug, ClapArgs)]
pub struct ReleaseArgs {
    /// The name of the machine on which the command runs
    #[arg(long, value_name = "NAME")]
    confirm_name: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Return at once instead of when it is done or stuck
    #[arg(long)]
    no_wait: bool,
}

impl ReleaseArgs {
    fn into_release(self) -> Release {
        Release { confirm_name: self.confirm_name, reason: self.reason, ..Release::default() }
    }
}

/// What an operator brings to settle what was found against the mandate.
#[derive(Debug, ClapArgs)]
pub struct SettleArgs {
    /// The name of the machine on which the command runs
    #[arg(long, value_name = "NAME")]
    confirm_name: String,
    /// What has happened, and why it is well now
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Runs.
#[derive(Debug, Subcommand)]
pub enum RunVerb {
    /// All of them, the newest first
    List,
    /// One, or the last one
    Show {
        /// Its id
        id: Option<String>,
    },
    /// Watch the one in progress until it is done or stuck
    Follow,
    /// Acknowledge a step: a person has done it, or answers for it where it is stuck
    Ack {
        /// The step's id
        step: String,
        /// What is to be remembered
        #[arg(long)]
        note: Option<String>,
    },
    /// Go on with the one that is stuck
    Resume {
        /// Who saw that machine off, and how; again after a restart or a sign of life
        #[arg(long, value_name = "IP=TEXT")]
        attest: Vec<String>,
        /// Return at once instead of when it is done or stuck
        #[arg(long)]
        no_wait: bool,
    },
    /// Give it up and undo what it did, as long as the mandate is not written
    Abort,
    /// Undo the own steps that an activation has left behind, the last first
    Undo {
        /// Why; for the audit log and the report
        #[arg(long)]
        reason: String,
        /// Return at once instead of when it is done or stuck
        #[arg(long)]
        no_wait: bool,
    },
    /// Approve of the one that waits for a second person: who is logged in to the machine must be another than who began it
    Approve {
        /// Its id; the one that waits unless given
        id: Option<String>,
    },
    /// Do not approve of it: it is given up
    Decline {
        /// Its id; the one that waits unless given
        id: Option<String>,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Go on with it without the second person; an alarm tells everybody
    BreakGlass {
        /// Its id; the one that waits unless given
        id: Option<String>,
        /// Why it cannot wait
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// `activate`, on the Client.
pub async fn activate(line: &Line, args: TakeArgs) -> Result<Exit, Exit> {
    take(line, args, NodeRole::Client).await
}

/// `takeover`, on the Master.
pub async fn takeover(line: &Line, args: TakeArgs) -> Result<Exit, Exit> {
    take(line, args, NodeRole::Master).await
}

async fn take(line: &Line, args: TakeArgs, side: NodeRole) -> Result<Exit, Exit> {
    let (dry_run, wait) = (args.dry_run, !args.brought.no_wait);
    let take = args.into_take();
    if dry_run {
        return preflight::dry_run(line, side, take).await;
    }
    let command = match side {
        NodeRole::Client => Command::Activate(take),
        NodeRole::Master => Command::Takeover(take),
    };
    let outcome = line.tell(command).await?;
    watch(line, outcome, wait).await
}

/// `suspend`.
pub async fn suspend(line: &Line, args: ReleaseArgs) -> Result<Exit, Exit> {
    let wait = !args.no_wait;
    let outcome = line.tell(Command::Suspend(args.into_release())).await?;
    watch(line, outcome, wait).await
}

/// `settle`.
pub async fn settle(line: &Line, args: SettleArgs) -> Result<Exit, Exit> {
    line.tell(Command::Settle(args.into_settle())).await.map(|_| Exit::Done)
}

impl SettleArgs {
    /// As the node takes it.
    pub fn into_settle(self) -> Settle {
        Settle { confirm_name: self.confirm_name, reason: self.reason, password: None }
    }
}

/// Does what a run verb says.
pub async fn run(line: &Line, verb: RunVerb) -> Result<Exit, Exit> {
    match verb {
        RunVerb::List => Ok(line.show(&line.ask(query::Runs {}).await?, list)),
        RunVerb::Show { id } => {
            let run = line.ask(query::Run { id: id.clone() }).await?;
            match id {
                Some(id) if run.is_null() => Err(Exit::failed(format_args!("there is no run {id}"))),
                _ => Ok(line.show(&run, show)),
            }
        }
        RunVerb::Follow => {
            let run = line.ask(query::Run { id: None }).await?;
            let id = run["id"].as_str().ok_or_else(|| Exit::failed("there was no run yet"))?;
            follow(line, id).await
        }
        RunVerb::Ack { step, note } => line.tell(Command::RunAck { step, note }).await.map(|_| Exit::Done),
        RunVerb::Resume { attest, no_wait } => {
            let attest = attest.iter().map(|typed| preflight::attestation(typed)).collect();
            let outcome = line.tell(Command::RunResume { attest }).await?;
            watch(line, outcome, !no_wait).await
        }
        RunVerb::Undo { reason, no_wait } => {
            let outcome = line.tell(Command::StepsUndo { reason }).await?;
            watch(line, outcome, !no_wait).await
        }
        RunVerb::Abort => {
            let Outcome::Run { id } = line.tell(Command::RunAbort).await? else { return Err(no_run()) };
            let exit = follow(line, &id).await?;
            let run = line.ask(query::Run { id: Some(id) }).await?;
            Ok(if run["state"] == "aborted" { Exit::Done } else { exit })
        }
        RunVerb::Approve { id } => {
            let run = approval::named(line, id).await?;
            line.tell(Command::RunApprove { run, password: None }).await.map(|_| Exit::Done)
        }
        RunVerb::Decline { id, reason } => {
            let run = approval::named(line, id).await?;
            line.tell(Command::RunDecline { run, reason }).await.map(|_| Exit::Done)
        }
        RunVerb::BreakGlass { id, reason } => {
            let run = approval::named(line, id).await?;
            line.tell(Command::RunBypass { run, reason, password: None }).await.map(|_| Exit::Done)
        }
    }
}

fn no_run() -> Exit {
    Exit::failed("the node began no run")
}

/// Who rolls back while the Master is silent gives the service to nobody: said, and left to the operator.
pub(super) async fn warn_of_silence(line: &Line) -> Result<(), Exit> {
    let status = line.ask(query::Status {}).await?;
    let peer = &status["pair"]["peer"];
    let machines = peer["machines"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !machines.iter().any(|machine| machine["reachable"] == true) {
        let name = peer["name"].as_str().unwrap_or_default();
        eprintln!("warning: {}", Refused::new(Rule::PeerSilent, name, "").finding(Lang::En));
    }
    Ok(())
}

/// Waits for the run that a command has begun or moved, where that is wanted.
pub(super) async fn watch(line: &Line, outcome: Outcome, wait: bool) -> Result<Exit, Exit> {
    let Outcome::Run { id } = outcome else { return Err(no_run()) };
    if wait {
        return follow(line, &id).await;
    }
    let run = line.ask(query::Run { id: Some(id) }).await?;
    Ok(line.show(&run, |run| print::line(&print::text(&run["id"]))))
}

/// Tells every step until the run is over or stuck; 0 when it is done.
async fn follow(line: &Line, id: &str) -> Result<Exit, Exit> {
    let mut told = HashMap::new();
    loop {
        let run = line.ask(query::Run { id: Some(id.to_owned()) }).await?;
        for step in steps(&run) {
            tell(step, &mut told);
        }
        if run["approval"]["state"] == "waiting" && told.insert("approval?".into(), String::new()).is_none() {
            let until = print::text(&run["approval"]["until"]);
            eprintln!(
                "  another person must approve until {until}, on the page Operations or by: tvox-dr run approve {id}"
            );
        }
        let state = run["state"].as_str().unwrap_or_default();
        if state != "running" {
            if line.json {
                print::json(&run);
            } else {
                print::line(&format!("{id}: {state}"));
            }
            return Ok(if state == "done" { Exit::Done } else { Exit::Failed });
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn steps(run: &Value) -> impl Iterator<Item = &Value> {
    run["steps"].as_array().into_iter().flatten()
}

/// Says how a step stands, where that is news.
fn tell(step: &Value, told: &mut HashMap<String, String>) {
    let (id, state) = (print::text(&step["id"]), print::text(&step["state"]));
    let ask = step["ask"]["en"].as_str();
    let news = format!("{state} {} {}", step["attempts"], ask.is_some());
    if state == "waiting" || told.insert(id.clone(), news.clone()) == Some(news) {
        return;
    }
    let output = step["output"].as_str().filter(|output| !output.is_empty() && state != "running");
    let took = step["duration_seconds"].as_f64().filter(|_| state != "running");
    let took = took.map(|seconds| format!(" in {seconds:.1} s")).unwrap_or_default();
    eprintln!("{id}: {state}{took}{}", output.map(|output| format!(" ({output})")).unwrap_or_default());
    if let Some(remedy) = step["remedy"]["en"].as_str() {
        eprintln!("  {remedy}");
    }
    if let Some(ask) = ask {
        eprintln!("  {ask}\n  then: tvox-dr run ack {id} --note WHAT_WAS_DONE");
    }
}

fn list(report: &Value) {
    print::table(
        &["RUN", "STATE", "STEP", "STARTED", "ENDED", "BY", "REASON"],
        &print::rows(&report["runs"], &["id", "state", "step", "started_at", "ended_at", "started_by", "reason"]),
    );
}

fn show(run: &Value) {
    if run.is_null() {
        return print::line("there was no run yet");
    }
    print::line(&format!("{}: {}", print::text(&run["id"]), print::text(&run["state"])));
    for (label, key) in [
        ("Started by", "started_by"),
        ("Reason", "reason"),
        ("Started", "started_at"),
        ("Ended", "ended_at"),
        ("Point", "point"),
        ("Epoch", "epoch"),
        ("RTO s", "rto_seconds"),
        ("Phone s", "first_phone_rto_seconds"),
        ("Can abort", "can_abort"),
    ] {
        print::line(&format!("{:12}{}", format!("{label}:"), print::text(&run[key])));
    }
    let approval = &run["approval"];
    if !approval.is_null() {
        let told = [&approval["by"]["name"], &approval["reason"]].map(print::text).join("  ");
        let (state, until) = (print::text(&approval["state"]), print::text(&approval["until"]));
        print::line(&format!("Approval:   {state}  asked for until {until}  {told}"));
    }
    for machine in run["isolation"].as_array().into_iter().flatten() {
        print::line(&format!("Isolation:  {}", print::cells(machine, &["ip", "outcome", "attestation"]).join("  ")));
    }
    for loss in run["loss"].as_array().into_iter().flatten() {
        print::line(&format!(
            "RPO:        {}",
            print::cells(loss, &["dataset", "generation", "age_seconds", "skipped", "missing"]).join("  ")
        ));
    }
    super::telephony::of_run(&run["telephony"]);
    for made in run["ledger"]["datasets"].as_array().into_iter().flatten() {
        let counts = print::cells(made, &["dataset", "added", "changed", "removed"]);
        print::line(&format!("Ledger:     {}  +{} ~{} -{}", counts[0], counts[1], counts[2], counts[3]));
    }
    print::table(
        &["STEP", "STATE", "ATTEMPTS", "STARTED", "ENDED", "SECONDS", "OUTPUT"],
        &print::rows(
            &run["steps"],
            &["id", "state", "attempts", "started_at", "ended_at", "duration_seconds", "output"],
        ),
    );
    for group in run["groups"].as_array().into_iter().flatten() {
        let [name, done, of, took] = ["name", "done", "of", "duration_seconds"].map(|key| print::text(&group[key]));
        print::line(&format!("Group:      {name}  {done} of {of} done, {took} s"));
    }
    for step in steps(run).filter(|step| !step["remedy"].is_null()) {
        print::line(&format!("{}: {}", print::text(&step["id"]), print::text(&step["remedy"]["en"])));
    }
    for step in steps(run).filter(|step| !step["ask"].is_null()) {
        print::line(&format!("{} waits for a person: {}", print::text(&step["id"]), print::text(&step["ask"]["en"])));
    }
}
