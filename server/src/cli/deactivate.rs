//! `tvox-dr deactivate`: the service goes back to the Master without what was made on the DR.

use clap::Args as ClapArgs;
use contract::preflight::Release;
use contract::release::ReleaseReport;
use contract::{Command, Denied, Lang, NodeRole, Rule, query};
use serde_json::Value;

use super::preflight::{Word, in_blocks};
use super::remote::Line;
use super::{Exit, operate, print};

/// What an operator brings to roll back.
#[derive(Debug, ClapArgs)]
pub struct DeactivateArgs {
    #[command(flatten)]
    word: Word,
    /// Consent to discard what was made on the DR
    #[arg(long)]
    discard_dr_data: bool,
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
pub async fn run(line: &Line, args: DeactivateArgs) -> Result<Exit, Exit> {
    let release = Release {
        confirm_name: args.word.confirm_name,
        reason: args.word.reason,
        discard_dr_data: args.discard_dr_data,
        break_glass: args.break_glass,
        password: None,
    };
    if args.dry_run {
        return dry_run(line, release).await;
    }
    operate::warn_of_silence(line).await?;
    let outcome = line.tell(Command::Deactivate(release)).await?;
    operate::watch(line, outcome, !args.no_wait).await
}

/// 0 when the command would be obeyed, 3 when a guard says no.
async fn dry_run(line: &Line, release: Release) -> Result<Exit, Exit> {
    let status = line.ask(query::Status {}).await?;
    if status["node"]["role"] != NodeRole::Client.as_str() {
        let name = status["node"]["name"].as_str().unwrap_or_default();
        return Err(line.deny(&Denied::rule(Rule::RoleWrong, name, NodeRole::Master.label())));
    }
    let answer = line.ask(query::ReleaseDryRun { release }).await?;
    let report: ReleaseReport = serde_json::from_value(answer)
        .map_err(|error| Exit::failed(format_args!("the node's answer cannot be read: {error}")))?;
    let report = report.in_words(Lang::En);
    let printed = serde_json::to_value(&report).unwrap_or_default();
    if line.json {
        print::json(&printed);
    } else {
        words(&printed);
        for warning in &report.warnings {
            eprintln!("warning: {warning}");
        }
    }
    for finding in &report.blocked {
        eprintln!("refused: {finding}");
    }
    Ok(if report.allowed { Exit::Done } else { Exit::Refused })
}

fn words(report: &Value) {
    print::line(&format!("This command would be obeyed:   {}", print::text(&report["allowed"])));
    let made = &report["ledger"]["datasets"];
    print::table(
        &["MADE ON THE DR", "ADDED", "CHANGED", "REMOVED", "BYTES"],
        &print::rows(made, &["dataset", "added", "changed", "removed", "bytes"]),
    );
    print::line(&format!("Steps: {}", in_blocks(&report["steps"])));
}
