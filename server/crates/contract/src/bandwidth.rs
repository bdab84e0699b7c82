//! *Banda Replicazione*: how fast content may travel, and in which hours how fast. The one place that reads and writes
//! rates and hours as people do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::field::Problem;
use crate::lang::Lang;

/// A rate in kbit/s (1,000 bits a second).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kbits(u32);

impl Kbits {
    /// The least that makes sense: below it not even the lists of what changed would travel in time.
    pub const LEAST: u32 = 64;
    /// The greatest.
    pub const GREATEST: u32 = 100_000_000;

    /// Kbit/s, where that makes sense.
    #[must_use]
    pub const fn new(kbits: u32) -> Option<Self> {
        if kbits >= Self::LEAST && kbits <= Self::GREATEST { Some(Self(kbits)) } else { None }
    }

    /// Kbit/s.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Bytes a second.
    #[must_use]
    pub const fn bytes_per_second(self) -> u64 {
        self.0 as u64 * 125
    }

    /// Reads `512`, `512 kbit/s`, `10M`, `2.5 Mbit/s`, `1 Gbit/s`; `0`, `none` and nothing at all are no limit.
    ///
    /// # Errors
    /// [`Problem::NotARate`] or [`Problem::OutOfRange`].
    pub fn parse_limit(typed: &str) -> Result<Option<Self>, Problem> {
        let text = typed.trim().to_lowercase();
        if ["", "0", "none", "nessuno", "nessun limite", "no limit"].contains(&text.as_str()) {
            return Ok(None);
        }
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',').unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let factor: u64 = match unit.trim() {
            "" | "k" | "kbit" | "kbit/s" | "kbps" => 1,
            "m" | "mbit" | "mbit/s" | "mbps" => 1_000,
            "g" | "gbit" | "gbit/s" | "gbps" => 1_000_000,
            _ => return Err(Problem::NotARate),
        };
        let number = number.replace(',', ".");
        let (whole, part) = number.split_once('.').unwrap_or((&number, ""));
        // In thousandths: three digits are as many as a rate can have.
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 9 || part.len() > 3 || !digits(whole) || !digits(part) {
            return Err(Problem::NotARate);
        }
        let thousandths: u64 = format!("{whole}{part:0<3}").parse().map_err(|_| Problem::NotARate)?;
        let out_of_range = Problem::OutOfRange { min: Self::LEAST, max: Self::GREATEST };
        let kbits = u32::try_from(thousandths.saturating_mul(factor) / 1_000).ok().and_then(Self::new);
        kbits.map(Some).ok_or(out_of_range)
    }
}

impl fmt::Display for Kbits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            kbits if kbits % 1_000_000 == 0 => write!(f, "{} Gbit/s", kbits / 1_000_000),
            kbits if kbits % 1_000 == 0 => write!(f, "{} Mbit/s", kbits / 1_000),
            kbits => write!(f, "{kbits} kbit/s"),
        }
    }
}

/// A limit in words, also where there is none.
#[must_use]
pub fn limit_text(limit: Option<Kbits>, lang: Lang) -> String {
    limit.map_or_else(|| lang.pick("nessun limite", "no limit").to_owned(), |limit| limit.to_string())
}

/// Some days of the week; the first bit is Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Days(u8);

const ITALIAN: [&str; 7] = ["lun", "mar", "mer", "gio", "ven", "sab", "dom"];
const ENGLISH: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Days {
    /// From the bits; `None` for no day or more than seven.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits > 0 && bits < 128 { Some(Self(bits)) } else { None }
    }

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether a day is among them; 0 is Monday.
    #[must_use]
    pub const fn has(self, day: u8) -> bool {
        self.0 & (1 << day) != 0
    }

    fn parse(text: &str) -> Option<Self> {
        let day = |name: &str| [ITALIAN, ENGLISH].iter().find_map(|week| week.iter().position(|known| *known == name));
        let mut bits = 0u8;
        for part in text.split(',') {
            match part.split_once('-') {
                Some((from, to)) => {
                    let (from, to) = (day(from)?, day(to)?);
                    // From Saturday to Monday is three days.
                    (0..=(to + 7 - from) % 7).for_each(|step| bits |= 1 << ((from + step) % 7));
                }
                None => bits |= 1 << day(part)?,
            }
        }
        Self::from_bits(bits)
    }

    fn text(self, lang: Lang) -> String {
        let names = match lang {
            Lang::It => ITALIAN,
            Lang::En => ENGLISH,
        };
        let mut parts = Vec::new();
        let mut day = 0;
        while day < 7 {
            let run = (day..7).take_while(|day| self.has(*day)).count() as u8;
            let name = |day: u8| names[usize::from(day)];
            match run {
                0 => {}
                1 => parts.push(name(day).to_owned()),
                2 => parts.push(format!("{},{}", name(day), name(day + 1))),
                _ => parts.push(format!("{}-{}", name(day), name(day + run - 1))),
            }
            day += run.max(1);
        }
        parts.join(",")
    }
}

