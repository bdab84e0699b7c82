//! Groups: steps that stand together under one heading, are moved together and can be left out together.
//!
//! Nothing of a group is done at the same time: a roll back undoes in exactly the reverse order of what was done, and
//! whoever reads a run in the middle of the night has one thing to look at.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{OwnStep, Place};
use crate::field::Problem;

/// Longest name of a group, in characters.
pub const GROUP_MAX: u32 = 60;

/// A group's name as typed: the heading that people read, on one line. `None` where nothing was typed.
///
/// # Errors
/// [`Problem::TooLong`].
pub fn group_name(typed: &str) -> Result<Option<String>, Problem> {
    let words = typed.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join(" ");
    match name.chars().count() {
        0 => Ok(None),
        count if count > GROUP_MAX as usize => Err(Problem::TooLong(GROUP_MAX)),
        _ => Ok(Some(name)),
    }
}

/// What is ordered of a whole group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepGroup {
    /// Its name.
    pub name: String,
    /// What.
    pub order: GroupOrder,
}

/// What can be ordered of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupOrder {
    /// The next runs take its steps again.
    On,
    /// They leave them out.
    Off,
    /// It is moved.
    Move {
        /// `up`, `down`, `before_services` or `after_services`, as typed.
        to: String,
    },
}

impl StepGroup {
    /// What the audit log calls it.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        match self.order {
            GroupOrder::On => "step.group.on",
            GroupOrder::Off => "step.group.off",
            GroupOrder::Move { .. } => "step.group.move",
        }
    }
}

/// Where a group is moved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupMove {
    /// Before the group or the single step that stands before it.
    Up,
    /// Behind the one that stands behind it.
    Down,
    /// To the end of this place.
    To(Place),
}

impl FromStr for GroupMove {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        match text.trim() {
            "up" => Ok(Self::Up),
            "down" => Ok(Self::Down),
            "" => Err(Problem::Required),
            text => match text.parse() {
                Ok(place) => Ok(Self::To(place)),
                Err(_) => Err(Problem::NotOneOf("up, down, before_services, after_services".into())),
            },
        }
    }
}

/// What stands together: a group, or one step that is in none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block<'a, T> {
    /// The group's name.
    pub group: Option<&'a str>,
    /// At least one.
    pub items: &'a [T],
}

/// The blocks of what is in order already.
pub fn blocks<'a, T>(items: &'a [T], group: impl Fn(&'a T) -> Option<&'a str>) -> Vec<Block<'a, T>> {
    let together = |one: &'a T, next: &'a T| group(one).is_some() && group(one) == group(next);
    let mut found: Vec<Block<'a, T>> = Vec::new();
    let mut from = 0;
    for end in 1..=items.len() {
        if end == items.len() || !together(&items[end - 1], &items[end]) {
            found.push(Block { group: group(&items[from]), items: &items[from..end] });
            from = end;
        }
    }
    found
}

/// Puts steps into the order in which they are done: by place, then by number, equal numbers by name. A group stands
/// where its first step does, and its steps among themselves by the same rule.
pub fn put_in_order<T>(items: &mut [T], step: impl Fn(&T) -> &OwnStep) {
    let number = |step: &OwnStep| (step.order, step.name.clone());
    let mut first: BTreeMap<(Place, String), (u32, String)> = BTreeMap::new();
    for step in items.iter().map(&step) {
        if let Some(group) = &step.group {
            let known = first.entry((step.place, group.clone())).or_insert_with(|| number(step));
            *known = number(step).min(known.clone());
        }
    }
    items.sort_by_cached_key(|item| {
        let step = step(item);
        let group = step.group.as_ref().and_then(|group| first.get(&(step.place, group.clone())));
        (step.place, group.cloned().unwrap_or_else(|| number(step)), number(step))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::own_step::{CommandWork, Work};

    fn step(name: &str, order: u32, group: &str) -> OwnStep {
        let work = Work::Command(CommandWork { run: "true".into(), undo: None, check: None });
        let group = Some(group.to_owned()).filter(|group| !group.is_empty());
        let place = Place::AfterServices;
        OwnStep { name: name.into(), place, group, off: false, order, limit_seconds: 60, has_secret: false, work }
    }

    #[test]
    fn a_group_stands_where_its_first_step_does_and_equal_numbers_go_by_name() {
        let mut steps = [
            step("fax", 20, ""),
            step("zone", 90, "DNS"),
            step("carrier", 10, "Operatore"),
            step("backup", 20, "Operatore"),
            step("alias", 20, "DNS"),
            step("first", 99, ""),
        ];
        steps[5].place = Place::BeforeServices;
        put_in_order(&mut steps, |step| step);
        let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names, ["first", "carrier", "backup", "alias", "zone", "fax"]);
        let blocks = blocks(&steps, |step| step.group.as_deref());
        let told: Vec<_> = blocks.iter().map(|block| (block.group, block.items.len())).collect();
        assert_eq!(told, [(None, 1), (Some("Operatore"), 2), (Some("DNS"), 2), (None, 1)]);
    }

    #[test]
    fn single_steps_are_no_group_however_many_stand_in_a_row() {
        let steps = [step("a", 1, ""), step("b", 2, "")];
        assert_eq!(blocks(&steps, |step| step.group.as_deref()).len(), 2);
        assert!(blocks(&steps[..0], |step| step.group.as_deref()).is_empty());
    }

    #[test]
    fn a_name_is_one_line_that_people_read() {
        assert_eq!(group_name(" Operatore\r\n\u{7}telefonico "), Ok(Some("Operatore telefonico".into())));
        assert_eq!(group_name(" \t"), Ok(None));
        assert_eq!(group_name(&"è".repeat(60)), Ok(Some("è".repeat(60))));
        assert_eq!(group_name(&"è".repeat(61)), Err(Problem::TooLong(60)));
    }

    #[test]
    fn a_group_is_moved_past_its_neighbour_or_to_the_other_place() {
        assert_eq!("down".parse(), Ok(GroupMove::Down));
        assert_eq!(" before_services ".parse(), Ok(GroupMove::To(Place::BeforeServices)));
        assert!(matches!("7".parse::<GroupMove>(), Err(Problem::NotOneOf(_))));
    }
}
