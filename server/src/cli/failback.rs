//! `tvox-dr failback`: the service goes back to the Master, and what was made on the DR travels along.

use clap::Args as ClapArgs;
use contract::failback::{Failback, FailbackReport};
use contract::{Command, Denied, Lang, NodeRole, Rule, query};
use serde_json::Value;

use super::preflight::Word;
use super::remote::Line;
use super::{Exit, operate, print};

/// What an operator brings.
#[derive(Debug, ClapArgs)]
pub struct FailbackArgs {
    #[command(flatten)]
    word: Word,
    /// Leave the Master what it has of this dataset; may be repeated
    #[arg(long, value_name = "DATASET")]
    discard: Vec<String>,
    /// Consent to discard what was made on the DR in those
    #[arg(long)]
    discard_dr_data: bool,
    /// Consent to replace what the Master wrote last and the DR never had
    #[arg(long)]
    accept_data_loss: bool,
    /// Of a Master of two machines the one that takes the data in, by name or IP; else the one with the node IP, or one that answers
    #[arg(long, value_name = "NAME")]
    member: Option<String>,
    /// Why it cannot wait for a second person, where one is wanted; an alarm tells everybody
    #[arg(long, value_name = "REASON")]
    break_glass: Option<String>,
    /// Return at once instead of when it is done or stuck
    #[arg(long)]
    no_wait: bool,
    /// Change nothing; say what would happen
    #[arg(long)]
    dry_run: bool,
}

/// Begins one and follows it, or says what it would do.
pub async fn run(line: &Line, args: FailbackArgs) -> Result<Exit, Exit> {
    let failback = Failback {
        confirm_name: args.word.confirm_name,
        reason: args.word.reason,
        discard: args.discard,
        discard_dr_data: args.discard_dr_data,
        accept_data_loss: args.accept_data_loss,
        member: args.member,
        break_glass: args.break_glass,
        password: None,
    };
    if args.dry_run {
        return dry_run(line, failback).await;
    }
    let outcome = line.tell(Command::Failback(failback)).await?;
    operate::watch(line, outcome, !args.no_wait).await
}

/// 0 when the command would be obeyed, 3 when a guard says no.
async fn dry_run(line: &Line, failback: Failback) -> Result<Exit, Exit> {
    let status = line.ask(query::Status {}).await?;
    if status["node"]["role"] != NodeRole::Client.as_str() {
        let name = status["node"]["name"].as_str().unwrap_or_default();
        return Err(line.deny(&Denied::rule(Rule::RoleWrong, name, NodeRole::Master.label())));
    }
    let answer = line.ask(query::FailbackDryRun { failback }).await?;
    let report: FailbackReport = serde_json::from_value(answer)
        .map_err(|error| Exit::failed(format_args!("the node's answer cannot be read: {error}")))?;
    let report = report.in_words(Lang::En);
    let printed = serde_json::to_value(&report).unwrap_or_default();
    if line.json {
        print::json(&printed);
    } else {
        words(&printed);
    }
    for finding in &report.blocked {
        eprintln!("refused: {finding}");
    }
    Ok(if report.allowed { Exit::Done } else { Exit::Refused })
}

fn words(report: &Value) {
    print::line(&format!("This command would be obeyed:   {}", print::text(&report["allowed"])));
    if !report["member"].is_null() {
        print::line(&format!("The data goes to:               {}", print::text(&report["member"])));
    }
    print::line(&format!("Needed on the Master, in bytes: {}", print::text(&report["needed_bytes"])));
    print::line(&format!("Free on the Master, in bytes:   {}", print::text(&report["free_bytes"])));
    let row = |dataset: &Value| {
        let made = &dataset["ledger"];
        let counts = if made.is_null() {
            "-".to_owned()
        } else {
            let counts = print::cells(made, &["added", "changed", "removed"]);
            format!("+{} ~{} -{}", counts[0], counts[1], counts[2])
        };
        let mut row = print::cells(dataset, &["dataset", "choice", "tail"]);
        row.push(counts);
        row
    };
    let rows: Vec<Vec<String>> = report["datasets"].as_array().into_iter().flatten().map(row).collect();
    print::table(&["DATASET", "CHOICE", "MASTER'S TAIL", "MADE ON THE DR"], &rows);
    let steps = report["steps"].as_array().into_iter().flatten();
    let steps: Vec<String> = steps.map(|step| print::text(&step["id"])).collect();
    print::line(&format!("Steps: {}", steps.join(" → ")));
}
