//! The verbs that talk to a node: each becomes one command or one question, and its answer is printed.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use contract::command::Secret;
use contract::query;
use contract::{Command, Denied, Lang, NodeRole, Outcome, Problem, SCHEMA};
use node::{DataDir, Init, SystemClock};
use serde_json::{Value, json};

use super::args::{
    AuditArgs, DatasetVerb, InitArgs, LicenceVerb, PeerVerb, RecipientVerb, RoleArg, SmsVerb, UserVerb, Verb,
};
use super::{
    Exit, alarm, approval, deactivate, delivery, drill, failback, gate, isolation, operate, preserved, print, retire,
    service, sibling, step, sync, telephony,
};
use crate::socket::{self, Request, Told};

/// Where a command line goes and how it answers.
#[derive(Debug)]
pub struct Line {
    /// The node's data directory.
    pub data: PathBuf,
    /// Print JSON.
    pub json: bool,
}

impl Line {
    /// Sends a command; the outcome, or the exit after saying why not.
    pub async fn tell(&self, command: Command) -> Result<Outcome, Exit> {
        match self.send(Request::Tell(Box::new(command))).await? {
            Told::Done(outcome) => Ok(outcome),
            Told::Answer(_) => Err(Exit::failed("the node answered a command with an answer to a question")),
            Told::Denied(denied) => Err(self.deny(&denied)),
        }
    }

    /// Sends a question; the answer, or the exit after saying why not.
    pub async fn ask(&self, question: impl Into<query::Query>) -> Result<Value, Exit> {
        match self.send(Request::Ask(Box::new(question.into()))).await? {
            Told::Answer(answer) => Ok(answer),
            Told::Done(_) => Err(Exit::failed("the node answered a question with an outcome")),
            Told::Denied(denied) => Err(self.deny(&denied)),
        }
    }

    async fn send(&self, request: Request) -> Result<Told, Exit> {
        socket::send(&self.data, &request).await.map_err(|error| {
            let dir = self.data.display();
            if !DataDir::name(&self.data).config().exists() {
                return Exit::Data.saying(format_args!("there is no node in {dir}; make one with `tvox-dr init`"));
            }
            match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => {
                    Exit::NotRunning
                        .saying(format_args!("the node in {dir} is not running; start it with `tvox-dr serve`"))
                }
                _ => Exit::failed(format_args!("the node in {dir} cannot be reached: {error}")),
            }
        })
    }

    /// Says why not: every rule on a line of its own, and as JSON where it was asked for.
    pub fn deny(&self, denied: &Denied) -> Exit {
        match denied {
            Denied::Invalid(errors) => {
                for error in errors {
                    eprintln!("tvox-dr: {}: {}", error.field, error.problem.text(Lang::En));
                }
                if self.json {
                    let list: Vec<Value> = errors
                        .iter()
                        .map(|error| json!({ "field": error.field, "message": error.problem.text(Lang::En) }))
                        .collect();
                    print::json(&json!({ "schema": SCHEMA, "invalid": list }));
                }
                Exit::Usage
            }
            Denied::Refused(list) => {
                let findings: Vec<_> = list.iter().map(|refused| refused.finding(Lang::En)).collect();
                for finding in &findings {
                    eprintln!("refused: {finding}");
                }
                if self.json {
                    print::json(&json!({ "schema": SCHEMA, "refused": findings }));
                }
                Exit::Refused
            }
            Denied::Failed(failure) => {
                if self.json {
                    print::json(&json!({ "schema": SCHEMA, "failed": failure }));
                }
                Exit::failed(format_args!("could not {}: {}", failure.attempt, failure.cause))
            }
        }
    }

    /// Prints an answer: as it came, or in words.
    pub fn show(&self, answer: &Value, words: fn(&Value)) -> Exit {
        if self.json {
            print::json(answer)
        } else {
            words(answer)
        }
        Exit::Done
    }
}

/// Makes a node.
pub async fn init(data: &Path, args: InitArgs, json: bool) -> Exit {
    let role = match args.role {
        RoleArg::Master => NodeRole::Master,
        RoleArg::Client => NodeRole::Client,
    };
    let init = Init {
        role,
        name: args.name,
        panel: args.panel,
        peer: args.peer,
        insecure_http: args.insecure_http,
        licence_key: args.licence_key,
    };
    let made = match init.run(data, &SystemClock).await {
        Ok(made) => made,
        Err(error) => return Exit::from(error),
    };
    let told = json!({
        "schema": SCHEMA, "name": made.name, "node_id": made.node_id, "user": made.user,
        "password": made.password.reveal(), "panel": made.panel, "fingerprint": made.fingerprint,
    });
    if json {
        print::json(&told);
    } else {
        print::initialised(&told);
    }
    Exit::Done
}

