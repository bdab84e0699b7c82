//! Recipients as chips. Without JavaScript it is one field with commas between the values; with it, each value is a chip
//! with a cross, and what is typed is checked before it becomes one. Either way one field travels.

use contract::Lang;
use contract::recipient::{Channel, split};
use leptos::prelude::*;

/// One field with several recipients.
#[island]
pub fn Chips(
    /// The field's name, and its id.
    name: String,
    /// What it is called.
    label: String,
    /// The values, with commas.
    value: String,
    /// Which kind of recipient.
    channel: Channel,
    /// The ids of help and error.
    described_by: String,
    /// Whether the server found something wrong.
    invalid: bool,
    /// The reader may only look.
    readonly: bool,
    /// The reader's language.
    lang: Lang,
) -> impl IntoView {
    let values = RwSignal::new(split(&value).map(str::to_owned).collect::<Vec<_>>());
    let typed = RwSignal::new(String::new());
    let wrong = RwSignal::new(None::<String>);
    let ready = RwSignal::new(false);
    Effect::new(move |_| ready.set(!readonly));

    // What is typed and not yet a chip travels too: pressing Salva loses nothing.
    let joined = move || {
        let rest = typed.get();
        values.with(|list| list.iter().map(String::as_str).chain(split(&rest)).collect::<Vec<_>>().join(", "))
    };
    let add = move || {
        let mut left = Vec::new();
        for part in typed.get_untracked().split([',', ';', '\n']).map(str::trim).filter(|p| !p.is_empty()) {
            match channel.normalise(part) {
                Ok(one) if values.with_untracked(|list| list.contains(&one)) => {}
                Ok(one) => values.update(|list| list.push(one)),
                Err(problem) => {
                    wrong.set(Some(problem.text(lang)));
                    left.push(part.to_owned());
                }
            }
        }
        if left.is_empty() {
            wrong.set(None);
        }
        typed.set(left.join(", "));
    };
    let remove = move |gone: &str| values.update(|list| list.retain(|v| v != gone));
    let hint = format!("{name}-chip-error");
    let described = format!("{described_by} {hint}");
    let plain_id = name.clone();
    let chip_id = format!("{name}-chip");
    let chip_label = format!("{label}: {}", lang.pick("aggiungi", "add"));
    view! {
        <div class="chips">
            <input
                id=plain_id
                class="plain"
                name=name
                type="text"
                value=value
                prop:value=joined
                readonly=readonly
                hidden=move || ready.get()
                aria-describedby=described_by
                aria-invalid=if invalid { "true" } else { "false" }
            />
            <ul class="chip-list" hidden=move || !ready.get()>
                {move || {
                    values
                        .get()
                        .into_iter()
                        .map(|value| {
                            let gone = value.clone();
                            let title = format!("{} {value}", lang.pick("Togli", "Remove"));
                            view! {
                                <li class="chip">
                                    <span>{value}</span>
                                    <button type="button" aria-label=title on:click=move |_| remove(&gone)>
                                        "×"
                                    </button>
                                </li>
                            }
                        })
                        .collect_view()
                }}
            </ul>
            <div class="chip-add" hidden=move || !ready.get()>
                <input
                    id=chip_id
                    type="text"
                    aria-label=chip_label
                    aria-describedby=described
                    aria-invalid=move || if wrong.with(Option::is_some) { "true" } else { "false" }
                    prop:value=move || typed.get()
                    on:input=move |event| typed.set(event_target_value(&event))
                    on:keydown=move |event| {
                        if (event.key() == "Enter" || event.key() == ",") && !typed.with_untracked(|t| t.trim().is_empty()) {
                            event.prevent_default();
                            add();
                        }
                    }
                    on:blur=move |_| add()
                />
                <button type="button" class="chip-plus" aria-label=lang.pick("Aggiungi", "Add") on:click=move |_| add()>
                    "+"
                </button>
            </div>
            <p class="field-error" id=hint role="alert">{move || wrong.get().unwrap_or_default()}</p>
        </div>
    }
}
