//! The sum of a group of own steps in a run: one line for who wants to know how far it is.

use serde::{Deserialize, Serialize};

use super::{StepReport, StepState};
use crate::own_step::blocks;

/// One group of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupReport {
    /// Its name.
    pub name: String,
    /// How many of its steps are done.
    pub done: usize,
    /// Of how many.
    pub of: usize,
    /// Seconds that those of its steps took that have come to an end; `null` while there is none.
    pub duration_seconds: Option<f64>,
}

impl GroupReport {
    /// Every group, in the order of the run.
    #[must_use]
    pub fn all(steps: &[StepReport]) -> Vec<Self> {
        let blocks = blocks(steps, |step| step.group.as_deref());
        blocks.into_iter().filter_map(|block| Some(Self::of(block.group?, block.items))).collect()
    }

    /// The sum of these steps.
    #[must_use]
    pub fn of(name: &str, steps: &[StepReport]) -> Self {
        let took = steps.iter().filter_map(|step| step.duration_seconds);
        Self {
            name: name.to_owned(),
            done: steps.iter().filter(|step| step.state == StepState::Done).count(),
            of: steps.len(),
            duration_seconds: took.reduce(|sum, one| sum + one),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(id: &str, group: Option<&str>, state: StepState, took: Option<f64>) -> StepReport {
        StepReport {
            id: id.into(),
            group: group.map(str::to_owned),
            state,
            attempts: 1,
            started_at: None,
            ended_at: None,
            duration_seconds: took,
            output: String::new(),
            remedy: None,
            ask: None,
            can_ack: false,
        }
    }

    #[test]
    fn a_group_sums_what_its_own_steps_have_come_to() {
        let steps = [
            step("verify", None, StepState::Done, Some(9.0)),
            step("own:a", Some("DNS"), StepState::Done, Some(1.5)),
            step("own:b", Some("DNS"), StepState::Failed, Some(2.0)),
            step("own:c", Some("DNS"), StepState::Waiting, None),
            step("own:d", Some("Fax"), StepState::Waiting, None),
            step("own:e", None, StepState::Waiting, None),
        ];
        let group =
            |name: &str, done, of, duration_seconds| GroupReport { name: name.into(), done, of, duration_seconds };
        assert_eq!(GroupReport::all(&steps), [group("DNS", 1, 3, Some(3.5)), group("Fax", 0, 1, None)]);
    }
}
