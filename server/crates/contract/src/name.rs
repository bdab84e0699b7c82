//! Names of machines, datasets and users: one grammar for all, `[a-z0-9-]{1,63}`, so that a name can stand in a path, a
//! host name, a command and a certificate without quoting.

use crate::field::Problem;

/// Longest name, in bytes (RFC 1035's label).
pub const MAX_LEN: usize = 63;

/// Checks a name.
///
/// # Errors
/// [`Problem::Required`] when it is empty, [`Problem::NotAName`] when it has another character or is too long.
pub fn check(name: &str) -> Result<(), Problem> {
    if name.is_empty() {
        return Err(Problem::Required);
    }
    let fits = name.len() <= MAX_LEN && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if fits { Ok(()) } else { Err(Problem::NotAName) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_lower_case_letters_digits_and_dashes_up_to_63() {
        for good in ["a", "master1", "dr-1", &"x".repeat(63)] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        assert_eq!(check(""), Err(Problem::Required));
        for bad in ["A", "a b", "a_b", "à", "a/b", "..", "a\n", &"x".repeat(64)] {
            assert_eq!(check(bad), Err(Problem::NotAName), "{bad}");
        }
    }
}
