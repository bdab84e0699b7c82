//! The engine: a directory or a live SQLite database here, the same there, over any byte stream.
//!
//! Scan → manifest → transfer → commit → restore points. The source side is [`Source`] → [`Capture`] →
//! [`Capture::serve`]; the other side is [`Replica`], whose [`Replica::pull`] moves it from one complete generation to
//! the next. Everything blocks; the caller brings threads, stream, clock and patience.
//!
//! When the source is lost, [`Replica::promote`] lets readers see a writable copy of a generation, on which nothing is
//! pulled; [`Replica::hand_back`] keeps that copy as a DR restore point and lets the replica follow the source again.
//! [`Source::take_in`] brings content home, into the source path itself.
//!
//! What holds: nothing half-copied is ever visible; a crash, a full disk or a cut stream at any instant leaves the last
//! complete generation, and the next pull goes on from what arrived; what is written into a serving copy changes no
//! generation, and stays until somebody drops it; what a peer says is believed only after it has been checked. It knows
//! nothing of HTTP, of the product's database, of mandates, pages or alarms.

mod accounts;
mod acl;
mod activation;
mod along;
mod bandwidth;
mod baseline;
mod bases;
mod beneath;
mod blocks;
mod capture;
mod change;
mod chunks;
mod database;
mod delta;
mod difference;
mod encoding;
mod error;
mod excludes;
mod export;
mod fetch;
mod field;
mod fingerprint;
mod ground;
mod hash_tree;
mod hashing;
mod hearing;
mod home;
mod home_database;
mod id;
mod incoming;
mod known;
mod ledger;
mod listener;
mod manifest;
mod manifests;
mod nursery;
mod offer;
mod offered;
mod older;
mod own_copy;
mod owners;
mod pace;
mod packer;
mod parallel;
mod path;
mod promote;
mod pull;
mod readers;
mod reading;
mod receiver;
mod rehearsal;
mod remark;
mod replica;
mod rescan;
mod reuse;
mod rows;
mod runs;
mod scan;
mod scrub;
mod sender;
mod serving;
mod source;
mod spare;
mod sparse;
mod sqlite;
mod stage;
mod store;
mod superseded;
mod target;
mod touched;
mod transfer;
mod tree;
mod tree_changes;
mod tree_source;
mod update;
mod watch;
mod way_home;
mod wire;
mod xattr;

pub use bandwidth::{Bandwidth, Paced};
pub use capture::{Capture, Served};
pub use difference::{Difference, DifferenceKind};
pub use error::{Error, ErrorKind, Result, Space};
pub use hearing::Hearing;
pub use home::Arrival;
pub use id::{ContentHash, ContentId, NotAnId};
pub use ledger::{Change, Count, DatabaseLedger, Ledger, LedgerEntry, NameKind, SchemaLedger, TableLedger};
pub use listener::Listener;
pub use manifest::{Entry, EntryKind, FileTime, Manifest, ManifestFault};
pub use offer::{Limits, read_manifest};
pub use owners::Owners;
pub use path::{MAX_DEPTH, MAX_NAME, MAX_PATH, PathFault, TreePath, escape};
pub use pull::{PullOptions, Pulled};
pub use rehearsal::{Rehearsal, Rehearsed};
pub use remark::{SkipReason, Skipped, Warning, WarningKind};
pub use replica::{Replica, RestorePoint};
pub use scrub::{Scrubbed, scrub_cost};
pub use serving::{DrPoint, Promoted};
pub use source::{DATABASE_NAME, Measure, Source, SourceKind, SourceSpec};
pub use store::Commit;
pub use target::TargetState;
pub use touched::Touched;
pub use tree_changes::TreeChanges;
pub use watch::{Phase, Point, Progress, Unwatched, Watch};
pub use way_home::WayHome;
pub use xattr::{MAX_XATTR_NAME, MAX_XATTR_VALUE, MAX_XATTRS, Xattr, Xattrs};
