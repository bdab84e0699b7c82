//! *Connessione sicura* of the SMTP page: the port follows it as long as nobody chose another. Without JavaScript the
//! server does the same from the two hidden fields, which say what the page was drawn with.

use contract::smtp::Security;
use leptos::prelude::*;

/// The choice, and the port that goes with it.
#[island]
pub fn SecuritySelect(
    /// The field's id.
    id: String,
    /// The id of the port's field.
    port: String,
    /// The words of the choice, and what is shown for them.
    choices: Vec<(Security, String)>,
    /// What is chosen.
    value: String,
    /// The port and the choice that the page was drawn with.
    drawn: (String, String),
    /// The ids of help and error.
    described_by: String,
    /// Whether the server found something wrong.
    invalid: bool,
) -> impl IntoView {
    let ready = RwSignal::new(false);
    Effect::new(move |_| ready.set(true));
    let chosen = StoredValue::new(value.parse::<Security>().ok());
    let follow = move |typed: String| {
        let Ok(now) = typed.parse::<Security>() else { return };
        let before = chosen.get_value();
        chosen.set_value(Some(now));
        move_port(&port, before, now);
    };
    let (drawn_port, drawn_security) = drawn;
    let options = choices.into_iter().map(|(security, shown)| {
        let word = security.as_str();
        view! {
            <option value=word selected=word == value>
                {shown}
            </option>
        }
    });
    view! {
        <select
            id=id
            name="security"
            required=true
            aria-describedby=described_by
            aria-invalid=invalid.then_some("true")
            on:change=move |event| follow(event_target_value(&event))
        >
            {options.collect_view()}
        </select>
        // Once this runs, what stands in the port's field is what is meant.
        <input type="hidden" name="drawn_port" value=drawn_port disabled=move || ready.get() />
        <input type="hidden" name="drawn_security" value=drawn_security disabled=move || ready.get() />
    }
}

/// Writes the port of the new choice where the old one's stands, or none.
#[cfg(feature = "hydrate")]
fn move_port(field: &str, before: Option<Security>, now: Security) {
    use wasm_bindgen::JsCast;
    let field = document().get_element_by_id(field).and_then(|one| one.dyn_into::<web_sys::HtmlInputElement>().ok());
    let Some(field) = field else { return };
    let typed = field.value();
    if typed.trim().is_empty() || before.is_some_and(|before| typed.trim() == before.port().to_string()) {
        field.set_value(&now.port().to_string());
    }
}

#[cfg(not(feature = "hydrate"))]
fn move_port(_field: &str, _before: Option<Security>, _now: Security) {}
