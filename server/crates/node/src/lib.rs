//! The domain of TVox DR: one machine of a pair, with everything it knows and does. Panel and command line come in
//! through one door, [`Node::tell`] and [`Node::ask`].
//!
//! It knows no route, no page and no command line; how bytes are replicated is the business of the crate `replication`.

mod alarms;
mod approval;
mod audit;
mod clock;
mod cluster;
mod config;
mod data_dir;
mod delivery;
mod door;
mod error;
mod gate;
mod home;
mod http_client;
mod identity;
mod init;
mod isolation;
pub mod licence;
mod link;
pub mod mandate;
mod monitor;
mod node;
mod own_steps;
mod pairing;
mod passwords;
mod preflight;
mod process;
mod random;
mod recipients;
mod remembered;
pub mod rescue;
mod runs;
pub mod services;
pub mod sessions;
mod store;
mod sync;
mod telephony;
mod thresholds;
mod throttle;
mod users;

pub use clock::{Clock, SystemClock};
pub use config::{Config, PanelTls};
pub use data_dir::{DataDir, write_durably};
pub use error::OpenError;
pub use gate::gate_on_disk;
pub use init::{Init, Initialised, login_uid};
pub use node::{Node, version};
pub use sync::ancestry;
pub use users::LoginDenied;
