//! `tvox-dr smtp` and `tvox-dr sms`: by which ways messages leave, and whether they arrive.

use std::path::Path;

use contract::sms::SmsForm;
use contract::smtp::SmtpForm;
use contract::{Command, Outcome, SCHEMA, query};
use serde_json::{Value, json};

use super::args::{SmsAccountVerb, SmtpVerb};
use super::remote::{Line, secret};
use super::{Exit, print};

/// Does what a verb about the mail server says.
pub async fn smtp(line: &Line, verb: SmtpVerb) -> Result<Exit, Exit> {
    let command = match verb {
        SmtpVerb::Show => {
            let report = line.ask(query::Smtp {}).await?;
            return Ok(line.show(&report, mail_server));
        }
        SmtpVerb::Test { to } => Command::SmtpTest { to },
        SmtpVerb::Set { server, port, security, from, user, password_stdin, ca } => {
            let ca = certificate(ca.as_deref())?;
            let password = password_stdin.then(secret).transpose()?;
            Command::SmtpSet(SmtpForm { server, port, security, from, user, password, ca })
        }
    };
    line.tell(command).await.map(|outcome| done(line, &outcome))
}

/// Does what a verb about SMS accounts says.
pub async fn sms_account(line: &Line, verb: SmsAccountVerb) -> Result<Exit, Exit> {
    let command = match verb {
        SmsAccountVerb::List => {
            let report = line.ask(query::Sms {}).await?;
            return Ok(line.show(&report, sms_accounts));
        }
        SmsAccountVerb::Remove { name } => Command::SmsAccountRemove { name },
        SmsAccountVerb::Default { name } => Command::SmsAccountDefault { name },
        SmsAccountVerb::Test { name, to } => Command::SmsTest { name: Some(name), to },
        SmsAccountVerb::Add { name, url, method, header, body, success_status, success_body, secret_stdin, ca } => {
            let ca = certificate(ca.as_deref())?;
            let secret = secret_stdin.then(secret).transpose()?;
            let headers = header;
            Command::SmsAccountAdd(SmsForm {
                name,
                url,
                method,
                headers,
                body,
                success_status,
                success_body,
                secret,
                ca,
                new: false,
            })
        }
    };
    line.tell(command).await.map(|outcome| done(line, &outcome))
}

/// A certificate from a file; empty without one.
pub(super) fn certificate(file: Option<&Path>) -> Result<String, Exit> {
    let Some(file) = file else { return Ok(String::new()) };
    let unreadable = |error| Exit::Usage.saying(format_args!("{} cannot be read: {error}", file.display()));
    Ok(String::from_utf8_lossy(&std::fs::read(file).map_err(unreadable)?).into_owned())
}

/// Says what the other end said to a test.
fn done(line: &Line, outcome: &Outcome) -> Exit {
    match outcome {
        Outcome::Answered { words } if line.json => print::json(&json!({ "schema": SCHEMA, "answer": words })),
        Outcome::Answered { words } => print::line(words),
        _ => {}
    }
    Exit::Done
}

fn mail_server(report: &Value) {
    let smtp = &report["smtp"];
    if smtp.is_null() {
        print::line("No mail server is set.");
        return;
    }
    let password = if report["has_password"] == true { "stored" } else { "none" };
    for (name, value) in [
        ("Server:  ", format!("{}:{}", print::text(&smtp["server"]), print::text(&smtp["port"]))),
        ("Security:", print::text(&smtp["security"])),
        ("Sender:  ", print::text(&smtp["from"])),
        ("User:    ", print::text(&smtp["user"])),
        ("Password:", password.to_owned()),
        ("CA:      ", if smtp["ca"].is_null() { "the system's" } else { "its own" }.to_owned()),
    ] {
        print::line(&format!("{name} {value}"));
    }
}

fn sms_accounts(report: &Value) {
    let keys = ["name", "default", "method", "url", "has_secret"];
    print::table(&["ACCOUNT", "DEFAULT", "METHOD", "URL", "SECRET"], &print::rows(&report["accounts"], &keys));
}
