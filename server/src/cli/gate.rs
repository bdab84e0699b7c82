//! `tvox-dr gate`: whether this machine may serve after a boot, and what happens when nobody can be asked.

use clap::Subcommand;
use contract::{Command, query};
use serde_json::Value;

use super::Exit;
use super::print::{self, text};
use super::remote::Line;

/// The return gate.
#[derive(Debug, Subcommand)]
pub enum GateVerb {
    /// How it stands, and who was asked
    Show,
    /// Choose what happens when the other machine does not answer
    Set {
        /// strict: wait for an operator; unverified: open after the wait, with an alarm
        #[arg(long)]
        policy: String,
        /// Seconds of silence before an unverified opening
        #[arg(long, value_name = "S", default_value = "", hide_default_value = true)]
        wait: String,
    },
}

/// Does what a gate verb says.
pub async fn gate(line: &Line, verb: GateVerb) -> Result<Exit, Exit> {
    match verb {
        GateVerb::Show => Ok(line.show(&line.ask(query::Gate {}).await?, words)),
        GateVerb::Set { policy, wait } => line.tell(Command::GateSet { policy, wait }).await.map(|_| Exit::Done),
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
