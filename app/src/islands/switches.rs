//! The card *Replicazione*: one row for the databases, one for the files, each with ON or OFF and its button. A STOP may
//! be for a time; the row then says until when.

use contract::Lang;
use contract::dataset::Group;
use contract::live::Live;
use contract::sync::DatasetState;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::follow;
use crate::action::Action;
use crate::format;

/// For how long a STOP may be chosen to last: the span as it is posted, in Italian, in English.
const SPANS: [(&str, &str, &str); 6] = [
    ("", "fino a START", "until START"),
    ("15m", "per 15 minuti", "for 15 minutes"),
    ("1h", "per 1 ora", "for 1 hour"),
    ("2h", "per 2 ore", "for 2 hours"),
    ("8h", "per 8 ore", "for 8 hours"),
    ("1d", "per 1 giorno", "for 1 day"),
];

/// One row as shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    group: Group,
    on: bool,
    /// When it starts again by itself, in words.
    until: Option<String>,
    /// State and lag in words.
    detail: String,
}

/// The two rows of a picture. `offset` is the server's zone, in seconds.
#[must_use]
pub fn rows(live: &Live, offset: i32, lang: Lang) -> Vec<Row> {
    let row = |group| {
        let until = live.status.sync.until(group).map(|at| {
            let at = format::moment(at, offset, lang);
            format!("{} {at}", lang.pick("riparte da sola il", "starts again by itself on"))
        });
        Row { group, on: live.status.sync.of(group).is_on(), until, detail: detail(live, group, lang) }
    };
    Group::ALL.map(row).to_vec()
}

/// The worst state of the group, and its largest lag.
fn detail(live: &Live, group: Group, lang: Lang) -> String {
    use DatasetState::{Behind, Copying, Current, Failed, Stopped, Unseeded};
    let datasets: Vec<_> = live.sync.datasets.iter().filter(|d| d.group == group).collect();
    if datasets.is_empty() {
        return lang.pick("nessun dato dichiarato", "nothing declared").to_owned();
    }
    let worst = [Failed, Unseeded, Behind, Copying, Stopped, Current]
        .into_iter()
        .find(|state| datasets.iter().any(|d| d.state == *state))
        .unwrap_or(Current);
    let lag = datasets
        .iter()
        .filter_map(|d| d.lag_seconds)
        .fold(None, |max: Option<f64>, lag| Some(max.map_or(lag, |max| max.max(lag))));
    let lag = lag.map(|lag| format!(", {} {}", lang.pick("ritardo", "lag"), format::span(lag, lang)));
    format!("{}{}", worst.label(lang), lag.unwrap_or_default())
}

/// Both rows.
#[island]
pub fn SwitchRows(
    /// As drawn by the server.
    initial: Vec<Row>,
    /// Whether the reader may press.
    may: bool,
    /// The server's zone.
    offset: i32,
    /// The reader's language.
    lang: Lang,
) -> impl IntoView {
    let now = follow(initial, move |live| rows(live, offset, lang));
    let row = move |index: usize, group: Group| {
        let get = move |f: fn(&Row) -> bool| now.with(|rows| rows.get(index).is_some_and(f));
        let text = move |f: fn(&Row) -> Option<String>| now.with(|rows| rows.get(index).and_then(f));
        let on = move || get(|row| row.on);
        let until = move || text(|row| row.until.clone());
        let action = move || if on() { Action::SyncStop.as_str() } else { Action::SyncStart.as_str() };
        let word = move || if on() { "STOP" } else { "START" };
        let spans = SPANS.map(|(span, it, en)| view! { <option value=span>{lang.pick(it, en)}</option> });
        let how_long = format!("{} {}", lang.pick("Durata dello STOP,", "How long the STOP lasts,"), group.label(lang));
        let buttons = may.then(move || {
            view! {
                <div class="switch-buttons">
                    <form method="post" hidden=move || until().is_none()>
                        <input type="hidden" name="action" value=Action::SyncStop.as_str() />
                        <input type="hidden" name="only" value=group.as_str() />
                        <button class="plain-button">
                            {lang.pick("Tieni ferma fino a START", "Keep stopped until START")}
                        </button>
                    </form>
                    <form method="post" class="switch-press">
                        <input type="hidden" name="action" value=action prop:value=action />
                        <input type="hidden" name="only" value=group.as_str() />
                        <select name="pause" aria-label=how_long hidden=move || !on()>
                            {spans}
                        </select>
                        <button
                            class="button primary wide"
                            aria-label=move || format!("{} {}", word(), group.label(lang))
                        >
                            {word}
                        </button>
                    </form>
                </div>
            }
        });
        view! {
            <div class="switch-row">
                <span class="switch-name">{group.label(lang)}</span>
                <span class=move || if on() { "on" } else { "off" }>{move || if on() { "ON" } else { "OFF" }}</span>
                <span class="switch-detail">
                    {move || text(|row| Some(row.detail.clone()))}
                    {move || until().map(|until| view! { <br /> <strong>{until}</strong> })}
                </span>
                {buttons}
            </div>
        }
    };
    view! { <div class="switches">{row(0, Group::ALL[0])} {row(1, Group::ALL[1])}</div> }
}
