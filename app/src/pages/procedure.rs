//! `/procedura`: the customer's own steps, in the order in which an activation takes them, and one form per kind.

use contract::own_step::{Block, HttpCall, OwnStep, Place, StepKind, Work, blocks};
use leptos::prelude::*;

use super::procedure_groups::{self, Room};
use super::{procedure_form, steps_left};
use crate::action::Action;
use crate::model::{Context, ProcedurePage, StepDraft};
use crate::routes::{self, PageId};
use crate::widgets::{card, card_with_help, confirm, title};

/// The form's action, and the right to change anything here.
const ADD: Action = Action::StepAdd;

pub(crate) fn view(cx: &Context, model: &ProcedurePage) -> AnyView {
    let route = routes::of(PageId::Procedure);
    view! {
        {title(route.label(cx.lang), ())}
        {cx.live.as_ref().map(|live| steps_left::view(cx, live))}
        {list(cx, model)}
        {cx.may(ADD).then(|| editor(cx, model))}
    }
    .into_any()
}

fn list(cx: &Context, model: &ProcedurePage) -> AnyView {
    let about = cx.t(
        "Ciò che un'attivazione fa su questa macchina oltre ad avviare i servizi: comandi della casa e cose che fa una persona. I passi di uno stesso gruppo stanno insieme: il gruppo si sposta intero e si può escludere dalle prossime operazioni. Tutto si fa un passo alla volta, anche in un gruppo. Al rientro i passi che hanno un annullamento vengono annullati in ordine inverso: quelli prima dei servizi quando i servizi sono fermi, quelli dopo i servizi quando il servizio è di nuovo dell'altra sede, così nessuno viene mandato dove nessuno risponde. Un'operazione già avviata conserva i passi com'erano quando è stata avviata. Un riavvio della macchina non ripete nulla di ciò che è fatto.",
        "What an activation does on this machine beside starting the services: commands of the house, and things that a person does. The steps of one group stand together: the group is moved as a whole and can be left out of the next operations. Everything is done one step at a time, in a group, too. On the way back the steps that have an undo are undone in reverse order: those before the services when the services are down, those after the services when the service is the other site's again, so that nobody is sent where nobody answers. A run that has begun keeps its steps as they were when it began. A boot of the machine repeats nothing that is done.",
    );
    let body = if model.steps.is_empty() {
        let none = cx.t(
            "Nessun passo: un'attivazione avvia solo i servizi.",
            "No step: an activation only starts the services.",
        );
        view! { <p>{none}</p> }.into_any()
    } else {
        table(cx, model)
    };
    let heading = cx.t("Passi propri di questo sito", "This site's own steps");
    card_with_help(cx, "procedure", heading, about, view! { {body} {cx.may(ADD).then(|| new_buttons(cx))} })
}

/// One link per kind: each opens the form of its own.
fn new_buttons(cx: &Context) -> AnyView {
    let path = routes::of(PageId::Procedure).path;
    let links = StepKind::ALL.map(|kind| {
        view! {
            <a class="button" href=format!("{path}?new={}#step-form", kind.as_str())>
                <span aria-hidden="true">"+ "</span>
                {kind.label(cx.lang)}
            </a>
        }
    });
    view! { <div class="row-actions">{links.collect_view()}</div> }.into_any()
}

/// What stands beside the name, in this order; on a small screen each cell says it again (`data-label`).
fn columns(cx: &Context) -> [&'static str; 4] {
    [
        cx.t("Quando", "When"),
        cx.t("Che cosa fa", "What it does"),
        cx.t("Tempo massimo", "Time limit"),
        cx.t("Ordine", "Order"),
    ]
}

fn table(cx: &Context, model: &ProcedurePage) -> AnyView {
    let caption = cx.t("Passi propri di questo sito", "This site's own steps");
    let [when, what, limit, order] = columns(cx);
    let actions = cx.may(ADD).then(|| view! { <th scope="col">{cx.t("Azioni", "Actions")}</th> });
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label=caption>
            <table>
                <caption class="visually-hidden">{caption}</caption>
                <thead>
                    <tr>
                        <th scope="col">{cx.t("Nome", "Name")}</th>
                        <th scope="col">{when}</th>
                        <th scope="col">{what}</th>
                        <th scope="col" class="number">{limit}</th>
                        <th scope="col" class="number">{order}</th>
                        {actions}
                    </tr>
                </thead>
                {Place::ALL.map(|place| bodies(cx, model, place)).collect_view()}
            </table>
        </div>
    }
    .into_any()
}

/// One body of the table for each group, and for each step that is in none.
fn bodies(cx: &Context, model: &ProcedurePage, place: Place) -> AnyView {
    let from = model.steps.partition_point(|step| step.place < place);
    let until = model.steps.partition_point(|step| step.place <= place);
    let blocks = blocks(&model.steps[from..until], |step| step.group.as_deref());
    let last = blocks.len().saturating_sub(1);
    let body = |(at, block): (usize, &Block<'_, OwnStep>)| {
        let room = Room { up: at > 0, down: at < last };
        let heading = block.group.map(|name| {
            procedure_groups::heading(cx, name, block, room, columns(cx).len() + usize::from(cx.may(ADD)) + 1)
        });
        let within = |at: usize| match block.group {
            Some(_) => Room { up: at > 0, down: at + 1 < block.items.len() },
            None => room,
        };
        let rows = block.items.iter().enumerate().map(|(at, step)| row(cx, step, within(at))).collect_view();
        view! { <tbody class=block.group.map(|_| "group")>{heading} {rows}</tbody> }
    };
    blocks.iter().enumerate().map(body).collect_view().into_any()
}

