//! `/allarmi`: what is wrong now and what was, what to do about it, who was told, and who took note.

use contract::alarm::{AlarmEvent, AlarmInfo, AlarmKind, DeliveryInfo, DeliveryState};
use contract::recipient::Channel;
use leptos::prelude::*;

use crate::action::Action;
use crate::islands::{AlarmsChanged, standing};
use crate::model::{AlarmsPage, Context};
use crate::routes::{self, PageId};
use crate::widgets::{Field, card, reload, title};

pub(crate) fn view(cx: &Context, model: &AlarmsPage) -> AnyView {
    let route = routes::of(PageId::Alarms);
    let changed = cx.live.as_ref().map(|live| {
        view! { <AlarmsChanged initial=standing(&live.alarms) path=cx.path.clone() lang=cx.lang /> }
    });
    let heading = match (cx.lang, model.filter.all) {
        (contract::Lang::It, false) => "Allarmi attivi",
        (contract::Lang::It, true) => "Storico degli allarmi",
        (contract::Lang::En, false) => "Open alarms",
        (contract::Lang::En, true) => "History of alarms",
    };
    view! {
        {title(route.label(cx.lang), reload(cx, &cx.path))}
        {changed}
        {card(cx.t("Filtro", "Filter"), filter(cx, model))}
        {card(heading, view! { {total(cx, model)} {table(cx, model)} {pager(cx, model)} })}
    }
    .into_any()
}

fn filter(cx: &Context, model: &AlarmsPage) -> AnyView {
    let wanted = &model.filter;
    let option = |value: String, shown: String, selected: bool| {
        view! { <option value=value selected=selected>{shown}</option> }
    };
    let states = [
        option("open".into(), cx.t("Attivi", "Open").into(), !wanted.all),
        option("all".into(), cx.t("Tutti, anche rientrati", "All, also ended").into(), wanted.all),
    ];
    let priorities = (1..=6_u8).rev().map(|n| option(n.to_string(), n.to_string(), wanted.priority == Some(n)));
    view! {
        <form method="get" action=routes::of(PageId::Alarms).path class="filter">
            <div>
                <label for="filter-state">{cx.t("Stato", "State")}</label>
                <select id="filter-state" name="state">{states}</select>
            </div>
            <div>
                <label for="filter-priority">{cx.t("Priorità", "Priority")}</label>
                <select id="filter-priority" name="priority">
                    {option(String::new(), cx.t("Tutte", "Any").into(), wanted.priority.is_none())}
                    {priorities.collect_view()}
                </select>
            </div>
            <div>
                <label for="filter-code">{cx.t("Codice", "Code")}</label>
                <input id="filter-code" name="code" type="text" value=wanted.code.clone() autocapitalize="none" spellcheck="false" />
            </div>
            <div>
                <label for="filter-text">{cx.t("Descrizione o nota", "Description or note")}</label>
                <input id="filter-text" name="text" type="text" value=wanted.text.clone() />
            </div>
            <div class="filter-buttons">
                <button class="button primary">{cx.t("Cerca", "Search")}</button>
                <a class="button" href=routes::of(PageId::Alarms).path>{cx.t("Azzera", "Reset")}</a>
            </div>
        </form>
    }
    .into_any()
}

fn total(cx: &Context, model: &AlarmsPage) -> AnyView {
    let history = &model.history;
    let page = (history.pages > 1)
        .then(|| format!(" · {} {} {} {}", cx.t("pagina", "page"), history.page, cx.t("di", "of"), history.pages));
    view! {
        <p class="muted">
            {cx.t("Totale allarmi:", "Alarms in all:")} " " {history.total} {page}
        </p>
    }
    .into_any()
}

/// The columns; on a small screen each cell says it again (`data-label`).
fn columns(cx: &Context) -> [&'static str; 7] {
    [
        cx.t("Data e ora", "When"),
        cx.t("Priorità", "Priority"),
        cx.t("Host e origine", "Host and source"),
        cx.t("Codice", "Code"),
        cx.t("Descrizione", "Description"),
        cx.t("Stato e note", "State and notes"),
        cx.t("Messaggi", "Messages"),
    ]
}

