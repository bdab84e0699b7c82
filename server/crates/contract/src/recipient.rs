//! Who is told when something is wrong: e-mail addresses, and mobile numbers typed in national form.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::field::Problem;

/// By which way a recipient is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// By e-mail.
    Email,
    /// By SMS.
    Sms,
}

impl Channel {
    /// The word used in commands, tables and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
        }
    }

    /// Brings a typed value into the one form that is stored, or says what is wrong with it.
    ///
    /// # Errors
    /// The [`Problem`] of that channel.
    pub fn normalise(self, typed: &str) -> Result<String, Problem> {
        match self {
            Self::Email => email(typed),
            Self::Sms => mobile(typed),
        }
    }
}

impl FromStr for Channel {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        match text {
            "email" => Ok(Self::Email),
            "sms" => Ok(Self::Sms),
            _ => Err(Problem::NotOneOf("email, sms".into())),
        }
    }
}

/// One recipient as stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Recipient {
    /// The way.
    pub channel: Channel,
    /// The normalised value: `local@domain` or E.164.
    pub value: String,
}

/// Splits what was typed into one field: commas, semicolons or white space between the values.
pub fn split(typed: &str) -> impl Iterator<Item = &str> {
    typed.split([',', ';', '\n', '\r', '\t', ' ']).map(str::trim).filter(|part| !part.is_empty())
}

/// An address that a mail server can take: `local@domain`, with the limits of RFC 5321, 4.5.3.1, without quoted local
/// parts (nobody has one, and they hide mistakes).
fn email(typed: &str) -> Result<String, Problem> {
    let typed = typed.trim();
    let (local, domain) = typed.rsplit_once('@').ok_or(Problem::NotAnEmail)?;
    let atom = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-.".contains(&b);
    let local_fits = (1..=64).contains(&local.len())
        && local.bytes().all(atom)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..");
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    let domain_fits = domain.len() <= 253 && domain.split('.').all(label);
    if local_fits && domain_fits {
        Ok(format!("{local}@{}", domain.to_ascii_lowercase()))
    } else {
        Err(Problem::NotAnEmail)
    }
}

/// A number in E.164 (ITU-T E.164: `+` and at most 15 digits). A national Italian mobile (`3…`, nine or ten digits) gets
/// `+39`; `00` is read as `+`. A fixed line cannot receive an SMS and is refused by its leading zero.
fn mobile(typed: &str) -> Result<String, Problem> {
    let digits: String = typed.chars().filter(|c| !matches!(c, ' ' | '.' | '-' | '/' | '(' | ')')).collect();
    let international = digits.strip_prefix('+').or_else(|| digits.strip_prefix("00"));
    let number = match international {
        Some(rest) => rest.to_owned(),
        None if digits.starts_with('3') && (9..=10).contains(&digits.len()) => format!("39{digits}"),
        None => return Err(Problem::NotAMobile),
    };
    let fits =
        (8..=15).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit()) && !number.starts_with('0');
    if fits { Ok(format!("+{number}")) } else { Err(Problem::NotAMobile) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn national_mobiles_become_e164_and_nonsense_is_refused() {
        for (typed, stored) in [
            ("3471234567", "+393471234567"),
            ("349123456", "+39349123456"),
            ("347 123 45 67", "+393471234567"),
            ("+393471234567", "+393471234567"),
            ("0039 347 1234567", "+393471234567"),
            ("+44 7700 900123", "+447700900123"),
        ] {
            assert_eq!(Channel::Sms.normalise(typed), Ok(stored.to_owned()), "{typed}");
        }
        for bad in ["", "abc", "0422123456", "34712345", "34712345678", "+39", "+1234567890123456", "347123456a"] {
            assert_eq!(Channel::Sms.normalise(bad), Err(Problem::NotAMobile), "{bad}");
        }
    }

    #[test]
    fn an_email_has_one_at_sign_and_a_real_domain() {
        assert_eq!(Channel::Email.normalise(" Allarmi@Example.COM "), Ok("Allarmi@example.com".into()));
        for bad in
            ["", "a", "a@", "@b.it", "a b@c.it", "a@b..it", "a@-b.it", "a..b@c.it", "a@b.it\nBcc: x@y.it", "<a@b.it>"]
        {
            assert_eq!(Channel::Email.normalise(bad), Err(Problem::NotAnEmail), "{bad}");
        }
    }

    #[test]
    fn one_field_holds_several_recipients() {
        assert_eq!(split("a@b.it, c@d.it;\n e@f.it,").collect::<Vec<_>>(), ["a@b.it", "c@d.it", "e@f.it"]);
    }
}
