//! Loss and replacement as pure decisions, like those of `rules`: a machine that an operator has declared lost is known by
//! its key for ever, and whoever comes in its place gets the mandate before it gets anything else.

use contract::NodeRole;
use contract::mandate::{Mandate, Relation};
use contract::state::NodeState;

use super::file::{Opening, Record, Remembered, Seat};
use super::rules::{self, Standing};

/// Whether whoever says this serves by its own gate. Services that were only not yet seen down stop nobody else.
#[must_use]
pub const fn serves(told: &Standing) -> bool {
    use NodeState::{Fenced, Held, Receiving, Recovering, Standby};
    told.serving && !matches!(told.state, Some(Fenced | Held | Receiving | Recovering | Standby))
}

/// Hears a mandate for what it says of this very machine. One that was declared lost stops and stays down, whatever it holds
/// itself: the operator who said so knew of none better. `serving` is whether whoever tells it says that it serves. Whether
/// that is news.
pub fn hear(record: &mut Record, told: &Mandate, serving: bool) -> bool {
    let Some(tombstone) = told.tombstone_of(&record.node) else { return false };
    if record.declared_lost.is_some() || outranks(record, told, serving) {
        return false;
    }
    record.declared_lost = Some(tombstone.clone());
    record.opened = None;
    true
}

/// Of two that were cut off from each other the one that serves goes on: what one that does not serve says stops nobody who
/// does, and nobody begins against one that does. Where both serve, or neither, and each declared the other lost, it is as
/// in every fork: the larger epoch, then the Client, keeps the service. Whoever knew of it and declared the other one lost in
/// its turn, as the newer of the two, goes on. Whoever else is declared lost has nothing to set against it.
fn outranks(record: &Record, told: &Mandate, serving: bool) -> bool {
    let Some(ours) = &record.mandate else { return false };
    match ours.relation(told) {
        Relation::Foreign => true,
        Relation::Fork => match (record.is_holder() && record.opened.is_some(), serving) {
            (true, false) => true,
            (false, true) => false,
            (true, true) | (false, false) => {
                let rank = |mandate: &Mandate| (mandate.epoch, mandate.holder == NodeRole::Client);
                ours.tombstone_of(&told.issuer).is_some() && rank(ours) > rank(told)
            }
        },
        // It was taken over all that the other one holds, and declares that one lost: else both would be, by each other.
        Relation::Newer => ours.tombstone_of(&told.issuer).is_some() && ours.tombstone_of(&record.node).is_none(),
        Relation::Same | Relation::Older => false,
    }
}

/// Writes a mandate by which whoever serves declares the other site lost. Nothing that serves stops by it, and nothing that
/// was suspended starts; what was found is settled, as by any take.
pub fn retire(record: &mut Record, mandate: Mandate) {
    record.rival = None;
    record.set_back = None;
    record.cloned = None;
    record.yielded = false;
    record.begin_anew();
    record.mandate = Some(mandate);
    if let Some(opened) = &mut record.opened {
        // There is nobody left to confirm it.
        opened.how = Opening::Operator;
    }
}

/// Whether whoever holds the mandate has nobody left to ask at its gate: every machine of the other site was declared lost.
/// Only where no machine is in their place.
#[must_use]
pub fn is_left_alone(record: &Record) -> bool {
    record.is_holder() && record.mandate.as_ref().is_some_and(|mandate| !mandate.retired.is_empty())
}

/// The mandate that a machine brings along to one that takes the place of a lost Master: only who holds it takes in another
/// one.
#[must_use]
pub fn bequeaths(record: &Record) -> Option<&Mandate> {
    record.mandate.as_ref().filter(|_| record.is_holder())
}

/// A machine joins in the place of another one: what was remembered of that one is not expected of this. `told` is what it
/// says of itself, where it has said anything.
pub fn welcome(record: &mut Record, seat: Seat, told: Option<&Standing>) {
    record.facing(seat, |record| {
        record.peer = Remembered::default();
        if let Some(told) = told {
            rules::remember(record, told);
        }
    });
}

