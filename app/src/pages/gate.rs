//! The return gate's question, as a card of the page Disaster Recovery: what this machine does when it boots and nobody
//! answers.

use contract::gate::{GatePolicy, GateReport, GateState};
use contract::gate_explained::explain;
use leptos::prelude::*;

use crate::action::Action;
use crate::fresh::fresh;
use crate::model::Context;
use crate::widgets::{Field, card};

pub(super) fn view(cx: &Context, gate: &GateReport) -> AnyView {
    let body = if cx.may(Action::GateSet) { form(cx, gate) } else { chosen(cx, gate) };
    let told = fresh(cx, "gate-explained", explained(cx, gate));
    let unchosen = (gate.chosen == Some(false)).then(|| {
        let text = cx.t(
            "Nessuno ha ancora scelto: vale la scelta iniziale. Confermarla o cambiarla adesso.",
            "Nobody has chosen yet: it is as it was delivered. Confirm it or change it now.",
        );
        view! { <p class="banner warn">{text}</p> }
    });
    let body = view! { {told} <p>{question(cx)}</p> {fresh(cx, "gate-unchosen", unchosen)} {body} };
    card(cx.t("Consenso al rientro", "Return gate"), body)
}

/// How it stands in plain words: the same as `tvox-dr gate show --explain`.
fn explained(cx: &Context, gate: &GateReport) -> AnyView {
    let there = cx.live.as_ref().map(|live| live.status.peer_name()).unwrap_or_default();
    let told = explain(gate, cx.node.role, &cx.node.name, there);
    let tone = match gate.answer {
        GateState::Open if gate.unverified => "warn",
        GateState::Open => "good",
        GateState::Held => "bad",
        GateState::Closed => "active",
    };
    let list = |texts: &[contract::Text]| {
        let items = texts.iter().map(|text| view! { <li>{text.get(cx.lang).to_owned()}</li> }).collect_view();
        view! { <ul>{items}</ul> }.into_any()
    };
    let asked: Vec<_> = told
        .asked
        .iter()
        .map(|one| contract::Text::new(format!("{}: {}", one.ip, one.text.it), format!("{}: {}", one.ip, one.text.en)))
        .collect();
    let rows = [
        (cx.t("Perché", "Why"), &told.why),
        (cx.t("Chi è stato sentito", "Who was asked"), &asked),
        (cx.t("Che cosa manca", "What is missing"), &told.missing),
        (cx.t("Che cosa fare", "What to do"), &told.to_do),
    ];
    let rows = rows.into_iter().filter(|(_, texts)| !texts.is_empty());
    let rows = rows.map(|(name, texts)| view! { <div><dt>{name}</dt><dd>{list(texts)}</dd></div> }).collect_view();
    view! {
        <p><span class=format!("badge {tone}")>{gate.answer.label(cx.lang)}</span></p>
        <dl class="facts">{rows}</dl>
    }
    .into_any()
}

const fn question(cx: &Context) -> &'static str {
    cx.lang.pick(
        "Se questa macchina si riavvia e l'altra sede non risponde, che cosa deve fare?",
        "If this machine boots and the other site does not answer, what is it to do?",
    )
}

fn chosen(cx: &Context, gate: &GateReport) -> AnyView {
    let wait = format!("{}: {} s", cx.t("Attesa", "Wait"), gate.wait_seconds);
    view! { <p><strong>{gate.policy.label(cx.lang)}</strong></p> <p class="muted">{wait}</p> }.into_any()
}

fn form(cx: &Context, gate: &GateReport) -> AnyView {
    let action = Action::GateSet;
    let chosen = cx.form.value(action, "policy", gate.policy.as_str());
    let error = cx.form.error(action, "policy", cx.lang);
    let choices = GatePolicy::ALL.map(|policy| {
        let id = format!("gate-{}", policy.as_str());
        let of = id.clone();
        view! {
            <label class="check" for=of>
                <input type="radio" id=id name="policy" value=policy.as_str() checked=policy.as_str() == chosen />
                <span>{policy.label(cx.lang)}</span>
            </label>
        }
    });
    let wait = Field::new(
        action,
        "wait",
        cx.t("Attesa, in secondi", "Wait, in seconds"),
        cx.t(
            "Quanto aspettare una risposta prima di riprendere il servizio. Conta solo con la scelta Continuità.",
            "How long to wait for an answer before the service is resumed. It matters only with the choice Continuity.",
        ),
    );
    let seconds = gate.wait_seconds.to_string();
    view! {
        <form method="post" id="gate-form">
            <input type="hidden" name="action" value=action.as_str() />
            <fieldset>
                <legend class="visually-hidden">{question(cx)}</legend>
                {choices}
            </fieldset>
            {error.map(|error| view! { <p class="field-error">{error}</p> })}
            {wait.saved(&seconds).optional().view(cx)}
            <button class="button primary">{cx.t("Salva la scelta", "Save the choice")}</button>
        </form>
    }
    .into_any()
}
