//! How one service stands.

use contract::Lang;
use contract::service::{Desired, Observed, ServiceStatus};
use leptos::prelude::*;

use super::follow;
use crate::format;

/// As much of a command's last words as a table has room for, in characters.
const WORDS: usize = 600;

/// What is wanted of a service, what its check said and when, and the last words of what went wrong.
#[island]
pub fn ServiceState(
    /// As drawn by the server.
    initial: ServiceStatus,
    /// The server's zone.
    offset: i32,
    /// The reader's language.
    lang: Lang,
) -> impl IntoView {
    let before = initial.clone();
    let now = follow(initial, move |live| {
        let now = live.status.services.iter().find(|status| status.name == before.name);
        // Taken back meanwhile: the row stays as it was until the page is loaded again.
        now.unwrap_or(&before).clone()
    });
    view! { <div class="service-state">{move || now.with(|status| standing(status, offset, lang))}</div> }
}

fn standing(status: &ServiceStatus, offset: i32, lang: Lang) -> AnyView {
    let tone = match status.observed {
        Observed::Unknown => "warn",
        observed if observed == status.desired.into() => "good",
        _ => "bad",
    };
    let wanted = match status.desired {
        Desired::Up => lang.pick("deve essere attivo", "is to be up"),
        Desired::Down => lang.pick("deve essere fermo", "is to be down"),
    };
    let checked = match status.checked_at {
        Some(at) => format!("{} {}", lang.pick("controllato alle", "checked at"), format::hour(at, offset)),
        None => lang.pick("non ancora controllato", "not checked yet").to_owned(),
    };
    let detail = status.detail.as_ref().map(|detail| {
        view! { <span class="row-error"><span class="machine-words">{last(detail)}</span></span> }
    });
    view! {
        <span class=format!("badge {tone}")>{status.observed.label(lang)}</span>
        <span class="muted">{format!(" {wanted}, {checked}")}</span>
        {detail}
    }
    .into_any()
}

/// The end says what went wrong.
fn last(words: &str) -> String {
    let all = words.chars().count();
    if all <= WORDS { words.to_owned() } else { format!("… {}", words.chars().skip(all - WORDS).collect::<String>()) }
}
