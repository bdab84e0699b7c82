//! How many generations are kept to go back to, in tiers: the newest ones, and then one for each minute, hour and day.

use serde::{Deserialize, Serialize};

use crate::field::{FieldError, Problem};
use crate::lang::Lang;

macro_rules! tiers {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $default:literal, $min:literal..=$max:literal, $it:literal, $en:literal;)*) => {
        /// One tier.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Tier { $($(#[$doc])* $variant,)* }

        impl Tier {
            /// All tiers, in the page's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in commands, forms and JSON.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// How many where nobody has set it.
            #[must_use]
            pub const fn default(self) -> u32 {
                match self { $(Self::$variant => $default,)* }
            }

            /// The least and the greatest number that make sense.
            #[must_use]
            pub const fn range(self) -> (u32, u32) {
                match self { $(Self::$variant => ($min, $max),)* }
            }

            /// The words a reader sees.
            #[must_use]
            pub const fn label(self, lang: Lang) -> &'static str {
                match self { $(Self::$variant => lang.pick($it, $en),)* }
            }
        }
    };
}

tiers! {
    /// Whatever their age.
    Newest = "newest", 5, 1..=100, "Più recenti", "Newest";
    /// The last one of each minute.
    Minutes = "minutes", 5, 0..=120, "Uno al minuto, per minuti", "One a minute, for minutes";
    /// The last one of each hour.
    Hours = "hours", 24, 0..=168, "Uno all'ora, per ore", "One an hour, for hours";
    /// The last one of each day.
    Days = "days", 7, 0..=366, "Uno al giorno, per giorni", "One a day, for days";
}

impl Tier {
    /// The length of its slots, in seconds; `None` for the newest, which have none.
    #[must_use]
    pub const fn slot_seconds(self) -> Option<i64> {
        match self {
            Self::Newest => None,
            Self::Minutes => Some(60),
            Self::Hours => Some(3600),
            Self::Days => Some(86_400),
        }
    }
}

/// The policy, and `tvox-dr sync retention show --json` without its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// So many of the newest, whatever their age.
    pub newest: u32,
    /// The last one of so many minutes.
    pub minutes: u32,
    /// The last one of so many hours.
    pub hours: u32,
    /// The last one of so many days.
    pub days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            newest: Tier::Newest.default(),
            minutes: Tier::Minutes.default(),
            hours: Tier::Hours.default(),
            days: Tier::Days.default(),
        }
    }
}

impl Retention {
    /// How many a tier keeps.
    #[must_use]
    pub const fn of(&self, tier: Tier) -> u32 {
        match tier {
            Tier::Newest => self.newest,
            Tier::Minutes => self.minutes,
            Tier::Hours => self.hours,
            Tier::Days => self.days,
        }
    }

    const fn set(&mut self, tier: Tier, count: u32) {
        match tier {
            Tier::Newest => self.newest = count,
            Tier::Minutes => self.minutes = count,
            Tier::Hours => self.hours = count,
            Tier::Days => self.days = count,
        }
    }

    /// As many restore points as there can be at once, pinned ones aside.
    #[must_use]
    pub const fn most(&self) -> u32 {
        self.newest + self.minutes + self.hours + self.days
    }
}

/// A policy as typed; what is left out stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RetentionForm {
    /// See [`Retention::newest`].
    pub newest: Option<String>,
    /// See [`Retention::minutes`].
    pub minutes: Option<String>,
    /// See [`Retention::hours`].
    pub hours: Option<String>,
    /// See [`Retention::days`].
    pub days: Option<String>,
}

impl RetentionForm {
    /// What was typed for a tier.
    #[must_use]
    pub fn of(&self, tier: Tier) -> Option<&str> {
        match tier {
            Tier::Newest => self.newest.as_deref(),
            Tier::Minutes => self.minutes.as_deref(),
            Tier::Hours => self.hours.as_deref(),
            Tier::Days => self.days.as_deref(),
        }
    }

    /// The policy that it makes of another one.
    ///
    /// # Errors
    /// One [`FieldError`] for each number that cannot be taken; one for `newest` where nothing was typed at all.
    pub fn check(&self, before: Retention) -> Result<Retention, Vec<FieldError>> {
        let mut after = before;
        let mut errors = Vec::new();
        for tier in Tier::ALL {
            let Some(typed) = self.of(*tier) else { continue };
            let (min, max) = tier.range();
            match typed.trim().parse::<u32>() {
                Err(_) => errors.push(FieldError::new(tier.name(), Problem::NotANumber)),
                Ok(count) if !(min..=max).contains(&count) => {
                    errors.push(FieldError::new(tier.name(), Problem::OutOfRange { min, max }));
                }
                Ok(count) => after.set(*tier, count),
            }
        }
        if *self == Self::default() {
            errors.push(FieldError::new(Tier::Newest.name(), Problem::Required));
        }
        if errors.is_empty() { Ok(after) } else { Err(errors) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_stays_and_every_bad_number_is_named() {
        let form = RetentionForm { hours: Some(" 48 ".into()), ..RetentionForm::default() };
        let after = form.check(Retention::default()).unwrap();
        assert_eq!(after, Retention { hours: 48, ..Retention::default() });
        let bad = RetentionForm {
            newest: Some("0".into()),
            minutes: Some("many".into()),
            hours: Some("-1".into()),
            days: Some("367".into()),
        };
        let fields: Vec<_> = bad.check(after).unwrap_err().into_iter().map(|error| error.field).collect();
        assert_eq!(fields, ["newest", "minutes", "hours", "days"]);
        assert!(RetentionForm::default().check(after).is_err(), "an empty order is none");
    }

    #[test]
    fn the_defaults_lie_in_their_ranges() {
        for tier in Tier::ALL {
            let (min, max) = tier.range();
            assert!((min..=max).contains(&tier.default()), "{}", tier.name());
            assert_eq!(Retention::default().of(*tier), tier.default());
        }
    }
}
