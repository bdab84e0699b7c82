//! Real telephony over two real machines: phones that find the DR when the Master is dead and the Master when it is back,
//! and a line that loses packets.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "test code")]

#[path = "../bind/mod.rs"]
mod bind;
#[path = "../isolation/bmc.rs"]
mod bmc;
#[path = "../counterparts/mod.rs"]
mod counterparts;
mod loss;
#[path = "../machines/mod.rs"]
mod machines;
#[path = "../networks/mod.rs"]
mod networks;
mod pbx;
mod phone;
mod site;
mod story;