/// Minutes of a day.
pub const DAY: u16 = 24 * 60;

/// Hours of the week in which another limit holds. Where `to` is not after `from` it ends on the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// On which days it begins.
    pub days: Days,
    /// Its first minute of the day, local time.
    pub from: u16,
    /// The minute after its last one, up to [`DAY`].
    pub to: u16,
    /// What holds in it.
    pub limit: Option<Kbits>,
}

impl Window {
    /// Whether a minute of a day of the week (0 is Monday) lies in it.
    #[must_use]
    pub const fn holds(&self, day: u8, minute: u16) -> bool {
        if self.from < self.to {
            return self.days.has(day) && minute >= self.from && minute < self.to;
        }
        (self.days.has(day) && minute >= self.from) || (self.days.has((day + 6) % 7) && minute < self.to)
    }

    /// As it is typed: `lun-ven 08:00-18:00 10 Mbit/s`.
    #[must_use]
    pub fn text(&self, lang: Lang) -> String {
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        let limit = self.limit.map_or_else(|| lang.pick("nessuno", "none").to_owned(), |limit| limit.to_string());
        format!("{} {}-{} {limit}", self.days.text(lang), clock(self.from), clock(self.to))
    }
}

impl FromStr for Window {
    type Err = Problem;

    /// Reads `lun-ven 08:00-18:00 10M`, in either language.
    fn from_str(typed: &str) -> Result<Self, Problem> {
        let text = typed.trim().to_lowercase();
        let mut words = text.splitn(3, char::is_whitespace);
        let (days, hours, limit) = (words.next(), words.next(), words.next());
        let days = days.and_then(Days::parse).ok_or(Problem::NotAWindow)?;
        let (from, to) = hours.and_then(|hours| hours.split_once('-')).ok_or(Problem::NotAWindow)?;
        let from = clock(from).filter(|from| *from < DAY).ok_or(Problem::NotAWindow)?;
        let to = clock(to).ok_or(Problem::NotAWindow)?;
        let limit = limit.filter(|limit| !limit.trim().is_empty()).ok_or(Problem::NotAWindow)?;
        Ok(Self { days, from, to, limit: Kbits::parse_limit(limit)? })
    }
}

/// Minutes of `HH:MM`, up to 24:00.
fn clock(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let digits = |text: &str| (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hours) || minutes.len() != 2 || !digits(minutes) {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let all = hours * 60 + minutes;
    (minutes < 60 && all <= DAY).then_some(all)
}

/// How fast content may travel. The first window that holds wins over the general limit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Schedule {
    /// Where no window holds.
    pub limit: Option<Kbits>,
    /// In the order in which they were given.
    pub windows: Vec<Window>,
}

impl Schedule {
    /// More windows than anybody needs.
    pub const MOST_WINDOWS: u32 = 32;

    /// Reads what was typed: a limit, and one window a line.
    ///
    /// # Errors
    /// What is wrong with which field, for all of them.
    pub fn parse(limit: &str, windows: &[String]) -> Result<Self, Vec<crate::FieldError>> {
        let mut errors = Vec::new();
        let limit = Kbits::parse_limit(limit).unwrap_or_else(|problem| {
            errors.push(crate::FieldError::new("limit", problem));
            None
        });
        let mut read = Vec::new();
        for line in windows.iter().filter(|line| !line.trim().is_empty()) {
            match line.parse() {
                Ok(window) => read.push(window),
                Err(problem) => {
                    let problem = Problem::Value { value: line.trim().to_owned(), problem: Box::new(problem) };
                    errors.push(crate::FieldError::new("windows", problem));
                }
            }
        }
        if read.len() > Self::MOST_WINDOWS as usize {
            errors.push(crate::FieldError::new("windows", Problem::TooMany(Self::MOST_WINDOWS)));
        }
        if errors.is_empty() { Ok(Self { limit, windows: read }) } else { Err(errors) }
    }

    /// What holds at a minute of a day of the week (0 is Monday), and which window says so.
    #[must_use]
    pub fn at(&self, day: u8, minute: u16) -> (Option<Kbits>, Option<usize>) {
        match self.windows.iter().position(|window| window.holds(day, minute)) {
            Some(at) => (self.windows[at].limit, Some(at)),
            None => (self.limit, None),
        }
    }
}