/// The record of a machine that joins a pair which has a mandate already. A Master that it does not name has come in the
/// place of one that was lost, unless it joins the `sibling` with which it shares its content.
pub fn inherit(record: &mut Record, mandate: Mandate, sibling: bool) {
    let known = record.mandate.as_ref().is_some_and(|head| head.relation(&mandate) == Relation::Same);
    if known {
        return;
    }
    *record = Record { revision: record.revision, ..Record::new(&record.node, &record.name, record.site) };
    record.recovering = !sibling && record.site == NodeRole::Master && mandate.holder != NodeRole::Master;
    record.mandate = Some(mandate);
}

/// A member joins its sibling, of which `told` is what it says of itself, where it has said anything. A machine is not
/// believed to have what the site has because it is new here: only where the site has never handed anything on, neither a
/// generation nor the service, both begin with the same. Else it is found out what is here.
pub fn join_beside(record: &mut Record, told: Option<&Standing>) {
    let first = record.mandate.as_ref().is_none_or(|head| head.parents.is_empty());
    let gave = told.is_some_and(|told| told.generation.is_some());
    record.recovering = told.is_some_and(|told| told.recovering);
    record.stale = !record.recovering && (gave || !first);
}

#[cfg(test)]
mod tests {
    use contract::Timestamp;
    use contract::mandate::{MandateKind, Tombstone};

    use super::*;
    use crate::mandate::Raise;
    use crate::mandate::file::Opened;

    fn lost(node: &str) -> Tombstone {
        Tombstone {
            fingerprint: format!("key of {node}"),
            node: node.into(),
            name: node.into(),
            address: "10.0.0.1:5461".into(),
            operator: "anna".into(),
            reason: "fire".into(),
            at: Timestamp::UNIX_EPOCH,
        }
    }

    fn raise(record: &Record, id: &str, retired: &[&str]) -> Mandate {
        let raise = Raise {
            id: id.into(),
            kind: MandateKind::Activation,
            holder: record.site,
            operator: "anna".into(),
            reason: "fire".into(),
            evidence: Vec::new(),
            base: None,
            retired: retired.iter().map(|node| lost(node)).collect(),
        };
        raise.mandate(record, "p", Timestamp::UNIX_EPOCH)
    }

    fn opened() -> Option<Opened> {
        Some(Opened { boot: "b".into(), at: Timestamp::UNIX_EPOCH, how: Opening::Unverified })
    }

    /// A Master that serves, and its Client, under one mandate.
    fn pair() -> (Record, Record) {
        let mut master = Record::new("m", "milano", NodeRole::Master);
        master.mandate = Some(raise(&master, "1", &[]));
        master.opened = opened();
        let client = Record { mandate: master.mandate.clone(), ..Record::new("c", "roma", NodeRole::Client) };
        (master, client)
    }

    #[test]
    fn a_machine_that_was_declared_lost_stops_whatever_it_holds_itself() {
        let (mut master, client) = pair();
        let retired = raise(&client, "2", &["m"]);
        assert!(hear(&mut master.clone(), &retired, false), "as it was");
        // It took the service itself meanwhile, with a larger number.
        let one = raise(&master, "a", &[]);
        rules::raise(&mut master, one, "b", Timestamp::UNIX_EPOCH);
        let two = raise(&master, "b", &[]);
        rules::raise(&mut master, two, "b", Timestamp::UNIX_EPOCH);
        assert!(rules::may_serve(&master, "b") && hear(&mut master, &retired, true));
        assert!(!rules::may_serve(&master, "b") && !rules::must_ask(&master, "b"));
        assert!(!hear(&mut master, &retired, true), "told once");
        rules::open(&mut master, "b", Timestamp::UNIX_EPOCH, Opening::Operator);
        assert!(!rules::may_serve(&master, "b"), "no gate opens for it any more");
    }

