//! Time comes in as a parameter. It labels what happened; it never decides who may serve or what is newer.

use std::fmt::Debug;

use contract::Timestamp;

/// Where the time comes from.
pub trait Clock: Debug + Send + Sync {
    /// The wall clock. It may be wrong and may jump.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
        Timestamp::now()
    }
}
