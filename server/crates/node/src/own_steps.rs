//! The customer's own steps: declared here, taken by a run (`runs/own.rs`). What each kind does to the world lies in a file
//! of its own and knows nothing of runs.

pub(crate) mod command;
mod preview;
mod store;
