//! The lag of one replica over an hour, a day or a week, as SVG text: drawn on the server, and drawn again by the same
//! function in the browser when a new point comes in. Colours are the style sheet's; nothing in it is styled inline.
//!
//! The vertical scale is logarithmic: a tenth of a second and a limit of five minutes are both to be seen.

use std::fmt::Write as _;

use contract::Lang;
use contract::lag::LagWindow;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::format::{self, escaped};

/// What is drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LagChart {
    /// The dataset.
    pub dataset: String,
    /// Seconds since 1970, and the lag in seconds; oldest first.
    pub points: Vec<(i64, f64)>,
    /// Where the warning begins, in seconds.
    pub soft: u32,
    /// Where the alarm begins, in seconds.
    pub hard: u32,
    /// The right edge, in seconds since 1970.
    pub now: i64,
    /// How far it reaches to the left.
    pub window: LagWindow,
}

const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 590.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 206.0;
/// Values that may be written on the vertical axis, in seconds.
const MARKS: [u32; 8] = [0, 1, 10, 60, 600, 3600, 21_600, 86_400];

impl LagChart {
    fn seconds(&self) -> i64 {
        self.window.seconds().into()
    }

    fn step(&self) -> i64 {
        self.window.step_seconds().into()
    }

    /// A hole longer than this is a time of which nothing is known.
    fn gap(&self) -> i64 {
        3 * self.step()
    }

    /// The marks on the horizontal axis are so many seconds apart.
    const fn marks(&self) -> i64 {
        match self.window {
            LagWindow::Hour => 900,
            LagWindow::Day => 4 * 3600,
            LagWindow::Week => 86_400,
        }
    }

    /// The rows of the table are so many seconds long.
    const fn row(&self) -> i64 {
        match self.window {
            LagWindow::Hour => 300,
            LagWindow::Day => 3600,
            LagWindow::Week => 6 * 3600,
        }
    }

    /// Adds what is known now: the worst of each step stays, and what has left the window goes.
    pub fn add(&mut self, now: i64, lag: Option<f64>) {
        let (width, length) = (self.step(), self.seconds());
        let step = |at: i64| at.div_euclid(width);
        self.now = now;
        if let Some(lag) = lag {
            match self.points.last_mut() {
                Some(last) if step(last.0) == step(now) => last.1 = last.1.max(lag),
                _ => self.points.push((now, lag)),
            }
        }
        self.points.retain(|(at, _)| (0..=length).contains(&(now - at)));
    }

    fn worst(&self) -> Option<(i64, f64)> {
        self.points.iter().copied().reduce(|worst, point| if point.1 > worst.1 { point } else { worst })
    }

    fn top(&self) -> f64 {
        let worst = self.worst().map_or(0.0, |(_, lag)| lag);
        (f64::from(self.hard) * 1.6).max(worst * 1.3).max(10.0)
    }

    fn y(&self, seconds: f64) -> f64 {
        BOTTOM - (BOTTOM - TOP) * (seconds.max(0.0).ln_1p() / self.top().ln_1p())
    }

    #[expect(clippy::cast_precision_loss, reason = "a week's seconds")]
    fn x(&self, at: i64) -> f64 {
        let age = (self.now - at) as f64 / self.seconds() as f64;
        RIGHT - (RIGHT - LEFT) * age
    }

    /// The drawing, and under it the name and the same in words.
    #[must_use]
    pub fn figure(&self, offset: i32, lang: Lang) -> String {
        let (svg, words) = (self.svg(offset, lang), self.sentence(offset, lang));
        format!("{svg}<figcaption><strong>{}</strong> {words}</figcaption>", escaped(&self.dataset))
    }

