//! What moves on a page: small pieces that the server draws whole and the browser keeps up to date. Without JavaScript
//! each stays as it was drawn, and every form in them works.

mod alarms;
mod chips;
mod copy;
mod header;
mod menu;
mod monitor;
mod pair;
mod replica;
mod security;
mod service;
mod switches;
mod task;

#[cfg(feature = "ssr")]
pub(crate) use alarms::standing;
pub use alarms::{AlarmBell, AlarmsChanged};
pub use chips::Chips;
pub use copy::CopyButton;
pub use header::HeaderState;
pub use menu::MenuSearch;
pub use monitor::{LagGraph, MonitorGrid};
pub use pair::PairStatus;
pub use replica::ReplicaTable;
#[cfg(feature = "ssr")]
pub(crate) use replica::state_badge;
pub use security::SecuritySelect;
pub use service::ServiceState;
pub use switches::{SwitchRows, rows as switch_rows};
pub use task::{TaskPanel, VerifyPanel};

use contract::live::Live;
use leptos::prelude::*;

use crate::headline::Icon;
use crate::live;

/// A value that follows the event stream, starting from what the server drew.
fn follow<T>(initial: T, pick: impl Fn(&Live) -> T + Send + Sync + 'static) -> Memo<T>
where
    T: Clone + PartialEq + Send + Sync + 'static,
{
    let feed = live::feed();
    Memo::new(move |_| feed.live.get().map_or_else(|| initial.clone(), |live| pick(&live)))
}

/// The drawing beside the words.
fn icon(icon: Icon) -> impl IntoView {
    let path = match icon {
        Icon::Tick => "M7 12.5l3.5 3.5L17 9",
        Icon::Power => "M12 6v6M8.5 8.2a5 5 0 1 0 7 0",
        Icon::Cross => "M8 8l8 8M16 8l-8 8",
        Icon::Barred => "M5 5l14 14",
    };
    view! {
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            <circle cx="12" cy="12" r="10"></circle>
            <path d=path></path>
        </svg>
    }
}
