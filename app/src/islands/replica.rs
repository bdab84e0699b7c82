//! Every dataset with how its replica stands.

use contract::Lang;
use contract::role::NodeRole;
use contract::sync::{DatasetReport, DatasetState, SyncReport, error_sentence};
use leptos::prelude::*;

use super::follow;
use crate::format;

/// The table of datasets.
#[island]
pub fn ReplicaTable(
    /// As drawn by the server.
    initial: SyncReport,
    /// This machine's side.
    role: NodeRole,
    /// The server's zone.
    offset: i32,
    /// The reader's language.
    lang: Lang,
) -> impl IntoView {
    let now = follow(initial, |live| live.sync.clone());
    let caption = lang.pick("Dati replicati", "Replicated data");
    let [state, kind, lag, generation, files, size] = columns(lang);
    let body = move || {
        let rows = now.with(|sync| sync.datasets.iter().map(|d| row(d, offset, lang)).collect::<Vec<_>>());
        if rows.is_empty() {
            let text = match role {
                NodeRole::Master => lang.pick(
                    "Ancora nessun dato da replicare: aggiungerlo nella pagina Dati da replicare.",
                    "Nothing to replicate yet: add it on the page Data to replicate.",
                ),
                NodeRole::Client => lang.pick(
                    "Ancora nessun dato da replicare: si dichiara sul Master, nella pagina Dati da replicare.",
                    "Nothing to replicate yet: it is declared on the Master, on the page Data to replicate.",
                ),
            };
            view! { <tr><td colspan="7">{text}</td></tr> }.into_any()
        } else {
            rows.into_any()
        }
    };
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label=caption>
            <table>
                <caption class="visually-hidden">{caption}</caption>
                <thead>
                    <tr>
                        <th scope="col">{lang.pick("Nome", "Name")}</th>
                        <th scope="col">{state}</th>
                        <th scope="col">{kind}</th>
                        <th scope="col">{lag}</th>
                        <th scope="col">{generation}</th>
                        <th scope="col" class="number">{files}</th>
                        <th scope="col" class="number">{size}</th>
                    </tr>
                </thead>
                <tbody>{body}</tbody>
            </table>
        </div>
    }
}

/// What stands beside the name, in this order; on a small screen each cell says it again (`data-label`).
fn columns(lang: Lang) -> [&'static str; 6] {
    [
        lang.pick("Stato", "State"),
        lang.pick("Tipo", "Kind"),
        lang.pick("Ritardo (limite)", "Lag (limit)"),
        lang.pick("Generazione", "Generation"),
        lang.pick("File", "Files"),
        lang.pick("Spazio", "Size"),
    ]
}

/// The state of one dataset's replica, wherever it is said.
pub(crate) fn state_badge(state: DatasetState, lang: Lang) -> AnyView {
    view! { <span class=format!("badge {}", tone(state))>{state.label(lang)}</span> }.into_any()
}

const fn tone(state: DatasetState) -> &'static str {
    match state {
        DatasetState::Current => "good",
        DatasetState::Copying | DatasetState::Behind => "warn",
        DatasetState::Unseeded | DatasetState::Stopped | DatasetState::Failed => "bad",
    }
}

fn row(d: &DatasetReport, offset: i32, lang: Lang) -> AnyView {
    const NONE: &str = "–";
    let [state_head, kind_head, lag_head, generation_head, files_head, size_head] = columns(lang);
    let number = |n: Option<u64>| n.map_or_else(|| NONE.to_owned(), |n| format::count(n, lang));
    let lag = match d.lag_seconds {
        Some(lag) => format!("{} ({})", format::span(lag, lang), format::span(d.lag_limit_seconds, lang)),
        None => NONE.to_owned(),
    };
    let late = d.lag_seconds.is_some_and(|lag| lag > d.lag_limit_seconds);
    let generation = match (d.generation, d.captured_at) {
        (Some(n), Some(at)) => {
            // The last confirmation, later than the generation's own capture while nothing changes.
            let known = lang.pick("dati del Master al", "Master's data as of");
            format!("{n} · {known} {}", format::moment(at, offset, lang))
        }
        (Some(n), None) => n.to_string(),
        _ => NONE.to_owned(),
    };
    let transfer = d.progress.as_ref().map(|progress| {
        let fraction = progress.fraction();
        let label = format!("{} {}", lang.pick("Copia di", "Copy of"), d.name);
        let text = fraction.map_or_else(|| lang.pick("conteggio…", "counting…").to_owned(), format::percent);
        view! {
            <span class="transfer">
                <progress max="1" value=fraction.map(|f| f.to_string()) aria-label=label></progress>
                <span>{text}</span>
            </span>
        }
    });
    let error = d.last_error.as_ref().map(|error| {
        let when = format::moment(error.at, offset, lang);
        view! {
            <span class="row-error">
                {error_sentence(&error.code, lang)} " "
                <span class="machine-words">{format!("({when}: {})", error.message)}</span>
            </span>
        }
    });
    view! {
        <tr>
            <th scope="row">{d.name.clone()}</th>
            <td data-label=state_head>
                {state_badge(d.state, lang)}
                {transfer}
                {error}
            </td>
            <td data-label=kind_head>{d.kind.label(lang)} <br /> <span class="muted">{d.class.label(lang)}</span></td>
            <td data-label=lag_head class=if late { "late" } else { "" }>{lag}</td>
            <td data-label=generation_head>{generation}</td>
            <td data-label=files_head class="number">{number(d.files)}</td>
            <td data-label=size_head class="number">{d.bytes.map_or_else(|| NONE.to_owned(), |n| format::bytes(n, lang))}</td>
        </tr>
    }
    .into_any()
}
