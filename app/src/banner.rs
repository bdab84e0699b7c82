//! What every page says on top when the day is not an ordinary one: who serves, what speaks against it, what is under
//! way.

use contract::Lang;
use contract::approval::Approval;
use contract::gate::GateReport;
use contract::gate_explained::explain;
use contract::live::Live;
use contract::run::{RunBrief, RunState};
use contract::state::NodeState;
use leptos::prelude::*;

use crate::format;
use crate::fresh::fresh;
use crate::headline::Tone;
use crate::model::Context;

struct Banner {
    tone: Tone,
    title: String,
    text: String,
    /// Where to do it, and the words of the link.
    link: Option<(String, String)>,
}

/// What is said on top of a page, the gravest first; where the page itself says who serves, only what speaks against
/// the mandate.
pub(crate) fn banners(cx: &Context, live: &Live, only_findings: bool) -> AnyView {
    let mut list = findings(live, cx.lang);
    if !only_findings {
        list.extend(run(cx, live));
        list.extend(state(live, cx.lang));
    }
    let items = list.into_iter().map(|banner| {
        let link = banner.link.map(|(href, words)| view! { " " <a href=href>{words}</a> });
        view! {
            <p class=format!("banner {}", banner.tone.class())>
                <strong>{banner.title}</strong>
                " "
                {banner.text}
                {link}
            </p>
        }
    });
    view! { <div role="status" class="banners">{fresh(cx, "banners", items.collect_view())}</div> }.into_any()
}

fn findings(live: &Live, lang: Lang) -> Vec<Banner> {
    let found = live.status.mandate.iter().flat_map(|mandate| &mandate.findings);
    let banner =
        |title: &str, text: &str| Banner { tone: Tone::Bad, title: title.into(), text: text.into(), link: None };
    found.map(|finding| banner(finding.sentence(lang), finding.remedy(lang))).collect()
}

fn run(cx: &Context, live: &Live) -> Option<Banner> {
    let (run, lang) = (live.status.open_run()?, cx.lang);
    let waits = live.run.as_ref().and_then(|run| run.approval.as_ref()).filter(|approval| approval.is_awaited());
    if let Some(approval) = waits {
        return Some(awaited(cx, run, approval));
    }
    let text = run.step.as_deref().map(|step| contract::run::step_label(step, lang)).unwrap_or_default();
    Some(Banner {
        tone: if run.state == RunState::Stuck { Tone::Bad } else { Tone::Active },
        title: format!("{}: {}", run.kind.label(lang), run.state.label(lang).to_lowercase()),
        text,
        link: Some((
            format!("/operazioni?id={}", run.id),
            lang.pick("Apri l'operazione", "Open the operation").to_owned(),
        )),
    })
}

/// A run that waits for a second person is everybody's business.
fn awaited(cx: &Context, run: &RunBrief, approval: &Approval) -> Banner {
    let (who, until) = (approval.asked_by.told(), cx.moment(approval.until));
    let text = match cx.lang {
        Lang::It => format!("Chiesta da {who}; si annulla da sola il {until}."),
        Lang::En => format!("Asked for by {who}; it gives itself up on {until}."),
    };
    Banner {
        tone: Tone::Warn,
        title: format!("{}: {}", run.kind.label(cx.lang), approval.state.label(cx.lang)),
        text,
        link: Some((format!("/operazioni?id={}", run.id), cx.t("Apri l'operazione", "Open the operation").to_owned())),
    }
}

