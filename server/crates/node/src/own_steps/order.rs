//! How the order of the declared steps changes when one of them, or a whole group, is moved. Nothing here writes.

use contract::own_step::{Block, GroupMove, Move, OwnStep, Place, STEP_ORDER_MAX, blocks};
use serde_json::{Value, json};

/// How far a step comes behind the one before it.
pub(super) const STEP: u32 = 10;

/// Where a step stands from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) order: u32,
}

/// For the audit log.
pub(super) fn told(moved: &[Placed]) -> Value {
    let step = |placed: &Placed| (placed.name.clone(), json!({ "place": placed.place, "order": placed.order }));
    moved.iter().map(step).collect::<serde_json::Map<_, _>>().into()
}

/// What changes when one step is moved; `known` is in order. Up and down go past its neighbour: of a step in a group that
/// is another one of the group, which it does not leave, and else whatever stands there, a group as a whole.
pub(super) fn step_moved(known: &[OwnStep], step: &OwnStep, to: Move) -> Vec<Placed> {
    let up = match to {
        Move::To(order) => return vec![Placed { name: step.name.clone(), place: step.place, order }],
        Move::Up => true,
        Move::Down => false,
    };
    let place = of_place(known, step.place);
    let mut blocks = blocks(&place, |step| step.group.as_deref());
    let is_it = |other: &&OwnStep| other.name == step.name;
    let Some(at) = blocks.iter().position(|block| block.items.iter().any(is_it)) else { return Vec::new() };
    if step.group.is_none() {
        return if swap(&mut blocks, at, up) { numbered(flat(&blocks), step.place) } else { Vec::new() };
    }
    let mut group = blocks[at].items.to_vec();
    let Some(within) = group.iter().position(is_it) else { return Vec::new() };
    if !swap(&mut group, within, up) {
        return Vec::new();
    }
    blocks[at].items = &group;
    numbered(flat(&blocks), step.place)
}

/// What changes when a group that stands at `place` is moved; `known` is in order.
pub(super) fn group_moved(known: &[OwnStep], group: &str, place: Place, to: GroupMove) -> Vec<Placed> {
    let up = match to {
        GroupMove::To(there) if there == place => return Vec::new(),
        GroupMove::To(there) => {
            let moved = known.iter().filter(|step| step.group.as_deref() == Some(group));
            return numbered(of_place(known, there).into_iter().chain(moved), there);
        }
        GroupMove::Up => true,
        GroupMove::Down => false,
    };
    let steps = of_place(known, place);
    let mut blocks = blocks(&steps, |step| step.group.as_deref());
    match blocks.iter().position(|block| block.group == Some(group)) {
        Some(at) if swap(&mut blocks, at, up) => numbered(flat(&blocks), place),
        _ => Vec::new(),
    }
}

fn of_place(known: &[OwnStep], place: Place) -> Vec<&OwnStep> {
    known.iter().filter(|step| step.place == place).collect()
}

fn flat<'a>(blocks: &'a [Block<'a, &'a OwnStep>]) -> impl Iterator<Item = &'a OwnStep> {
    blocks.iter().flat_map(|block| block.items.iter().copied())
}

/// Whether there was a neighbour to go past.
fn swap<T>(items: &mut [T], at: usize, up: bool) -> bool {
    let other = if up { at.checked_sub(1) } else { Some(at + 1).filter(|next| *next < items.len()) };
    if let Some(other) = other {
        items.swap(at, other);
    }
    other.is_some()
}

/// A place is numbered anew, because where two have the same number that alone would not tell them apart.
fn numbered<'a>(steps: impl Iterator<Item = &'a OwnStep>, place: Place) -> Vec<Placed> {
    let numbers = (1..).map(|number: u32| (number * STEP).min(STEP_ORDER_MAX));
    let moved = steps.zip(numbers).filter(|(step, order)| step.order != *order || step.place != place);
    moved.map(|(step, order)| Placed { name: step.name.clone(), place, order }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::own_step::{CommandWork, Work};

    fn step(name: &str, order: u32, group: &str) -> OwnStep {
        let work = Work::Command(CommandWork { run: "true".into(), undo: None, check: None });
        let group = Some(group.to_owned()).filter(|group| !group.is_empty());
        let place = Place::AfterServices;
        OwnStep { name: name.into(), place, group, off: false, order, limit_seconds: 60, has_secret: false, work }
    }

    fn words(moved: &[Placed]) -> String {
        moved.iter().map(|placed| format!("{}{}", placed.name, placed.order)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_step_goes_past_its_neighbour_also_where_both_have_the_same_number() {
        let known = [step("a", 5, ""), step("b", 5, ""), step("c", 30, "")];
        let told = |at: usize, to| words(&step_moved(&known, &known[at], to));
        assert_eq!(told(1, Move::Up), "b10 a20");
        assert_eq!(told(1, Move::Down), "a10 c20 b30");
        assert_eq!(told(0, Move::Up), "", "it is the first already");
        assert_eq!(told(2, Move::Down), "");
        assert_eq!(told(2, Move::To(1)), "c1");
    }

    #[test]
    fn a_step_of_a_group_does_not_leave_it_and_others_go_past_the_whole_of_it() {
        let known = [step("a", 10, ""), step("b", 20, "DNS"), step("c", 30, "DNS"), step("d", 40, "")];
        let told = |at: usize, to| words(&step_moved(&known, &known[at], to));
        assert_eq!(told(2, Move::Up), "c20 b30");
        assert_eq!(told(1, Move::Up), "", "it is the first of its group");
        assert_eq!(told(2, Move::Down), "");
        assert_eq!(told(0, Move::Down), "b10 c20 a30");
        assert_eq!(told(3, Move::Up), "d20 b30 c40");
    }

    #[test]
    fn a_group_goes_past_its_neighbour_or_to_the_end_of_the_other_place() {
        let mut known = [step("a", 10, ""), step("b", 20, "DNS"), step("c", 30, "DNS"), step("d", 40, "Fax")];
        let told = |to| words(&group_moved(&known, "DNS", Place::AfterServices, to));
        assert_eq!(told(GroupMove::Up), "b10 c20 a30");
        assert_eq!(told(GroupMove::Down), "d20 b30 c40");
        assert_eq!(told(GroupMove::To(Place::AfterServices)), "");
        known[0].place = Place::BeforeServices;
        let moved = group_moved(&known, "DNS", Place::AfterServices, GroupMove::To(Place::BeforeServices));
        assert!(moved.iter().all(|placed| placed.place == Place::BeforeServices));
        assert_eq!(words(&moved), "b20 c30");
        assert_eq!(
            words(&group_moved(&known, "DNS", Place::AfterServices, GroupMove::Up)),
            "",
            "the first of its place"
        );
    }
}
