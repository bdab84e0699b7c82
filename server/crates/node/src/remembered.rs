//! A value of the store that is asked for with every change of a file and changes itself once in a while. It refuses to
//! answer with what was read before somebody wrote, and for longer than a moment: whoever wrote may have been cut off before
//! he could say so.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a value is believed.
const BELIEVED: Duration = Duration::from_secs(1);

/// What was read, as long as nobody has written.
#[derive(Debug)]
pub(crate) struct Remembered<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    /// The value, and when it was read.
    value: Option<(T, Instant)>,
    /// How often it was forgotten.
    times: u64,
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self(Mutex::new(State { value: None, times: 0 }))
    }
}

impl<T: Clone> Remembered<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value, read where it is not known.
    ///
    /// # Errors
    /// Those of reading.
    pub(crate) async fn or_read<E>(&self, read: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let before = {
            let state = self.state();
            if let Some((value, _)) = state.value.as_ref().filter(|(_, read)| read.elapsed() < BELIEVED) {
                return Ok(value.clone());
            }
            state.times
        };
        let now = Instant::now();
        let value = read.await?;
        let mut state = self.state();
        // Who wrote meanwhile may have come after the reading.
        if state.times == before {
            state.value = Some((value.clone(), now));
        }
        Ok(value)
    }

    /// Somebody has written, and knows what that makes of the value.
    pub(crate) fn update(&self, change: impl FnOnce(&mut T)) {
        let mut state = self.state();
        state.times += 1;
        if let Some((value, _)) = &mut state.value {
            change(value);
        }
    }

    /// Somebody has written, or may have.
    pub(crate) fn forget(&self) {
        let mut state = self.state();
        state.value = None;
        state.times += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(remembered: &Remembered<u32>, value: u32) -> u32 {
        remembered.or_read(async { Ok::<_, ()>(value) }).await.unwrap()
    }

    #[tokio::test]
    async fn it_is_read_once_and_again_when_somebody_wrote() {
        let remembered = Remembered::default();
        assert_eq!((read(&remembered, 1).await, read(&remembered, 2).await), (1, 1));
        remembered.forget();
        assert_eq!((read(&remembered, 3).await, read(&remembered, 4).await), (3, 3));
    }

    #[tokio::test]
    async fn what_was_read_before_somebody_wrote_is_not_remembered() {
        let remembered = Remembered::default();
        let overtaken = remembered.or_read(async {
            remembered.forget();
            Ok::<_, ()>(1)
        });
        assert_eq!(overtaken.await, Ok(1));
        assert_eq!(read(&remembered, 2).await, 2);
    }

    #[tokio::test]
    async fn what_is_known_is_changed_and_what_is_not_known_is_read() {
        let remembered = Remembered::default();
        remembered.update(|value| *value = 9);
        assert_eq!(read(&remembered, 1).await, 1);
        remembered.update(|value| *value = 9);
        assert_eq!(read(&remembered, 2).await, 9);
    }

    #[tokio::test]
    async fn a_failure_is_not_remembered() {
        let remembered = Remembered::default();
        assert_eq!(remembered.or_read(async { Err::<u32, _>("no") }).await, Err("no"));
        assert_eq!(read(&remembered, 5).await, 5);
    }
}
