//! Requests that change something must come from a page of this panel (CSRF).
//!
//! Browsers say where a request comes from in `Sec-Fetch-Site`: only `same-origin` and `none` (typed, or loaded again)
//! are taken; `same-site` includes another port of this host, and is refused. Where the header is missing, `Origin` must
//! be this panel. A client that sends neither is no browser of this decade: it holds no cookie that a foreign page could
//! abuse, since the session cookie is `SameSite=Strict`; scripts work this way.

use std::sync::Arc;

use app::model::{Page, ProblemKind};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::Response;

use super::panel::Panel;
use super::render;

/// The middleware.
pub(super) async fn refuse_foreign(State(panel): State<Arc<Panel>>, request: Request, next: Next) -> Response {
    if is_ours(request.method(), request.headers(), panel.is_secure()) {
        return next.run(request).await;
    }
    let site = request.headers().get("sec-fetch-site").and_then(|value| value.to_str().ok()).unwrap_or_default();
    tracing::warn!(path = request.uri().path(), site, "refused a request from a foreign page");
    render::bare(&panel, request.headers(), request.uri().path(), &Page::Problem(ProblemKind::ForeignRequest)).await
}

/// Whether a request may change something.
pub(super) fn is_ours(method: &Method, headers: &HeaderMap, secure: bool) -> bool {
    if method.is_safe() {
        return true;
    }
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let scheme = if secure { "https" } else { "http" };
    origin.to_str().is_ok_and(|origin| origin.eq_ignore_ascii_case(&format!("{scheme}://{host}")))
}
