//! In, out, and the reader's language.

use std::sync::Arc;

use app::model::{LoginPage, LoginTrouble, Page, ProblemKind};
use app::routes;
use axum::Form;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use contract::Lang;
use contract::command::Secret;
use node::LoginDenied;
use serde::Deserialize;
use tower_sessions::cookie::time::Duration;
use tower_sessions::cookie::{Cookie, SameSite};

use super::panel::Panel;
use super::render::{self, Beside, see_other};
use super::visit::{LANG_COOKIE, Visit};
use super::{query, session};

/// Where a reader without a session goes.
pub(super) fn redirect(visit: &Visit) -> Response {
    let ended = if visit.had_session { "&ended=1" } else { "" };
    see_other(&format!("/login?next={}{ended}", query::encode(visit.page())))
}

/// `GET /login`
pub(super) async fn show(State(panel): State<Arc<Panel>>, visit: Visit) -> Response {
    if visit.reader.is_some() {
        return see_other("/");
    }
    let page = LoginPage {
        next: local(&query::value(&visit.path, "next").unwrap_or_default()),
        ended: query::value(&visit.path, "ended").is_some(),
        ..LoginPage::default()
    };
    render::page(&panel, &visit, &Page::Login(page), StatusCode::OK, Beside::default()).await
}

/// What the login form sends.
#[derive(Deserialize)]
pub(super) struct LoginForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: Secret,
    #[serde(default)]
    next: String,
}

/// `POST /login`
pub(super) async fn enter(
    State(panel): State<Arc<Panel>>,
    mut visit: Visit,
    form: Result<Form<LoginForm>, axum::extract::rejection::FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else { return render::problem(&panel, &visit, ProblemKind::Unreadable).await };
    let next = local(&form.next);
    let trouble = match panel.node.login(&form.name, &form.password, visit.from).await {
        Ok(user) => match session::begin(&visit.session, &user.name, panel.now()).await {
            Ok(()) => return see_other(if user.must_change { "/account" } else { &next }),
            Err(error) => {
                tracing::error!(%error, "a session cannot be begun");
                LoginTrouble::Unavailable
            }
        },
        Err(LoginDenied::Wrong) => LoginTrouble::Wrong,
        Err(LoginDenied::TooMany { retry_after_seconds }) => LoginTrouble::TooMany { retry_after_seconds },
        Err(LoginDenied::Unavailable) => LoginTrouble::Unavailable,
    };
    let status = match trouble {
        LoginTrouble::Wrong => StatusCode::UNPROCESSABLE_ENTITY,
        LoginTrouble::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
        LoginTrouble::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    };
    // The page's address, where the language switch comes back to: a form leaves none of its own.
    visit.path = format!("/login?next={}", query::encode(&next));
    let page = LoginPage { name: form.name, next, trouble: Some(trouble), ended: false };
    let mut response = render::page(&panel, &visit, &Page::Login(page), status, Beside::default()).await;
    if let LoginTrouble::TooMany { retry_after_seconds } = trouble {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after_seconds));
    }
    response
}

/// `POST /logout`
pub(super) async fn logout(State(panel): State<Arc<Panel>>, visit: Visit) -> Response {
    if let Some(reader) = &visit.reader {
        panel.node.logout(&visit.actor(reader)).await;
    }
    if let Err(error) = visit.session.flush().await {
        tracing::error!(%error, "a session cannot be ended");
        return render::problem(&panel, &visit, ProblemKind::Broken).await;
    }
    see_other("/login")
}

/// What the language switch sends.
#[derive(Deserialize)]
pub(super) struct LanguageForm {
    #[serde(default)]
    lang: String,
    #[serde(default)]
    next: String,
}

/// `POST /lang`
pub(super) async fn language(
    State(panel): State<Arc<Panel>>,
    visit: Visit,
    form: Result<Form<LanguageForm>, axum::extract::rejection::FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else { return render::problem(&panel, &visit, ProblemKind::Unreadable).await };
    let Some(lang) = Lang::from_tag(&form.lang) else {
        return render::problem(&panel, &visit, ProblemKind::Unreadable).await;
    };
    let cookie = Cookie::build((LANG_COOKIE, lang.tag()))
        .path("/")
        .http_only(true)
        .secure(panel.is_secure())
        .same_site(SameSite::Strict)
        .max_age(Duration::days(365));
    let mut response = see_other(&local(&form.next)).into_response();
    if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

/// A path of this panel, and no other: what comes back from a form could lead anywhere.
pub(super) fn local(typed: &str) -> String {
    let path = typed.split('?').next().unwrap_or_default();
    let printable = typed.bytes().all(|b| b.is_ascii_graphic());
    if printable && routes::at(path).is_some() { typed.to_owned() } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn only_a_page_of_this_panel_is_come_back_to() {
        for good in ["/", "/dati", "/registro?upto=5", "/login?next=/dati"] {
            assert_eq!(local(good), good);
        }
        for bad in ["", "//evil.example", "https://evil.example/", "/nope", "/\\evil.example", "/dati\r\nX: y", "dati"]
        {
            assert_eq!(local(bad), "/", "{bad}");
        }
    }
}
