//! The tables and the charts of *Monitor di sistema*. Both are drawn as text by one function each, the same on the server
//! and in the browser: a tree of typed nodes for every cell would be most of what a browser has to load.

use contract::Lang;
use leptos::prelude::*;

use super::follow;
use crate::chart::LagChart;
use crate::grid::{Eyes, Grid};
use crate::live;

/// One table.
#[island]
pub fn MonitorGrid(
    /// Which.
    grid: Grid,
    /// As drawn by the server.
    initial: String,
    /// Who reads.
    eyes: Eyes,
) -> impl IntoView {
    let table = follow(initial, move |live| grid.live(live, eyes));
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label=grid.title(eyes.lang) inner_html=move || table.get()></div>
    }
}

/// One chart with its sentence.
#[island]
pub fn LagGraph(
    /// As drawn by the server.
    initial: LagChart,
    /// The server's zone.
    offset: i32,
    /// The reader's language.
    lang: Lang,
) -> impl IntoView {
    let feed = live::feed();
    let chart = RwSignal::new(initial);
    Effect::new(move |_| {
        let Some(live) = feed.live.get() else { return };
        chart.update(|chart| {
            let lag = live.status.datasets.iter().find(|one| one.name == chart.dataset).and_then(|one| one.lag_seconds);
            chart.add(live.at.as_second(), lag);
        });
    });
    let drawing = Memo::new(move |_| chart.with(|chart| chart.figure(offset, lang)));
    view! { <figure class="chart" inner_html=move || drawing.get()></figure> }
}
