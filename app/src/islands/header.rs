//! The state of this machine in the header, in words beside the icon.

use contract::Lang;
use leptos::prelude::*;

use super::{follow, icon};
use crate::headline::{Headline, headline};
use crate::live;

/// Icon, state, what matters most; and whether the page still hears the panel.
#[island]
pub fn HeaderState(
    /// As drawn by the server.
    initial: Headline,
    /// The reader's language.
    lang: Lang,
) -> impl IntoView {
    let now = follow(initial, move |live| headline(&live.status, lang));
    let broken = live::feed().broken;
    view! {
        <p class=move || format!("headline {}", now.with(|h| h.tone.class()))>
            {move || icon(now.with(|h| h.icon))}
            <span role="status">
                <strong>{move || now.with(|h| h.state.clone())}</strong>
                <span class="sep">" · "</span>
                <span>{move || now.with(|h| h.detail.clone())}</span>
            </span>
            <span class="link-broken" role="alert">
                {move || {
                    let text = lang.pick(
                        "collegamento con il pannello interrotto",
                        "connection to the panel lost",
                    );
                    if broken.get() { text } else { "" }
                }}
            </span>
        </p>
    }
}
