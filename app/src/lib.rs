//! What a person sees. A page is a pure function of the request's context and a page model: the server asks the node,
//! this crate draws, and neither knows how the other does it.
//!
//! Two builds of one crate: with `ssr` everything, for the server; with `hydrate` only the islands and what they need to
//! speak, for the browser. It refuses to reach for the node, a disk, the network or a clock.

// Views are types as deep as the page.
#![recursion_limit = "256"]

pub mod action;
pub mod chart;
pub mod format;
pub mod grid;
pub mod headline;
pub mod islands;
pub mod live;

#[cfg(feature = "ssr")]
mod banner;
#[cfg(feature = "ssr")]
pub mod form;
#[cfg(feature = "ssr")]
pub mod fresh;
#[cfg(feature = "ssr")]
pub mod model;
#[cfg(feature = "ssr")]
mod pages;
#[cfg(feature = "ssr")]
pub mod routes;
#[cfg(feature = "ssr")]
mod shell;
#[cfg(feature = "ssr")]
mod widgets;

#[cfg(feature = "ssr")]
pub use shell::{document, pieces, view};

/// Called by the browser once the module is loaded; the islands follow one by one.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
