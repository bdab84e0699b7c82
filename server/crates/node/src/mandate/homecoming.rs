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

/// Why an operator's take must wait for what is coming in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InTheWay {
    /// The other side says at this moment that it sends it: there the run is to be given up first.
    Sends,
    /// It is here, the mandate names it, and nothing keeps it from being put in its place.
    Settles,
}

/// Decides it. `fate` is what becomes of it at this moment: one that only waits, perhaps for a machine that never answers
/// again, stands in nobody's way. `trouble` is whether putting it in its place has failed: then an operator may go on without
/// it.
#[must_use]
pub fn in_the_way_of_a_take(record: &Record, told: Option<&Standing>, fate: &Fate, trouble: bool) -> Option<InTheWay> {
    let run = record.receiving.as_ref()?;
    if told.is_some_and(|told| told.sending.as_ref() == Some(run)) {
        Some(InTheWay::Sends)
    } else if matches!(fate, Fate::Settle(_)) && !trouble {
        Some(InTheWay::Settles)
    } else {
        None
    }
}

/// Whether giving up touches nothing, because the other member of a site of two may serve from the same disk. Not where
/// the service was taken on this very machine: what was half in its place here is what it is to serve with.
#[must_use]
pub fn is_given_up_beside(record: &Record) -> bool {
    let taken_here = |head: &Mandate| head.issuer == record.node;
    record.is_holder() && !record.mandate.as_ref().is_some_and(taken_here)
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

/// This member of a site of two has what the site was given under this mandate: it was found here, or an operator says so.
/// Not where another mandate was learnt meanwhile.
pub fn in_line(record: &mut Record, mandate: &str) -> bool {
    let still = record.mandate.as_ref().is_some_and(|head| head.id == mandate) && rules::lacks_content(record);
    if still {
        record.settled = Some(mandate.to_owned());
        record.recovering = false;
        record.stale = false;
    }
    still
}

/// Whether an operator's word that it is here is taken: only beside a sibling that says at this moment, under the same
/// mandate, that it serves with it. A sibling that is silent, or lacks it too, may be the one that is wrong.
#[must_use]
pub fn may_be_said_same(record: &Record, told: Option<&Standing>) -> bool {
    let same =
        |told: &Standing| told.mandate.as_ref().map(|head| &head.id) == record.mandate.as_ref().map(|head| &head.id);
    told.is_some_and(|told| {
        same(told) && told.serving && !told.recovering && told.receiving.is_none() && told.findings.is_empty()
    })
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

/// Nothing of this run comes any more, and everything is as it was before; or, `beside` another member that may serve from
/// the same disk, nothing was touched, and what is here counts for nothing.
pub fn give_up(record: &mut Record, run: &str, beside: bool) -> bool {
    let ours = record.receiving.as_deref() == Some(run);
    if ours {
        record.receiving = None;
        record.promised = None;
        record.stale |= beside;
    }
    ours
}

#[cfg(test)]
mod tests {
    use contract::mandate::MandateKind;
    use contract::{NodeRole, Timestamp};

    use super::*;
    use crate::mandate::Raise;

    /// A member to which a run's content was coming, under a mandate of this kind that names this site.
    fn member(kind: MandateKind, promised: bool) -> Record {
        let mut record = Record::new("m1", "milano", NodeRole::Master);
        let raise = Raise {
            id: "2".into(),
            kind,
            holder: record.site,
            operator: "anna".into(),
            reason: "home".into(),
            evidence: Vec::new(),
            base: Some([("conf".to_owned(), "1".to_owned())].into()),
            retired: Vec::new(),
        };
        record.mandate = Some(raise.mandate(&record, "p", Timestamp::UNIX_EPOCH));
        record.receiving = Some("r1".into());
        record.promised = promised.then(|| "2".into());
        record
    }

    #[test]
    fn what_the_mandate_promised_is_put_in_its_place_once_somebody_says_that_it_is_the_newest() {
        let record = member(MandateKind::Failback, true);
        assert!(matches!(fate_of_two(&record, None, |id| id == "2"), Fate::Settle(mandate) if mandate.id == "2"));
        assert_eq!(fate_of_two(&record, None, |_| false), Fate::Wait, "the other one may have taken it up since");
    }

    #[test]
    fn a_take_waits_for_what_is_sent_or_put_in_its_place_and_for_nothing_else() {
        let in_the_way = |record: &Record, told: Option<&Standing>, knows: bool, trouble: bool| {
            in_the_way_of_a_take(record, told, &fate_of_two(record, told, |_| knows), trouble)
        };
        let coming = member(MandateKind::Failback, true);
        assert_eq!(in_the_way(&coming, None, true, false), Some(InTheWay::Settles));
        assert_eq!(in_the_way(&coming, None, true, true), None, "it failed");
        assert_eq!(in_the_way(&coming, None, false, false), None, "nobody is left who could say that it is the newest");
        assert_eq!(in_the_way_of_a_take(&coming, None, &fate(&coming, None), false), Some(InTheWay::Settles), "alone");
        let beside = Record { promised: Some("3".into()), ..coming.clone() };
        assert_eq!(in_the_way(&beside, None, true, false), None, "it is the other one's");
        let away = Record { mandate: None, ..coming };
        assert_eq!(in_the_way(&away, None, true, false), None, "silence sends nothing");
        let mut told = rules::standing(&away, "b", true, true);
        told.sending = Some("r1".into());
        assert_eq!(in_the_way(&away, Some(&told), true, true), Some(InTheWay::Sends));
        told.sending = Some("r2".into());
        assert_eq!(in_the_way(&away, Some(&told), true, false), None);
    }

    #[test]
    fn a_member_on_which_the_service_was_taken_puts_back_what_was_half_in_its_place() {
        let mut taken = member(MandateKind::Failback, true);
        assert!(!is_given_up_beside(&Record { site: NodeRole::Client, ..taken.clone() }), "the site does not serve");
        if let Some(mandate) = &mut taken.mandate {
            (mandate.kind, mandate.base) = (MandateKind::Takeover, None);
        }
        assert_eq!(fate_of_two(&taken, None, |_| true), Fate::GiveUp("r1".into()));
        assert!(!is_given_up_beside(&taken), "it was taken here");
        let elsewhere = Record { node: "m2".into(), ..taken };
        assert!(is_given_up_beside(&elsewhere), "the other one serves, perhaps from the same disk");
    }

    #[test]
    fn a_member_is_said_to_have_the_data_only_beside_one_that_serves_with_it_under_the_same_mandate() {
        let member = Record { stale: true, receiving: None, ..member(MandateKind::Takeover, false) };
        let serves = Standing { serving: true, ..rules::standing(&member, "b", false, false) };
        assert!(may_be_said_same(&member, Some(&serves)));
        assert!(!may_be_said_same(&member, None), "silence serves nobody");
        for other in [
            Standing { serving: false, ..serves.clone() },
            Standing { recovering: true, ..serves.clone() },
            Standing { receiving: Some("r2".into()), ..serves.clone() },
            Standing { mandate: None, ..serves.clone() },
        ] {
            assert!(!may_be_said_same(&member, Some(&other)), "{other:?}");
        }
        let mut said = member.clone();
        assert!(!in_line(&mut said, "1") && said == member, "another mandate was learnt meanwhile");
        assert!(in_line(&mut said, "2") && !rules::lacks_content(&said));
        assert!(!in_line(&mut said, "2"), "there is nothing to say any more");
    }

    #[test]
    fn where_the_site_serves_by_another_mandate_nothing_is_put_back_and_what_is_here_counts_for_nothing() {
        for (kind, promised) in [(MandateKind::Takeover, true), (MandateKind::Failback, false)] {
            let mut record = member(kind, promised);
            assert_eq!(fate_of_two(&record, None, |_| true), Fate::GiveUp("r1".into()), "{kind:?}");
            // The other member may serve from this very disk.
            assert!(record.is_holder() && give_up(&mut record, "r1", true), "{kind:?}");
            assert!(record.stale && record.receiving.is_none() && record.promised.is_none(), "{kind:?}");
            assert!(!give_up(&mut record, "r1", true), "it is over");
        }
    }
}