    /// The drawing alone. `offset` is the server's zone, in seconds.
    fn svg(&self, offset: i32, lang: Lang) -> String {
        let id = format!("lag-{}", escaped(&self.dataset));
        let title = format!(
            "{} {}",
            match self.window {
                LagWindow::Hour => lang.pick("Ritardo nell'ultima ora:", "Lag during the last hour:"),
                LagWindow::Day => lang.pick("Ritardo nelle ultime 24 ore:", "Lag during the last 24 hours:"),
                LagWindow::Week => lang.pick("Ritardo negli ultimi 7 giorni:", "Lag during the last 7 days:"),
            },
            escaped(&self.dataset)
        );
        let mut out = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"{id}-title {id}-desc\">\
             <title id=\"{id}-title\">{title}</title><desc id=\"{id}-desc\">{}</desc>",
            self.sentence(offset, lang)
        );
        self.grid(&mut out, offset, lang);
        self.limits(&mut out, lang);
        for run in self.points.chunk_by(|a, b| b.0 - a.0 <= self.gap()) {
            self.line(&mut out, run);
        }
        out.push_str("</svg>");
        out
    }

    /// The same as rows of a table, the newest first: when each begins, and the highest lag in it; `None` where nothing
    /// was known.
    #[must_use]
    pub fn rows(&self, offset: i32) -> Vec<(String, Option<f64>)> {
        let length = self.row();
        let local = self.now + i64::from(offset);
        let last = local - local.rem_euclid(length) - i64::from(offset);
        let begins = (0..).map(|n| last - n * length).take_while(|from| self.now - from <= self.seconds());
        let row = |from: i64| {
            let within = self.points.iter().filter(|(at, _)| (from..from + length).contains(at));
            (self.moment(from, offset), within.map(|(_, lag)| *lag).reduce(f64::max))
        };
        begins.map(row).collect()
    }

    /// `15:41`; in a week with the day before it.
    fn moment(&self, at: i64, offset: i32) -> String {
        match self.window {
            LagWindow::Week => format!("{} {}", day(at, offset), clock(at, offset)),
            LagWindow::Hour | LagWindow::Day => clock(at, offset),
        }
    }

    /// The same in words.
    fn sentence(&self, offset: i32, lang: Lang) -> String {
        let span = |seconds: f64| format::span(seconds, lang);
        let (Some((_, last)), Some((at, worst))) = (self.points.last(), self.worst()) else {
            return lang.pick("Ancora nessun valore.", "No value yet.").to_owned();
        };
        let hour = self.moment(at, offset);
        let beyond = self.points.iter().filter(|(_, lag)| *lag > f64::from(self.soft)).count();
        let (last, worst) = (span(*last), span(worst));
        match (lang, beyond) {
            (Lang::It, 0) => format!("Ultimo valore {last}, massimo {worst} alle {hour}; sempre entro i limiti."),
            (Lang::En, 0) => format!("Last value {last}, highest {worst} at {hour}; always within the limits."),
            (Lang::It, _) => format!("Ultimo valore {last}, massimo {worst} alle {hour}; limite di avviso superato."),
            (Lang::En, _) => format!("Last value {last}, highest {worst} at {hour}; beyond the warning limit."),
        }
    }

    fn grid(&self, out: &mut String, offset: i32, lang: Lang) {
        let mut above = f64::MAX;
        for mark in MARKS.into_iter().filter(|mark| f64::from(*mark) <= self.top()) {
            let y = self.y(f64::from(mark));
            // What would stand on the mark below is left out.
            if above - y < 20.0 {
                continue;
            }
            above = y;
            let text = if mark == 0 { "0 s".to_owned() } else { format::whole_span(mark, lang) };
            let _ = write!(
                out,
                "<line class=\"rule\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"mark\" text-anchor=\"end\" x=\"{:.1}\" y=\"{:.1}\">{text}</text>",
                LEFT - 8.0,
                y + 4.0
            );
        }
        let local = self.now + i64::from(offset);
        let apart = self.marks();
        let last = local - local.rem_euclid(apart) - i64::from(offset);
        for at in (0..).map(|n| last - n * apart).take_while(|at| self.now - at <= self.seconds()) {
            let x = self.x(at);
            let anchor = if x > RIGHT - 24.0 { "end" } else { "middle" };
            let _ = write!(
                out,
                "<line class=\"rule\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{BOTTOM}\" y2=\"{:.1}\"/>\
                 <text class=\"mark\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
                BOTTOM + 5.0,
                BOTTOM + 22.0,
                if self.window == LagWindow::Week { day(at, offset) } else { clock(at, offset) }
            );
        }
    }

    fn limits(&self, out: &mut String, lang: Lang) {
        let rows =
            [("soft", self.soft, lang.pick("avviso", "warning")), ("hard", self.hard, lang.pick("allarme", "alarm"))];
        for (class, limit, word) in rows {
            let y = self.y(f64::from(limit));
            let _ = write!(
                out,
                "<line class=\"limit {class}\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"limit-name {class}\" x=\"{:.1}\" y=\"{:.1}\">{word} {}</text>",
                LEFT + 6.0,
                y - 5.0,
                format::whole_span(limit, lang)
            );
        }
    }

    fn line(&self, out: &mut String, run: &[(i64, f64)]) {
        if let [(at, lag)] = run {
            let _ = write!(out, "<circle class=\"dot\" r=\"2\" cx=\"{:.1}\" cy=\"{:.1}\"/>", self.x(*at), self.y(*lag));
            return;
        }
        out.push_str("<polyline class=\"lag\" points=\"");
        for (at, lag) in run {
            let _ = write!(out, "{:.1},{:.1} ", self.x(*at), self.y(*lag));
        }
        out.push_str("\"/>");
    }
}

