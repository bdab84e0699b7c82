//! What the gate says, for every reason and every answer.

use super::*;
use crate::Timestamp;

fn gate(answer: GateState, because: &[GateReason], said: Option<GateAnswer>) -> GateReport {
    GateReport {
        policy: GatePolicy::Strict,
        wait_seconds: 60,
        chosen: Some(true),
        answer,
        unverified: false,
        since: None,
        opens_at: None,
        asked: vec![Asked { ip: [10, 0, 0, 2].into(), sibling: false, answer: said }],
        because: because.to_vec(),
        held_by: Some("fumo".into()),
        declared_lost: None,
    }
}

#[test]
fn every_reason_and_every_answer_is_a_sentence_of_its_own_in_both_languages() {
    let mut seen = std::collections::HashSet::new();
    for side in [NodeRole::Master, NodeRole::Client] {
        for reason in GateReason::ALL {
            let told = explain(&gate(GateState::Held, &[reason], None), side, "milano", "roma");
            let why = &told.why[0];
            assert!(why.it != why.en && why.it.ends_with('.') && !why.it.contains('{'), "{why:?}");
            assert!(seen.insert(why.it.clone()) || side == NodeRole::Client, "{why:?}");
            assert!(!told.to_do.is_empty(), "{reason:?} leaves nobody without a way");
        }
    }
    for said in GateAnswer::ALL.into_iter().map(Some).chain([None]) {
        let told = explain(&gate(GateState::Held, &[], said), NodeRole::Master, "milano", "roma");
        assert!(told.asked[0].text.it != told.asked[0].text.en && !told.missing.is_empty(), "{said:?}");
    }
}

#[test]
fn a_sibling_that_agrees_opens_nothing_and_one_that_does_not_is_heard() {
    let said = |across, sibling| {
        let of = |ip: u8, sibling, answer| Asked { ip: [10, 0, 0, ip].into(), sibling, answer: Some(answer) };
        let held = gate(GateState::Held, &[GateReason::NotVerified], None);
        let asked = vec![of(2, false, across), of(3, true, sibling)];
        let told = explain(&GateReport { asked, ..held }, NodeRole::Master, "milano", "roma");
        (told.asked[1].text.en.clone(), told.missing[0].en.clone())
    };
    let (sibling, missing) = said(GateAnswer::Silent, GateAnswer::Confirmed);
    assert_eq!(sibling, "knows the same mandate; it is roma, though, that confirms it.");
    assert!(missing.starts_with("An answer of roma"), "{missing}");
    assert!(said(GateAnswer::Confirmed, GateAnswer::Hold).1.contains("goes on asking"));
    assert!(said(GateAnswer::Stale, GateAnswer::Silent).1.contains("the other machine of the cluster"));
}

#[test]
fn whoever_lacks_data_is_told_what_brings_it_there_and_what_goes_past_it() {
    let of = |because| explain(&gate(GateState::Held, &[because], None), NodeRole::Master, "milano", "roma");
    let en = |texts: &[Text]| texts.iter().map(|text| text.en.as_str()).collect::<Vec<_>>().join(" ");
    let told = of(GateReason::Stale);
    assert!(en(&told.to_do).contains("tvox-dr gate same"), "{told:?}");
    let told = of(GateReason::LacksContent);
    assert!(en(&told.why).contains("never come") && en(&told.missing).contains("failback"), "{told:?}");
    assert!(en(&told.to_do).contains("tvox-dr takeover") && !en(&told.to_do).contains("gate same"), "{told:?}");
}

#[test]
fn what_is_missing_is_what_would_open_it() {
    let silent = |opens_at| {
        let gate = gate(GateState::Held, &[GateReason::NotVerified], Some(GateAnswer::Silent));
        explain(&GateReport { opens_at, ..gate }, NodeRole::Master, "milano", "roma").missing[0].en.clone()
    };
    assert!(silent(None).ends_with("milano does not resume by itself."));
    assert!(silent(Some(Timestamp::UNIX_EPOCH)).contains("by itself at 00:00:00 UTC"));
    let of = |answer, because: &[GateReason]| {
        explain(&gate(answer, because, None), NodeRole::Master, "milano", "roma").missing
    };
    assert!(of(GateState::Held, &[GateReason::HeldByOperator])[0].en.contains("no answer is enough"));
    assert!(of(GateState::Open, &[]).is_empty() && of(GateState::Closed, &[GateReason::Elsewhere]).is_empty());
}
