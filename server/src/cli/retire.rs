//! `tvox-dr peer retire`: the other site is lost for good. What it asks for is what a take of the service asks for.

use clap::Args as ClapArgs;
use contract::Command;
use contract::preflight::Take;

use super::remote::Line;
use super::{Exit, operate, preflight};

/// What an operator brings to declare the other site lost.
#[derive(Debug, ClapArgs)]
pub struct RetireArgs {
    /// The name of the machine on which the command runs
    #[arg(long, value_name = "NAME")]
    confirm_name: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who saw that machine off, and how; once for each machine of the other site
    #[arg(long, value_name = "IP=TEXT")]
    attest: Vec<String>,
    /// Consent to lose what the dry run of activate or takeover lists, where the service is taken by it
    #[arg(long)]
    accept_data_loss: bool,
    /// Pass a guard, saying why; may be repeated
    #[arg(long = "override", value_name = "RULE[@SUBJECT]=REASON")]
    overrides: Vec<String>,
    /// Switch this machine of the other site off on the way, before the evidence; may be repeated
    #[arg(long, value_name = "IP")]
    power_off: Vec<String>,
    /// Why it cannot wait for a second person, where one is wanted; an alarm tells everybody
    #[arg(long, value_name = "REASON")]
    break_glass: Option<String>,
    /// Return at once instead of when it is done or stuck
    #[arg(long)]
    no_wait: bool,
}

/// Declares it lost, and watches the run.
pub async fn retire(line: &Line, args: RetireArgs) -> Result<Exit, Exit> {
    let take = Take {
        confirm_name: args.confirm_name,
        reason: args.reason,
        attest: args.attest.iter().map(|typed| preflight::attestation(typed)).collect(),
        accept_data_loss: args.accept_data_loss,
        overrides: args.overrides.iter().map(|typed| preflight::passed(typed)).collect(),
        power_off: args.power_off,
        break_glass: args.break_glass,
        ..Take::default()
    };
    let outcome = line.tell(Command::Retire(take)).await?;
    operate::watch(line, outcome, !args.no_wait).await
}
