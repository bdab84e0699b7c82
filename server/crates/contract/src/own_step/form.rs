//! A step as somebody types it, and what is wrong with it field by field.

use serde::{Deserialize, Serialize};

use super::group::group_name;
use super::{
    CommandWork, DnsForm, HttpForm, ManualWork, OwnStep, Place, STEP_LIMIT_RANGE, STEP_ORDER_MAX, STEP_TEXT_MAX,
    StepKind, WaitWork, Work,
};
use crate::command::Secret;
use crate::field::{FieldError, Problem};
use crate::lang::Text;
use crate::name;

/// A step as typed, before it is checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnStepForm {
    /// Its name.
    pub name: String,
    /// `before_services` or `after_services`; empty for where its group stands, or else for the latter.
    pub place: String,
    /// The group's name; empty for none. `None` leaves a step that is declared already in the group that it has.
    #[serde(default)]
    pub group: Option<String>,
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
pub(super) fn typed(text: &str) -> Option<String> {
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
    /// The group in which it is to stand; `before` is the step of that name as it is declared.
    ///
    /// # Errors
    /// [`Problem::TooLong`].
    pub fn group(&self, before: Option<&OwnStep>) -> Result<Option<String>, Problem> {
        match &self.group {
            Some(typed) => group_name(typed),
            None => Ok(before.and_then(|before| before.group.clone())),
        }
    }

    /// Checks everything that can be checked without running anything. `last` is the number of a step without one,
    /// `place` where one stands of which nothing is said, `before` the step of that name as it is declared.
    ///
    /// # Errors
    /// One [`FieldError`] for each field that cannot be taken.
    pub fn check(&self, last: u32, place: Place, before: Option<&OwnStep>) -> Result<OwnStep, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut keep = |field: &str, problem: Problem| errors.push(FieldError::new(field, problem));
        if let Err(problem) = name::check(&self.name) {
            keep("name", problem);
        }
        let place = match self.place.trim() {
            "" => place,
            word => word.parse().map_err(|problem| keep("place", problem)).unwrap_or(place),
        };
        let group = self.group(before).map_err(|problem| keep("group", problem)).unwrap_or_default();
        let order = number(&self.order, last, (0, STEP_ORDER_MAX));
        let order = order.map_err(|problem| keep("order", problem)).unwrap_or_default();
        let limit = number(&self.limit, self.work.kind().default_limit(), STEP_LIMIT_RANGE);
        let limit_seconds = limit.map_err(|problem| keep("limit", problem)).unwrap_or_default();
        match self.work.check() {
            Ok(work) if errors.is_empty() => {
                let name = self.name.clone();
                Ok(OwnStep { name, place, group, off: false, order, limit_seconds, has_secret: false, work })
            }
            Ok(_) => Err(errors),
            Err(wrong) => Err(errors.into_iter().chain(wrong).collect()),
        }
    }
}

pub(super) fn number(typed: &str, default: u32, (min, max): (u32, u32)) -> Result<u32, Problem> {
    match typed.trim() {
        "" => Ok(default),
        typed => match typed.parse() {
            Ok(number) if (min..=max).contains(&number) => Ok(number),
            Ok(_) => Err(Problem::OutOfRange { min, max }),
            Err(_) => Err(Problem::NotANumber),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(work: WorkForm) -> OwnStepForm {
        let [place, order, limit] = [(); 3].map(|()| String::new());
        OwnStepForm { name: "carrier".into(), place, group: None, order, limit, secret: None, work }
    }

    fn command() -> OwnStepForm {
        form(WorkForm::Command { run: "switch dr".into(), undo: String::new(), check: " ".into() })
    }

    fn manual(text_it: &str, text_en: &str) -> OwnStepForm {
        let [text_it, text_en] = [text_it, text_en].map(str::to_owned);
        form(WorkForm::Manual { text_it, text_en, undo_it: String::new(), undo_en: "tell them again".into() })
    }

    fn fields(form: &OwnStepForm) -> Vec<String> {
        form.check(0, Place::AfterServices, None).unwrap_err().into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn a_step_has_sensible_defaults_and_is_one_flat_object() {
        let step = command().check(40, Place::AfterServices, None).unwrap();
        assert_eq!((step.place, step.order, step.limit_seconds), (Place::AfterServices, 40, 60));
        assert!(!step.work.has_undo());
        let told = serde_json::to_value(&step).unwrap();
        assert_eq!((&told["kind"], &told["run"], &told["check"]), (&"command".into(), &"switch dr".into(), &().into()));
        assert_eq!(serde_json::from_value::<OwnStep>(told).unwrap(), step);
    }

    #[test]
    fn a_text_in_one_language_stands_for_the_other() {
        let step = manual("", "call the carrier").check(0, Place::AfterServices, None).unwrap();
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
            group: Some("x".repeat(61)),
            order: "first".into(),
            limit: "0".into(),
            secret: None,
            work: WorkForm::Command { run: " ".into(), undo: String::new(), check: String::new() },
        };
        assert_eq!(fields(&wrong), ["name", "place", "group", "order", "limit", "run"]);
    }
}
