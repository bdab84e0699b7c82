//! `tvox-dr sibling`: the other machine of a Master's cluster.

use contract::command::{Secret, SiblingForm};
use contract::{Command, query};
use serde_json::{Value, json};

use super::args::SiblingVerb;
use super::remote::{Line, secret, token};
use super::{Exit, print};

/// Does what the verb says.
pub async fn sibling(line: &Line, verb: SiblingVerb) -> Result<Exit, Exit> {
    match verb {
        SiblingVerb::Set { address, node_ip, check } => {
            line.tell(Command::SiblingSet(SiblingForm { address, node_ip, check })).await?;
        }
        SiblingVerb::Token => return token(line).await,
        SiblingVerb::Join { token } => {
            let token = if token == "-" { secret()? } else { Secret::new(token) };
            line.tell(Command::SiblingJoin { token }).await?;
        }
        SiblingVerb::Show => {
            let status = line.ask(query::Status {}).await?;
            let report = json!({ "schema": contract::SCHEMA, "cluster": status["pair"]["cluster"] });
            return Ok(line.show(&report, show));
        }
        SiblingVerb::Forget => {
            line.tell(Command::SiblingForget).await?;
        }
    }
    Ok(Exit::Done)
}

fn show(report: &Value) {
    print::cluster(&report["cluster"]);
}
