//! `GET /events`: the live picture of the node, whole at each change, to whoever has a session. The stream ends with the
//! session and with the node; it does not keep a session alive.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use contract::live::Live;
use futures_util::stream::unfold;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::panel::Panel;
use super::session;

/// At most four pictures a second, however fast the node changes.
const PACE: Duration = Duration::from_millis(250);
/// How often the session is looked at while nothing changes.
const RECHECK: Duration = Duration::from_secs(15);
/// How often an idle stream says that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

struct Stream {
    panel: Arc<Panel>,
    headers: HeaderMap,
    live: watch::Receiver<Arc<Live>>,
    next: Instant,
}

/// Opens the stream.
pub(super) async fn stream(State(panel): State<Arc<Panel>>, headers: HeaderMap) -> Response {
    if session::peek(&panel, &headers).await.is_none() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let mut live = panel.node.live();
    // The first picture is sent at once.
    live.mark_changed();
    let state = Stream { panel, headers, live, next: Instant::now() };
    let events = unfold(state, |mut state| async move {
        let event = state.next_event().await?;
        Some((Ok::<_, Infallible>(event), state))
    });
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    // What Sse sets by itself lets a browser keep it.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl Stream {
    /// The next picture; `None` when session or node have ended.
    async fn next_event(&mut self) -> Option<Event> {
        let shutdown = self.panel.shutdown.clone();
        tokio::select! {
            () = shutdown.cancelled() => None,
            event = self.wait() => event,
        }
    }

    async fn wait(&mut self) -> Option<Event> {
        sleep_until(self.next).await;
        loop {
            let changed = match timeout_at(Instant::now() + RECHECK, self.live.changed()).await {
                Ok(Ok(())) => true,
                Ok(Err(_)) => return None,
                Err(_) => false,
            };
            session::peek(&self.panel, &self.headers).await?;
            if changed {
                self.next = Instant::now() + PACE;
                let live = Arc::clone(&self.live.borrow_and_update());
                return Event::default().json_data(&*live).ok();
            }
        }
    }
}
