//! How far each replica was behind during the last hour, in memory only: a point for each step, the worst of its looks,
//! so that a short peak is not lost in the thinning.

use std::collections::{BTreeMap, VecDeque};

use contract::Timestamp;
use contract::monitor::{HISTORY_SECONDS, HISTORY_STEP_SECONDS, LagPoint, LagSeries};

/// The last hour of every replica.
#[derive(Debug, Default)]
pub(crate) struct History(BTreeMap<String, VecDeque<LagPoint>>);

impl History {
    /// Takes down what one look saw. A dataset that is not among it was taken back, and is forgotten.
    pub(crate) fn look(&mut self, at: Timestamp, lags: impl IntoIterator<Item = (String, Option<f64>)>) {
        let seen: BTreeMap<_, _> = lags.into_iter().collect();
        self.0.retain(|dataset, _| seen.contains_key(dataset));
        for (dataset, lag) in seen {
            let points = self.0.entry(dataset).or_default();
            if let Some(lag_seconds) = lag {
                keep_worst(points, LagPoint { at, lag_seconds });
            }
            // Either end: a clock that was set back leaves points in the future.
            points.retain(|point| (0..=HISTORY_SECONDS).contains(&(at.as_second() - point.at.as_second())));
        }
    }

    /// All of it, by dataset.
    pub(crate) fn series(&self) -> Vec<LagSeries> {
        let told = |(dataset, points): (&String, &VecDeque<LagPoint>)| LagSeries {
            dataset: dataset.clone(),
            points: points.iter().copied().collect(),
        };
        self.0.iter().map(told).collect()
    }
}

fn keep_worst(points: &mut VecDeque<LagPoint>, point: LagPoint) {
    let step = |at: Timestamp| at.as_second().div_euclid(HISTORY_STEP_SECONDS);
    match points.back_mut() {
        Some(last) if step(last.at) == step(point.at) => {
            if point.lag_seconds > last.lag_seconds {
                *last = point;
            }
        }
        _ => points.push_back(point),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn only(history: &History) -> Vec<(i64, f64)> {
        let series = history.series();
        assert_eq!(series.len(), 1);
        series[0].points.iter().map(|p| (p.at.as_second() - 1_800_000_000, p.lag_seconds)).collect()
    }

    #[test]
    fn a_step_keeps_its_worst_look_and_an_hour_is_all_there_is() {
        let mut history = History::default();
        for second in 0..3 * HISTORY_SECONDS {
            let lag = if second % 10 == 4 { 7.0 } else { 1.0 };
            history.look(at(second), [("conf".to_owned(), Some(lag))]);
        }
        let points = only(&history);
        assert!(points.len() <= 361, "{}", points.len());
        assert!(points.iter().filter(|(_, lag)| *lag > 6.9).count() >= 359, "no peak is lost");
        assert!(points[0].0 >= 2 * HISTORY_SECONDS - 1);
    }

    #[test]
    fn what_is_not_known_leaves_a_gap_and_a_dataset_taken_back_is_forgotten() {
        let mut history = History::default();
        history.look(at(0), [("conf".to_owned(), Some(1.0)), ("cdr".to_owned(), Some(2.0))]);
        history.look(at(20), [("conf".to_owned(), None)]);
        history.look(at(40), [("conf".to_owned(), Some(3.0))]);
        assert_eq!(only(&history), [(0, 1.0), (40, 3.0)]);
    }

    #[test]
    fn a_clock_set_back_leaves_no_points_in_the_future() {
        let mut history = History::default();
        history.look(at(5000), [("conf".to_owned(), Some(1.0))]);
        history.look(at(100), [("conf".to_owned(), Some(2.0))]);
        assert_eq!(only(&history), [(100, 2.0)]);
    }
}
