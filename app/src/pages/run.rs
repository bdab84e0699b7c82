//! One run: how it stands, each step as it goes on, what to do where it is stuck, and its report.

use std::collections::BTreeMap;

use contract::approval::Approval;
use contract::isolation::IsolationOutcome;
use contract::own_step::{Block, blocks};
use contract::run::{DatasetLedger, GroupReport, RunReport, RunState, StepReport, StepState, step_label};
use contract::{Lang, Text, Timestamp};
use leptos::prelude::*;

use super::activation::stance;
use super::approval;
use super::evidence::{losses, machines};
use super::phones;
use crate::action::{ATTEST, Action};
use crate::format;
use crate::fresh::{fresh, fresh_keyed};
use crate::headline::Tone;
use crate::model::Context;
use crate::routes::{self, PageId};
use crate::widgets::{Field, reload, title};

pub(crate) fn view(cx: &Context, run: &RunReport) -> AnyView {
    let lang = cx.lang;
    let runs = routes::of(PageId::Runs).path;
    let buttons = view! {
        {reload(cx, &format!("{runs}?id={}", run.id))}
        <a class="button" href=runs>
            {cx.t("Tutte le operazioni", "All operations")}
        </a>
    };
    let drive = Drive::of(run);
    let forms = cx.may(Action::RunResume).then(|| fresh_keyed(cx, "drive", format!("{drive:?}"), drive.view(cx)));
    let steps = steps(cx, run);
    view! {
        {title(run.kind.label(lang), buttons)}
        <section class="card run">
            {fresh(cx, "run-state", state_view(run, lang))}
            {forms}
            {run.telephony.as_ref().map(|found| fresh(cx, "phones", phones::of_run(run, found, cx.offset(cx.now), lang)))}
            <ol class="run-steps">{steps}</ol>
            {fresh(cx, "run-report", report(run, cx.offset(cx.now), lang))}
        </section>
    }
    .into_any()
}

/// Every step, those of a group as one block under its heading. Each is a piece of its own, so that what a reader opened
/// stays open.
fn steps(cx: &Context, run: &RunReport) -> AnyView {
    let mut pieces = 0..;
    let mut one = |step: &StepReport| {
        let piece = pieces.next().unwrap_or_default();
        view! { <li>{fresh(cx, &format!("step-{piece}"), step_view(step, cx.lang))}</li> }
    };
    let mut block = |(at, block): (usize, Block<'_, StepReport>)| {
        let inner = block.items.iter().map(&mut one).collect_view();
        let Some(name) = block.group else { return inner.into_any() };
        let sum = group_view(&GroupReport::of(name, block.items), cx.lang);
        view! { <li class="run-group">{fresh(cx, &format!("group-{at}"), sum)} <ol class="run-steps">{inner}</ol></li> }
            .into_any()
    };
    let blocks = blocks(&run.steps, |step| step.group.as_deref()).into_iter().enumerate();
    blocks.map(&mut block).collect_view().into_any()
}

/// The heading of a group, and what it has come to.
fn group_view(group: &GroupReport, lang: Lang) -> AnyView {
    let done = match lang {
        Lang::It => format!("{} di {} fatti", group.done, group.of),
        Lang::En => format!("{} of {} done", group.done, group.of),
    };
    let took = group.duration_seconds.map(|seconds| format::span(seconds, lang));
    let sum = [Some(done), took].into_iter().flatten().collect::<Vec<_>>().join(" · ");
    view! {
        <p class="step-line">
            <strong>{group.name.clone()}</strong>
            <span class="muted">{sum}</span>
        </p>
    }
    .into_any()
}

fn state_view(run: &RunReport, lang: Lang) -> AnyView {
    let at = run.steps.iter().position(|step| run.step.as_ref() == Some(&step.id));
    let tone = match run.state {
        RunState::Running => Tone::Active,
        RunState::Stuck => Tone::Bad,
        RunState::Done => Tone::Good,
        RunState::Aborted => Tone::Warn,
    };
    let text = match at.and_then(|at| Some((at, run.steps.get(at)?))) {
        Some((at, step)) => {
            let remedy = step.remedy.as_ref().map(|remedy| format!(". {}", remedy.get(lang))).unwrap_or_default();
            let (word, of) = (lang.pick("Passo", "Step"), lang.pick("di", "of"));
            format!("{word} {} {of} {}: {}{remedy}", at + 1, run.steps.len(), step_label(&step.id, lang))
        }
        None => [
            seconds(Some(run.started_at), run.ended_at).map(|s| (lang.pick("Durata", "Duration"), s)),
            run.rto_seconds.map(|s| ("RTO", s)),
        ]
        .into_iter()
        .flatten()
        .map(|(name, s)| format!("{name}: {}", format::span(s, lang)))
        .collect::<Vec<_>>()
        .join(" · "),
    };
    stance(tone, run.state.label(lang), &text)
}

