//! Alarms where a page moves: their count in the header, and a word that a list which somebody reads has changed.

use contract::Lang;
use contract::alarm_list::AlarmBrief;
use contract::status::AlarmCount;
use leptos::prelude::*;

use super::follow;

/// How many are open, in the colour of the highest; leads to their page.
#[island]
pub fn AlarmBell(
    /// As drawn by the server.
    initial: AlarmCount,
    /// The reader's language.
    lang: Lang,
) -> impl IntoView {
    let count = follow(initial, |live| live.status.alarms);
    view! {
        <a href="/allarmi" class=move || tone(count.get())>
            <span class="number">{move || count.get().open.to_string()}</span>
            <span class="word">{move || words(count.get(), lang)}</span>
        </a>
    }
}

fn tone(count: AlarmCount) -> String {
    let priority = count.highest_priority.unwrap_or_default();
    if count.open == 0 { "bell".to_owned() } else { format!("bell priority p{priority}") }
}

fn words(count: AlarmCount, lang: Lang) -> String {
    let one = count.open == 1;
    let noun = if one { lang.pick("allarme", "alarm") } else { lang.pick("allarmi", "alarms") };
    let open = match (lang, one) {
        (Lang::It, true) => "attivo",
        (Lang::It, false) => "attivi",
        (Lang::En, _) => "open",
    };
    match count.highest_priority {
        Some(priority) => {
            format!(" {noun} {open}, {} {priority}", lang.pick("priorità massima", "highest priority"))
        }
        None => format!(" {noun} {open}"),
    }
}

/// Says that the list on this page is not the newest any more; reading and typing go on undisturbed.
#[island]
pub fn AlarmsChanged(
    /// As drawn by the server.
    initial: String,
    /// This page, filter included.
    path: String,
    /// The reader's language.
    lang: Lang,
) -> impl IntoView {
    let now = follow(initial.clone(), |live| standing(&live.alarms));
    view! {
        <div role="status">
            {move || {
                now.with(|now| *now != initial).then(|| {
                    view! {
                        <p class="notice">
                            {lang.pick("Gli allarmi sono cambiati.", "The alarms have changed.")} " "
                            <a href=path.clone()>{lang.pick("Mostra l'elenco nuovo", "Show the new list")}</a>
                        </p>
                    }
                })
            }}
        </div>
    }
}

/// What is compared: which alarms there are, which have ended, and of which somebody took note.
pub(crate) fn standing(alarms: &[AlarmBrief]) -> String {
    let one = |alarm: &AlarmBrief| {
        let ended = if alarm.cleared_at.is_some() { "-" } else { "+" };
        let noted = if alarm.acknowledged { "!" } else { "" };
        [&alarm.id, ended, noted].concat()
    };
    alarms.iter().map(one).collect::<Vec<_>>().concat()
}
