//! How the models are run: what must hold, what must be possible at all, and what must break once a rule is left out.
//!
//! Five models run the product's own decisions: `mandate_model` (two machines), `cluster_model` (two members and their
//! Client), `session_model` (the one-time secret), `return_model` (loss, replacement, failback), `content_model` (which
//! content may replace which). Each rule that one of them knows (its `Rule`) has a test that leaves it out. What is promised:
//!
//! | promise | model and property | without, among others |
//! |---|---|---|
//! | words lost, late, doubled; a link that is cut | mandate (`late`; every move may fail to happen), session (`Post`, `Arrive`) | `OldOneStaysGood` |
//! | crash and restart, of the machine or of `tvox-dr` alone | mandate, cluster, return (`Crash`, `Boot`), session (`Restart` at any instruction) | `BootClosesGate`, `EvidencePerishes`, `GiftIsWrittenFirst` |
//! | a node, or its database or its files alone, put back | mandate (`SetBack`): `NOT_AGAINST`; session (`PutBack`): `FOUND` | `LessThanRememberedIsFound`, `TallyIsCompared`, `UnknownTicketIsFound` |
//! | a cloned node | session (`Clone`): `TWO_ARE_FOUND` | `SeenNumberIsCompared` |
//! | a lost and a replaced node | return: `LOST_ENDS`, `LOST_STAYS`, `GOES_ON`, `NOT_TO_THE_EMPTY` | `LostStops`, `TombstonesStay`, `NewMasterRecovers` |
//! | the two members of a cluster | cluster: all | `EvidenceForEach`, `SiblingOpensNoGate`, `SeatsAreApart` |
//! | nobody is accused wrongly | session, content: `INNOCENT`; cluster: `FORK_ALONE` | `TallyBeforeTheNext`, `RecordedFirst` |
//! | nothing newer, and nothing written on the DR, is overwritten without a consent that names it | content: `NOTHING_ERASED`, `KEPT`, `DISPLACED`; mandate: `DATA` | `ContentIsKnown`, `ConsentNamesContent`, `MadeIsPutAside`, `TailIsKept` |
//! | an older restore point | content (`Activate { older }`): `NOTHING_ERASED` | `SkippedIsPinned` |
//! | two serve only after a wrong word or an opening in silence | mandate, cluster: `NEVER_BOTH`; return: `NEVER_TWO` | `HoldDuringTake`, `YieldClosesQuestion`, `WordIsVoidByLife` |
//! | then one exchange each way leaves exactly one | mandate, return: `ONE_REMAINS` | `LesserGivesWay`, `NewerGoesOn` |
//! | only the holder serves | mandate: `ONLY_THE_HOLDER`; cluster: `ONLY_OPENED` | `AdoptionClosesGate` |
//! | only the right to serve gives the service away | mandate, cluster: `GIVES` | `OnlyTheRightGives` |
//! | a machine that was put back never starts itself | mandate: `NOT_AGAINST` | `LessThanRememberedIsFound` |
//! | none serves after a failback without what was handed over, however the reverse apply is cut off | return: `FED` | `ContentIsAwaited`, `ReceivingIsMarked`, `ComparedIsNamed` |
//! | from every state operators reach exactly one: either machine alone, and by the panels while they hear each other | mandate, return: `ALONE`, `TOGETHER` | `WhoWaitsStandsAside`, `TakenFromReceiving` |
//! | an empty machine in a member's place serves with nothing but what the site was given | cluster: `WITH_CONTENT` | `NewMemberLacks` |
//!
//! What no model has: content that comes home to one member of a site of two (`homecoming::fate_of_two`), members that are
//! declared lost one by one, and late words in `return_model`, whose operators are refused a take where the preflight
//! refuses it by state, tombstone or what comes home, and nowhere else.

use std::collections::BTreeSet;
use std::fmt::{Debug, Write as _};
use std::hash::Hash;

use stateright::{Checker, HasDiscoveries, Model, Path};

/// Checks every state, or every one up to `depth` moves, and that what `reaches` names is possible there.
#[track_caller]
pub fn check<M>(model: M, depth: Option<usize>, reaches: &[&str])
where
    M: Model + Copy + Send + Sync + 'static,
    M::State: Clone + Hash + PartialEq + Send + Sync + 'static,
    M::Action: Clone + Debug + PartialEq,
{
    let mut checker = model.checker().threads(2).finish_when(HasDiscoveries::AnyFailures);
    if let Some(depth) = depth {
        checker = checker.target_max_depth(depth);
    }
    let checked = checker.spawn_bfs().join();
    let found = checked.discoveries();
    let mut told = format!("{} states, {} moves deep\n", checked.unique_state_count(), checked.max_depth());
    let failures = model.properties().into_iter().filter(|one| one.expectation.discovery_is_failure());
    let mut failed = failures.filter_map(|one| Some((one.name, found.get(one.name)?.clone()))).peekable();
    let holds = failed.peek().is_none();
    for (name, path) in failed {
        writeln!(told, "not so: {name}: {:?}", path.into_actions()).unwrap();
    }
    let missing: Vec<_> = reaches.iter().filter(|name| !found.contains_key(*name)).collect();
    assert!(holds && missing.is_empty(), "{told}never reached: {missing:?}");
    eprintln!("{told}");
}

/// A model from which a rule is left out must break `property`: the rule is needed, and the model can fail.
#[track_caller]
pub fn breaks<M>(model: M, property: &'static str)
where
    M: Model + Copy + Debug + Send + Sync + 'static,
    M::State: Clone + Hash + PartialEq + Send + Sync + 'static,
    M::Action: Clone + Debug + PartialEq,
{
    let ends = HasDiscoveries::AnyOf(BTreeSet::from([property]));
    let checked = model.checker().finish_when(ends).spawn_bfs().join();
    let steps = checked.discovery(property).map(Path::into_actions);
    eprintln!("{} states: {steps:?}", checked.unique_state_count());
    assert!(steps.is_some(), "it still holds: {property}, in {model:?}");
}