fn table(cx: &Context, model: &AlarmsPage) -> AnyView {
    if model.history.alarms.is_empty() {
        let text = if model.filter.all {
            cx.t("Nessun allarme corrisponde al filtro.", "No alarm fits the filter.")
        } else {
            cx.t("Nessun allarme attivo corrisponde al filtro.", "No open alarm fits the filter.")
        };
        return view! { <p>{text}</p> }.into_any();
    }
    let caption = routes::of(PageId::Alarms).label(cx.lang);
    let heads = columns(cx).map(|head| view! { <th scope="col">{head}</th> });
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label=caption>
            <table class="alarms">
                <caption class="visually-hidden">{caption}</caption>
                <thead>
                    <tr>{heads}</tr>
                </thead>
                <tbody>{model.history.alarms.iter().map(|alarm| row(cx, alarm)).collect_view()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn row(cx: &Context, alarm: &AlarmInfo) -> AnyView {
    let [when, priority, host, code, description, state, messages] = columns(cx);
    let open = alarm.cleared_at.is_none();
    view! {
        <tr id=format!("alarm-{}", alarm.id) class=if open { "active" } else { "" }>
            <td data-label=when class="when">{cx.moment(alarm.raised_at)}</td>
            <td data-label=priority>
                <span class=format!("priority p{}", alarm.priority)>{alarm.priority}</span>
            </td>
            <td data-label=host>{alarm.host.clone()} <br /> <span class="muted">{alarm.source.clone()}</span></td>
            <td data-label=code><code>{alarm.code.clone()}</code></td>
            <td data-label=description>{what(cx, alarm)}</td>
            <td data-label=state>{state_of(cx, alarm)}</td>
            <td data-label=messages>{deliveries(cx, &alarm.deliveries)}</td>
        </tr>
    }
    .into_any()
}

/// What happened and, while it lasts, what to do.
fn what(cx: &Context, alarm: &AlarmInfo) -> AnyView {
    let kind = AlarmKind::from_code(&alarm.code).filter(|_| alarm.cleared_at.is_none());
    let to_do = kind.map(|kind| {
        view! { <p class="to-do"><strong>{cx.t("Che cosa fare:", "What to do:")}</strong> " " {kind.remedy(cx.lang)}</p> }
    });
    let repeats = (alarm.repeats > 0).then(|| {
        let text = format!("{} {}", cx.t("Ripetuto:", "Repeated:"), alarm.repeats);
        view! { <p class="muted">{text}</p> }
    });
    view! {
        <p class="what">{alarm.text.get(cx.lang).to_owned()}</p>
        {repeats}
        {to_do}
    }
    .into_any()
}

fn state_of(cx: &Context, alarm: &AlarmInfo) -> AnyView {
    let (tone, word) = match (alarm.cleared_at.is_some(), alarm.acknowledged.is_some()) {
        (true, _) => ("good", cx.t("Rientrato", "Ended")),
        (false, true) => ("warn", cx.t("Preso in carico", "Acknowledged")),
        (false, false) => ("bad", cx.t("Attivo", "Active")),
    };
    let ended = alarm.cleared_at.map(|at| view! { <p class="muted">{cx.moment(at)}</p> });
    let noted = alarm.acknowledged.as_ref().map(|ack| {
        let who = format!("{} {}, {}", cx.t("Preso in carico da", "Acknowledged by"), ack.by, cx.moment(ack.at));
        let note = ack.note.clone().map(|note| view! { <p class="note">{note}</p> });
        view! { <p class="muted">{who}</p> {note} }
    });
    let form = (alarm.acknowledged.is_none() && cx.may(Action::AlarmAck)).then(|| acknowledge(cx, alarm));
    view! {
        <span class=format!("badge {tone}")>{word}</span>
        {ended}
        {noted}
        {form}
    }
    .into_any()
}

fn acknowledge(cx: &Context, alarm: &AlarmInfo) -> AnyView {
    let action = Action::AlarmAck;
    let word = cx.t("Prendi in carico", "Acknowledge");
    let label = format!("{word}: {}", alarm.text.get(cx.lang));
    view! {
        <details class="inline-form" open=cx.form.is_row(action, &alarm.id)>
            <summary class="button" aria-label=label>{word}</summary>
            <form method="post">
                <input type="hidden" name="action" value=action.as_str() />
                <input type="hidden" name="id" value=alarm.id.clone() />
                {Field::new(
                        action,
                        "note",
                        cx.t("Nota", "Note"),
                        cx.t(
                            "Facoltativa: che cosa si è visto e che cosa si sta facendo. L'allarme resta attivo finché la causa non rientra.",
                            "Optional: what was seen and what is being done. The alarm stays open until its cause has ended.",
                        ),
                    )
                    .optional()
                    .row(&alarm.id)
                    .view(cx)}
                <button class="button primary">{cx.t("Conferma", "Confirm")}</button>
            </form>
        </details>
    }
    .into_any()
}

/// How many messages there are in each state; the recipients one click away.
fn deliveries(cx: &Context, all: &[DeliveryInfo]) -> AnyView {
    if all.is_empty() {
        return view! { <span class="muted">{cx.t("Nessun destinatario", "No recipient")}</span> }.into_any();
    }
    let states = [DeliveryState::Failed, DeliveryState::Queued, DeliveryState::Sent];
    let counts = states.into_iter().filter_map(|state| {
        let n = all.iter().filter(|one| one.state == state).count();
        (n > 0).then(|| format!("{}: {n}", state.label(cx.lang)))
    });
    let counts = counts.collect::<Vec<_>>().join(" · ");
    view! {
        <details class="deliveries">
            <summary>{counts}</summary>
            <ul class="plain">{all.iter().map(|one| delivery(cx, one)).collect_view()}</ul>
        </details>
    }
    .into_any()
}

fn delivery(cx: &Context, one: &DeliveryInfo) -> AnyView {
    let event = match one.event {
        AlarmEvent::Raise => cx.t("inizio", "beginning"),
        AlarmEvent::Clear => cx.t("rientro", "end"),
    };
    let tone = match one.state {
        DeliveryState::Sent => "good",
        DeliveryState::Queued => "warn",
        DeliveryState::Failed => "bad",
    };
    let channel = match one.channel {
        Channel::Email => "e-mail",
        Channel::Sms => "SMS",
    };
    let tries = match (cx.lang, one.attempts) {
        (contract::Lang::It, 1) => "1 tentativo".to_owned(),
        (contract::Lang::It, n) => format!("{n} tentativi"),
        (contract::Lang::En, 1) => "1 attempt".to_owned(),
        (contract::Lang::En, n) => format!("{n} attempts"),
    };
    let when = one.at.map(|at| format!(", {}", cx.moment(at)));
    let words = one.detail.clone().map(|detail| view! { <p class="machine-words">{detail}</p> });
    view! {
        <li>
            <p>
                <span class="to">{one.to.clone()}</span>
                " "
                <span class="muted">{format!("({}, {event})", channel)}</span>
            </p>
            <p><span class=format!("badge {tone}")>{one.state.label(cx.lang)}</span> " " {tries} {when}</p>
            {words}
        </li>
    }
    .into_any()
}

fn pager(cx: &Context, model: &AlarmsPage) -> Option<AnyView> {
    let history = &model.history;
    if history.pages == 1 {
        return None;
    }
    let to = |page: usize, text: &'static str| {
        view! { <a class="button" href=format!("{}&page={page}", model.address)>{text}</a> }
    };
    let newer = (history.page > 1).then(|| to(history.page - 1, cx.t("← Più recenti", "← Newer")));
    let older = (history.page < history.pages).then(|| to(history.page + 1, cx.t("Meno recenti →", "Older →")));
    Some(
        view! { <nav class="pager" aria-label=cx.t("Pagine degli allarmi", "Pages of alarms")>{newer} {older}</nav> }
            .into_any(),
    )
}
