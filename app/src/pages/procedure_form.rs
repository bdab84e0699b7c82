//! The form of one step: the fields that every kind has, and those of its own.

use contract::Text;
use contract::own_step::{OwnStep, Place, StepKind, Work};
use leptos::prelude::*;

use super::procedure_servers;
use crate::action::Action;
use crate::model::Context;
use crate::routes::{self, PageId};
use crate::widgets::{Field, Kind, select};

const ADD: Action = Action::StepAdd;

pub(super) fn view(cx: &Context, kind: StepKind, step: Option<&OwnStep>) -> AnyView {
    let path = routes::of(PageId::Procedure).path;
    let new = step.is_none().then(|| view! { <input type="hidden" name="fresh" value="1" /> });
    let work = step.map(|step| &step.work);
    let has_secret = step.is_some_and(|step| step.has_secret);
    view! {
        <form method="post" action=path id="step-form">
            <input type="hidden" name="action" value=ADD.as_str() />
            <input type="hidden" name="kind" value=kind.as_str() />
            {new}
            {Field::new(
                    ADD,
                    "name",
                    cx.t("Nome", "Name"),
                    cx.t(
                        "Lettere minuscole, cifre e trattini, ad esempio carrier.",
                        "Lower-case letters, digits and dashes, e.g. carrier.",
                    ),
                )
                .saved(step.map_or("", |step| &step.name))
                .readonly(step.is_some())
                .view(cx)}
            {match kind {
                StepKind::Command => command(cx, work),
                StepKind::Manual => manual(cx, work),
                StepKind::Dns => procedure_servers::dns(cx, work, has_secret),
                StepKind::Http => procedure_servers::http(cx, work, has_secret),
                StepKind::Wait => procedure_servers::wait(cx, work),
            }}
            {numbers(cx, kind, step)}
            <div class="card-buttons">
                <a class="button" href=path>{cx.t("Annulla", "Cancel")}</a>
                <button class="button primary">{cx.t("Salva", "Save")}</button>
            </div>
        </form>
    }
    .into_any()
}

fn command(cx: &Context, work: Option<&Work>) -> AnyView {
    let [run, undo, check] = match work {
        Some(Work::Command(work)) => {
            [work.run.clone(), work.undo.clone().unwrap_or_default(), work.check.clone().unwrap_or_default()]
        }
        _ => Default::default(),
    };
    let hint = cx.t(
        "I comandi vengono eseguiti da /bin/sh come l'utente di TVox DR, con TVOX_DR_RUN, TVOX_DR_STEP e TVOX_DR_SITE nell'ambiente. Possono essere eseguiti due volte: la seconda non deve fare danno.",
        "The commands are run by /bin/sh as the user of TVox DR, with TVOX_DR_RUN, TVOX_DR_STEP and TVOX_DR_SITE in the environment. They may be run twice: the second time must do no harm.",
    );
    let fields = [
        (
            Field::new(
                ADD,
                "run",
                cx.t("Comando", "Command"),
                cx.t("Fa il passo e termina.", "Does the step and returns."),
            ),
            run,
        ),
        (
            Field::new(
                ADD,
                "undo",
                cx.t("Comando di annullamento", "Undo command"),
                cx.t(
                    "Eseguito al rientro. Vuoto: non c'è nulla da annullare.",
                    "Run at the roll back. Empty: there is nothing to undo.",
                ),
            )
            .optional(),
            undo,
        ),
        (
            Field::new(
                ADD,
                "check",
                cx.t("Comando di controllo", "Check command"),
                cx.t(
                    "Esce con 0 solo finché ciò che fa il passo è in vigore. Vuoto: vale l'esito del comando, e dopo un'interruzione il comando viene ripetuto.",
                    "Exits with 0 only while what the step does is in effect. Empty: the command's own exit counts, and after an interruption the command is run again.",
                ),
            )
            .optional(),
            check,
        ),
    ];
    let fields = fields.into_iter().map(|(field, saved)| field.kind(Kind::Lines(2)).saved(&saved).view(cx));
    view! { <p class="hint">{hint}</p> {fields.collect_view()} }.into_any()
}

