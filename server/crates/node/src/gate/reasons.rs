//! What the gate says of a record, and why: pure, so that the daemon, `tvox-dr gate check` without a daemon and the words
//! of the panel cannot differ.

use contract::NodeRole;
use contract::gate::{GateReason, GateState};

use crate::mandate::file::Record;
use crate::mandate::rules;

/// How the gate stands in this boot of the machine.
pub(crate) fn answer(record: &Record, boot: &str) -> GateState {
    let opened = record.opened.as_ref().is_some_and(|opened| opened.boot == boot);
    match &record.mandate {
        None if record.missing => GateState::Held,
        None if record.site == NodeRole::Master => GateState::Open,
        None => GateState::Closed,
        Some(_) if !record.is_holder() => GateState::Closed,
        Some(_) if opened => GateState::Open,
        Some(_) => GateState::Held,
    }
}

/// Why it does not let every service run, the gravest first; and that it needs nobody where there is no pair.
pub(crate) fn because(record: &Record, boot: &str) -> Vec<GateReason> {
    let closed = !rules::has_right(record, boot);
    let paired = record.mandate.is_some();
    let holder = record.is_holder();
    // Of a site of two: its sibling has what it lacks.
    let stale = rules::lacks_content(record) && record.second.peer.mandate.is_some();
    // Without a sibling nobody can bring it in line: it stays so under every later mandate, until a take or a failback.
    let lacks = record.stale && holder && record.receiving.is_none() && !stale && !rules::awaits_content(record);
    let reasons = [
        (!paired && !record.missing, GateReason::NotPaired),
        (record.missing, GateReason::MandateMissing),
        (record.declared_lost.is_some(), GateReason::DeclaredLost),
        (stale, GateReason::Stale),
        (closed && lacks, GateReason::LacksContent),
        (record.recovering && record.receiving.is_none() && !stale, GateReason::Recovering),
        (paired && !holder && record.declared_lost.is_none() && !record.recovering, GateReason::Elsewhere),
        (closed && record.held_by.is_some(), GateReason::HeldByOperator),
        (closed && holder && !record.findings().is_empty(), GateReason::Finding),
        (record.receiving.is_some(), GateReason::Receiving),
        (rules::awaits_content(record) && !stale, GateReason::AwaitsContent),
        (closed && holder && record.yielded, GateReason::Yielded),
        (closed && holder && !record.yielded && record.receiving.is_none(), GateReason::NotVerified),
        (!closed && holder && record.suspended, GateReason::Suspended),
    ];
    reasons.into_iter().filter(|(is, _)| *is).map(|(_, reason)| reason).collect()
}

/// Whether a service may be started now, as far as the record says: the right to serve, and nobody has suspended it.
pub(crate) fn may_start(record: &Record, boot: &str) -> bool {
    rules::has_right(record, boot) && !(record.is_holder() && record.suspended)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mandate::file::{Opened, Opening};
    use contract::Timestamp;
    use contract::mandate::{Mandate, MandateKind};

    fn record(site: NodeRole, holder: Option<NodeRole>) -> Record {
        let mandate = holder.map(|holder| Mandate {
            pair: "p".into(),
            epoch: 1,
            id: "m1".into(),
            parents: Vec::new(),
            ancestors: Vec::new(),
            holder,
            issuer: "n".into(),
            base: None,
            kind: MandateKind::Initial,
            operator: "root".into(),
            reason: String::new(),
            evidence: Vec::new(),
            at: Timestamp::UNIX_EPOCH,
            retired: Vec::new(),
        });
        Record { mandate, ..Record::new("n", "milano", site) }
    }

    fn opened(boot: &str) -> Option<Opened> {
        Some(Opened { boot: boot.into(), at: Timestamp::UNIX_EPOCH, how: Opening::Verified })
    }

    #[test]
    fn a_gate_that_was_opened_in_another_boot_opens_nothing() {
        let master = record(NodeRole::Master, Some(NodeRole::Master));
        let before = Record { opened: opened("one"), ..master };
        assert!(may_start(&before, "one") && because(&before, "one").is_empty());
        assert_eq!(answer(&before, "two"), GateState::Held);
        assert!(!may_start(&before, "two"));
        assert_eq!(because(&before, "two"), [GateReason::NotVerified]);
    }

    #[test]
    fn of_two_members_one_that_lacks_what_the_other_has_is_told_so() {
        let mut lacks = Record { stale: true, ..record(NodeRole::Master, Some(NodeRole::Master)) };
        lacks.second.peer.mandate = Some("m1".into());
        assert_eq!(because(&lacks, "b"), [GateReason::Stale, GateReason::NotVerified]);
        let fenced = Record { mandate: record(NodeRole::Master, Some(NodeRole::Client)).mandate, ..lacks };
        assert_eq!(because(&fenced, "b"), [GateReason::Elsewhere], "nobody asks for it yet");
    }

    #[test]
    fn a_single_master_that_never_got_what_it_was_to_serve_with_says_that_and_not_only_that_nobody_confirmed_it() {
        let lacks = Record { stale: true, ..record(NodeRole::Master, Some(NodeRole::Master)) };
        assert_eq!(because(&lacks, "b"), [GateReason::LacksContent, GateReason::NotVerified]);
        let opens = |how| rules::open(&mut lacks.clone(), "b", Timestamp::UNIX_EPOCH, how);
        assert!(!opens(Opening::Verified) && !opens(Opening::Unverified), "no answer opens it");
        let receives = Record { receiving: Some("r".into()), ..lacks.clone() };
        assert_eq!(because(&receives, "b"), [GateReason::Receiving], "it is on its way");
        let taken = Record { stale: false, opened: opened("b"), ..lacks };
        assert!(because(&taken, "b").is_empty());
    }

    #[test]
    fn whatever_closes_it_has_a_reason_and_only_then() {
        let holder = Record { opened: opened("b"), ..record(NodeRole::Master, Some(NodeRole::Master)) };
        let cases = [
            (record(NodeRole::Master, None), true, vec![GateReason::NotPaired]),
            (record(NodeRole::Client, None), false, vec![GateReason::NotPaired]),
            (record(NodeRole::Master, Some(NodeRole::Client)), false, vec![GateReason::Elsewhere]),
            (Record { missing: true, ..record(NodeRole::Master, None) }, false, vec![GateReason::MandateMissing]),
            (Record { suspended: true, ..holder.clone() }, false, vec![GateReason::Suspended]),
            (Record { receiving: Some("r".into()), ..holder.clone() }, false, vec![GateReason::Receiving]),
            (Record { opened: None, yielded: true, ..holder.clone() }, false, vec![GateReason::Yielded]),
            (
                Record { opened: None, held_by: Some("fumo".into()), ..holder.clone() },
                false,
                vec![GateReason::HeldByOperator, GateReason::NotVerified],
            ),
            (holder, true, Vec::new()),
        ];
        for (record, may, why) in cases {
            assert_eq!((may_start(&record, "b"), because(&record, "b")), (may, why), "{record:?}");
        }
    }
}
