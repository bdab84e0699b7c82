//! Numbers, sizes, spans and moments as people read them, the same on the server and in the islands. A moment is shown
//! in the server's zone: the offset comes in as a parameter, because a browser may sit elsewhere.

use contract::{Lang, Timestamp};
use jiff::tz::Offset;

/// A decimal number with the reader's separator.
fn decimal(value: f64, lang: Lang) -> String {
    let text = format!("{value:.1}");
    match lang {
        Lang::It => text.replace('.', ","),
        Lang::En => text,
    }
}

/// A size: `0 B`, `812 kB`, `1,4 GB`. Decimal units, as disks are sold and as `df -H` prints.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
pub fn bytes(bytes: u64, lang: Lang) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    // 999.95 would be printed as 1000.0.
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{} {}", decimal(value, lang), UNITS[unit])
}

/// A count with thousands apart: `12.345` or `12,345`.
#[must_use]
pub fn count(n: u64, lang: Lang) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(match lang {
                Lang::It => '.',
                Lang::En => ',',
            });
        }
        out.push(c);
    }
    out
}

/// A span: `0,8 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 g 4 h`.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what a u64 holds")]
pub fn span(seconds: f64, lang: Lang) -> String {
    let seconds = seconds.max(0.0);
    if seconds < 10.0 {
        return format!("{} s", decimal(seconds, lang));
    }
    let whole = seconds.min(1e15) as u64;
    let (d, h, m, s) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60, whole % 60);
    let day = lang.pick("g", "d");
    let two = |a: u64, ua: &str, b: u64, ub: &str| {
        if b == 0 { format!("{a} {ua}") } else { format!("{a} {ua} {b} {ub}") }
    };
    match (d, h, m) {
        (0, 0, 0) => format!("{s} s"),
        (0, 0, m) => two(m, "min", s, "s"),
        (0, h, m) => two(h, "h", m, "min"),
        (d, h, _) => two(d, day, h, "h"),
    }
}

/// A remaining time as an estimate deserves it: `meno di un minuto`, `circa 3 minuti`, `circa 2 ore`.
#[must_use]
pub fn about(seconds: u64, lang: Lang) -> String {
    let say = |n: u64, one: (&str, &str), many: (&str, &str)| {
        let (it, en) = if n == 1 { one } else { many };
        format!("{} {n} {}", lang.pick("circa", "about"), lang.pick(it, en))
    };
    match seconds {
        0..60 => lang.pick("meno di un minuto", "less than a minute").to_owned(),
        60..5400 => say((seconds + 30) / 60, ("minuto", "minute"), ("minuti", "minutes")),
        5400..172_800 => say((seconds + 1800) / 3600, ("ora", "hour"), ("ore", "hours")),
        _ => say((seconds + 43_200) / 86_400, ("giorno", "day"), ("giorni", "days")),
    }
}

/// Text as it stands in a drawing or a table that is written as text: never markup.
#[must_use]
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A span of whole seconds, without a decimal: a limit, a mark on an axis.
#[must_use]
pub fn whole_span(seconds: u32, lang: Lang) -> String {
    if seconds < 60 { format!("{seconds} s") } else { span(f64::from(seconds), lang) }
}

/// A fraction between 0 and 1 as the vendor prints it: `25.06%`.
#[must_use]
pub fn percent(fraction: f64) -> String {
    // Rounded down, so that 100% is said only when all is done.
    format!("{:.2}%", (fraction * 10_000.0).floor() / 100.0)
}

/// A moment to the second: `22/11/2026 15:41:07` or `2026-11-22 15:41:07`.
#[must_use]
pub fn moment(at: Timestamp, offset_seconds: i32, lang: Lang) -> String {
    let at = offset(offset_seconds).to_datetime(at);
    let (y, mo, d) = (at.year(), at.month(), at.day());
    let (h, mi, s) = (at.hour(), at.minute(), at.second());
    match lang {
        Lang::It => format!("{d:02}/{mo:02}/{y:04} {h:02}:{mi:02}:{s:02}"),
        Lang::En => format!("{y:04}-{mo:02}-{d:02} {h:02}:{mi:02}:{s:02}"),
    }
}

/// The hour of a moment: `15:41:07`.
#[must_use]
pub fn hour(at: Timestamp, offset_seconds: i32) -> String {
    let at = offset(offset_seconds).to_datetime(at);
    format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
}

fn offset(seconds: i32) -> Offset {
    Offset::from_seconds(seconds).unwrap_or(Offset::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_keeps_one_decimal_and_never_says_a_thousand() {
        for (n, it, en) in [
            (0, "0 B", "0 B"),
            (999, "999 B", "999 B"),
            (1000, "1,0 kB", "1.0 kB"),
            (999_949, "999,9 kB", "999.9 kB"),
            (999_950, "1,0 MB", "1.0 MB"),
            (1_400_000_000, "1,4 GB", "1.4 GB"),
        ] {
            assert_eq!((bytes(n, Lang::It).as_str(), bytes(n, Lang::En).as_str()), (it, en));
        }
    }

    #[test]
    fn a_span_is_said_in_its_two_largest_units() {
        for (s, it) in [
            (0.84, "0,8 s"),
            (12.9, "12 s"),
            (60.0, "1 min"),
            (200.0, "3 min 20 s"),
            (7500.0, "2 h 5 min"),
            (273_600.0, "3 g 4 h"),
            (-1.0, "0,0 s"),
        ] {
            assert_eq!(span(s, Lang::It), it);
        }
    }

    #[test]
    fn a_remaining_time_is_no_more_exact_than_it_can_be() {
        for (seconds, it, en) in [
            (59, "meno di un minuto", "less than a minute"),
            (60, "circa 1 minuto", "about 1 minute"),
            (170, "circa 3 minuti", "about 3 minutes"),
            (5400, "circa 2 ore", "about 2 hours"),
            (172_800, "circa 2 giorni", "about 2 days"),
        ] {
            assert_eq!((about(seconds, Lang::It).as_str(), about(seconds, Lang::En).as_str()), (it, en));
        }
    }

    #[test]
    fn a_hundred_percent_is_said_only_at_the_end() {
        assert_eq!(percent(0.250_66), "25.06%");
        assert_eq!(percent(0.999_999), "99.99%");
        assert_eq!(percent(1.0), "100.00%");
    }

    #[test]
    fn a_moment_is_shown_in_the_servers_zone_and_the_readers_order() {
        let at: Timestamp = "2026-11-22T23:41:07Z".parse().unwrap();
        assert_eq!(moment(at, 3600, Lang::It), "23/11/2026 00:41:07");
        assert_eq!(moment(at, 0, Lang::En), "2026-11-22 23:41:07");
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(count(1_234_567, Lang::It), "1.234.567");
        assert_eq!(count(123, Lang::En), "123");
    }
}
