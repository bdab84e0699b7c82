//! `GET /events`: the live picture of the node, whole at each change, to whoever has a session; and, for the page that is
//! named with `?at=`, the pieces of it that look otherwise now. The stream ends with the session and with the node; it
//! does not keep a session alive.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use contract::live::Live;
use futures_util::stream::unfold;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};
use tower_sessions::cookie::{Cookie, SameSite};

use super::panel::Panel;
use super::visit::{self, LIVE_COOKIE};
use super::{query, render, session};

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
    /// The page that is open, path and query.
    at: String,
    /// The keys of the pieces as they were last sent.
    sent: HashMap<String, String>,
    /// The picture that was sent and whose pieces are still to be.
    drawn: Option<Arc<Live>>,
    first: bool,
}

/// Opens the stream.
pub(super) async fn stream(State(panel): State<Arc<Panel>>, uri: Uri, headers: HeaderMap) -> Response {
    if session::peek(&panel, &headers).await.is_none() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let live = panel.node.live().await;
    let secure = panel.is_secure();
    let at = query::value(&visit::path(&uri), "at").unwrap_or_default();
    let state = Stream {
        panel,
        headers: headers.clone(),
        live,
        next: Instant::now(),
        at,
        sent: HashMap::new(),
        drawn: None,
        first: true,
    };
    let events = unfold(state, |mut state| async move {
        let event = state.next_event().await?;
        Some((Ok::<_, Infallible>(event), state))
    });
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    // What Sse sets by itself lets a browser keep it.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if visit::cookie(&headers, LIVE_COOKIE).is_none() {
        let cookie =
            Cookie::build((LIVE_COOKIE, "1")).path("/").http_only(true).secure(secure).same_site(SameSite::Strict);
        if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
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
        if let Some(live) = self.drawn.take()
            && let Some(event) = self.pieces(live).await
        {
            return Some(event);
        }
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
                // A moment ago the page has drawn its pieces itself.
                self.drawn = (!std::mem::take(&mut self.first)).then(|| Arc::clone(&live));
                return Event::default().json_data(&*live).ok();
            }
        }
    }

    /// What looks otherwise than when it was last sent.
    async fn pieces(&mut self, live: Arc<Live>) -> Option<Event> {
        let user = session::peek(&self.panel, &self.headers).await?;
        let mut list = render::pieces(&self.panel, &self.headers, &self.at, user, live).await;
        list.retain(|piece| self.sent.get(&piece.id) != Some(&piece.key));
        self.sent.extend(list.iter().map(|piece| (piece.id.clone(), piece.key.clone())));
        (!list.is_empty()).then(|| Event::default().event("pieces").json_data(&list).ok()).flatten()
    }
}