fn row(cx: &Context, step: &OwnStep, room: Room) -> AnyView {
    let [when_head, what_head, limit_head, order_head] = columns(cx);
    let actions = cx.may(ADD).then(|| actions(cx, step, room));
    view! {
        <tr class=step.off.then_some("left-out")>
            <th scope="row">{step.name.clone()}</th>
            <td data-label=when_head>{step.place.label(cx.lang)}</td>
            <td data-label=what_head>{what(cx, &step.work)}</td>
            <td data-label=limit_head class="number">{format!("{} s", step.limit_seconds)}</td>
            <td data-label=order_head class="number">{step.order}</td>
            {actions}
        </tr>
    }
    .into_any()
}

fn what(cx: &Context, work: &Work) -> AnyView {
    let undo = cx.t("Annullamento", "Undo");
    let code = |text: &str| view! { <code>{text.to_owned()}</code> }.into_any();
    let mut rows: Vec<(&str, AnyView)> = Vec::new();
    let kind = work.kind().label(cx.lang);
    match work {
        Work::Command(work) => {
            rows.push((kind, code(&work.run)));
            rows.extend(work.undo.as_ref().map(|text| (undo, code(text))));
            rows.extend(work.check.as_ref().map(|text| (cx.t("Controllo", "Check"), code(text))));
        }
        Work::Manual(work) => {
            rows.push((kind, work.text.get(cx.lang).to_owned().into_any()));
            rows.extend(work.undo.as_ref().map(|text| (undo, text.get(cx.lang).to_owned().into_any())));
        }
        Work::Dns(work) => {
            let change = format!("{} → {}", work.old.join(", "), work.new.join(", "));
            rows.push((kind, code(&format!("{} {}", work.record, work.record_type))));
            rows.push((cx.t("Valori", "Values"), code(&change)));
            rows.push((cx.t("Server", "Servers"), code(&work.servers.join(", "))));
        }
        Work::Http(work) => {
            let call = |call: &HttpCall| code(&format!("{} {}", call.method, call.url));
            rows.push((kind, call(&work.call)));
            rows.extend(work.undo.as_ref().map(|undone| (undo, call(undone))));
            rows.extend(work.check.as_ref().map(|url| (cx.t("Controllo", "Check"), code(url))));
        }
        Work::Wait(work) => rows.push((kind, code(&work.what()))),
    }
    let rows = rows.into_iter().map(|(name, value)| view! { <div><dt>{name.to_owned()}</dt><dd>{value}</dd></div> });
    view! { <dl class="details">{rows.collect_view()}</dl> }.into_any()
}

fn actions(cx: &Context, step: &OwnStep, room: Room) -> AnyView {
    let edit = cx.t("Modifica", "Edit");
    let path = routes::of(PageId::Procedure).path;
    let question = format!("{} {}?", cx.t("Togliere il passo", "Remove the step"), step.name);
    view! {
        <td>
            <div class="row-actions">
                {room.up.then(|| shift(cx, step, "up"))}
                {room.down.then(|| shift(cx, step, "down"))}
                <a
                    class="button"
                    href=format!("{path}?edit={}#step-form", step.name)
                    aria-label=format!("{edit} {}", step.name)
                >
                    {edit}
                </a>
                {confirm(
                    cx,
                    Action::StepRemove,
                    Some(&step.name),
                    cx.t("Togli", "Remove"),
                    &question,
                    cx.t(
                        "Le prossime attivazioni non lo fanno più. Un rientro annulla comunque ciò che è stato fatto.",
                        "The next activations do not take it any more. A roll back undoes what was done all the same.",
                    ),
                )}
            </div>
        </td>
    }
    .into_any()
}

/// A button that moves a step past its neighbour.
fn shift(cx: &Context, step: &OwnStep, to: &'static str) -> AnyView {
    let (sign, word) = match to {
        "up" => ("▲", cx.t("Sposta su", "Move up")),
        _ => ("▼", cx.t("Sposta giù", "Move down")),
    };
    view! {
        <form method="post" action=routes::of(PageId::Procedure).path>
            <input type="hidden" name="action" value=Action::StepMove.as_str() />
            <input type="hidden" name="name" value=step.name.clone() />
            <input type="hidden" name="to" value=to />
            <button class="button" aria-label=format!("{word} {}", step.name) title=word>
                <span aria-hidden="true">{sign}</span>
            </button>
        </form>
    }
    .into_any()
}

/// The form that is open: the one that came back, or the one that was asked for.
fn editor(cx: &Context, model: &ProcedurePage) -> Option<AnyView> {
    let old = |name: &str| model.steps.iter().find(|step| step.name == name);
    let (kind, step) = if cx.form.is(ADD) {
        let kind = cx.form.value(ADD, "kind", "").parse().ok()?;
        let is_new = !cx.form.value(ADD, "fresh", "").is_empty();
        (kind, old(&cx.form.value(ADD, "name", "")).filter(|_| !is_new))
    } else {
        match model.open.as_ref()? {
            StepDraft::New(kind) => (*kind, None),
            StepDraft::Old(name) => old(name).map(|step| (step.work.kind(), Some(step)))?,
        }
    };
    let heading = match step {
        Some(step) => format!("{} {}", cx.t("Modifica il passo", "Edit the step"), step.name),
        None => format!("{}: {}", cx.t("Nuovo passo", "New step"), kind.label(cx.lang)),
    };
    Some(card(&heading, procedure_form::view(cx, kind, step)))
}