    /// Two that declared each other lost, both with an open gate; the Client has the higher rank.
    fn apart() -> (Record, Record) {
        let (mut master, mut client) = pair();
        (master.mandate, client.mandate) = (Some(raise(&master, "a", &["c"])), Some(raise(&client, "b", &["m"])));
        client.opened = opened();
        (master, client)
    }

    fn head(record: &Record) -> Mandate {
        record.mandate.clone().unwrap()
    }

    #[test]
    fn of_two_that_declared_each_other_lost_and_serve_exactly_one_goes_on() {
        let (mut master, mut client) = apart();
        let (ours, theirs) = (head(&master), head(&client));
        assert!(hear(&mut master, &theirs, true), "of the same epoch the Client goes on");
        assert!(!hear(&mut client, &ours, true));
    }

    #[test]
    fn whoever_serves_is_not_stopped_by_one_that_does_not() {
        let (mut master, client) = apart();
        assert!(!hear(&mut master, &head(&client), false), "whatever the rank");
        assert!(rules::may_serve(&master, "b"));
        // Also by one that it did not declare lost itself.
        let (mut master, client) = pair();
        let theirs = raise(&client, "b", &["m"]);
        master.mandate = Some(raise(&master, "a", &[]));
        assert!(!hear(&mut master, &theirs, false) && rules::may_serve(&master, "b"));
        // A mandate that descends from its own is no fork: it was simply replaced.
        let (mut master, client) = pair();
        assert!(hear(&mut master, &raise(&client, "2", &["m"]), false));
    }

    #[test]
    fn whoever_declared_the_other_one_lost_over_what_that_one_holds_is_not_stopped_by_it() {
        let (mut master, mut client) = apart();
        master.rival = client.mandate.clone();
        let theirs = head(&client);
        let over_both = raise(&master, "over both", &["c"]);
        retire(&mut master, over_both);
        assert!(!hear(&mut master, &theirs, true) && rules::may_serve(&master, "b"));
        assert!(hear(&mut client, &head(&master), true), "one of them goes on, and only one");
        // Whoever only took the service by hand, and declared nobody lost, stops for the one that serves.
        let (mut master, client) = pair();
        let retired = raise(&client, "2", &["m"]);
        rules::learn(&mut master, &retired);
        let by_hand = raise(&master, "3", &[]);
        rules::raise(&mut master, by_hand, "b", Timestamp::UNIX_EPOCH);
        assert!(hear(&mut master, &retired, true));
    }

    #[test]
    fn one_that_has_yielded_and_is_only_not_seen_down_yet_displaces_nobody() {
        let (master, client) = apart();
        let told = |record: &Record| Standing { serving: true, ..rules::standing(record, "b", true, true) };
        let [by_right, lower] = [told(&client), told(&master)];
        assert!(rules::gives_way(&master, &by_right) && !rules::gives_way(&client, &lower), "the rank decides");
        let yielded = Standing { yielded: true, ..by_right };
        assert!(!rules::gives_way(&master, &yielded), "nobody would be left");
    }

    #[test]
    fn whoever_has_not_begun_gives_way_to_one_that_serves() {
        let (master, mut client) = apart();
        client.opened = None;
        assert!(hear(&mut client, &head(&master), true), "whatever the rank");
        assert!(!client.is_holder());
    }

    #[test]
    fn of_two_that_do_not_serve_the_rank_decides() {
        let (mut master, mut client) = apart();
        (master.opened, client.opened) = (None, None);
        let (ours, theirs) = (head(&master), head(&client));
        assert!(hear(&mut master, &theirs, false) && !hear(&mut client, &ours, false));
    }

