//! Copies the join token. Without JavaScript it is not there: the token can be selected by hand.

use contract::Lang;
use leptos::prelude::*;

/// A button that copies the text of one element.
#[island]
pub fn CopyButton(
    /// The id of the element with the text: the token itself is no prop, so that it stands once in the page.
    target: String,
    /// The reader's language.
    lang: Lang,
) -> impl IntoView {
    let ready = RwSignal::new(false);
    let copied = RwSignal::new(false);
    Effect::new(move |_| ready.set(true));
    let copy = move |_| {
        #[cfg(feature = "hydrate")]
        if let Some(text) = document().get_element_by_id(&target).and_then(|e| e.text_content()) {
            // On a page without TLS there is no clipboard: the text stays there to be selected.
            let _promise = window().navigator().clipboard().write_text(text.trim());
            copied.set(true);
        }
        #[cfg(not(feature = "hydrate"))]
        let _ = &target;
    };
    view! {
        <span class="copy" hidden=move || !ready.get()>
            <button type="button" class="button" on:click=copy>
                {lang.pick("Copia", "Copy")}
            </button>
            <span role="status">{move || if copied.get() { lang.pick("Copiato", "Copied") } else { "" }}</span>
        </span>
    }
}
