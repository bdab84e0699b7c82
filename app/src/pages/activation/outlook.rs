//! What would happen if the button were pressed now, in one sentence and in what stands in the way.

use contract::preflight::PreflightReport;
use contract::{Lang, Refused, Rule};
use leptos::prelude::*;

use crate::headline::Tone;
use crate::model::Context;

/// Whether it can be done, and what stands in the way.
pub(super) fn verdict(cx: &Context, report: Option<&PreflightReport>) -> AnyView {
    match report {
        Some(report) => found(report, cx.lang),
        None => stance(
            Tone::Warn,
            cx.t("Verifica in corso.", "Checking."),
            cx.t(
                "L'esito arriva fra pochi secondi. L'attivazione ripete comunque ogni controllo.",
                "The result comes within seconds. An activation checks everything again in any case.",
            ),
        ),
    }
}

/// One sentence in large, and what it means.
pub(crate) fn stance(tone: Tone, title: &str, text: &str) -> AnyView {
    view! {
        <div class=format!("stance {}", tone.class()) role="status">
            <p class="stance-title">{title.to_owned()}</p>
            <p>{text.to_owned()}</p>
        </div>
    }
    .into_any()
}

/// Guards that the form itself satisfies: they are fields, not obstacles.
pub(super) const fn answered_by_the_form(rule: Rule) -> bool {
    matches!(rule, Rule::IsolationUnattested | Rule::DataLossConsent | Rule::DrDataDiscard | Rule::ConfirmName)
}

/// Each finding with its remedy.
pub(super) fn findings(list: &[&Refused], lang: Lang) -> AnyView {
    let items = list.iter().map(|refused| {
        let finding = refused.finding(lang);
        view! {
            <li data-rule=finding.rule.as_str()>
                <strong>{finding.message}</strong> " " {finding.remedy}
            </li>
        }
    });
    view! { <ul class="obstacles">{items.collect_view()}</ul> }.into_any()
}

fn found(report: &PreflightReport, lang: Lang) -> AnyView {
    let obstacles: Vec<_> = report.blocked.iter().filter(|refused| !answered_by_the_form(refused.rule)).collect();
    // They stand in nobody's way, and the machine is not ready with them.
    let unfit = report.warnings.iter().filter(|refused| refused.rule == Rule::ServiceCommand);
    let told: Vec<_> = obstacles.iter().copied().chain(unfit).collect();
    let alive = obstacles.iter().any(|refused| refused.rule == Rule::IsolationAlive);
    // Silent, but something sees that it has power.
    let only_on = |refused: &&&Refused| {
        refused.rule == Rule::IsolationAlive && refused.detail.split(", ").all(|sign| sign.starts_with("power:"))
    };
    let on = obstacles.iter().filter(only_on).count() == 1 && obstacles.len() == 1;
    let (tone, title, text) = match (alive, report.verdict.ready) {
        (true, true) if on => (
            Tone::Active,
            lang.pick("Il Master non risponde, ma è acceso.", "The Master does not answer, but it has power."),
            lang.pick(
                "Prima va spento: da qui, nel modulo, oppure a mano.",
                "Switch it off first: from here, in the form, or by hand.",
            ),
        ),
        (true, true) => (
            Tone::Good,
            lang.pick(
                "Il DR è pronto. Il Master risponde: non c'è nulla da attivare.",
                "The DR is ready. The Master answers: there is nothing to activate.",
            ),
            lang.pick(
                "Se il Master va sostituito comunque, prima va isolato e spento.",
                "If the Master is to be replaced all the same, isolate it and power it off first.",
            ),
        ),
        (true, false) => (
            Tone::Bad,
            lang.pick("Il Master risponde, ma il DR non è pronto.", "The Master answers, but the DR is not ready."),
            lang.pick(
                "Risolvere adesso ciò che manca: il giorno del guasto sarà tardi.",
                "Solve now what is missing: on the day of the fault it will be late.",
            ),
        ),
        (false, _) if obstacles.is_empty() => (
            Tone::Active,
            lang.pick(
                "Il Master non risponde. Il DR può essere attivato adesso.",
                "The Master does not answer. The DR can be activated now.",
            ),
            lang.pick(
                "Non raggiungibile non vuol dire spento: prima qualcuno deve averlo visto spento.",
                "Unreachable does not mean off: first somebody must have seen it off.",
            ),
        ),
        (false, _) => (
            Tone::Bad,
            lang.pick("Il DR non può essere attivato adesso.", "The DR cannot be activated now."),
            lang.pick(
                "Ecco che cosa lo impedisce e come risolverlo.",
                "This is what stands in the way, and how to solve it.",
            ),
        ),
    };
    let stale = report.verdict.stale.then(|| {
        let text = lang.pick("Qualcosa è cambiato: verifica in corso.", "Something has changed: checking again.");
        view! { <p class="muted">{text}</p> }
    });
    view! {
        {stance(tone, title, text)}
        {stale}
        {(!told.is_empty()).then(|| findings(&told, lang))}
    }
    .into_any()
}
