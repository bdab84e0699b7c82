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

/// The same for one member of a site of two, whose sibling may have the same disk. `newest` is whether another machine says at
/// this moment that a mandate is the newest: while this member was down the service may have been taken again, and have come
/// home to the other one.
pub fn fate_of_two(record: &Record, told: Option<&Standing>, newest: impl Fn(&str) -> bool) -> Fate {
    let promised = |mandate: &Mandate| record.promised.as_ref() == Some(&mandate.id);
    match (&record.receiving, &record.mandate) {
        (None, _) => Fate::None,
        (Some(_), Some(mandate)) if rules::awaits_content(record) && promised(mandate) => {
            if newest(&mandate.id) {
                Fate::Settle(Box::new(mandate.clone()))
            } else {
                Fate::Wait
            }
        }
        // The mandate names what came to the other one.
        (Some(run), Some(_)) if rules::awaits_content(record) => Fate::GiveUp(run.clone()),
        // Nothing is put back while the other one takes something in.
        (Some(_), _) if told.is_some_and(|told| told.sending.is_some() && told.sending != record.receiving) => {
            Fate::Wait
        }
        _ => fate(record, told),
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
        record.promised = None;
        record.recovering = false;
        record.stale = false;
        record.past = Vec::new();
    }
    still
}

/// Nothing of this run comes any more, and everything is as it was before.
pub fn give_up(record: &mut Record, run: &str) -> bool {
    let ours = record.receiving.as_deref() == Some(run);
    if ours {
        record.receiving = None;
        record.promised = None;
    }
    ours
}
