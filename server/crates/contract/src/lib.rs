//! What both sides of the wire, of the socket and of the browser agree on: ids, roles, states and their one transition
//! table, commands and queries with the role each needs, rules and findings, reports, validation of fields, and the
//! Italian and English sentences for all of them.
//!
//! It compiles for the browser too, and therefore refuses to do I/O, to read a clock or to know a database.

pub mod actor;
pub mod address;
pub mod alarm;
pub mod alarm_list;
pub mod approval;
pub mod audit;
pub mod bandwidth;
pub mod command;
pub mod dataset;
pub mod failback;
pub mod field;
pub mod gate;
pub mod gate_explained;
pub mod isolation;
pub mod lag;
pub mod lang;
pub mod last_written;
pub mod licence;
pub mod life;
pub mod live;
pub mod mandate;
pub mod monitor;
pub mod name;
pub mod own_step;
pub mod power;
pub mod preflight;
pub mod preserved;
pub mod query;
pub mod recipient;
pub mod release;
pub mod retention;
pub mod role;
pub mod rule;
pub mod run;
pub mod scrub;
mod sentence;
pub mod service;
pub mod sms;
pub mod smtp;
pub mod span;
pub mod state;
pub mod status;
pub mod sync;
pub mod task;
pub mod telephony;
pub mod threshold;
pub mod users;

pub use actor::{Actor, ActorKind};
pub use command::{Command, Outcome};
pub use field::{FieldError, Problem};
pub use jiff::Timestamp;
pub use lang::{Lang, Text};
pub use query::{Answer, Query, Question};
pub use role::{NodeRole, Role};
pub use rule::{Denied, Failure, Finding, Refused, Rule};

/// The `"schema"` of every JSON object that the product prints.
pub const SCHEMA: u32 = 1;

/// The version of the conversation between two nodes. A pair works only when both speak the same one.
pub const PROTOCOL: u32 = 1;
