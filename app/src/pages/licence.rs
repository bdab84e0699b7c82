//! `/licenza`: how the licence stands, and where it is loaded.

use contract::licence::{LicenceReport, LicenceState};
use leptos::prelude::*;

use crate::action::Action;
use crate::model::Context;
use crate::routes::{self, PageId};
use crate::widgets::{Field, Kind, card, card_with_help, confirm, facts, title, wrap};

pub(crate) fn view(cx: &Context, model: &LicenceReport) -> AnyView {
    let summary = &model.summary;
    let tone = match summary.state {
        LicenceState::Valid => "good",
        LicenceState::Expired => "warn",
        LicenceState::Missing | LicenceState::Invalid => "bad",
    };
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "–".to_owned()).into_any();
    let state = view! { <span class=format!("badge {tone}")>{summary.state.label(cx.lang)}</span> };
    let mut rows = vec![
        (cx.t("Stato Licenza", "Licence state").to_owned(), state.into_any()),
        (cx.t("Numero seriale", "Serial number").to_owned(), text(&summary.serial)),
        (cx.t("Nome Azienda", "Company").to_owned(), text(&summary.company)),
    ];
    if summary.state != LicenceState::Missing {
        let expires = summary.expires.map_or_else(|| cx.t("mai", "never").to_owned(), |at| cx.moment(at));
        rows.push((cx.t("Scadenza", "Expires").to_owned(), expires.into_any()));
    }
    if let Some(machine) = &model.bound_to {
        let machine = machine.clone();
        rows.push((
            cx.t("Valida solo per il codice macchina", "Only for the machine code").to_owned(),
            view! { <code>{machine}</code> }.into_any(),
        ));
    }
    let machine = model.machine.clone();
    rows.push((cx.t("Codice macchina", "Machine code").to_owned(), view! { <code>{machine}</code> }.into_any()));

    let consequence = match summary.state {
        LicenceState::Valid => None,
        LicenceState::Missing => Some(cx.t(
            "Senza licenza non si possono associare le macchine, dichiarare dati e avviare la replica.",
            "Without a licence machines cannot be associated, data declared or replication started.",
        )),
        LicenceState::Expired | LicenceState::Invalid => Some(cx.t(
            "La replica in corso continua e l'attivazione resta possibile: nulla si ferma per la licenza.",
            "Running replication goes on and activation stays possible: nothing stops because of the licence.",
        )),
    };
    let remove = (cx.may(Action::LicenceRemove) && summary.state != LicenceState::Missing).then(|| {
        confirm(
            cx,
            Action::LicenceRemove,
            None,
            cx.t("Rimuovi licenza", "Remove licence"),
            cx.t("Rimuovere la licenza?", "Remove the licence?"),
            cx.t(
                "La replica continua; per caricarla di nuovo serve il file ricevuto dal fornitore.",
                "Replication goes on; loading it again needs the supplier's file.",
            ),
        )
    });
    let modules = view! {
        <ul class="plain">
            {if summary.modules.is_empty() {
                view! { <li>"–"</li> }.into_any()
            } else {
                summary.modules.iter().map(|module| view! { <li><code>{module.clone()}</code></li> }).collect_view().into_any()
            }}
        </ul>
        <p>
            {cx.t("Modulo necessario su questa macchina:", "Module needed on this machine:")} " "
            <code>{model.needed.clone()}</code> " "
            <span class=if model.granted { "badge good" } else { "badge bad" }>
                {if model.granted { cx.t("presente", "present") } else { cx.t("assente", "missing") }}
            </span>
        </p>
    };
    let about = cx.t(
        "Il codice macchina serve al fornitore per emettere una licenza valida solo qui.",
        "The supplier needs the machine code to issue a licence that works only here.",
    );
    let first = view! {
        {facts(rows)}
        {consequence.map(|text| view! { <p>{text}</p> })}
    };
    view! {
        {title(routes::of(PageId::Licence).label(cx.lang), remove)}
        {card_with_help(cx, "licence", routes::of(PageId::Licence).label(cx.lang), about, first)}
        {card(cx.t("Moduli", "Modules"), modules)}
        {cx.may(Action::LicenceLoad).then(|| load(cx))}
    }
    .into_any()
}

fn load(cx: &Context) -> AnyView {
    let file = view! { <input type="file" id="licence-file" name="file" accept=".lic,.txt,.json" aria-describedby="licence-file-help" /> };
    let form = view! {
        <form method="post" enctype="multipart/form-data" id="licence-form">
            <input type="hidden" name="action" value=Action::LicenceLoad.as_str() />
            {wrap(
                cx,
                "licence-file",
                cx.t("File della licenza", "Licence file"),
                cx.t("Il file .lic ricevuto dal fornitore.", "The .lic file received from the supplier."),
                false,
                file.into_any(),
                None,
            )}
            {Field::new(
                    Action::LicenceLoad,
                    "text",
                    cx.t("oppure il suo testo", "or its text"),
                    cx.t(
                        "In alternativa al file: incollare qui tutto il suo contenuto.",
                        "Instead of the file: paste all of its content here.",
                    ),
                )
                .optional()
                .kind(Kind::Lines(5))
                .view(cx)}
            <button class="button primary">{cx.t("Carica Licenza", "Load licence")}</button>
        </form>
    };
    card(cx.t("Carica Licenza", "Load licence"), form)
}
