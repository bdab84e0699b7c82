//! The web panel over HTTP: sessions, forms, pages, the event stream, assets. It translates between a browser and the
//! node's one door, and holds no rule of the business.
//!
//! Order of the layers, from the outside: security headers, panics caught, foreign requests refused (`origin`), size of
//! bodies, sessions, pages.

mod approval;
mod assets;
mod events;
mod forms;
mod headers;
mod isolation;
mod login;
mod origin;
mod pages;
mod panel;
mod press;
mod procedure;
mod query;
mod render;
mod session;
#[cfg(test)]
mod tests;
mod tls;
mod visit;
mod ways;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use app::routes::{PageId, ROUTES};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use node::Node;
use tokio_util::sync::CancellationToken;

use panel::Panel;

/// How long open requests may take once the node stops; open event streams end at once.
const GRACE: Duration = Duration::from_secs(3);
/// How long the head of a request may take, and a connection may wait for the next one: whoever sends it a byte at a
/// time, or nothing, must not keep a place.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// As much as a form may hold: a licence is the largest, and is a few hundred bytes.
const BODY_LIMIT: usize = 256 * 1024;

/// Why the panel ended.
#[derive(Debug, thiserror::Error)]
pub enum PanelError {
    /// The certificate or key is not usable.
    #[error("the panel's certificate cannot be used: {0}")]
    Certificate(String),
    /// The listener failed.
    #[error("the panel stopped listening: {0}")]
    Listen(#[from] std::io::Error),
}

/// Serves the panel until told to stop.
///
/// # Errors
/// [`PanelError`].
pub async fn serve(
    node: Arc<Node>,
    listener: std::net::TcpListener,
    shutdown: CancellationToken,
) -> Result<(), PanelError> {
    listen(node, listener, shutdown, HEAD_LIMIT).await
}

async fn listen(
    node: Arc<Node>,
    listener: std::net::TcpListener,
    shutdown: CancellationToken,
    head_limit: Duration,
) -> Result<(), PanelError> {
    listener.set_nonblocking(true)?;
    let tls = if node.config().insecure_http { None } else { Some(tls::config(&node)?) };
    let app = router(node, shutdown.clone()).into_make_service_with_connect_info::<SocketAddr>();
    let handle = axum_server::Handle::new();
    let ender = handle.clone();
    tokio::spawn(async move {
        shutdown.cancelled().await;
        ender.graceful_shutdown(Some(GRACE));
    });
    // HTTP/1 only, as TLS offers: a server that first guesses the version waits for its first bytes without a limit.
    // axum-server's builder has its timer already.
    if let Some(tls) = tls {
        let mut server = axum_server::from_tcp_rustls(listener, tls)?.http1_only().handle(handle);
        server.http_builder().http1().header_read_timeout(head_limit);
        server.serve(app).await?;
    } else {
        let mut server = axum_server::from_tcp(listener)?.http1_only().handle(handle);
        server.http_builder().http1().header_read_timeout(head_limit);
        server.serve(app).await?;
    }
    Ok(())
}

/// Everything the panel answers, without a listener.
pub fn router(node: Arc<Node>, shutdown: CancellationToken) -> Router {
    // The renderer runs its waiting parts on this runtime; whoever came first has set it already.
    let _ = any_spawner::Executor::init_tokio();
    let panel = Arc::new(Panel::new(node, shutdown));
    let sessions = session::layer(&panel);
    let mut with_session = Router::new()
        .route("/logout", post(login::logout))
        .route("/lang", post(login::language))
        .route("/registro/export", get(pages::export))
        .fallback(pages::not_found)
        .method_not_allowed_fallback(pages::wrong_method);
    for route in ROUTES {
        let methods = match route.id {
            PageId::Login => get(login::show).post(login::enter),
            _ => get(pages::show).post(forms::take),
        };
        with_session = with_session.route(route.path, methods);
    }
    Router::new()
        .route("/events", get(events::stream))
        .route("/assets/{*path}", get(assets::serve))
        .merge(with_session.layer(sessions))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn_with_state(Arc::clone(&panel), origin::refuse_foreign))
        .layer(from_fn_with_state(Arc::clone(&panel), render::catch_panics))
        .layer(from_fn(headers::secure))
        .with_state(panel)
}
