//! `tvox-dr step`: the customer's own steps of an activation.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use contract::own_step::{DnsForm, GroupOrder, HttpForm, OwnStepForm, StepGroup, StepKind, WorkForm};
use contract::{Command, Denied, query};
use serde_json::Value;

use super::delivery::certificate;
use super::remote::{Line, secret};
use super::{Exit, print};

/// The customer's own steps.
#[derive(Debug, Subcommand)]
pub enum StepVerb {
    /// Declare one, or replace the one of that name
    Add(Box<StepArgs>),
    /// Which there are, in the order in which they are done
    List,
    /// Take a declaration back; a run that is open keeps it
    Remove {
        /// Its name
        name: String,
    },
    /// Move one: up, down, or to a number in the order
    Move {
        /// Its name
        name: String,
        /// up, down or a number
        to: String,
    },
    /// A whole group of them
    #[command(subcommand)]
    Group(GroupVerb),
}

/// What can be done with a group.
#[derive(Debug, Subcommand)]
pub enum GroupVerb {
    /// Take its steps again
    On {
        /// Its name
        name: String,
    },
    /// Leave its steps out of the next runs; a run that is open, and its roll back, keep them
    Off {
        /// Its name
        name: String,
    },
    /// Move it past what stands before or behind it, or to the end of the other place
    Move {
        /// Its name
        name: String,
        /// up, down, before_services or after_services
        to: String,
    },
}

/// A step. Which of the options belong to it depends on its kind.
#[derive(Debug, ClapArgs)]
pub struct StepArgs {
    /// Its name
    name: String,
    /// command, manual, dns, http or wait
    #[arg(long)]
    kind: String,
    /// before_services or after_services; unless given where its group stands, or it stood itself, or else the latter
    #[arg(long, default_value = "", hide_default_value = true)]
    place: String,
    /// The group in which it stands, as people read it; the one in which it stood unless given
    #[arg(long, value_name = "TEXT")]
    group: Option<String>,
    /// It stands in no group
    #[arg(long, conflicts_with = "group")]
    no_group: bool,
    /// Its number: done in this order, undone in the reverse one; the last unless given
    #[arg(long, value_name = "N", default_value = "", hide_default_value = true)]
    order: String,
    /// How long one attempt may take, in seconds; 60 unless given, 3600 for a person, 300 for a wait
    #[arg(long, value_name = "S", default_value = "", hide_default_value = true)]
    limit: String,
    /// dns, http: read the key or the secret from stdin; without it the stored one is kept
    #[arg(long)]
    secret_stdin: bool,
    #[command(flatten)]
    work: WorkArgs,
}

