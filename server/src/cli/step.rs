//! `tvox-dr step`: the customer's own steps of an activation.

use clap::{Args as ClapArgs, Subcommand};
use contract::own_step::{OwnStepForm, StepKind, WorkForm};
use contract::{Command, Denied, query};
use serde_json::Value;

use super::remote::Line;
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
}

/// A step. Which of the options belong to it depends on its kind.
#[derive(Debug, ClapArgs)]
pub struct StepArgs {
    /// Its name
    name: String,
    /// command or manual
    #[arg(long)]
    kind: String,
    /// before_services or after_services; the latter unless given
    #[arg(long, default_value = "", hide_default_value = true)]
    place: String,
    /// Its number: done in this order, undone in the reverse one; the last unless given
    #[arg(long, value_name = "N", default_value = "", hide_default_value = true)]
    order: String,
    /// How long one attempt may take, in seconds; 60 for what runs, 3600 for a person unless given
    #[arg(long, value_name = "S", default_value = "", hide_default_value = true)]
    limit: String,
    #[command(flatten)]
    work: WorkArgs,
}

/// What a step does.
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
}

/// Does what a verb says.
pub async fn run(line: &Line, verb: StepVerb) -> Result<Exit, Exit> {
    let command = match verb {
        StepVerb::List => return Ok(line.show(&line.ask(query::OwnSteps {}).await?, steps)),
        StepVerb::Remove { name } => Command::StepRemove { name },
        StepVerb::Move { name, to } => Command::StepMove { name, to },
        StepVerb::Add(args) => Command::StepAdd(form(line, *args)?),
    };
    line.tell(command).await.map(|_| Exit::Done)
}

fn form(line: &Line, args: StepArgs) -> Result<OwnStepForm, Exit> {
    let StepArgs { name, kind, place, order, limit, work } = args;
    let kind: StepKind = kind.parse().map_err(|problem| line.deny(&Denied::field("kind", problem)))?;
    Ok(OwnStepForm { name, place, order, limit, work: work.into_form(kind)? })
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
        };
        let left = [
            ("--run", self.run),
            ("--undo", self.undo),
            ("--check", self.check),
            ("--text-it", self.text_it),
            ("--text-en", self.text_en),
            ("--undo-it", self.undo_it),
            ("--undo-en", self.undo_en),
        ];
        match left.into_iter().find(|(_, given)| given.is_some()) {
            Some((option, _)) => {
                let kind = kind.as_str();
                Err(Exit::Usage.saying(format_args!("{option} does not belong to a step of kind {kind}")))
            }
            None => Ok(work),
        }
    }
}

fn take(option: &mut Option<String>) -> String {
    option.take().unwrap_or_default()
}

fn steps(report: &Value) {
    let rows = report["steps"].as_array().into_iter().flatten().map(|step| {
        let mut row = print::cells(step, &["place", "order", "name", "kind", "limit_seconds"]);
        let what = match step["kind"].as_str() {
            Some("manual") => &step["text"]["en"],
            _ => &step["run"],
        };
        // A text may be many lines; a table has one.
        row.push(print::text(what).replace('\n', " "));
        row.push(print::text(&(!step["undo"].is_null()).into()));
        row
    });
    print::table(&["PLACE", "ORDER", "STEP", "KIND", "LIMIT s", "WHAT", "UNDO"], &rows.collect::<Vec<_>>());
}