/// What an operator can do with it.
#[derive(Debug, Clone, PartialEq)]
struct Drive {
    stuck: bool,
    can_abort: bool,
    /// The run, and what is asked of the second person, while it waits.
    approval: Option<(String, Approval)>,
    /// Machines of which nothing is known but silence, while their evidence still counts.
    unattested: Vec<String>,
    /// Steps that an operator may acknowledge, and what a person is asked to do for each.
    acks: Vec<(String, Option<Text>)>,
}

impl Drive {
    fn of(run: &RunReport) -> Self {
        // What waits at its gate cannot be resumed: its remedy says what can be done.
        let stuck = run.state == RunState::Stuck && !run.at_gate;
        let asks = matches!(run.step.as_deref(), Some("close_inbound" | "evidence" | "mandate"));
        let silent = run.isolation.iter().filter(|one| one.outcome == IsolationOutcome::Unreachable);
        let unattested = if stuck && asks { silent.map(|one| one.ip.to_string()).collect() } else { Vec::new() };
        let acks =
            run.steps.iter().filter(|step| step.can_ack).map(|step| (step.id.clone(), step.ask.clone())).collect();
        let approval = run.approval.clone().filter(Approval::is_awaited).map(|approval| (run.id.clone(), approval));
        Self { stuck, can_abort: run.can_abort && !run.state.is_over(), approval, unattested, acks }
    }

    fn view(&self, cx: &Context) -> AnyView {
        let lang = cx.lang;
        let typed: BTreeMap<_, _> = cx.form.typed_under(Action::RunResume, ATTEST).into_iter().collect();
        let fields = self.unattested.iter().map(|ip| {
            let name = format!("{ATTEST}{ip}");
            let label = format!("{ip}: {}", lang.pick("chi l'ha vista spenta, e come", "who saw it off, and how"));
            let value = typed.get(ip).cloned().unwrap_or_default();
            view! {
                <div class="field">
                    <label for=name.clone()>{label}</label>
                    <input id=name.clone() name=name type="text" value=value autocomplete="off" />
                </div>
            }
        });
        let resume = self.stuck.then(|| {
            view! {
                <form method="post">
                    <input type="hidden" name="action" value=Action::RunResume.as_str() />
                    {fields.collect_view()}
                    <button class="button primary wide">{lang.pick("RIPRENDI", "RESUME")}</button>
                </form>
            }
        });
        // Whoever is asked to approve says no by declining, with a reason.
        let declines = self.approval.as_ref().is_some_and(|(_, approval)| {
            !cx.user.as_ref().is_some_and(|reader| approval.asked_by.is_user(&reader.name))
        });
        let abort = (self.can_abort && !declines).then(|| {
            view! {
                <details class="fold">
                    <summary>{lang.pick("Annulla l'operazione", "Abort the operation")}</summary>
                    <form method="post">
                        <input type="hidden" name="action" value=Action::RunAbort.as_str() />
                        <p>
                            {lang
                                .pick(
                                    "Ciò che è stato fatto viene disfatto, in ordine inverso.",
                                    "What was done is undone, in reverse order.",
                                )}
                        </p>
                        <button class="button danger">{lang.pick("Annulla l'operazione", "Abort the operation")}</button>
                    </form>
                </details>
            }
        });
        let acks = self.acks.iter().map(|(id, ask)| acknowledge(cx, id, ask.as_ref())).collect_view();
        let approval = self.approval.as_ref().map(|(run, approval)| approval::answer(cx, run, approval));
        view! { {approval} {acks} {resume} {abort} }.into_any()
    }
}

/// The form by which an operator says that a step was seen to.
fn acknowledge(cx: &Context, id: &str, ask: Option<&Text>) -> AnyView {
    let lang = cx.lang;
    let label = step_label(id, lang);
    let (text, button) = match ask {
        Some(ask) => (ask.get(lang).to_owned(), lang.pick("È STATO FATTO", "IT IS DONE")),
        None => {
            let text = lang.pick(
                "Se è stato fatto a mano, si può proseguire: chi conferma ne risponde.",
                "Where it was done by hand, the run may go on: whoever acknowledges it answers for it.",
            );
            (text.to_owned(), lang.pick("Conferma e prosegui", "Acknowledge and go on"))
        }
    };
    let class = if ask.is_some() { "button primary wide" } else { "button" };
    view! {
        <section class="press-ack">
            <h2>{label}</h2>
            <p class="ask">{text}</p>
            <form method="post">
                <input type="hidden" name="action" value=Action::RunAck.as_str() />
                <input type="hidden" name="id" value=id.to_owned() />
                {Field::new(
                        Action::RunAck,
                        "note",
                        lang.pick("Nota", "Note"),
                        lang.pick(
                            "Che cosa è stato fatto, e con chi si è parlato. Resta nel registro.",
                            "What was done, and who was spoken to. It stays in the log.",
                        ),
                    )
                    .row(id)
                    .view(cx)}
                <button class=class>{button}</button>
            </form>
        </section>
    }
    .into_any()
}

