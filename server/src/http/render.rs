//! From page model to answer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use app::action::Action;
use app::form::FormState;
use app::fresh::Fresh;
use app::live::Piece;
use app::model::{Context, Page, ProblemKind, Reader};
use app::routes::{self, PageId};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use contract::live::Live;
use contract::users::User;
use contract::{Actor, Lang};
use futures_util::FutureExt;
use jiff::tz::TimeZone;
use leptos::nonce::Nonce;

use super::panel::Panel;
use super::visit::{self, Visit};
use super::{assets, headers, pages};

/// What a page shows beside its model.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// What was just done.
    pub(super) notice: Option<Action>,
    /// What a server said to it.
    pub(super) answer: Option<String>,
    /// The form that came back.
    pub(super) form: FormState,
    /// Seconds after which the browser loads the page again.
    pub(super) refresh: Option<u32>,
}

/// A page for a visit.
pub(super) async fn page(panel: &Panel, visit: &Visit, page: &Page, status: StatusCode, beside: Beside) -> Response {
    let reader = match &visit.reader {
        Some(reader) => {
            // The picture of this moment: the one that is streamed may be a breath older than what was just done.
            let fresh = panel.node.ask(&visit.actor(reader), contract::query::Live {}).await;
            let live = fresh.map_or_else(|_| panel.node.last_picture(), Arc::new);
            Some((reader.clone(), live))
        }
        None => None,
    };
    draw(panel, visit.lang, &visit.path, reader, page, status, beside).await
}

/// A problem for a visit.
pub(super) async fn problem(panel: &Panel, visit: &Visit, kind: ProblemKind) -> Response {
    let status = StatusCode::from_u16(kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    page(panel, visit, &Page::Problem(kind), status, Beside::default()).await
}

/// A problem where there is no session to look at.
pub(super) async fn bare(panel: &Panel, headers: &HeaderMap, path: &str, page: &Page) -> Response {
    let status = match page {
        Page::Problem(kind) => StatusCode::from_u16(kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        _ => StatusCode::OK,
    };
    draw(panel, visit::lang(headers), path, None, page, status, Beside::default()).await
}

async fn draw(
    panel: &Panel,
    lang: Lang,
    path: &str,
    reader: Option<(Reader, Arc<Live>)>,
    page: &Page,
    status: StatusCode,
    beside: Beside,
) -> Response {
    let nonce = Nonce::new().to_string();
    let (user, live) = reader.unzip();
    let context = Context {
        lang,
        node: panel.node.info().clone(),
        user,
        path: path.to_owned(),
        now: panel.node.clock().now(),
        zone: TimeZone::system(),
        live,
        notice: beside.notice,
        answer: beside.answer,
        form: beside.form,
        fresh: Fresh::default(),
        nonce,
        assets: assets::base().to_owned(),
    };
    let policy = HeaderValue::from_str(&headers::page_policy(&context.nonce));
    let (context, page) = (Arc::new(context), Arc::new(page.clone()));
    // The whole page, also where a part of it waits: it must be complete without JavaScript.
    let render = leptos_axum::render_app_async_with_context(|| (), move || app::view(&context, &page));
    let request = Request::new(Body::empty());
    let mut response = render(request).await;
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if let Ok(policy) = policy {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(lang.tag()));
    headers.insert(header::VARY, HeaderValue::from_static("Cookie"));
    if let Some(seconds) = beside.refresh {
        headers.insert(header::REFRESH, HeaderValue::from(seconds));
    }
    response
}

/// The pieces of an open page as they look now. Only pages whose model is the picture itself, or little more, have any
/// of their own; every page has the banners.
pub(super) async fn pieces(panel: &Panel, headers: &HeaderMap, at: &str, user: User, live: Arc<Live>) -> Vec<Piece> {
    let actor = Actor::user(&user.name, user.role, "");
    let route = routes::at(at.split('?').next().unwrap_or_default());
    let page = match route.map(|route| route.id) {
        Some(id @ (PageId::Overview | PageId::Activation | PageId::Runs | PageId::Telephony)) => {
            pages::model(panel, &actor, id, at, None).await.ok()
        }
        _ => None,
    };
    let context = Context {
        lang: visit::lang(headers),
        node: panel.node.info().clone(),
        user: Some(Reader { name: user.name, role: user.role, must_change: user.must_change }),
        path: at.to_owned(),
        now: panel.node.clock().now(),
        zone: TimeZone::system(),
        live: Some(live),
        notice: None,
        answer: None,
        form: FormState::default(),
        fresh: Fresh::default(),
        nonce: String::new(),
        assets: assets::base().to_owned(),
    };
    app::pieces(&context, page.as_ref())
}

/// Redirect after post: the browser asks for the page with GET.
pub(super) fn see_other(path: &str) -> Response {
    let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

/// A panic is answered with a page that tells nothing; the log has the rest.
pub(super) async fn catch_panics(State(panel): State<Arc<Panel>>, request: Request, next: Next) -> Response {
    let (headers, path) = (request.headers().clone(), request.uri().path().to_owned());
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => {
            tracing::error!(path, "a page panicked");
            bare(&panel, &headers, "/", &Page::Problem(ProblemKind::Broken)).await
        }
    }
}
