//! The pieces that every page is made of: cards, fields with their help and their error, buttons, notices. Each looks
//! and speaks the same wherever it stands.

mod dialog;
mod field;
mod notice;

pub(crate) use dialog::confirm;
pub(crate) use field::{Field, Kind, described_by, select, switch, wrap};
pub(crate) use notice::{answer, notices};

use leptos::prelude::*;

use crate::model::Context;

/// The `?` at the right of a field or title: opens by itself, without JavaScript.
pub(crate) fn help(cx: &Context, id: &str, about: &str, text: &str) -> AnyView {
    let title = format!("{}: {about}", cx.t("Aiuto", "Help"));
    view! {
        <details class="help">
            <summary aria-label=title.clone() title=title>
                <span aria-hidden="true">"?"</span>
            </summary>
            <p id=format!("{id}-help")>{text.to_owned()}</p>
        </details>
    }
    .into_any()
}

/// A card with a title.
pub(crate) fn card(title: &str, body: impl IntoView + 'static) -> AnyView {
    view! {
        <section class="card">
            <h2>{title.to_owned()}</h2>
            {body}
        </section>
    }
    .into_any()
}

/// A card with a title and its help.
pub(crate) fn card_with_help(
    cx: &Context,
    id: &str,
    title: &str,
    text: &str,
    body: impl IntoView + 'static,
) -> AnyView {
    view! {
        <section class="card">
            <div class="card-title">
                <h2>{title.to_owned()}</h2>
                {help(cx, id, title, text)}
            </div>
            {body}
        </section>
    }
    .into_any()
}

/// The page's title, and the buttons at the top right.
pub(crate) fn title(text: &str, buttons: impl IntoView + 'static) -> AnyView {
    view! {
        <div class="page-title">
            <h1>{text.to_owned()}</h1>
            <div class="page-buttons">{buttons}</div>
        </div>
    }
    .into_any()
}

/// `Annulla` and `Salva`, which belong to the form of that id.
pub(crate) fn cancel_save(cx: &Context, form: &str, path: &str) -> AnyView {
    view! {
        <a class="button" href=path.to_owned()>
            <span aria-hidden="true">"✕ "</span>
            {cx.t("Annulla", "Cancel")}
        </a>
        <button class="button primary" form=form.to_owned()>
            {cx.t("Salva", "Save")}
        </button>
    }
    .into_any()
}

/// Loads the page again by hand.
pub(crate) fn reload(cx: &Context, path: &str) -> AnyView {
    view! {
        <a class="button" href=path.to_owned()>
            {cx.t("Aggiorna", "Refresh")}
        </a>
    }
    .into_any()
}

/// Names and values, one under the other.
pub(crate) fn facts(rows: impl IntoIterator<Item = (String, AnyView)>) -> AnyView {
    let rows = rows.into_iter().map(|(name, value)| view! { <div><dt>{name}</dt><dd>{value}</dd></div> });
    view! { <dl class="facts">{rows.collect_view()}</dl> }.into_any()
}
