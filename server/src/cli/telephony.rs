//! `tvox-dr telephony`: what proves after an activation that calls can be made here.

use clap::{Args as ClapArgs, Subcommand};
use contract::telephony::TelephonyForm;
use contract::{Command, query};
use serde_json::Value;

use super::Exit;
use super::print::{self, list, text};
use super::remote::Line;

/// The proof of the telephony.
#[derive(Debug, Subcommand)]
pub enum TelephonyVerb {
    /// What is set, and what is known at this moment
    Show,
    /// Set it; what is left out stays as it is, and an empty value takes it back
    Set(TelephonyArgs),
    /// Take all of it back
    Clear,
}

/// What is looked at.
#[derive(Debug, ClapArgs)]
#[group(required = true, multiple = true)]
pub struct TelephonyArgs {
    /// Where this machine answers calls once its services run
    #[arg(long, value_name = "HOST[:PORT][/tcp]")]
    sip: Option<String>,
    /// Where a carrier answers; may be repeated, replaces all
    #[arg(long, value_name = "HOST[:PORT][/tcp]")]
    trunk: Option<Vec<String>>,
    /// Prints the number of registered phones; run by /bin/sh -c
    #[arg(long, value_name = "CMD")]
    registrations: Option<String>,
    /// How many phones are expected; as many as were last counted while the Master served unless given
    #[arg(long, value_name = "N")]
    expected: Option<String>,
    /// How long the own SIP server may take to answer, in seconds; 30 unless given
    #[arg(long, value_name = "S")]
    limit: Option<String>,
}

/// Does what a verb says.
pub async fn run(line: &Line, verb: TelephonyVerb) -> Result<Exit, Exit> {
    let command = match verb {
        TelephonyVerb::Show => return Ok(line.show(&line.ask(query::Telephony {}).await?, words)),
        TelephonyVerb::Clear => Command::TelephonyClear,
        TelephonyVerb::Set(TelephonyArgs { sip, trunk, registrations, expected, limit }) => {
            Command::TelephonySet(TelephonyForm { sip, trunks: trunk, registrations, expected, limit })
        }
    };
    line.tell(command).await.map(|_| Exit::Done)
}

fn words(report: &Value) {
    print::line(&format!("SIP server:    {}", text(&report["sip"])));
    print::line(&format!("Trunks:        {}", text(&report["trunks"])));
    print::line(&format!("Registrations: {}", text(&report["registrations"])));
    print::line(&format!("Expected:      {}", text(&report["expected"])));
    print::line(&format!("Limit s:       {}", text(&report["limit_seconds"])));
    let now = &report["now"];
    heard(now);
    counted(now);
    if !now["trouble"].is_null() {
        print::line(&format!("Not counted:   {}", text(&now["trouble"])));
    }
}

/// What a run has found out; nothing where it has not looked.
pub fn of_run(telephony: &Value) {
    heard(telephony);
    if !telephony.is_null() {
        counted(telephony);
    }
}

fn heard(found: &Value) {
    for server in list(&found["trunks"]).chain(Some(&found["sip"]).filter(|sip| !sip.is_null())) {
        let word = if server["answered"] == true { "answers" } else { "DOES NOT ANSWER" };
        print::line(&format!("SIP:        {}  {word}  {}", text(&server["server"]), text(&server["detail"])));
    }
}

fn counted(found: &Value) {
    let (phones, expected) = (&found["phones"], &found["expected"]["count"]);
    let count = if phones.is_null() { &found["registered"] } else { &phones["count"] };
    if !count.is_null() || !expected.is_null() {
        let first = &phones["first_at"];
        print::line(&format!("Phones:     {} of {}, the first at {}", text(count), text(expected), text(first)));
    }
}
