//! Who asks, in which language, for what: read once from the request, before any handler runs.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use app::model::{Page, ProblemKind, Reader};
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};
use axum::response::Response;
use contract::{Actor, Lang};
use tower_sessions::Session;
use tower_sessions::cookie::Cookie;

use super::panel::Panel;
use super::{render, session};

/// The cookie that keeps the language; it holds nothing else, and works before the login.
pub(super) const LANG_COOKIE: &str = "tvox-dr-lang";

/// Set by the event stream, which only JavaScript opens: this browser's pages follow by themselves.
pub(super) const LIVE_COOKIE: &str = "tvox-dr-live";

/// One request's circumstances.
#[derive(Debug)]
pub(super) struct Visit {
    /// The reader's language.
    pub(super) lang: Lang,
    /// Path and query.
    pub(super) path: String,
    /// Who; `None` without a session.
    pub(super) reader: Option<Reader>,
    /// Whether there was a cookie: then a session has ended.
    pub(super) had_session: bool,
    /// Whether this browser follows the event stream.
    pub(super) is_live: bool,
    /// The session, begun or not.
    pub(super) session: Session,
    /// From where.
    pub(super) from: IpAddr,
}

impl Visit {
    /// The reader as the door wants it.
    pub(super) fn actor(&self, reader: &Reader) -> Actor {
        Actor::user(&reader.name, reader.role, self.from.to_string())
    }

    /// The path alone.
    pub(super) fn page(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }
}

/// The language of a request: the cookie's, else Italian.
pub(super) fn lang(headers: &HeaderMap) -> Lang {
    cookie(headers, LANG_COOKIE).and_then(|tag| Lang::from_tag(&tag)).unwrap_or_default()
}

/// The value of one cookie.
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let found = lines.flat_map(Cookie::split_parse).filter_map(Result::ok).find(|cookie| cookie.name() == name);
    found.map(|cookie| cookie.value().to_owned())
}

/// Path and query as a page may print them.
pub(super) fn path(uri: &Uri) -> String {
    uri.path_and_query().map_or_else(|| uri.path().to_owned(), ToString::to_string)
}

async fn broken(panel: &Panel, parts: &Parts, why: &(dyn std::fmt::Display + Sync)) -> Response {
    tracing::error!(%why, "a session cannot be read");
    render::bare(panel, &parts.headers, parts.uri.path(), &Page::Problem(ProblemKind::Broken)).await
}

impl FromRequestParts<Arc<Panel>> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, panel: &Arc<Panel>) -> Result<Self, Response> {
        let session = match Session::from_request_parts(parts, panel).await {
            Ok(session) => session,
            Err((_, why)) => return Err(broken(panel, parts, &why).await),
        };
        let name = match session::user_of(&session, panel).await {
            Ok(name) => name,
            Err(why) => return Err(broken(panel, parts, &why).await),
        };
        // The role is read anew each time: it may have changed, and the user may be gone.
        let user = match name {
            Some(name) => match panel.node.user(&name).await {
                Ok(user) => user,
                Err(why) => return Err(broken(panel, parts, &why.text(Lang::En)).await),
            },
            None => None,
        };
        let from = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self {
            lang: lang(&parts.headers),
            path: path(&parts.uri),
            reader: user.map(|user| Reader { name: user.name, role: user.role, must_change: user.must_change }),
            had_session: cookie(&parts.headers, &session::cookie_name(&panel.node)).is_some(),
            is_live: cookie(&parts.headers, LIVE_COOKIE).is_some(),
            session,
            from: from.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |ConnectInfo(from)| from.ip().to_canonical()),
        })
    }
}
