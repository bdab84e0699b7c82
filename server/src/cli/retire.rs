//! `tvox-dr peer retire`: the other site is lost for good. What it asks for is what a take of the service asks for.

use clap::Args as ClapArgs;
use contract::Command;
use contract::preflight::Take;

use super::preflight::Brought;
use super::remote::Line;
use super::{Exit, operate};

/// What an operator brings to declare the other site lost.
#[derive(Debug, ClapArgs)]
pub struct RetireArgs {
    /// The name of the machine on which the command runs
    #[arg(long, value_name = "NAME")]
    confirm_name: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Of a Master of two machines only this one, by name or IP; the other one goes on
    #[arg(long, value_name = "NAME")]
    member: Option<String>,
    #[command(flatten)]
    brought: Brought,
}

/// Declares it lost, and watches the run.
pub async fn retire(line: &Line, args: RetireArgs) -> Result<Exit, Exit> {
    let wait = !args.brought.no_wait;
    let take = args.brought.into_take(args.confirm_name, args.reason);
    let take = Take { member: args.member, ..take };
    let outcome = line.tell(Command::Retire(take)).await?;
    operate::watch(line, outcome, wait).await
}
