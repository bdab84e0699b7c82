//! What is known of the machines of the other site, and what would be lost: said the same way before a run and in its
//! report.

use contract::Lang;
use contract::isolation::{IsolationOutcome, MachineIsolation, probe_label};
use contract::preflight::Loss;
use leptos::prelude::*;

use crate::format;

/// Every machine with what follows from its probes.
pub(super) fn machines(list: &[MachineIsolation], offset: i32, lang: Lang) -> AnyView {
    if list.is_empty() {
        return view! { <p>{lang.pick("Nessuna verifica fatta finora.", "Nothing checked so far.")}</p> }.into_any();
    }
    list.iter().map(|one| machine(one, offset, lang)).collect_view().into_any()
}

fn machine(machine: &MachineIsolation, offset: i32, lang: Lang) -> AnyView {
    let tone = match machine.outcome {
        IsolationOutcome::Alive => "bad",
        IsolationOutcome::Unreachable => "warn",
        _ => "good",
    };
    let probes = machine.evidence.iter().map(|probe| {
        let said = format!("{} {}", format::hour(probe.at, offset), probe.result.label(lang));
        view! {
            <div>
                <dt>{probe_label(&probe.probe, lang)}</dt>
                <dd>{said} " " <span class="machine-words">{probe.told(lang).to_owned()}</span></dd>
            </div>
        }
    });
    let word = machine.attestation.as_ref().map(|text| {
        view! { <div><dt>{lang.pick("Dichiarazione", "Statement")}</dt><dd>{text.clone()}</dd></div> }
    });
    view! {
        <p>
            <strong>{machine.ip.to_string()}</strong>
            " "
            <span class=format!("badge {tone}")>{machine.outcome.label(lang)}</span>
        </p>
        <dl class="facts">{word} {probes.collect_view()}</dl>
    }
    .into_any()
}

/// Every dataset with what the other site may have written since.
pub(super) fn losses(list: &[Loss], offset: i32, lang: Lang) -> AnyView {
    if list.is_empty() {
        return view! { <p>{lang.pick("Nessun dato replicato.", "No replicated data.")}</p> }.into_any();
    }
    let items = list
        .iter()
        .map(|loss| view! { <li><strong>{loss.dataset.clone()}</strong> ": " {words(loss, offset, lang)}</li> });
    view! { <ul>{items.collect_view()}</ul> }.into_any()
}

fn words(loss: &Loss, offset: i32, lang: Lang) -> String {
    let lost = lost(loss, offset, lang);
    loss.missing.map_or_else(|| lost.clone(), |missing| format!("{lost} ({})", missing.label(lang)))
}

fn lost(loss: &Loss, offset: i32, lang: Lang) -> String {
    let (Some(at), Some(age)) = (loss.captured_at, loss.age_seconds) else {
        return lang.pick("nessuna copia completa: si perde tutto", "no complete copy: all of it is lost").to_owned();
    };
    if loss.none_confirmed {
        return lang
            .pick("nulla, il Master stesso lo ha confermato", "nothing, the Master itself has confirmed it")
            .to_owned();
    }
    let (at, age) = (format::moment(at, offset, lang), format::span(age, lang));
    let mut text = match lang {
        Lang::It => format!("ciò che è stato scritto dopo il {at} ({age})"),
        Lang::En => format!("what was written after {at} ({age})"),
    };
    if let Some(bytes) = loss.in_flight {
        text += &format!(", {} {}", lang.pick("in arrivo", "on the way:"), format::bytes(bytes, lang));
    }
    if loss.skipped > 0 {
        let skipped = format::count(loss.skipped, lang);
        text += &match lang {
            Lang::It => format!(", copie più recenti non usate: {skipped}"),
            Lang::En => format!(", newer copies not used: {skipped}"),
        };
    }
    text
}
