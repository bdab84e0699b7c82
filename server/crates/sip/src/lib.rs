//! Asks a SIP server whether it is there: one OPTIONS request (RFC 3261, 11), by UDP or TCP, and what came back.
//!
//! It knows no calls, no registrations and no dialogs; it keeps no state between two questions. Whatever comes back is
//! hostile until it was read: length, number of headers and characters are bounded, and what is no answer to the question
//! is not taken for one.

mod message;
mod probe;

pub use message::{Malformed, Response};
pub use probe::{Answer, ProbeError, Transport, options};
