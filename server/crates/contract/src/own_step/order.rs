//! The order of the steps, and how it is changed.

use std::str::FromStr;

use super::STEP_ORDER_MAX;
use super::form::number;
use crate::field::Problem;

/// Where a step is moved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// Before the one that stands before it, in its place.
    Up,
    /// Behind the one that stands behind it.
    Down,
    /// To this number.
    To(u32),
}

impl FromStr for Move {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        match text.trim() {
            "up" => Ok(Self::Up),
            "down" => Ok(Self::Down),
            "" => Err(Problem::Required),
            text => match number(text, 0, (0, STEP_ORDER_MAX)) {
                Ok(number) => Ok(Self::To(number)),
                Err(Problem::NotANumber) => Err(Problem::NotOneOf("up, down, 0-10000".into())),
                Err(problem) => Err(problem),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_moved_up_down_or_to_a_number() {
        assert_eq!("up".parse(), Ok(Move::Up));
        assert_eq!(" 7 ".parse(), Ok(Move::To(7)));
        assert!(matches!("10001".parse::<Move>(), Err(Problem::OutOfRange { .. })));
        assert!(matches!("left".parse::<Move>(), Err(Problem::NotOneOf(_))));
    }
}
