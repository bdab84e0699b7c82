//! The customer's own steps: what else belongs to an activation on this site (a carrier that is called, a record that is
//! switched, a script of the house), and how it is taken back at the roll back.
//!
//! Every step has something to do, optionally an undo, a postcondition where one can be observed, and a limit. At an
//! activation (and at a take-over of the Master) they are done in order; at a roll back those that have an undo are undone
//! in exactly the reverse order.

mod dns;
mod http;
mod wait;

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::command::Secret;
use crate::field::{FieldError, Problem};
use crate::lang::{Lang, Text};
use crate::name;

pub use dns::{DNS_TTL, DNS_TTL_LONG, DNS_TYPES, DnsForm, DnsWork, TSIG_ALGORITHMS, TsigKey};
pub use http::{HTTP_METHODS, HttpCall, HttpForm, HttpWork, SECRET};
pub use wait::WaitWork;

/// Where in a run the steps stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The mandate is written and the data is writable; no service runs yet.
    BeforeServices,
    /// The services were verified.
    AfterServices,
}

impl Place {
    /// Both, in the order of a run.
    pub const ALL: [Self; 2] = [Self::BeforeServices, Self::AfterServices];

    /// The word in commands and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BeforeServices => "before_services",
            Self::AfterServices => "after_services",
        }
    }

    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::BeforeServices => lang.pick("Prima dei servizi", "Before the services"),
            Self::AfterServices => lang.pick("Dopo i servizi", "After the services"),
        }
    }
}

impl FromStr for Place {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let known = Self::ALL.into_iter().find(|place| place.as_str() == text);
        known.ok_or(Problem::NotOneOf("before_services, after_services".into()))
    }
}

/// What sort of step it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepKind {
    /// A shell command.
    Command,
    /// Something that a person does.
    Manual,
    /// A DNS record that is switched.
    Dns,
    /// A URL that is called.
    Http,
    /// Somebody who is waited for.
    Wait,
}

impl StepKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Command, Self::Manual, Self::Dns, Self::Http, Self::Wait];

    /// The word in commands and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Manual => "manual",
            Self::Dns => "dns",
            Self::Http => "http",
            Self::Wait => "wait",
        }
    }

    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Command => lang.pick("Comando", "Command"),
            Self::Manual => lang.pick("A mano", "By hand"),
            Self::Dns => lang.pick("Record DNS", "DNS record"),
            Self::Http => lang.pick("Chiamata HTTP", "HTTP call"),
            Self::Wait => lang.pick("Attesa", "Wait"),
        }
    }

    /// How long one attempt may take unless something else is said, in seconds.
    #[must_use]
    pub const fn default_limit(self) -> u32 {
        match self {
            Self::Command | Self::Dns | Self::Http => 60,
            Self::Wait => 300,
            // Somebody has to be called, and to call back.
            Self::Manual => 3600,
        }
    }
}

impl FromStr for StepKind {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let words = || Self::ALL.map(Self::as_str).join(", ");
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| Problem::NotOneOf(words().into()))
    }
}

/// Least and greatest time limit, in seconds.
pub const STEP_LIMIT_RANGE: (u32, u32) = (1, 86_400);
/// Greatest number in the order.
pub const STEP_ORDER_MAX: u32 = 10_000;
/// Longest text for a person, in characters.
pub const STEP_TEXT_MAX: u32 = 2_000;

/// One step as declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnStep {
    /// Its name, unique on the machine.
    pub name: String,
    /// Before or after the services.
    pub place: Place,
    /// Done in this order among those of its place, undone in the reverse one; equal numbers by name.
    pub order: u32,
    /// How long one attempt may take, in seconds.
    pub limit_seconds: u32,
    /// Whether a secret is stored for it.
    #[serde(default)]
    pub has_secret: bool,
    /// What is done.
    #[serde(flatten)]
    pub work: Work,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Work {
    /// Shell commands (`/bin/sh -c`).
    Command(CommandWork),
    /// Something that a person does and acknowledges.
    Manual(ManualWork),
    /// A DNS record.
    Dns(DnsWork),
    /// A URL.
    Http(HttpWork),
    /// Somebody who is to answer, or phones that are to come.
    Wait(WaitWork),
}

/// What a command step runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandWork {
    /// Does it. Without a check it is done when this has exited with 0.
    pub run: String,
    /// Takes it back.
    pub undo: Option<String>,
    /// Exits 0 exactly while what `run` does is in effect.
    pub check: Option<String>,
}

/// What a person is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManualWork {
    /// To do it.
    pub text: Text,
    /// To take it back.
    pub undo: Option<Text>,
}

impl Work {
    /// What sort it is.
    #[must_use]
    pub const fn kind(&self) -> StepKind {
        match self {
            Self::Command(_) => StepKind::Command,
            Self::Manual(_) => StepKind::Manual,
            Self::Dns(_) => StepKind::Dns,
            Self::Http(_) => StepKind::Http,
            Self::Wait(_) => StepKind::Wait,
        }
    }

