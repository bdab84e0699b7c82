//! The card *Punti di ripristino*: what can be gone back to, whether it is still good, and how many are kept.

use contract::retention::{Retention, Tier};
use contract::sync::{PointsReport, RestorePoint};
use contract::{Lang, NodeRole};
use leptos::prelude::*;

use crate::action::Action;
use crate::format;
use crate::model::Context;
use crate::widgets::{Field, Kind, card_with_help};

pub(crate) fn view(cx: &Context, model: &PointsReport) -> AnyView {
    let about = cx.t(
        "Un errore o un virus sul Master arriva anche nella replica: per questo restano anche le copie di prima. Controlla rilegge un punto dal disco e dice se è ancora come quando fu copiato.",
        "A mistake or a virus on the Master travels to the replica as well: therefore earlier copies stay. Check reads a point from the disk again and says whether it is still as it was copied.",
    );
    let body = view! {
        {if model.points.is_empty() { none(cx) } else { table(cx, &model.points) }}
        {policy(cx, model.retention)}
    };
    card_with_help(cx, "points", cx.t("Punti di ripristino", "Restore points"), about, body)
}

fn none(cx: &Context) -> AnyView {
    let text =
        cx.t("Ancora nessuno: arriva con la prima copia completa.", "None yet: it comes with the first complete copy.");
    view! { <p>{text}</p> }.into_any()
}

fn table(cx: &Context, points: &[RestorePoint]) -> AnyView {
    let (taken, age) = (cx.t("Dati del Master al", "The Master's data at"), cx.t("Età", "Age"));
    let (generation, size) = (cx.t("Generazione", "Generation"), cx.t("Spazio", "Size"));
    let (vector, checked) = (cx.t("Dati", "Datasets"), cx.t("Verifica", "Verification"));
    let busy = cx.live.as_ref().and_then(|live| live.task.as_ref());
    let busy = busy.is_some_and(|task| task.state == contract::task::TaskState::Running);
    let rows = points.iter().map(|point| {
        let since = point.age_seconds.map_or_else(|| "–".to_owned(), |age| format::span(age, cx.lang));
        view! {
            <tr>
                <td data-label=taken>{cx.moment(point.captured_at)} {marks(cx, point)}</td>
                <td data-label=age>{since}</td>
                <td data-label=generation class="number">{point.generation} " " <code>{point.id.clone()}</code></td>
                <td data-label=size class="number">{format::bytes(point.bytes, cx.lang)}</td>
                <td data-label=vector>{parts(cx, point)}</td>
                <td data-label=checked>{check(cx, point, busy)}</td>
            </tr>
        }
    });
    let caption = cx.t("Punti di ripristino", "Restore points");
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label=caption>
            <table>
                <caption class="visually-hidden">{caption}</caption>
                <thead>
                    <tr>
                        <th scope="col">{taken}</th>
                        <th scope="col">{age}</th>
                        <th scope="col" class="number">{generation}</th>
                        <th scope="col" class="number">{size}</th>
                        <th scope="col">{vector}</th>
                        <th scope="col">{checked}</th>
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// What tells a point from the others.
fn marks(cx: &Context, point: &RestorePoint) -> AnyView {
    let made_here = (point.made_on == NodeRole::Client)
        .then(|| view! { " " <span class="badge warn">{cx.t("creati sul DR", "made on the DR")}</span> });
    let pinned = point.pinned.then(|| view! { " " <span class="badge good">{cx.t("bloccato", "pinned")}</span> });
    view! { {made_here} {pinned} }.into_any()
}

/// Where each dataset stands.
fn parts(cx: &Context, point: &RestorePoint) -> AnyView {
    let items = point.datasets.iter().map(|part| {
        let files = part.files.map(|files| format!("{} file, ", format::count(files, cx.lang))).unwrap_or_default();
        let told = format!("{} ({files}{})", part.generation, format::bytes(part.bytes, cx.lang));
        let missing = part.missing.map(|missing| view! { <br /> <span class="muted">{missing.label(cx.lang)}</span> });
        view! { <li><strong>{part.dataset.clone()}</strong> " " {told} {missing}</li> }
    });
    view! { <ul class="vector">{items.collect_view()}</ul> }.into_any()
}

fn check(cx: &Context, point: &RestorePoint, busy: bool) -> AnyView {
    let known = point.checked.as_ref().map(|check| {
        let (tone, word) = match check.differences {
            0 => ("good", cx.t("Integro", "Sound").to_owned()),
            n => ("bad", format!("{}: {}", cx.t("Differenze", "Differences"), format::count(n, cx.lang))),
        };
        view! { <span class=format!("badge {tone}")>{word}</span> " " {cx.moment(check.at)} }
    });
    let may = cx.may(Action::SyncVerify) && point.made_on == NodeRole::Master;
    let button = may.then(|| {
        let name = format!("{} {}", cx.t("Controlla il punto", "Check the point"), point.id);
        view! {
            <form method="post">
                <input type="hidden" name="action" value=Action::SyncVerify.as_str() />
                <input type="hidden" name="point" value=point.id.clone() />
                <button class="plain-button" aria-label=name disabled=busy>
                    {cx.t("Controlla", "Check")}
                </button>
            </form>
        }
    });
    view! { {known} {button} }.into_any()
}

/// How many are kept, for those who may only look and for those who may set it.
fn policy(cx: &Context, policy: Retention) -> AnyView {
    if !cx.may(Action::RetentionSet) {
        let told: Vec<_> =
            Tier::ALL.iter().map(|tier| format!("{}: {}", tier.label(cx.lang), policy.of(*tier))).collect();
        return view! { <p class="muted">{told.join(" · ")}</p> }.into_any();
    }
    let fields = Tier::ALL.iter().map(|tier| {
        let ((min, max), default) = (tier.range(), tier.default());
        let help = match cx.lang {
            Lang::It => format!("Da {min} a {max}. Predefinito: {default}."),
            Lang::En => format!("From {min} to {max}. Default: {default}."),
        };
        let saved = policy.of(*tier).to_string();
        Field::new(Action::RetentionSet, tier.name(), tier.label(cx.lang), &help)
            .kind(Kind::Number)
            .saved(&saved)
            .view(cx)
    });
    view! {
        <h3>{cx.t("Quanti conservarne", "How many to keep")}</h3>
        <form method="post">
            <input type="hidden" name="action" value=Action::RetentionSet.as_str() />
            <div class="columns">{fields.collect_view()}</div>
            <p class="muted">
                {cx.t(
                    "Contano le ore e i giorni in cui c'è una copia: un Master spento per un mese, o un orologio sbagliato, non ne fanno perdere nessuna. I punti bloccati restano in ogni caso.",
                    "Hours and days count in which there is a copy: a Master that was off for a month, or a wrong clock, costs none of them. Pinned points stay in any case.",
                )}
            </p>
            <button class="button">{cx.t("Salva", "Save")}</button>
        </form>
    }
    .into_any()
}
