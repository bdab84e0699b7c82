//! `/attivazione`: the button, on the machine that has it; on the other one, in words and colour, that it is the wrong
//! machine. From the top: which machine this is, how it stands in one sentence, what stands in the way, the one form.

mod client;
mod drill;
mod failback;
mod form;
mod master;
mod outlook;
mod point;
mod replaced;
mod yielding;

use contract::isolation::IsolationOutcome;
use contract::live::Live;
use contract::role::NodeRole;
use contract::run::{RunBrief, RunState, step_label};
use contract::state::NodeState;
use leptos::prelude::*;

pub(super) use self::outlook::stance;
use super::{evidence, steps_to_come};
use crate::action::Action;
use crate::banner::{held_text, held_title};
use crate::format;
use crate::fresh::{fresh, fresh_keyed};
use crate::headline::Tone;
use crate::model::{ActivationPage, Context};
use crate::routes::{self, PageId};
use crate::widgets::{card, reload, title};

/// The title also says when this is the wrong machine: it is what a tab shows.
pub(crate) fn heading(cx: &Context) -> String {
    let route = routes::of(PageId::Activation).label(cx.lang);
    match cx.node.role {
        NodeRole::Client => route.to_owned(),
        NodeRole::Master => format!("{route}: {}", cx.t("questa NON è la macchina DR", "this is NOT the DR machine")),
    }
}

pub(crate) fn view(cx: &Context, model: &ActivationPage) -> AnyView {
    let Some(live) = &cx.live else { return ().into_any() };
    // One that only tidies up, or tries, is in nobody's way.
    let run = live.status.open_run().filter(|run| !run.kind.stands_aside());
    let body = match (run, cx.node.role) {
        (Some(run), _) => following(cx, live, run),
        (None, NodeRole::Client) => client::view(cx, live, model),
        (None, NodeRole::Master) => master::view(cx, live),
    };
    view! {
        {title(&heading(cx), reload(cx, routes::of(PageId::Activation).path))}
        {console(cx)}
        {changed(cx, live)}
        {body}
    }
    .into_any()
}

/// Which machine this is, in the colour of what can be done on it.
fn console(cx: &Context) -> AnyView {
    let (class, words) = match cx.node.role {
        NodeRole::Client => ("console-band right", cx.t("questa è la macchina DR", "this is the DR machine")),
        NodeRole::Master => ("console-band wrong", cx.t("questa NON è la macchina DR", "this is NOT the DR machine")),
    };
    view! {
        <p class=class>
            <strong>{cx.node.name.clone()}</strong>
            {format!(" · {} · ", cx.node.role.label())}
            <strong>{words}</strong>
        </p>
    }
    .into_any()
}

/// Says on an open page that the machine has gone on: the page stays, because somebody may be typing on it.
fn changed(cx: &Context, live: &Live) -> AnyView {
    let status = &live.status;
    let run = status.open_run().map(|run| format!("{} {}", run.id, run.state.as_str())).unwrap_or_default();
    let notice = cx.fresh.is_later().then(|| {
        view! {
            <p class="banner warn" role="alert">
                {cx.t("Lo stato della macchina è cambiato.", "The state of the machine has changed.")}
                " "
                <a href=routes::of(PageId::Activation).path>
                    {cx.t("Mostra la pagina aggiornata", "Show the page as it is now")}
                </a>
            </p>
        }
    });
    fresh_keyed(cx, "changed", format!("{} {} {run}", status.state, status.is_suspended()), notice)
}

/// While a run is not over there is one thing to do: look at it.
fn following(cx: &Context, live: &Live, run: &RunBrief) -> AnyView {
    let step = run.step.as_deref().map(|step| step_label(step, cx.lang)).unwrap_or_default();
    let (tone, word) = match run.state {
        RunState::Stuck => (Tone::Bad, cx.t("RISOLVI", "SOLVE IT")),
        _ => (Tone::Active, cx.t("SEGUI L'OPERAZIONE", "FOLLOW THE OPERATION")),
    };
    let head = format!("{}: {}", run.kind.label(cx.lang), run.state.label(cx.lang).to_lowercase());
    view! {
        <section class="card">
            {stance(tone, &head, &step)}
            {travel(cx, live)}
            <p><a class="button primary large" href=format!("/operazioni?id={}", run.id)>{word}</a></p>
        </section>
    }
    .into_any()
}

