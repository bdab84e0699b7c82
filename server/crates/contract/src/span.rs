//! A span of time as people type it: `90s`, `15m`, `2h`, `7d`, or several of them, `1h30m`. Whole seconds.

use std::ops::RangeInclusive;

use crate::field::Problem;

/// The units, the largest first, each with its seconds.
const UNITS: [(char, u32); 4] = [('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];

/// Reads a typed span, in seconds.
///
/// # Errors
/// [`Problem::Required`], [`Problem::NotASpan`] or [`Problem::SpanOutOfRange`].
pub fn parse(typed: &str, range: RangeInclusive<u32>) -> Result<u32, Problem> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Err(Problem::Required);
    }
    let outside = || Problem::SpanOutOfRange { min: *range.start(), max: *range.end() };
    let mut seconds = 0_u32;
    for part in typed.split_inclusive(|c: char| c.is_ascii_alphabetic()) {
        let unit = UNITS.iter().find(|(letter, _)| part.ends_with(*letter));
        let (letter, worth) = unit.ok_or(Problem::NotASpan)?;
        let digits = part.trim_end_matches(*letter).trim();
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Problem::NotASpan);
        }
        let count: u32 = digits.parse().map_err(|_| outside())?;
        let more = count.checked_mul(*worth).and_then(|more| seconds.checked_add(more));
        seconds = more.ok_or_else(outside)?;
    }
    if range.contains(&seconds) { Ok(seconds) } else { Err(outside()) }
}

/// A span as it would be typed: `2h`, `1h30m`, `0s`.
#[must_use]
pub fn written(seconds: u32) -> String {
    let mut rest = seconds;
    let mut text = String::new();
    for (letter, worth) in UNITS {
        if rest >= worth {
            text.push_str(&format!("{}{letter}", rest / worth));
            rest %= worth;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_read_and_written_the_same_way() {
        for (typed, seconds) in [("90s", 90), ("15m", 900), (" 2h ", 7200), ("7d", 604_800), ("1h30m", 5400)] {
            assert_eq!(parse(typed, 1..=1_000_000), Ok(seconds), "{typed}");
            assert_eq!(parse(&written(seconds), 1..=1_000_000), Ok(seconds));
        }
        assert_eq!((written(5400).as_str(), written(0).as_str()), ("1h30m", "0s"));
    }

    #[test]
    fn what_is_no_span_or_too_long_is_told_apart() {
        for typed in ["2", "h", "2 hours", "-2h", "2h5", "1.5h", "2y", "二h", "+2h"] {
            assert_eq!(parse(typed, 1..=100), Err(Problem::NotASpan), "{typed}");
        }
        assert_eq!(parse("", 1..=100), Err(Problem::Required));
        for typed in ["0s", "2m", "99999999999s", "4294967295d", "4294967295s1s"] {
            assert_eq!(parse(typed, 1..=100), Err(Problem::SpanOutOfRange { min: 1, max: 100 }), "{typed}");
        }
    }
}