fn step_view(step: &StepReport, lang: Lang) -> AnyView {
    let (class, tone) = match step.state {
        StepState::Waiting => ("waiting", ""),
        StepState::Running => ("running", "active"),
        StepState::Done => ("done", "good"),
        StepState::Failed => ("failed", "bad"),
        StepState::Undone => ("undone", "warn"),
    };
    let took = seconds(step.started_at, step.ended_at).map(|s| format::span(s, lang));
    let again = (step.attempts > 1).then(|| format!("{} {}", lang.pick("tentativo", "attempt"), step.attempts));
    let more = [took, again].into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let remedy = step.remedy.as_ref().map(|remedy| view! { <p class="remedy">{remedy.get(lang).to_owned()}</p> });
    let output = (step.state != StepState::Waiting && !step.output.is_empty()).then(|| {
        let open = step.state != StepState::Done;
        view! {
            <details open=open>
                <summary>{lang.pick("Dettagli", "Details")}</summary>
                <p class="step-output machine-words">{step.output.clone()}</p>
            </details>
        }
    });
    view! {
        <div class=format!("run-step {class}")>
            <p class="step-line">
                <strong>{step_label(&step.id, lang)}</strong>
                <span class=format!("badge {tone}")>{step.state.label(lang)}</span>
                <span class="muted">{more}</span>
            </p>
            {remedy}
            {output}
        </div>
    }
    .into_any()
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn seconds(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<f64> {
    Some((to?.as_millisecond() - from?.as_millisecond()) as f64 / 1000.0)
}

fn report(run: &RunReport, offset: i32, lang: Lang) -> AnyView {
    let moment = |at| format::moment(at, offset, lang);
    let total = seconds(Some(run.started_at), run.ended_at).map(|s| format::span(s, lang));
    let rows = [
        (lang.pick("Chi", "Who"), Some(run.started_by.clone())),
        (lang.pick("Motivo", "Reason"), Some(run.reason.clone())),
        (lang.pick("Inizio", "Begun"), Some(moment(run.started_at))),
        (lang.pick("Fine", "Ended"), run.ended_at.map(moment)),
        (lang.pick("Durata", "Duration"), total),
        (lang.pick("Punto di ripristino scelto", "Restore point chosen"), run.point.clone()),
        (lang.pick("Seconda persona", "Second person"), run.approval.as_ref().map(|approval| approval.told(lang))),
        (lang.pick("Mandato scritto", "Mandate written"), run.epoch.map(|epoch| epoch.to_string())),
        (
            lang.pick(
                "RTO misurato (dal comando ai servizi verificati)",
                "Measured RTO (from the command to the verified services)",
            ),
            run.rto_seconds.map(|s| format::span(s, lang)),
        ),
        (
            lang.pick("Dal comando al primo telefono registrato", "From the command to the first registered phone"),
            run.first_phone_rto_seconds.map(|s| format::span(s, lang)),
        ),
    ];
    let rows = rows
        .into_iter()
        .filter_map(|(name, value)| Some(view! { <div><dt>{name}</dt><dd>{value?}</dd></div> }))
        .collect_view();
    let part = |title: &'static str, body: AnyView| view! { <section><h2>{title}</h2> {body}</section> };
    let loss = (!run.loss.is_empty()).then(|| {
        part(lang.pick("Dati persi (RPO misurato)", "Data lost (measured RPO)"), losses(&run.loss, offset, lang))
    });
    let isolation = (!run.isolation.is_empty()).then(|| {
        part(
            lang.pick("Isolamento dell'altra sede", "Isolation of the other site"),
            machines(&run.isolation, offset, lang),
        )
    });
    let ledger = run.ledger.as_ref().map(|ledger| {
        let items = ledger.datasets.iter().map(|dataset| ledger_view(dataset, lang)).collect_view();
        let nothing = ledger.datasets.is_empty().then(|| lang.pick("Nulla.", "Nothing."));
        part(
            lang.pick("Creato sul DR mentre serviva", "Made on the DR while it served"),
            view! { <ul>{items}</ul> {nothing} }.into_any(),
        )
    });
    view! {
        <section>
            <h2>{lang.pick("Rapporto", "Report")}</h2>
            <dl class="facts">{rows}</dl>
        </section>
        {loss}
        {isolation}
        {ledger}
    }
    .into_any()
}

fn ledger_view(dataset: &DatasetLedger, lang: Lang) -> AnyView {
    let counts = |added: u64, changed: u64, removed: u64| {
        let [added, changed, removed] = [added, changed, removed].map(|n| format::count(n, lang));
        match lang {
            Lang::It => format!("{added} aggiunti, {changed} modificati, {removed} tolti"),
            Lang::En => format!("{added} added, {changed} changed, {removed} removed"),
        }
    };
    let files = format!(
        "{} (file, {})",
        counts(dataset.added, dataset.changed, dataset.removed),
        format::bytes(dataset.bytes, lang)
    );
    let tables = dataset.tables.iter().map(|table| {
        view! { <li><code>{table.table.clone()}</code> ": " {counts(table.added, table.changed, table.removed)}</li> }
    });
    let paths = dataset.paths.iter().map(|path| view! { <li><code>{path.clone()}</code></li> });
    view! {
        <li>
            <strong>{dataset.dataset.clone()}</strong> ": " {files}
            <ul>{tables.collect_view()} {paths.collect_view()}</ul>
        </li>
    }
    .into_any()
}