/// How far content is on its way from the DR to the Master.
fn travel(cx: &Context, live: &Live) -> Option<AnyView> {
    let travel = live.status.travel.as_ref()?;
    let progress = travel.dataset.as_ref().map(|name| {
        let fraction = travel.progress.as_ref().and_then(contract::sync::Progress::fraction);
        let text = fraction.map_or_else(|| cx.t("lettura…", "reading…").to_owned(), format::percent);
        let label = format!("{name}: {}", cx.t("avanzamento", "progress"));
        view! {
            <p>{name.clone()}</p>
            <div class="bar">
                <progress max="1" value=fraction.map(|f| f.to_string()) aria-label=label></progress>
                <span class="percent">{text}</span>
            </div>
        }
    });
    let trouble = travel.trouble.as_ref().map(|why| {
        let words = cx.t("Non ancora al suo posto, si riprova da soli:", "Not in its place yet, it is tried again:");
        view! { <p class="banner warn">{format!("{words} {why}")}</p> }
    });
    Some(fresh(cx, "travel", view! { {progress} {trouble} }))
}

/// A machine that waits at its gate.
fn held(cx: &Context, live: &Live) -> AnyView {
    fresh(cx, "held", stance(Tone::Bad, &held_title(&cx.node.name, cx.lang), &held_text(live, cx.lang)))
}

/// The form by which the other site is declared lost.
pub(super) fn retire_form(cx: &Context, live: &Live) -> AnyView {
    let button = cx.t("DICHIARA PERDUTA", "DECLARE IT LOST");
    let form = || form::take(cx, live, &ActivationPage::default(), Action::PeerRetire, button);
    form::or_who(cx, Action::PeerRetire, form)
}

/// What may be folded away until somebody wants it; open where it came back.
fn fold(open: bool, summary: &str, body: AnyView) -> AnyView {
    view! {
        <details class="fold card" open=open>
            <summary>{summary.to_owned()}</summary>
            {body}
        </details>
    }
    .into_any()
}

/// Warnings, steps to come and evidence, for whoever reads on.
fn background(cx: &Context, live: &Live) -> Option<AnyView> {
    let report = live.preflight.as_ref()?;
    let offset = cx.offset(cx.now);
    let steps = fresh(cx, "steps", steps_to_come::view(cx, report));
    let warnings = (!report.warnings.is_empty()).then(|| {
        let list = report.warnings.iter().collect::<Vec<_>>();
        card(cx.t("Da sapere", "To be known"), outlook::findings(&list, cx.lang))
    });
    let machines = evidence::machines(&report.isolation, offset, cx.lang);
    Some(
        view! {
            {fresh(cx, "warnings", warnings)}
            {card(cx.t("Che cosa accadrà, in ordine", "What will happen, in order"), steps)}
            {card(
                cx.t("Che cosa si sa dell'altra sede", "What is known of the other site"),
                fresh(cx, "evidence", machines),
            )}
        }
        .into_any(),
    )
}

/// Machines of the other site for which somebody must vouch: those that were found silent, all of them where nothing was
/// found out yet, and those of which the refusal or the reader speaks.
fn to_attest(cx: &Context, live: &Live, action: Action) -> Vec<String> {
    let silent = |outcome| outcome == IsolationOutcome::Unreachable;
    let mut list: Vec<String> = match &live.preflight {
        Some(report) => report.isolation.iter().filter(|m| silent(m.outcome)).map(|m| m.ip.to_string()).collect(),
        None => live.status.pair.peer.iter().flat_map(|peer| &peer.machines).map(|m| m.ip.to_string()).collect(),
    };
    // The other member of this site can be declared lost, too.
    let beside = live.status.pair.cluster.as_ref().and_then(|cluster| cluster.sibling.as_ref());
    let beside = beside.filter(|one| action == Action::PeerRetire && one.associated && !one.reachable);
    list.extend(beside.map(|one| one.ip.to_string()));
    let unattested = cx
        .form
        .refused()
        .iter()
        .filter(|r| matches!(r.rule, contract::Rule::IsolationUnattested | contract::Rule::EvidenceVoid));
    let named = unattested.map(|refused| refused.subject.clone());
    let typed = cx.form.typed_under(action, crate::action::ATTEST).into_iter().map(|(ip, _)| ip);
    for ip in named.chain(typed) {
        if !list.contains(&ip) {
            list.push(ip);
        }
    }
    list
}

/// Whether the state is one in which the node works on something of its own.
const fn is_passing(state: NodeState) -> bool {
    matches!(state, NodeState::Activating | NodeState::HandingBack | NodeState::Receiving)
}