/// What a step does. `undo_*` is done at the roll back.
#[derive(Debug, ClapArgs)]
struct WorkArgs {
    /// command: does it; run by /bin/sh -c
    #[arg(long, value_name = "CMD")]
    run: Option<String>,
    /// command: takes it back at the roll back
    #[arg(long, value_name = "CMD")]
    undo: Option<String>,
    /// command: exits 0 exactly while it is in effect
    #[arg(long, value_name = "CMD")]
    check: Option<String>,
    /// manual: what a person is to do, in Italian; one language stands for the other
    #[arg(long, value_name = "TEXT")]
    text_it: Option<String>,
    /// manual: the same in English
    #[arg(long, value_name = "TEXT")]
    text_en: Option<String>,
    /// manual: what to do at the roll back, in Italian
    #[arg(long, value_name = "TEXT")]
    undo_it: Option<String>,
    /// manual: the same in English
    #[arg(long, value_name = "TEXT")]
    undo_en: Option<String>,
    /// dns: the zone
    #[arg(long)]
    zone: Option<String>,
    /// dns: the record's full name
    #[arg(long, value_name = "NAME")]
    record: Option<String>,
    /// dns: A, AAAA, CNAME or SRV; A unless given
    #[arg(long = "type", value_name = "TYPE")]
    record_type: Option<String>,
    /// dns: a value before; may be repeated
    #[arg(long, value_name = "VALUE")]
    old: Vec<String>,
    /// dns: a value after; may be repeated
    #[arg(long, value_name = "VALUE")]
    new: Vec<String>,
    /// dns: seconds; 60 unless given
    #[arg(long, value_name = "S")]
    ttl: Option<String>,
    /// dns: a server that takes the update; may be repeated
    #[arg(long, value_name = "IP[:PORT]")]
    server: Vec<String>,
    /// dns: the TSIG key's name
    #[arg(long, value_name = "NAME")]
    key_name: Option<String>,
    /// dns: hmac-sha256, hmac-sha384 or hmac-sha512; the first unless given
    #[arg(long, value_name = "NAME")]
    key_algorithm: Option<String>,
    /// http: where to
    #[arg(long)]
    url: Option<String>,
    /// http: POST, PUT, PATCH, DELETE or GET; POST unless given
    #[arg(long)]
    method: Option<String>,
    /// http: what is sent
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,
    /// http: what is called at the roll back
    #[arg(long, value_name = "URL")]
    undo_url: Option<String>,
    /// http: by which method
    #[arg(long, value_name = "METHOD")]
    undo_method: Option<String>,
    /// http: what is sent then
    #[arg(long, value_name = "TEXT")]
    undo_body: Option<String>,
    /// http: a GET of it succeeds exactly while it is in effect
    #[arg(long, value_name = "URL")]
    check_url: Option<String>,
    /// http: 'Name: value', {secret} stands for the secret; may be repeated
    #[arg(long, value_name = "HEADER")]
    header: Vec<String>,
    /// http: the status that means success; 200-299 unless given
    #[arg(long, value_name = "RANGE")]
    success_status: Option<String>,
    /// http: the authority that signed its certificate, as PEM; the system's unless given
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// http: SHA-256 of the only certificate that is taken
    #[arg(long, value_name = "HEX")]
    pin: Option<String>,
    /// wait: until it takes a TCP connection
    #[arg(long, value_name = "HOST:PORT")]
    tcp: Option<String>,
    /// wait: until it answers SIP
    #[arg(long, value_name = "HOST[:PORT][/tcp]")]
    sip: Option<String>,
    /// wait: until so many phones have registered, as `telephony` counts them
    #[arg(long, value_name = "N")]
    registrations: Option<String>,
}

/// Does what a verb says.
pub async fn run(line: &Line, verb: StepVerb) -> Result<Exit, Exit> {
    let command = match verb {
        StepVerb::List => return Ok(line.show(&line.ask(query::OwnSteps {}).await?, steps)),
        StepVerb::Remove { name } => Command::StepRemove { name },
        StepVerb::Move { name, to } => Command::StepMove { name, to },
        StepVerb::Group(verb) => {
            let (name, order) = match verb {
                GroupVerb::On { name } => (name, GroupOrder::On),
                GroupVerb::Off { name } => (name, GroupOrder::Off),
                GroupVerb::Move { name, to } => (name, GroupOrder::Move { to }),
            };
            Command::StepGroup(StepGroup { name, order })
        }
        StepVerb::Add(args) => Command::StepAdd(form(line, *args)?),
    };
    line.tell(command).await.map(|_| Exit::Done)
}

fn form(line: &Line, args: StepArgs) -> Result<OwnStepForm, Exit> {
    let StepArgs { name, kind, place, group, no_group, order, limit, secret_stdin, work } = args;
    let kind: StepKind = kind.parse().map_err(|problem| line.deny(&Denied::field("kind", problem)))?;
    let work = work.into_form(kind)?;
    let group = if no_group { Some(String::new()) } else { group };
    let secret = secret_stdin.then(secret).transpose()?;
    Ok(OwnStepForm { name, place, group, order, limit, secret, work })
}

