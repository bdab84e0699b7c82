//! A MariaDB server as a *journal*: a directory with a seed (a consistent dump) and the binary log since. The journal of one
//! server is recorded ([`Journal::record`]), travels as files do, and is replayed into another server ([`Journal::feed`])
//! up to a transaction that both can name (its GTID, mariadb.com/kb/en/gtid).
//!
//! The server's own tools do what they do best (`mariadb`, `mariadb-dump`, `mariadb-binlog`, 10.11 or newer); what is
//! read here of a binary log is where its transactions begin and end. A data directory is read, the binary log of it,
//! and never written to. It knows nothing of peers, mandates, tables of ours, or pages.
//!
//! What it refuses: to call a log complete that was changed behind its recorded end, to feed a server that has data of
//! its own, and to lose what somebody wrote to a server that is fed: that is dumped aside before it is replaced.

mod binlog;
mod child;
mod error;
mod feed;
mod gtid;
mod journal;
mod made;
mod record;
mod seed;
mod server;

pub use error::{Error, ErrorKind, Result};
pub use feed::Fed;
pub use gtid::{Gtid, Position};
pub use journal::Journal;
pub use made::{Made, Rows};
pub use record::Tail;
pub use seed::Seed;
pub use server::{Look, Server};
