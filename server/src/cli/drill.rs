//! `tvox-dr drill`: an activation is tried, and nothing changes by it.

use clap::Args as ClapArgs;
use contract::Command;

use super::remote::Line;
use super::{Exit, operate};

/// What an operator brings to a drill.
#[derive(Debug, ClapArgs)]
pub struct DrillArgs {
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Do not wait for its end
    #[arg(long)]
    no_wait: bool,
}

/// Begins it, and watches the run.
pub async fn drill(line: &Line, args: DrillArgs) -> Result<Exit, Exit> {
    let outcome = line.tell(Command::Drill { reason: args.reason }).await?;
    operate::watch(line, outcome, !args.no_wait).await
}