fn manual(cx: &Context, work: Option<&Work>) -> AnyView {
    let empty = || Text::new("", "");
    let (text, undo) = match work {
        Some(Work::Manual(work)) => (work.text.clone(), work.undo.clone().unwrap_or_else(empty)),
        _ => (empty(), empty()),
    };
    let hint = cx.t(
        "L'operazione mostra il testo e aspetta che un operatore confermi con una nota. Basta una lingua: vale anche per l'altra.",
        "The run shows the text and waits until an operator acknowledges it with a note. One language is enough: it stands for the other, too.",
    );
    let (what, back) = (
        cx.t("Che cosa fare, chi chiamare e a quale numero.", "What to do, whom to call and at which number."),
        cx.t(
            "Che cosa fare al rientro. Vuoto: non c'è nulla da annullare.",
            "What to do at the roll back. Empty: there is nothing to undo.",
        ),
    );
    let fields = [
        ("text_it", cx.t("Testo in italiano", "Text in Italian"), what, text.it),
        ("text_en", cx.t("Testo in inglese", "Text in English"), what, text.en),
        ("undo_it", cx.t("Annullamento in italiano", "Undo in Italian"), back, undo.it),
        ("undo_en", cx.t("Annullamento in inglese", "Undo in English"), back, undo.en),
    ];
    let fields = fields.into_iter().map(|(name, label, help, saved)| {
        Field::new(ADD, name, label, help).optional().kind(Kind::Lines(3)).saved(&saved).view(cx)
    });
    view! { <p class="hint">{hint}</p> <div class="columns">{fields.collect_view()}</div> }.into_any()
}

fn numbers(cx: &Context, kind: StepKind, step: Option<&OwnStep>) -> AnyView {
    let number = |pick: fn(&OwnStep) -> u32| step.map(|step| pick(step).to_string()).unwrap_or_default();
    let (order, limit) = (number(|step| step.order), number(|step| step.limit_seconds));
    let about_limit = match kind {
        StepKind::Manual => cx.t(
            "Quanti secondi si aspetta una persona, prima che l'operazione risulti bloccata. Vuoto:",
            "How many seconds a person is waited for before the run counts as stuck. Empty:",
        ),
        StepKind::Wait => cx.t(
            "Quanti secondi si aspetta, prima che l'operazione risulti bloccata. Vuoto:",
            "How many seconds to wait before the run counts as stuck. Empty:",
        ),
        StepKind::Command | StepKind::Dns | StepKind::Http => cx.t(
            "Quanti secondi può durare: poi viene interrotto e l'operazione risulta bloccata. Vuoto:",
            "How many seconds it may take; then it is killed and the run counts as stuck. Empty:",
        ),
    };
    let about_limit = format!("{about_limit} {}.", kind.default_limit());
    let places = Place::ALL.map(|place| (place.as_str(), place.label(cx.lang)));
    view! {
        <div class="columns">
            {Field::new(
                    ADD,
                    "group",
                    cx.t("Gruppo", "Group"),
                    cx.t(
                        "Ad esempio Operatore telefonico, o DNS. I passi con lo stesso gruppo stanno insieme. Vuoto: da solo.",
                        "For example Carrier, or DNS. Steps of the same group stand together. Empty: on its own.",
                    ),
                )
                .optional()
                .saved(step.and_then(|step| step.group.as_deref()).unwrap_or_default())
                .view(cx)}
            {select(
                cx,
                ADD,
                "place",
                cx.t("Quando", "When"),
                cx.t(
                    "Prima dei servizi: ad esempio indirizzi e dischi. Dopo: ciò che porta qui le chiamate.",
                    "Before the services: addresses and disks, for example. After: what leads the calls here.",
                ),
                &places,
                step.map_or(Place::AfterServices, |step| step.place).as_str(),
            )}
            {Field::new(
                    ADD,
                    "order",
                    cx.t("Ordine", "Order"),
                    cx.t("Si fa per primo il numero più basso. Vuoto: in fondo.", "The lowest number is done first. Empty: at the end."),
                )
                .optional()
                .kind(Kind::Number)
                .saved(&order)
                .view(cx)}
            {Field::new(ADD, "limit", cx.t("Tempo massimo (secondi)", "Time limit (seconds)"), &about_limit)
                .optional()
                .kind(Kind::Number)
                .saved(&limit)
                .view(cx)}
        </div>
    }
    .into_any()
}