impl WorkArgs {
    /// Takes what belongs to the kind; an option of another kind would be lost, and is refused instead.
    fn into_form(mut self, kind: StepKind) -> Result<WorkForm, Exit> {
        let work = match kind {
            StepKind::Command => {
                WorkForm::Command { run: take(&mut self.run), undo: take(&mut self.undo), check: take(&mut self.check) }
            }
            StepKind::Manual => WorkForm::Manual {
                text_it: take(&mut self.text_it),
                text_en: take(&mut self.text_en),
                undo_it: take(&mut self.undo_it),
                undo_en: take(&mut self.undo_en),
            },
            StepKind::Dns => WorkForm::Dns(DnsForm {
                zone: take(&mut self.zone),
                record: take(&mut self.record),
                record_type: take(&mut self.record_type),
                old: join(&mut self.old),
                new: join(&mut self.new),
                ttl: take(&mut self.ttl),
                servers: join(&mut self.server),
                key_name: take(&mut self.key_name),
                key_algorithm: take(&mut self.key_algorithm),
            }),
            StepKind::Http => WorkForm::Http(HttpForm {
                method: take(&mut self.method),
                url: take(&mut self.url),
                body: take(&mut self.body),
                undo_method: take(&mut self.undo_method),
                undo_url: take(&mut self.undo_url),
                undo_body: take(&mut self.undo_body),
                check_url: take(&mut self.check_url),
                headers: join(&mut self.header),
                success_status: take(&mut self.success_status),
                ca: certificate(self.ca.take().as_deref())?,
                pin: take(&mut self.pin),
            }),
            StepKind::Wait => WorkForm::Wait {
                tcp: take(&mut self.tcp),
                sip: take(&mut self.sip),
                registrations: take(&mut self.registrations),
            },
        };
        match self.left() {
            Some(option) => {
                let kind = kind.as_str();
                Err(Exit::Usage.saying(format_args!("{option} does not belong to a step of kind {kind}")))
            }
            None => Ok(work),
        }
    }

    /// The first option that nobody has taken.
    fn left(&self) -> Option<&'static str> {
        let given = [
            ("--run", self.run.is_some()),
            ("--undo", self.undo.is_some()),
            ("--check", self.check.is_some()),
            ("--text-it", self.text_it.is_some()),
            ("--text-en", self.text_en.is_some()),
            ("--undo-it", self.undo_it.is_some()),
            ("--undo-en", self.undo_en.is_some()),
            ("--zone", self.zone.is_some()),
            ("--record", self.record.is_some()),
            ("--type", self.record_type.is_some()),
            ("--old", !self.old.is_empty()),
            ("--new", !self.new.is_empty()),
            ("--ttl", self.ttl.is_some()),
            ("--server", !self.server.is_empty()),
            ("--key-name", self.key_name.is_some()),
            ("--key-algorithm", self.key_algorithm.is_some()),
            ("--url", self.url.is_some()),
            ("--method", self.method.is_some()),
            ("--body", self.body.is_some()),
            ("--undo-url", self.undo_url.is_some()),
            ("--undo-method", self.undo_method.is_some()),
            ("--undo-body", self.undo_body.is_some()),
            ("--check-url", self.check_url.is_some()),
            ("--header", !self.header.is_empty()),
            ("--success-status", self.success_status.is_some()),
            ("--ca", self.ca.is_some()),
            ("--pin", self.pin.is_some()),
            ("--tcp", self.tcp.is_some()),
            ("--sip", self.sip.is_some()),
            ("--registrations", self.registrations.is_some()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(option, _)| option)
    }
}

fn take(option: &mut Option<String>) -> String {
    option.take().unwrap_or_default()
}

fn join(values: &mut Vec<String>) -> String {
    std::mem::take(values).join("\n")
}

fn steps(report: &Value) {
    let rows = report["steps"].as_array().into_iter().flatten().map(|step| {
        let mut row = print::cells(step, &["place", "group", "order", "name", "kind", "limit_seconds"]);
        if step["off"] == true {
            row[1].push_str(" (off)");
        }
        // A text may be many lines; a table has one.
        row.push(what(step).replace('\n', " "));
        let undone = step["kind"] == "dns" || !step["undo"].is_null();
        row.push(print::text(&undone.into()));
        row
    });
    print::table(&["PLACE", "GROUP", "ORDER", "STEP", "KIND", "LIMIT s", "WHAT", "UNDO"], &rows.collect::<Vec<_>>());
}

/// What a step does, in short.
fn what(step: &Value) -> String {
    let text = |key: &str| print::text(&step[key]);
    match step["kind"].as_str().unwrap_or_default() {
        "manual" => print::text(&step["text"]["en"]),
        "dns" => {
            let set = |key: &str| {
                let values = step[key].as_array().into_iter().flatten();
                values.map(print::text).collect::<Vec<_>>().join(", ")
            };
            format!("{} {}: {} -> {}", text("record"), text("type"), set("old"), set("new"))
        }
        "http" => format!("{} {}", text("method"), text("url")),
        "wait" => {
            let waits = [("tcp", ""), ("sip", "sip:"), ("registrations", "registrations >= ")];
            let (key, word) = waits.into_iter().find(|(key, _)| !step[*key].is_null()).unwrap_or(waits[0]);
            format!("{word}{}", text(key))
        }
        _ => text("run"),
    }
}
