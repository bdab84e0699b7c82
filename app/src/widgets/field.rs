//! One field: label, value, help at its right, error under it. The error is tied to the field for those who do not see.

use leptos::prelude::*;

use super::help;
use crate::action::Action;
use crate::model::Context;

/// What is typed into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A line of text.
    Text,
    /// A whole number.
    Number,
    /// A password; the word tells the browser which.
    Password(&'static str),
    /// Several lines.
    Lines(u32),
}

/// One field of one form.
pub(crate) struct Field<'a> {
    /// The form.
    pub action: Action,
    /// The name, as the contract calls it.
    pub name: &'a str,
    /// What tells it from a field of the same name on the same page; may be empty.
    pub row: &'a str,
    /// What it is called.
    pub label: &'a str,
    /// What the `?` says.
    pub help: &'a str,
    /// What is saved.
    pub saved: &'a str,
    /// Whether it must be filled in.
    pub required: bool,
    /// What is typed.
    pub kind: Kind,
    /// Whether the reader may only look.
    pub readonly: bool,
}

impl<'a> Field<'a> {
    /// A required line of text.
    pub(crate) fn new(action: Action, name: &'a str, label: &'a str, help: &'a str) -> Self {
        Self { action, name, row: "", label, help, saved: "", required: true, kind: Kind::Text, readonly: false }
    }

    /// What is saved.
    pub(crate) fn saved(self, saved: &'a str) -> Self {
        Self { saved, ..self }
    }

    /// May stay empty.
    pub(crate) fn optional(self) -> Self {
        Self { required: false, ..self }
    }

    /// What is typed.
    pub(crate) fn kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// The reader may only look.
    pub(crate) fn readonly(self, readonly: bool) -> Self {
        Self { readonly, ..self }
    }

    /// Tells it from its like in another row.
    pub(crate) fn row(self, row: &'a str) -> Self {
        Self { row, ..self }
    }

    fn id(&self) -> String {
        let action = self.action.as_str().replace('.', "-");
        if self.row.is_empty() {
            format!("{action}-{}", self.name)
        } else {
            format!("{action}-{}-{}", self.name, self.row)
        }
    }

    /// Draws it.
    pub(crate) fn view(self, cx: &Context) -> AnyView {
        let id = self.id();
        let here = self.row.is_empty() || cx.form.is_row(self.action, self.row);
        let error = here.then(|| cx.form.error(self.action, self.name, cx.lang)).flatten();
        let value = if here { cx.form.value(self.action, self.name, self.saved) } else { self.saved.to_owned() };
        let invalid = error.is_some();
        let described = described_by(&id, invalid);
        let name = self.name.to_owned();
        let (required, readonly) = (self.required && !self.readonly, self.readonly);
        let input = match self.kind {
            Kind::Text | Kind::Number | Kind::Password(_) => {
                let (kind, complete) = match self.kind {
                    Kind::Password(which) => ("password", which),
                    _ => ("text", "off"),
                };
                let value = (kind == "text").then_some(value);
                let digits = (self.kind == Kind::Number).then_some("numeric");
                view! {
                    <input
                        id=id.clone()
                        name=name
                        type=kind
                        inputmode=digits
                        value=value
                        required=required
                        readonly=readonly
                        autocomplete=complete
                        autocapitalize="none"
                        spellcheck="false"
                        aria-describedby=described
                        aria-invalid=invalid.then_some("true")
                    />
                }
                .into_any()
            }
            Kind::Lines(rows) => view! {
                <textarea
                    id=id.clone()
                    name=name
                    rows=rows
                    required=required
                    readonly=readonly
                    autocomplete="off"
                    spellcheck="false"
                    aria-describedby=described
                    aria-invalid=invalid.then_some("true")
                >
                    {escaped(&value)}
                </textarea>
            }
            .into_any(),
        };
        wrap(cx, &id, self.label, self.help, self.required && !self.readonly, input, error)
    }
}

/// Text inside a `<textarea>`: Leptos 0.8 writes it there as it is, and what a stranger typed would become markup.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The ids of help and error.
pub(crate) fn described_by(id: &str, invalid: bool) -> String {
    if invalid { format!("{id}-help {id}-error") } else { format!("{id}-help") }
}

/// Label above, input, `?` at its right, error below.
pub(crate) fn wrap(
    cx: &Context,
    id: &str,
    label: &str,
    text: &str,
    required: bool,
    input: AnyView,
    error: Option<String>,
) -> AnyView {
    let star = required.then(|| view! { <span class="star" aria-hidden="true">" *"</span> });
    let class = if error.is_some() { "field invalid" } else { "field" };
    view! {
        <div class=class>
            <label for=id.to_owned()>{label.to_owned()} {star}</label>
            <div class="line">{input} {help(cx, id, label, text)}</div>
            {error.map(|error| view! { <p class="field-error" id=format!("{id}-error")>{error}</p> })}
        </div>
    }
    .into_any()
}

/// A choice among few. It must be made unless one of the words is empty.
pub(crate) fn select(
    cx: &Context,
    action: Action,
    name: &str,
    label: &str,
    text: &str,
    options: &[(&str, &str)],
    saved: &str,
) -> AnyView {
    let id = format!("{}-{name}", action.as_str().replace('.', "-"));
    let error = cx.form.error(action, name, cx.lang);
    let value = cx.form.value(action, name, saved);
    let choices = options.iter().map(|&(word, shown)| {
        view! {
            <option value=word.to_owned() selected=word == value>
                {shown.to_owned()}
            </option>
        }
    });
    let required = options.iter().all(|(word, _)| !word.is_empty());
    let input = view! {
        <select
            id=id.clone()
            name=name.to_owned()
            required=required
            aria-describedby=described_by(&id, error.is_some())
            aria-invalid=error.is_some().then_some("true")
        >
            {choices.collect_view()}
        </select>
    }
    .into_any();
    wrap(cx, &id, label, text, required, input, error)
}

/// Something that is on or off: posts `on`, or nothing.
pub(crate) fn switch(cx: &Context, action: Action, name: &str, label: &str, text: &str, saved: bool) -> AnyView {
    let id = format!("{}-{name}", action.as_str().replace('.', "-"));
    let on = cx.form.value(action, name, if saved { "on" } else { "" }) == "on";
    view! {
        <div class="switch">
            <input
                type="checkbox"
                role="switch"
                id=id.clone()
                name=name.to_owned()
                value="on"
                checked=on
                aria-describedby=described_by(&id, false)
            />
            <label for=id.clone()>{label.to_owned()}</label>
            {help(cx, &id, label, text)}
        </div>
    }
    .into_any()
}
