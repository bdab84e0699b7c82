//! In short, for the Panorama: the two verdicts, who may serve, and the return gate.

use contract::Lang;
use contract::live::Live;
use contract::preflight::Verdict;
use contract::role::NodeRole;
use leptos::prelude::*;

use crate::format;
use crate::model::Context;
use crate::widgets::facts;

pub(super) fn view(cx: &Context, live: &Live) -> AnyView {
    let (status, lang) = (&live.status, cx.lang);
    let offset = cx.offset(cx.now);
    let verdict = live.preflight.as_ref().map(|report| &report.verdict);
    let verdicts = (status.node.role == NodeRole::Client).then(|| verdicts(verdict, offset, lang));
    let holder = status.mandate.as_ref().map_or_else(
        || "–".to_owned(),
        |mandate| format!("{} · {} · {}", mandate.epoch, mandate.holder.label(), mandate.kind.label(lang)),
    );
    let gate = status.gate.as_ref().map_or("–", |gate| gate.answer.label(lang));
    let rest = facts([
        (cx.t("Mandato (chi può servire)", "Mandate (who may serve)").to_owned(), holder.into_any()),
        (cx.t("Consenso al rientro", "Return gate").to_owned(), gate.into_any()),
    ]);
    view! { {verdicts.map(|rows| view! { <dl class="facts">{rows}</dl> })} {rest} }.into_any()
}

fn verdicts(verdict: Option<&Verdict>, offset: i32, lang: Lang) -> AnyView {
    let Some(verdict) = verdict else {
        let text = lang.pick("verifica in corso", "checking");
        return view! { <div><dt>{lang.pick("Pronto", "Ready")}</dt><dd>{text}</dd></div> }.into_any();
    };
    let word = |yes: bool| {
        let (tone, text) = if yes { ("good", lang.pick("Sì", "Yes")) } else { ("warn", "No") };
        view! { <span class=format!("badge {tone}")>{text}</span> }
    };
    let at = match verdict.stale {
        true => lang.pick("qualcosa è cambiato, verifica in corso", "something has changed, checking again").to_owned(),
        false => format!("{} {}", lang.pick("verificato alle", "checked at"), format::hour(verdict.checked_at, offset)),
    };
    view! {
        <div>
            <dt>{lang.pick("Pronto per il giorno del guasto", "Ready for the day of the fault")}</dt>
            <dd>{word(verdict.ready)} " " <span class="muted">{at}</span></dd>
        </div>
        <div>
            <dt>{lang.pick("Attivabile adesso", "Can be activated now")}</dt>
            <dd>{word(verdict.now)}</dd>
        </div>
    }
    .into_any()
}