/// Does what a verb says at the node.
pub async fn run(line: &Line, verb: Verb) -> Exit {
    match dispatch(line, verb).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn dispatch(line: &Line, verb: Verb) -> Result<Exit, Exit> {
    Ok(match verb {
        Verb::Init(_) | Verb::Serve | Verb::Rescue { .. } => Exit::Usage,
        Verb::Status => line.show(&line.ask(query::Status {}).await?, print::status),
        Verb::User { verb } => return user(line, verb).await,
        Verb::Licence { verb } => return licence(line, verb).await,
        Verb::Peer { verb } => return peer(line, verb).await,
        Verb::Sibling { verb } => return sibling::sibling(line, verb).await,
        Verb::Recipient { verb } => {
            let channel = |typed: &str| typed.parse().map_err(|problem| line.deny(&Denied::field("channel", problem)));
            match verb {
                RecipientVerb::Language { language } => {
                    let unknown = || line.deny(&Denied::field("language", Problem::NotOneOf("it, en".into())));
                    let language = Lang::from_tag(&language).ok_or_else(unknown)?;
                    done(line.tell(Command::MessageLanguage { language }).await?)
                }
                RecipientVerb::List => line.show(&line.ask(query::Recipients {}).await?, print::recipients),
                RecipientVerb::Add { channel: typed, value } => {
                    done(line.tell(Command::RecipientAdd { channel: channel(&typed)?, value }).await?)
                }
                RecipientVerb::Remove { channel: typed, value } => {
                    done(line.tell(Command::RecipientRemove { channel: channel(&typed)?, value }).await?)
                }
            }
        }
        Verb::Dataset { verb } => match verb {
            DatasetVerb::List => line.show(&line.ask(query::Datasets {}).await?, print::datasets),
            DatasetVerb::Remove { name } => done(line.tell(Command::DatasetRemove { name }).await?),
            DatasetVerb::Add { name, kind, source, target, exclude, class, owners } => {
                let form =
                    contract::dataset::DatasetForm { name, kind, class, source, target, excludes: exclude, owners };
                done(line.tell(Command::DatasetAdd(form)).await?)
            }
        },
        Verb::Sync { verb } => return sync::run(line, verb).await,
        Verb::Smtp { verb } => return delivery::smtp(line, verb).await,
        Verb::Sms { verb: SmsVerb::Account { verb } } => return delivery::sms_account(line, verb).await,
        Verb::Threshold { verb } => return alarm::threshold(line, verb).await,
        Verb::Alarm { verb } => return alarm::alarm(line, verb).await,
        Verb::Gate { explain, verb } => return gate::gate(line, verb, explain).await,
        Verb::Approval { verb } => return approval::approval(line, verb).await,
        Verb::Isolation { verb } => return isolation::isolation(line, verb).await,
        Verb::Power { verb } => return isolation::power(line, verb).await,
        Verb::Service { verb } => return service::run(line, verb).await,
        Verb::Telephony { verb } => return telephony::run(line, verb).await,
        Verb::Preserved { verb } => return preserved::preserved(line, verb).await,
        Verb::Step { verb } => return step::run(line, verb).await,
        Verb::Activate(args) => return operate::activate(line, args).await,
        Verb::Takeover(args) => return operate::takeover(line, args).await,
        Verb::Deactivate(args) => return deactivate::run(line, args).await,
        Verb::Failback(args) => return failback::run(line, args).await,
        Verb::Suspend(args) => return operate::suspend(line, args).await,
        Verb::Drill(args) => return drill::drill(line, args).await,
        Verb::Settle(args) => return operate::settle(line, args).await,
        Verb::Run { verb } => return operate::run(line, verb).await,
        Verb::Audit(args) => return audit(line, &args).await,
    })
}

fn done(_: Outcome) -> Exit {
    Exit::Done
}

async fn user(line: &Line, verb: UserVerb) -> Result<Exit, Exit> {
    Ok(match verb {
        UserVerb::List => line.show(&line.ask(query::Users {}).await?, print::users),
        UserVerb::Remove { name } => done(line.tell(Command::UserRemove { name }).await?),
        UserVerb::Add { name, role, must_change } => {
            let password = secret()?;
            done(line.tell(Command::UserAdd { name, role, password, must_change }).await?)
        }
        UserVerb::Passwd { name, must_change } => {
            let password = secret()?;
            done(line.tell(Command::UserPassword { name, password, must_change }).await?)
        }
    })
}

async fn licence(line: &Line, verb: LicenceVerb) -> Result<Exit, Exit> {
    Ok(match verb {
        LicenceVerb::Keygen { .. } | LicenceVerb::Issue { .. } => Exit::Usage,
        LicenceVerb::Show => line.show(&line.ask(query::Licence {}).await?, print::licence),
        LicenceVerb::Remove => done(line.tell(Command::LicenceRemove).await?),
        LicenceVerb::Load { file } => {
            let unreadable = |error| Exit::Usage.saying(format_args!("{} cannot be read: {error}", file.display()));
            let text = String::from_utf8_lossy(&std::fs::read(&file).map_err(unreadable)?).into_owned();
            done(line.tell(Command::LicenceLoad { text }).await?)
        }
    })
}

async fn peer(line: &Line, verb: PeerVerb) -> Result<Exit, Exit> {
    Ok(match verb {
        PeerVerb::Set { address, members } => {
            done(line.tell(Command::PeerSet { address, members, email: None, sms: None, language: None }).await?)
        }
        PeerVerb::Show => line.show(&line.ask(query::Peer {}).await?, print::peer),
        PeerVerb::Forget => done(line.tell(Command::PeerForget).await?),
        PeerVerb::Retire(args) => return retire::retire(line, args).await,
        PeerVerb::Join { token } => {
            let token = if token == "-" { secret()? } else { Secret::new(token) };
            done(line.tell(Command::PeerJoin { token }).await?)
        }
        PeerVerb::Token => token(line).await?,
    })
}

/// Makes a join token and prints it, once.
pub async fn token(line: &Line) -> Result<Exit, Exit> {
    Ok(match line.tell(Command::PeerToken).await? {
        Outcome::Token(token) if line.json => {
            print::json(&serde_json::to_value(&token).unwrap_or_default());
            Exit::Done
        }
        Outcome::Token(token) => {
            print::line(&token.token);
            Exit::Done
        }
        other => Exit::failed(format_args!("the node answered {other:?}")),
    })
}

async fn audit(line: &Line, args: &AuditArgs) -> Result<Exit, Exit> {
    if args.verify {
        let verdict = line.ask(query::AuditVerify {}).await?;
        line.show(&verdict, print::audit_verdict);
        return Ok(if verdict["valid"] == true { Exit::Done } else { Exit::Failed });
    }
    let report = line.ask(query::Audit { since: args.since, last: None }).await?;
    if args.export {
        for entry in report["entries"].as_array().into_iter().flatten() {
            print::json(entry);
        }
        return Ok(Exit::Done);
    }
    Ok(line.show(&report, print::audit))
}

/// A secret from stdin: its first line. On a terminal it is asked for and not shown.
pub fn secret() -> Result<Secret, Exit> {
    let unreadable = |error: io::Error| Exit::Usage.saying(format_args!("stdin cannot be read: {error}"));
    let mut line = String::new();
    let stdin = io::stdin();
    let quiet = stdin.is_terminal().then(|| Quiet::begin("Password: ")).flatten();
    stdin.lock().take(64 * 1024).read_line(&mut line).map_err(unreadable)?;
    drop(quiet);
    let line = line.trim_end_matches(['\r', '\n']);
    if line.is_empty() {
        return Err(Exit::Usage.saying(format_args!("stdin: {}", Problem::Required.text(Lang::En))));
    }
    Ok(Secret::new(line))
}

/// A terminal that does not show what is typed, until dropped.
struct Quiet(rustix::termios::Termios);

impl Quiet {
    fn begin(prompt: &str) -> Option<Self> {
        let before = rustix::termios::tcgetattr(io::stdin()).ok()?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(rustix::termios::LocalModes::ECHO);
        rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Flush, &quiet).ok()?;
        eprint!("{prompt}");
        Some(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Flush, &self.0);
        eprintln!();
    }
}
