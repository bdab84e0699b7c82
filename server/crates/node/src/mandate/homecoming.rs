//! What a Master's record says of content that comes home, as pure decisions: when it begins to come, what becomes of it,
//! and when that is over. In between the record names the run, and nothing is served.

use contract::mandate::{Mandate, Relation};

use super::file::Record;
use super::rules::{self, Standing};
use crate::cluster::Given;

/// What becomes of content that is coming in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Nothing is coming.
    None,
    /// The mandate names it: it is put in its place.
    Settle(Box<Mandate>),
    /// It goes on coming.
    Wait,
    /// Nobody sends it any more, or somebody else holds the mandate: everything is put back as it was.
    GiveUp(String),
}

/// Decides it. `told` is what the other side says at this moment, where it says anything.
#[must_use]
pub fn fate(record: &Record, told: Option<&Standing>) -> Fate {
    let head = record.mandate.as_ref();
    match (&record.receiving, head) {
        (_, Some(mandate)) if rules::awaits_content(record) => Fate::Settle(Box::new(mandate.clone())),
        (None, _) => Fate::None,
        (Some(run), Some(mandate)) if mandate.holder != record.site => {
            // Silence is no word, and a word under another mandate none about this run.
            let same = |told: &Standing| told.mandate.as_ref().is_some_and(|theirs| theirs.id == mandate.id);
            let given_up = told.is_some_and(|told| same(told) && told.sending.as_ref() != Some(run));
            if given_up { Fate::GiveUp(run.clone()) } else { Fate::Wait }
        }
        (Some(run), _) => Fate::GiveUp(run.clone()),
    }
}

/// Content begins to come in: from here on nothing is served until that is over. Not where this side holds the mandate, or
/// whoever sends has another one. `past` is what it had of the Master that was lost.
pub fn begin(record: &mut Record, run: &str, past: &[Given], told: Option<&Standing>) -> bool {
    let same = |theirs: &Mandate| record.mandate.as_ref().is_some_and(|ours| ours.relation(theirs) == Relation::Same);
    let agreed = told.and_then(|told| told.mandate.as_ref()).is_some_and(same);
    if record.is_holder() || !agreed {
        return false;
    }
    record.receiving = Some(run.to_owned());
    if record.recovering {
        record.past = past.to_vec();
    }
    true
}

/// The content that this mandate names is in its place. Not where another mandate was learnt meanwhile.
pub fn settle(record: &mut Record, mandate: &str) -> bool {
    let still = record.mandate.as_ref().is_some_and(|head| head.id == mandate);
    if still {
        record.settled = Some(mandate.to_owned());
        record.receiving = None;
        record.recovering = false;
        record.past = Vec::new();
    }
    still
}

/// Nothing of this run comes any more, and everything is as it was before.
pub fn give_up(record: &mut Record, run: &str) -> bool {
    let ours = record.receiving.as_deref() == Some(run);
    if ours {
        record.receiving = None;
    }
    ours
}
