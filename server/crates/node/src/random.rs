//! Random ids, secrets and first passwords, all from the kernel.

/// `N` random bytes.
///
/// The kernel's generator never fails once the machine has booted; should it, nothing here may go on with weak secrets.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    #[expect(clippy::expect_used, reason = "without random numbers no secret is one: stop at once")]
    getrandom::fill(&mut out).expect("the kernel gives random bytes");
    out
}

/// A random id of 32 hex digits.
#[must_use]
pub fn id() -> String {
    hex(&bytes::<16>())
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A password a person can read out on the telephone: five groups of four letters and digits without look-alikes, about
/// 98 bits.
#[must_use]
pub fn password() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let letters: Vec<char> = bytes::<20>().iter().map(|b| char::from(ALPHABET[usize::from(b % 32)])).collect();
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_password_is_long_and_never_the_same() {
        let (a, b) = (super::password(), super::password());
        assert_ne!(a, b);
        assert!(contract::users::check_password(&a).is_ok(), "{a}");
    }
}
