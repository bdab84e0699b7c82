//! The tables and the charts of *Monitor di sistema*: one island for every table, one for every chart.

use contract::Lang;
use leptos::prelude::*;

use super::follow;
use crate::chart::LagChart;
use crate::grid::{Cell, Eyes, Grid, Row};
use crate::live;

/// One table.
#[island]
pub fn MonitorGrid(
    /// Which.
    grid: Grid,
    /// As drawn by the server.
    initial: Vec<Row>,
    /// Who reads.
    eyes: Eyes,
) -> impl IntoView {
    let rows = follow(initial, move |live| grid.rows(live, eyes));
    let caption = grid.title(eyes.lang);
    let heads = grid.heads(eyes.lang);
    let body = move || {
        let rows = rows.get();
        if rows.is_empty() {
            view! { <tr><td colspan=heads.len()>{grid.empty(eyes.lang)}</td></tr> }.into_any()
        } else {
            rows.into_iter().map(|one| row(one, heads)).collect::<Vec<_>>().into_any()
        }
    };
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label=caption>
            <table>
                <caption class="visually-hidden">{caption}</caption>
                <thead>
                    <tr>{heads.iter().map(|head| view! { <th scope="col">{*head}</th> }.into_any()).collect::<Vec<_>>()}</tr>
                </thead>
                <tbody>{body}</tbody>
            </table>
        </div>
    }
}

fn row(row: Row, heads: &'static [&'static str]) -> AnyView {
    let cells = row.cells.into_iter().zip(heads).map(|(one, head)| cell(one, head)).collect::<Vec<_>>();
    view! { <tr class=row.class>{cells}</tr> }.into_any()
}

fn cell(cell: Cell, head: &'static str) -> AnyView {
    let bar = cell
        .bar
        .map(|used| view! { <progress max="1" value=format!("{used:.3}") aria-label=head></progress> }.into_any());
    view! {
        <td data-label=head>
            <span class=cell.class>{cell.text}</span>
            {bar}
            <span class="cell-note">{cell.note}</span>
        </td>
    }
    .into_any()
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
    let drawing = Memo::new(move |_| chart.with(|chart| chart.svg(offset, lang)));
    let words = Memo::new(move |_| chart.with(|chart| chart.sentence(offset, lang)));
    view! {
        <figure class="chart">
            <div inner_html=move || drawing.get()></div>
            <figcaption>
                <strong>{chart.with_untracked(|chart| chart.dataset.clone())}</strong>
                " " {move || words.get()}
            </figcaption>
        </figure>
    }
}
