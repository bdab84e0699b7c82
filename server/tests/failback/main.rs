//! Failback over two real machines: what was made on the DR is on the Master afterwards, nothing the Master had is lost,
//! and whatever dies in the middle comes to one end or the other.
#![allow(clippy::panic, clippy::unwrap_used, reason = "test code")]

mod bad_days;
#[path = "../bind/mod.rs"]
mod bind;
mod dead_dr;
mod last_written;
mod lost_master;
#[path = "../machines/mod.rs"]
mod machines;
mod owners;
mod preserved;
mod routing;
mod site;
mod story;
mod wire;