fn state(live: &Live, lang: Lang) -> Option<Banner> {
    let status = &live.status;
    let (here, there) = (&status.node.name, status.peer_name());
    if status.declared_lost().is_some() || status.state == NodeState::Recovering {
        return told_by_the_gate(live, lang);
    }
    let (tone, title, text) = match (status.state, lang) {
        (NodeState::Active, Lang::It) if status.is_suspended() => {
            (Tone::Bad, "DR sospeso: nessuno serve.".into(), "Riattivarlo, oppure rientrare sul Master.".into())
        }
        (NodeState::Active, Lang::En) if status.is_suspended() => (
            Tone::Bad,
            "The DR is suspended: nobody serves.".into(),
            "Activate it again, or roll back to the Master.".into(),
        ),
        (NodeState::Active, Lang::It) => (
            Tone::Active,
            format!("DR ATTIVO: il servizio è su {here}."),
            "Nessuna ridondanza: finché non si rientra sul Master, nulla sostituisce questa macchina.".into(),
        ),
        (NodeState::Active, Lang::En) => (
            Tone::Active,
            format!("DR ACTIVE: the service is on {here}."),
            "No redundancy: until the roll back to the Master nothing stands in for this machine.".into(),
        ),
        (NodeState::Fenced, Lang::It) => (
            Tone::Active,
            format!("{here} è esclusa dal servizio: il DR {there} è attivo."),
            "I suoi servizi restano fermi. Si torna indietro dal pannello del DR, con il rientro.".into(),
        ),
        (NodeState::Fenced, Lang::En) => (
            Tone::Active,
            format!("{here} is shut out from the service: the DR {there} is active."),
            "Its services stay down. The way back is the roll back, on the panel of the DR.".into(),
        ),
        (NodeState::Held, _) => (Tone::Bad, held_title(here, lang), held_text(live, lang)),
        (NodeState::Unverified, Lang::It) => (
            Tone::Warn,
            format!("{here} serve senza la conferma di {there}."),
            "Al riavvio l'altra sede non rispondeva. Verificare che il DR non sia attivo.".into(),
        ),
        (NodeState::Unverified, Lang::En) => (
            Tone::Warn,
            format!("{here} serves without a confirmation by {there}."),
            "The other site did not answer at the boot. Make sure that the DR is not active.".into(),
        ),
        _ => return None,
    };
    let link = (status.state != NodeState::Unverified)
        .then(|| ("/attivazione".to_owned(), lang.pick("Attivazione", "Activation").to_owned()));
    Some(Banner { tone, title, text, link })
}

/// Why a machine does not serve that waits for nobody's confirmation.
fn told_by_the_gate(live: &Live, lang: Lang) -> Option<Banner> {
    let status = &live.status;
    let told = explain(status.gate.as_ref()?, status.node.role, &status.node.name, status.peer_name());
    let first = |texts: &[contract::Text]| texts.first().map(|text| text.get(lang).to_owned()).unwrap_or_default();
    let tone = if status.declared_lost().is_some() { Tone::Bad } else { Tone::Active };
    let link = Some(("/disaster-recovery".to_owned(), "Disaster Recovery".to_owned()));
    Some(Banner { tone, title: first(&told.why), text: first(&told.to_do), link })
}

/// The sentence of a machine that waits at its gate.
pub(crate) fn held_title(name: &str, lang: Lang) -> String {
    match lang {
        Lang::It => format!("{name} aspetta una conferma prima di servire: i servizi sono fermi."),
        Lang::En => format!("{name} waits for a confirmation before it serves: its services are down."),
    }
}

/// What its gate was told, and how long it goes on waiting.
pub(crate) fn held_text(live: &Live, lang: Lang) -> String {
    let Some(gate) = &live.status.gate else { return String::new() };
    let asking = lang.pick("non ancora sentita", "not heard yet");
    let answers = gate.asked.iter().map(|one| {
        let said = one.answer.map_or(asking, |answer| answer.label(lang));
        format!("{}: {said}. ", one.ip)
    });
    answers.collect::<String>() + &waiting(live, gate, lang)
}

#[expect(clippy::cast_precision_loss, reason = "seconds, shown in two units")]
fn waiting(live: &Live, gate: &GateReport, lang: Lang) -> String {
    let Some(at) = gate.opens_at else {
        return lang
            .pick(
                "Non riprende da sola: serve una risposta, o un operatore.",
                "It does not resume by itself: an answer is needed, or an operator.",
            )
            .to_owned();
    };
    let left = format::span((at.as_second() - live.at.as_second()).max(0) as f64, lang);
    match lang {
        Lang::It => format!("Se nessuno risponde, riprende il servizio da sola fra {left}."),
        Lang::En => format!("If nobody answers, it resumes the service by itself in {left}."),
    }
}