/// `tvox-dr sync bandwidth show --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BandwidthReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// Where no window holds, in kbit/s; `null` for no limit.
    pub limit_kbits: Option<Kbits>,
    /// The hours in which another one holds.
    pub windows: Vec<WindowInfo>,
    /// What holds at this moment, in kbit/s; `null` for no limit.
    pub now_kbits: Option<Kbits>,
    /// Which of the windows holds at this moment, from 0; `null` for none.
    pub now_window: Option<usize>,
}

/// One window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowInfo {
    /// As it is typed, in English.
    pub text: String,
    /// In parts.
    #[serde(flatten)]
    pub window: Window,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_people_write_them() {
        let table: [(&str, Option<u32>); 14] = [
            ("", None),
            ("0", None),
            ("none", None),
            ("Nessuno", None),
            ("512", Some(512)),
            ("512 kbit/s", Some(512)),
            ("512k", Some(512)),
            ("10M", Some(10_000)),
            ("10 Mbit/s", Some(10_000)),
            ("2.5 Mbit/s", Some(2_500)),
            ("2,5M", Some(2_500)),
            ("0.5M", Some(500)),
            ("1 Gbit/s", Some(1_000_000)),
            (" 100 MBIT/S ", Some(100_000)),
        ];
        for (typed, kbits) in table {
            let read = Kbits::parse_limit(typed).unwrap();
            assert_eq!(read.map(Kbits::get), kbits, "{typed}");
            if let Some(read) = read {
                assert_eq!(Kbits::parse_limit(&read.to_string()), Ok(Some(read)), "{read}");
            }
        }
        for typed in ["fast", "10 MB", "-1", "1.2.3M", ".5M", "1e3", "10M/s", "1.2345M", "99999999999"] {
            assert_eq!(Kbits::parse_limit(typed), Err(Problem::NotARate), "{typed}");
        }
        for typed in ["63", "0.01M", "101G", "999999999G"] {
            assert!(matches!(Kbits::parse_limit(typed), Err(Problem::OutOfRange { .. })), "{typed}");
        }
    }

    #[test]
    fn windows_are_read_in_both_languages_and_say_themselves() {
        for (typed, said) in [
            ("lun-ven 08:00-18:00 10M", "lun-ven 08:00-18:00 10 Mbit/s"),
            ("mon-fri 8:00-18:00 10000", "lun-ven 08:00-18:00 10 Mbit/s"),
            ("Sab,Dom 00:00-24:00 none", "sab,dom 00:00-24:00 nessuno"),
            ("sat-mon 22:00-06:00 512k", "lun,sab,dom 22:00-06:00 512 kbit/s"),
            ("mer 12:30-12:30 1G", "mer 12:30-12:30 1 Gbit/s"),
        ] {
            let window: Window = typed.parse().unwrap();
            assert_eq!(window.text(Lang::It), said);
            for lang in [Lang::It, Lang::En] {
                assert_eq!(window.text(lang).parse(), Ok(window), "{typed}");
            }
        }
        for typed in
            ["", "lun", "lun 08:00", "lun 08:00-18:00", "xyz 08:00-18:00 1M", "lun 8-18 1M", "lun 24:00-25:00 1M"]
        {
            assert_eq!(typed.parse::<Window>(), Err(Problem::NotAWindow), "{typed}");
        }
        assert_eq!("lun 08:00-18:00 fast".parse::<Window>(), Err(Problem::NotARate));
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
        let schedule = Schedule::parse("100M", &["fri 22:00-06:00 none".into(), "mon-fri 08:00-18:00 2M".into()]);
        let schedule = schedule.unwrap();
        let at = |day, hour: u16| schedule.at(day, hour * 60).0.map(Kbits::get);
        assert_eq!((at(4, 21), at(4, 22), at(5, 5), at(5, 6)), (Some(100_000), None, None, Some(100_000)));
        assert_eq!((at(3, 23), at(4, 3)), (Some(100_000), Some(100_000)), "no other night");
        assert_eq!(
            (at(0, 8), at(4, 17), at(4, 18), at(6, 12)),
            (Some(2_000), Some(2_000), Some(100_000), Some(100_000))
        );
        assert_eq!(schedule.at(0, 9 * 60).1, Some(1));
    }

    #[test]
    fn every_field_that_is_wrong_is_told_at_once() {
        let errors = Schedule::parse("fast", &["never".into(), "mon 08:00-09:00 1M".into()]).unwrap_err();
        let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["limit", "windows"]);
        assert!(Schedule::parse("", &vec!["mon 08:00-09:00 1M".into(); 33]).is_err());
    }
}