    /// Whether a roll back has something to undo.
    #[must_use]
    pub const fn has_undo(&self) -> bool {
        match self {
            Self::Command(command) => command.undo.is_some(),
            Self::Manual(manual) => manual.undo.is_some(),
            Self::Dns(_) => true,
            Self::Http(http) => http.undo.is_some(),
            Self::Wait(_) => false,
        }
    }

    /// Whether it needs a secret.
    #[must_use]
    pub fn wants_secret(&self) -> bool {
        match self {
            Self::Dns(dns) => dns.key.is_some(),
            Self::Http(http) => http.wants_secret(),
            Self::Command(_) | Self::Manual(_) | Self::Wait(_) => false,
        }
    }

    /// Whether a secret that was stored for the other one may be used for this one: it goes to the same servers, or is the
    /// key of the same name.
    #[must_use]
    pub fn keeps_secret_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dns(one), Self::Dns(other)) => one.key == other.key,
            (Self::Http(one), Self::Http(other)) => one.servers() == other.servers(),
            _ => false,
        }
    }
}

/// A step as typed, before it is checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnStepForm {
    /// Its name.
    pub name: String,
    /// `before_services` or `after_services`; empty for the latter.
    pub place: String,
    /// Its number; empty for the end.
    pub order: String,
    /// Seconds; empty for the default of its kind.
    pub limit: String,
    /// `None` leaves the one that is stored.
    pub secret: Option<Secret>,
    /// What it does.
    pub work: WorkForm,
}

/// What a step does, as typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkForm {
    /// Shell commands.
    Command {
        /// Does it.
        run: String,
        /// Takes it back; may be empty.
        undo: String,
        /// Tells whether it is in effect; may be empty.
        check: String,
    },
    /// Something that a person does. One language is enough: it stands for the other, too.
    Manual {
        /// To do it, in Italian.
        text_it: String,
        /// In English.
        text_en: String,
        /// To take it back, in Italian; may be empty.
        undo_it: String,
        /// In English.
        undo_en: String,
    },
    /// A DNS record.
    Dns(DnsForm),
    /// A URL.
    Http(HttpForm),
    /// Somebody who is to answer, or phones that are to come: one of the three.
    Wait {
        /// `HOST:PORT`.
        tcp: String,
        /// `HOST[:PORT][/tcp]`.
        sip: String,
        /// A number of phones.
        registrations: String,
    },
}

impl WorkForm {
    /// What sort it is.
    #[must_use]
    pub const fn kind(&self) -> StepKind {
        match self {
            Self::Command { .. } => StepKind::Command,
            Self::Manual { .. } => StepKind::Manual,
            Self::Dns(_) => StepKind::Dns,
            Self::Http(_) => StepKind::Http,
            Self::Wait { .. } => StepKind::Wait,
        }
    }

    fn check(&self) -> Result<Work, Vec<FieldError>> {
        match self {
            Self::Command { run, undo, check } => {
                let run = typed(run).ok_or_else(|| vec![FieldError::new("run", Problem::Required)])?;
                Ok(Work::Command(CommandWork { run, undo: typed(undo), check: typed(check) }))
            }
            Self::Manual { text_it, text_en, undo_it, undo_en } => {
                let mut errors =
                    too_long([("text_it", text_it), ("text_en", text_en), ("undo_it", undo_it), ("undo_en", undo_en)]);
                let text = both(text_it, text_en);
                if text.is_none() {
                    errors.push(FieldError::new("text_it", Problem::Required));
                }
                let work = text.map(|text| Work::Manual(ManualWork { text, undo: both(undo_it, undo_en) }));
                work.filter(|_| errors.is_empty()).ok_or(errors)
            }
            Self::Dns(form) => form.check().map(Work::Dns),
            Self::Http(form) => form.check().map(Work::Http),
            Self::Wait { tcp, sip, registrations } => WaitWork::check(tcp, sip, registrations).map(Work::Wait),
        }
    }
}