/// `22/11`: the order of the day and the month is the same for both languages on so small a drawing.
fn day(at: i64, offset: i32) -> String {
    let text = Timestamp::from_second(at).map_or_else(|_| String::new(), |at| format::moment(at, offset, Lang::It));
    text.get(..5).unwrap_or_default().to_owned()
}

/// `15:41`.
fn clock(at: i64, offset: i32) -> String {
    let text = Timestamp::from_second(at).map_or_else(|_| String::new(), |at| format::hour(at, offset));
    text.get(..5).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn chart(points: &[(i64, f64)]) -> LagChart {
        let points = points.iter().map(|(age, lag)| (NOW - age, *lag)).collect();
        LagChart { dataset: "conf".into(), points, soft: 60, hard: 300, now: NOW, window: LagWindow::Hour }
    }

    #[test]
    fn both_limits_are_drawn_below_the_top_however_small_the_lag_is() {
        for lag in [0.0, 0.4, 59.0, 100_000.0] {
            let chart = chart(&[(20, lag), (10, lag), (0, lag)]);
            let svg = chart.svg(0, Lang::It);
            assert!(svg.contains("limit soft") && svg.contains("limit hard"));
            let heights = [lag, 60.0, 300.0].map(|seconds| chart.y(seconds));
            assert!(heights.iter().all(|y| (TOP..=BOTTOM).contains(y)), "{heights:?}");
            assert!(chart.y(300.0) < chart.y(60.0), "more is higher");
        }
    }

    #[test]
    fn a_hole_in_what_is_known_is_a_hole_in_the_line() {
        let svg = chart(&[(1000, 1.0), (990, 1.0), (500, 2.0), (490, 2.0), (0, 1.0)]).svg(0, Lang::En);
        assert_eq!((svg.matches("<polyline").count(), svg.matches("<circle").count()), (2, 1));
    }

    #[test]
    fn the_words_say_what_the_line_shows() {
        let calm = chart(&[(600, 1.0), (0, 0.5)]);
        assert_eq!(
            calm.sentence(0, Lang::En),
            format!("Last value 0.5 s, highest 1.0 s at {}; always within the limits.", clock(NOW - 600, 0))
        );
        assert!(chart(&[(600, 61.0), (0, 0.5)]).sentence(0, Lang::It).contains("limite di avviso superato"));
        assert_eq!(chart(&[]).sentence(0, Lang::It), "Ancora nessun valore.");
    }

    #[test]
    fn a_new_point_joins_its_step_and_the_oldest_leave_after_an_hour() {
        let mut chart = chart(&[(3599, 1.0), (0, 1.0)]);
        chart.add(NOW + 1, Some(4.0));
        assert_eq!(chart.points, [(NOW - 3599, 1.0), (NOW, 4.0)]);
        chart.add(NOW + 30, None);
        assert_eq!(chart.points, [(NOW, 4.0)]);
    }

    #[test]
    fn every_window_has_its_table_and_what_is_not_known_is_no_zero() {
        for (window, rows) in [(LagWindow::Hour, 12), (LagWindow::Day, 24), (LagWindow::Week, 28)] {
            let chart = LagChart { window, ..chart(&[(0, 2.0)]) };
            let table = chart.rows(0);
            assert!((rows..=rows + 1).contains(&table.len()), "{window:?}: {}", table.len());
            assert_eq!(table[0].1, Some(2.0), "the newest first");
            assert!(table[1..].iter().all(|(_, lag)| lag.is_none()));
            assert!(chart.svg(3600, Lang::It).matches("class=\"mark\"").count() >= 4);
        }
    }

    #[test]
    fn a_name_is_never_markup() {
        let chart = LagChart { dataset: "\"><script>".into(), ..chart(&[]) };
        assert!(!chart.svg(0, Lang::It).contains("<script>"));
    }
}
