//! Which data the service goes on from: the newest, unless somebody has a reason to go back further.

use contract::preflight::Loss;
use contract::sync::RestorePoint;
use contract::{Lang, Timestamp};
use leptos::prelude::*;

use crate::action::Action;
use crate::format;
use crate::model::{ActivationPage, Context};
use crate::routes::{self, PageId};

/// The field of the form.
const FIELD: &str = "point";

/// The point that is chosen on the page: what came back with the form, else the one whose loss was asked for.
fn chosen<'m>(cx: &Context, model: &'m ActivationPage, action: Action) -> Option<&'m RestorePoint> {
    let id = cx.form.value(action, FIELD, model.point.as_deref().unwrap_or_default());
    model.points.iter().find(|point| point.id == id)
}

/// What would be lost, against the chosen point.
pub(super) fn losses(cx: &Context, model: &ActivationPage, action: Action, newest: &[Loss]) -> Vec<Loss> {
    let Some(point) = chosen(cx, model, action) else { return newest.to_vec() };
    let now = masters_now(point).unwrap_or(cx.now);
    newest.iter().map(|loss| loss.against(point, &model.points, now)).collect()
}

/// By the clock that the age was counted on.
fn masters_now(point: &RestorePoint) -> Option<Timestamp> {
    let age = jiff::SignedDuration::try_from_secs_f64(point.age_seconds?).ok()?;
    point.captured_at.checked_add(age).ok()
}

/// The choice, folded away: the newest is what is wanted on almost every day.
pub(super) fn choice(cx: &Context, model: &ActivationPage, action: Action) -> Option<AnyView> {
    let newest = model.points.first().filter(|_| model.points.len() > 1)?;
    let error = cx.form.error(action, FIELD, cx.lang);
    let chosen = chosen(cx, model, action);
    let open = chosen.is_some() || error.is_some();
    let caption = cx.t("Da quali dati riparte il servizio", "Which data the service goes on from");
    let (taken, age) = (cx.t("Dati del Master al", "The Master's data at"), cx.t("Età", "Age"));
    let (lost, size) = (cx.t("Si perde in più", "Lost beside"), cx.t("Spazio", "Size"));
    let state = cx.t("Stato", "State");
    let first = view! {
        <tr>
            <td data-label=taken>
                {radio("", cx.t("I più recenti", "The newest"), chosen.is_none(), false)}
            </td>
            <td data-label=age>{span(newest.age_seconds, cx.lang)}</td>
            <td data-label=lost>"–"</td>
            <td data-label=size class="number">{format::bytes(newest.bytes, cx.lang)}</td>
            <td data-label=state>{marks(cx, newest)}</td>
        </tr>
    };
    let rows = model.points.iter().skip(1).map(|point| {
        let more = newest.captured_at.duration_since(point.captured_at).as_secs_f64().max(0.0);
        let is_chosen = chosen.is_some_and(|chosen| chosen.id == point.id);
        let bad = point.damaged().next().is_some();
        let what = format!("{}?point={}", routes::of(PageId::Activation).path, point.id);
        let name = format!("{} {}", cx.t("Che cosa si perde con", "What is lost with"), point.id);
        view! {
            <tr>
                <td data-label=taken>{radio(&point.id, &cx.moment(point.captured_at), is_chosen, bad)}</td>
                <td data-label=age>{span(point.age_seconds, cx.lang)}</td>
                <td data-label=lost>
                    {format::span(more, cx.lang)} " "
                    <a href=what aria-label=name>
                        {cx.t("che cosa", "what")}
                    </a>
                </td>
                <td data-label=size class="number">{format::bytes(point.bytes, cx.lang)}</td>
                <td data-label=state>{marks(cx, point)}</td>
            </tr>
        }
    });
    let rows = rows.collect_view();
    let about = cx.t(
        "Un errore o un virus sul Master arriva anche nella replica. Un punto precedente viene prima riletto per intero: con molti dati richiede tempo, e finché non è riletto nulla è cambiato. Ciò che viene saltato resta qui fino al rientro.",
        "A mistake or a virus on the Master travels to the replica as well. An earlier point is read again as a whole first: with much data that takes time, and until it was read nothing has changed. What is skipped stays here until the way back is done.",
    );
    Some(
        view! {
            <details class="fold" open=open>
                <summary>{cx.t("Ripartire da dati precedenti", "Go on from earlier data")}</summary>
                <p class="hint">{about}</p>
                <fieldset class="consent">
                    <legend>{caption}</legend>
                    {error.map(|error| view! { <p class="field-error" id="activate-point-error">{error}</p> })}
                    <div class="scroll" tabindex="0" role="region" aria-label=caption>
                        <table>
                            <caption class="visually-hidden">{caption}</caption>
                            <thead>
                                <tr>
                                    <th scope="col">{taken}</th>
                                    <th scope="col">{age}</th>
                                    <th scope="col">{lost}</th>
                                    <th scope="col" class="number">{size}</th>
                                    <th scope="col">{state}</th>
                                </tr>
                            </thead>
                            <tbody>{first} {rows}</tbody>
                        </table>
                    </div>
                </fieldset>
            </details>
        }
        .into_any(),
    )
}

fn radio(value: &str, label: &str, checked: bool, disabled: bool) -> AnyView {
    let id = format!("activate-point-{}", if value.is_empty() { "newest" } else { value });
    let of = id.clone();
    let code = (!value.is_empty()).then(|| view! { " " <code>{value.to_owned()}</code> });
    view! {
        <label class="check" for=of>
            <input type="radio" id=id name=FIELD value=value.to_owned() checked=checked disabled=disabled />
            <span>{label.to_owned()} {code}</span>
        </label>
    }
    .into_any()
}

fn span(age: Option<f64>, lang: Lang) -> String {
    age.map_or_else(|| "–".to_owned(), |age| format::span(age, lang))
}

/// What is known of it.
fn marks(cx: &Context, point: &RestorePoint) -> AnyView {
    let missing = point.datasets.iter().filter_map(|part| {
        let text = format!("{}: {}", part.dataset, part.missing?.label(cx.lang));
        Some(view! { <br /> <span class="muted">{text}</span> })
    });
    view! { {soundness(cx, point)} {missing.collect_view()} }.into_any()
}

fn soundness(cx: &Context, point: &RestorePoint) -> AnyView {
    let sound = point.datasets.iter().all(|part| part.damaged == Some(0));
    let damaged: Vec<&str> = point.damaged().map(|part| part.dataset.as_str()).collect();
    if sound {
        return view! { <span class="badge good">{cx.t("Integro", "Sound")}</span> }.into_any();
    }
    if damaged.is_empty() {
        return view! { <span class="muted">{cx.t("non riletto", "not read again")}</span> }.into_any();
    }
    let text = format!("{}: {}", cx.t("Danneggiato", "Damaged"), damaged.join(", "));
    view! { <span class="badge bad">{text}</span> }.into_any()
}