/// What was typed, if anything was.
fn typed(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A text in both languages, each standing in for the other.
fn both(it: &str, en: &str) -> Option<Text> {
    let (it, en) = (typed(it), typed(en));
    let first = it.clone().or_else(|| en.clone())?;
    Some(Text::new(it.unwrap_or_else(|| first.clone()), en.unwrap_or(first)))
}

fn too_long<const N: usize>(fields: [(&str, &String); N]) -> Vec<FieldError> {
    let long = |text: &str| text.chars().count() > STEP_TEXT_MAX as usize;
    let fields = fields.into_iter().filter(|(_, text)| long(text));
    fields.map(|(name, _)| FieldError::new(name, Problem::TooLong(STEP_TEXT_MAX))).collect()
}

impl OwnStepForm {
    /// Checks everything that can be checked without running anything. `last` is the number of a step without one.
    ///
    /// # Errors
    /// One [`FieldError`] for each field that cannot be taken.
    pub fn check(&self, last: u32) -> Result<OwnStep, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut keep = |field: &str, problem: Problem| errors.push(FieldError::new(field, problem));
        if let Err(problem) = name::check(&self.name) {
            keep("name", problem);
        }
        let place = match self.place.trim() {
            "" => Ok(Place::AfterServices),
            word => word.parse(),
        };
        let place = place.map_err(|problem| keep("place", problem)).unwrap_or(Place::AfterServices);
        let order = number(&self.order, last, (0, STEP_ORDER_MAX));
        let order = order.map_err(|problem| keep("order", problem)).unwrap_or_default();
        let limit = number(&self.limit, self.work.kind().default_limit(), STEP_LIMIT_RANGE);
        let limit_seconds = limit.map_err(|problem| keep("limit", problem)).unwrap_or_default();
        match self.work.check() {
            Ok(work) if errors.is_empty() => {
                Ok(OwnStep { name: self.name.clone(), place, order, limit_seconds, has_secret: false, work })
            }
            Ok(_) => Err(errors),
            Err(wrong) => Err(errors.into_iter().chain(wrong).collect()),
        }
    }
}

fn number(typed: &str, default: u32, (min, max): (u32, u32)) -> Result<u32, Problem> {
    match typed.trim() {
        "" => Ok(default),
        typed => match typed.parse() {
            Ok(number) if (min..=max).contains(&number) => Ok(number),
            Ok(_) => Err(Problem::OutOfRange { min, max }),
            Err(_) => Err(Problem::NotANumber),
        },
    }
}

/// Where a step is moved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// Before the one that stands before it, in its place.
    Up,
    /// Behind the one that stands behind it.
    Down,
    /// To this number.
    To(u32),
}

impl FromStr for Move {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        match text.trim() {
            "up" => Ok(Self::Up),
            "down" => Ok(Self::Down),
            "" => Err(Problem::Required),
            text => match number(text, 0, (0, STEP_ORDER_MAX)) {
                Ok(number) => Ok(Self::To(number)),
                Err(Problem::NotANumber) => Err(Problem::NotOneOf("up, down, 0-10000".into())),
                Err(problem) => Err(problem),
            },
        }
    }
}

/// `tvox-dr step list --json`, and the page Procedura.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnStepsReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// In the order in which they are done.
    pub steps: Vec<OwnStep>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(work: WorkForm) -> OwnStepForm {
        let [place, order, limit] = [(); 3].map(|()| String::new());
        OwnStepForm { name: "carrier".into(), place, order, limit, secret: None, work }
    }

    fn command() -> OwnStepForm {
        form(WorkForm::Command { run: "switch dr".into(), undo: String::new(), check: " ".into() })
    }

    fn manual(text_it: &str, text_en: &str) -> OwnStepForm {
        let [text_it, text_en] = [text_it, text_en].map(str::to_owned);
        form(WorkForm::Manual { text_it, text_en, undo_it: String::new(), undo_en: "tell them again".into() })
    }

    fn fields(form: &OwnStepForm) -> Vec<String> {
        form.check(0).unwrap_err().into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn a_step_has_sensible_defaults_and_is_one_flat_object() {
        let step = command().check(40).unwrap();
        assert_eq!((step.place, step.order, step.limit_seconds), (Place::AfterServices, 40, 60));
        assert!(!step.work.has_undo());
        let told = serde_json::to_value(&step).unwrap();
        assert_eq!((&told["kind"], &told["run"], &told["check"]), (&"command".into(), &"switch dr".into(), &().into()));
        assert_eq!(serde_json::from_value::<OwnStep>(told).unwrap(), step);
    }

    #[test]
    fn a_text_in_one_language_stands_for_the_other() {
        let step = manual("", "call the carrier").check(0).unwrap();
        let Work::Manual(work) = step.work else { panic!("{step:?}") };
        assert_eq!(work.text, Text::new("call the carrier", "call the carrier"));
        assert_eq!(work.undo, Some(Text::new("tell them again", "tell them again")));
        assert_eq!(fields(&manual(" ", "")), ["text_it"]);
        assert_eq!(fields(&manual("x", &"x".repeat(2001))), ["text_en"]);
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let wrong = OwnStepForm {
            name: "Il carrier".into(),
            place: "later".into(),
            order: "first".into(),
            limit: "0".into(),
            secret: None,
            work: WorkForm::Command { run: " ".into(), undo: String::new(), check: String::new() },
        };
        assert_eq!(fields(&wrong), ["name", "place", "order", "limit", "run"]);
    }

    #[test]
    fn a_step_is_moved_up_down_or_to_a_number() {
        assert_eq!("up".parse(), Ok(Move::Up));
        assert_eq!(" 7 ".parse(), Ok(Move::To(7)));
        assert!(matches!("10001".parse::<Move>(), Err(Problem::OutOfRange { .. })));
        assert!(matches!("left".parse::<Move>(), Err(Problem::NotOneOf(_))));
    }
}
