//! Which talk this node is in, and with whom: session tickets are given to a talk, so that of two machines that were one
//! only one gets the next.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Link;
use crate::mandate::file::Seat;
use crate::mandate::rules::Standing;
use crate::random;

/// After so long a conversation goes on as a new talk. Nothing depends on it but how soon a copy is out of date.
const RENEWED: Duration = Duration::from_secs(300);

/// The talk of this node with one machine. Lost with the process: the next one is another talk.
#[derive(Debug)]
pub(super) struct Talk(Mutex<State>);

#[derive(Debug)]
struct State {
    own: String,
    /// Counts conversations: one that was replaced takes nothing of its successor's along when it ends.
    conversation: u64,
    begun: Instant,
    with: Option<String>,
}

impl Default for Talk {
    fn default() -> Self {
        Self(Mutex::new(State { own: random::id(), conversation: 0, begun: Instant::now(), with: None }))
    }
}

impl Talk {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A control conversation that goes on.
#[derive(Debug)]
pub(crate) struct Conversation<'l> {
    talk: &'l Talk,
    number: u64,
}

impl Conversation<'_> {
    /// The other node has spoken in it.
    pub(crate) fn goes_on(&self, told: &Standing) {
        self.talk.change(|state| {
            if state.conversation != self.number {
                return;
            }
            state.with = told.session.as_ref().map(|word| word.talk.clone());
            if state.begun.elapsed() >= RENEWED {
                (state.own, state.begun) = (random::id(), Instant::now());
            }
        });
    }
}

impl Drop for Conversation<'_> {
    fn drop(&mut self) {
        self.talk.change(|state| {
            if state.conversation == self.number {
                state.with = None;
            }
        });
    }
}

impl Link {
    /// A control conversation begins.
    pub(crate) fn begin_talk(&self, seat: Seat) -> Conversation<'_> {
        let talk = &self.talks[seat.index()];
        let number = talk.change(|state| {
            let number = state.conversation + 1;
            *state = State { own: random::id(), conversation: number, begun: Instant::now(), with: None };
            number
        });
        Conversation { talk, number }
    }

    /// The talk that this node is in with a machine.
    pub(crate) fn talk(&self, seat: Seat) -> String {
        self.talks[seat.index()].change(|state| state.own.clone())
    }

    /// That machine's talk in the control conversation that goes on, if there is one.
    pub(crate) fn talking(&self, seat: Seat) -> Option<String> {
        self.talks[seat.index()].change(|state| state.with.clone())
    }
}
