//! How the models are run: what must hold, what must be possible at all, and what must break once a rule is left out.

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
