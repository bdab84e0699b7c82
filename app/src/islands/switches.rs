//! The card *Replicazione*: one row for the databases, one for the files, each with ON or OFF and its button.

use contract::Lang;
use contract::dataset::Group;
use contract::live::Live;
use contract::sync::{DatasetState, Switch};
use contract::task::TaskState;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::follow;
use crate::action::Action;
use crate::format;

/// One row as shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    group: Group,
    on: bool,
    /// State and lag in words.
    detail: String,
    /// A task runs: the buttons wait.
    busy: bool,
}

/// The two rows of a picture.
#[must_use]
pub fn rows(live: &Live, lang: Lang) -> Vec<Row> {
    let busy = live.task.as_ref().is_some_and(|task| task.state == TaskState::Running);
    let row = |group| {
        let switch = match group {
            Group::Database => live.status.sync.database,
            Group::Files => live.status.sync.files,
        };
        Row { group, on: switch == Switch::On, detail: detail(live, group, lang), busy }
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
    /// The reader's language.
    lang: Lang,
) -> impl IntoView {
    let now = follow(initial, move |live| rows(live, lang));
    let row = move |index: usize, group: Group| {
        let get = move |f: fn(&Row) -> bool| now.with(|rows| rows.get(index).is_some_and(f));
        let on = move || get(|row| row.on);
        let action = move || if on() { Action::SyncStop.as_str() } else { Action::SyncStart.as_str() };
        let word = move || if on() { "STOP" } else { "START" };
        let button = may.then(move || {
            view! {
                <form method="post">
                    <input type="hidden" name="action" value=action prop:value=action />
                    <input type="hidden" name="only" value=group.as_str() />
                    <button
                        class="button primary wide"
                        aria-label=move || format!("{} {}", word(), group.label(lang))
                        disabled=move || get(|row| row.busy)
                    >
                        {word}
                    </button>
                </form>
            }
        });
        view! {
            <div class="switch-row">
                <span class="switch-name">{group.label(lang)}</span>
                <span class=move || if on() { "on" } else { "off" }>{move || if on() { "ON" } else { "OFF" }}</span>
                <span class="switch-detail">
                    {move || now.with(|rows| rows.get(index).map(|row| row.detail.clone()).unwrap_or_default())}
                </span>
                {button}
            </div>
        }
    };
    view! { <div class="switches">{row(0, Group::ALL[0])} {row(1, Group::ALL[1])}</div> }
}