    #[test]
    fn whoever_takes_the_service_by_hand_does_not_bury_itself() {
        let (mut master, client) = pair();
        let taken = raise(&client, "2", &["m", "x"]);
        rules::learn(&mut master, &taken);
        assert!(hear(&mut master, &taken, true));
        let by_hand = raise(&master, "3", &[]);
        assert_eq!((by_hand.tombstone_of("m"), by_hand.tombstone_of("x")), (None, Some(&lost("x"))));
        rules::raise(&mut master, by_hand.clone(), "b", Timestamp::UNIX_EPOCH);
        assert!(!hear(&mut master, &by_hand, true) && rules::may_serve(&master, "b"));
    }

    #[test]
    fn whoever_serves_goes_on_and_whoever_was_suspended_stays_so() {
        let (mut master, _) = pair();
        master.suspended = true;
        let retired = raise(&master, "2", &["c"]);
        retire(&mut master, retired);
        assert!(rules::may_serve(&master, "b") && master.suspended);
        assert_eq!(master.opened.map(|opened| opened.how), Some(Opening::Operator));
    }

    #[test]
    fn a_master_in_the_place_of_a_lost_one_serves_only_once_it_has_what_to_serve_with() {
        let (_, client) = pair();
        let taken = raise(&client, "2", &["m"]);
        let mut fresh = Record::new("n", "milano2", NodeRole::Master);
        assert!(rules::has_right(&fresh, "b"), "before there is a pair");
        inherit(&mut fresh, taken.clone(), false);
        assert!(fresh.recovering && !rules::has_right(&fresh, "b"));
        // Given back without any content: it is named, and has nothing.
        let given = Mandate {
            id: "3".into(),
            kind: MandateKind::Rollback,
            holder: NodeRole::Master,
            ancestors: vec!["1".into(), "2".into()],
            ..taken
        };
        assert_eq!(rules::learn(&mut fresh, &given), rules::Learned::Adopted);
        for how in [Opening::Verified, Opening::Unverified] {
            assert!(!rules::open(&mut fresh, "b", Timestamp::UNIX_EPOCH, how), "{how:?}");
        }
        assert!(!rules::may_open_in_silence(&fresh));
        let by_hand = raise(&fresh, "4", &[]);
        rules::raise(&mut fresh, by_hand, "b", Timestamp::UNIX_EPOCH);
        assert!(rules::may_serve(&fresh, "b"), "an operator may decide otherwise");
    }

    #[test]
    fn a_member_that_joins_a_site_which_has_handed_anything_on_has_not_got_it() {
        let (one, client) = pair();
        let said =
            |generation, recovering| Standing { generation, recovering, ..rules::standing(&one, "b", false, false) };
        let joins = |mandate: Mandate, told: Option<&Standing>| {
            let mut fresh = Record::new("n", "milano2", NodeRole::Master);
            inherit(&mut fresh, mandate, true);
            join_beside(&mut fresh, told);
            let open = rules::open(&mut fresh.clone(), "b", Timestamp::UNIX_EPOCH, Opening::Verified);
            assert_eq!(open, !fresh.stale && !fresh.recovering);
            (fresh.stale, fresh.recovering)
        };
        let (first, later) = (head(&one), raise(&one, "2", &[]));
        assert_eq!(joins(first.clone(), Some(&said(None, false))), (false, false), "both begin with the same");
        assert_eq!(joins(first.clone(), Some(&said(Some(1), false))), (true, false), "nobody was declared lost");
        assert_eq!(joins(later.clone(), Some(&said(None, false))), (true, false), "the service was elsewhere");
        assert_eq!(joins(later.clone(), None), (true, false));
        assert_eq!(joins(raise(&client, "2", &["m"]), Some(&said(Some(1), true))), (false, true), "nobody has it");
    }

    #[test]
    fn a_client_in_the_place_of_a_lost_one_inherits_the_mandate_and_takes_nothing() {
        let (master, _) = pair();
        let mut fresh = Record::new("n", "roma2", NodeRole::Client);
        inherit(&mut fresh, raise(&master, "2", &["c"]), false);
        assert!(!fresh.recovering && !fresh.is_holder() && fresh.findings().is_empty());
    }
}
