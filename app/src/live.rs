//! The one event stream of a page. Islands read the newest picture of the node from here; whoever comes first opens the
//! stream, the others share it: a browser grants six connections per host, and one is enough.
//!
//! On the server there is no stream: islands draw what their props say.

use std::sync::Arc;

use contract::live::Live;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// A piece of a page as the server draws it now: put in its place when its key is another one than that of what stands
/// there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// The id of its place.
    pub id: String,
    /// What tells whether it has changed.
    pub key: String,
    /// The drawing.
    pub html: String,
}

/// The newest picture; `None` until the first event, and always on the server.
#[derive(Clone)]
pub struct Feed {
    /// The picture.
    pub live: ArcRwSignal<Option<Arc<Live>>>,
    /// True from the moment the stream breaks until it is back.
    pub broken: ArcRwSignal<bool>,
}

impl Feed {
    fn new() -> Self {
        Self { live: ArcRwSignal::new(None), broken: ArcRwSignal::new(false) }
    }
}

/// The feed of this page.
#[cfg(not(feature = "hydrate"))]
#[must_use]
pub fn feed() -> Feed {
    Feed::new()
}

/// The feed of this page.
#[cfg(feature = "hydrate")]
#[must_use]
pub fn feed() -> Feed {
    thread_local! {
        static FEED: Feed = {
            let feed = Feed::new();
            browser::open(feed.clone());
            feed
        };
    }
    FEED.with(Clone::clone)
}

#[cfg(feature = "hydrate")]
mod browser {
    //! The browser's `EventSource`.

    use std::sync::Arc;
    use std::time::Duration;

    use contract::Timestamp;
    use contract::live::Live;
    use leptos::prelude::*;
    use wasm_bindgen::JsCast;
    use wasm_bindgen::prelude::Closure;
    use web_sys::{Event, EventSource, MessageEvent};

    use super::{Feed, Piece};

    /// After a refusal (a session that ended, a server that restarts) the browser gives up: we do not.
    const RETRY: Duration = Duration::from_secs(3);

    pub(super) fn open(feed: Feed) {
        let place = window().location();
        let path = place.pathname().unwrap_or_default() + &place.search().unwrap_or_default();
        let at = path.replace('%', "%25").replace('&', "%26");
        let Ok(source) = EventSource::new(&format!("/events?at={at}")) else {
            retry(feed);
            return;
        };
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new({
            let feed = feed.clone();
            move |event: MessageEvent| {
                let parsed = event.data().as_string().and_then(|text| serde_json::from_str::<Live>(&text).ok());
                let Some(live) = parsed else { return };
                feed.broken.set(false);
                if !is_stale(&live) {
                    feed.live.set(Some(Arc::new(live)));
                }
            }
        });
        let on_pieces = Closure::<dyn FnMut(MessageEvent)>::new(|event: MessageEvent| {
            let parsed = event.data().as_string().and_then(|text| serde_json::from_str::<Vec<Piece>>(&text).ok());
            parsed.into_iter().flatten().for_each(put);
        });
        let on_error = Closure::<dyn FnMut(Event)>::new({
            let source = source.clone();
            move |_: Event| {
                feed.broken.set(true);
                if source.ready_state() == EventSource::CLOSED {
                    retry(feed.clone());
                }
            }
        });
        source.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        let _ = source.add_event_listener_with_callback("pieces", on_pieces.as_ref().unchecked_ref());
        source.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        // They live as long as the page.
        on_message.forget();
        on_pieces.forget();
        on_error.forget();
    }

    fn put(piece: Piece) {
        let Some(place) = document().get_element_by_id(&piece.id) else { return };
        if place.get_attribute("data-fresh").is_some_and(|key| key != piece.key) {
            place.set_inner_html(&piece.html);
            let _ = place.set_attribute("data-fresh", &piece.key);
        }
    }

    /// Pictures are drawn a few times a second: the first one of a stream may be older than the page, and would take back
    /// what the page already says. Only a breath counts: a server's clock may be set back by hours.
    fn is_stale(live: &Live) -> bool {
        let root = document().document_element();
        let page = root.and_then(|root| root.get_attribute("data-at")).and_then(|at| at.parse::<Timestamp>().ok());
        page.is_some_and(|page| (1..5000).contains(&(page.as_millisecond() - live.at.as_millisecond())))
    }

    fn retry(feed: Feed) {
        set_timeout(move || open(feed), RETRY);
    }
}
