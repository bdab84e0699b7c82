//! Who gets in, who may do what, and when a session ends.

use std::sync::atomic::Ordering;

use app::action::Action;
use app::routes::ROUTES;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use contract::{NodeRole, Role};

use super::super::{forms, origin, session};
use super::{Bench, PASSWORD};

#[tokio::test]
async fn every_route_is_for_its_side_and_its_roles_and_for_no_stranger() {
    for side in [NodeRole::Master, NodeRole::Client] {
        let bench = Bench::new(side).await;
        for route in ROUTES.iter().filter(|route| route.role.is_some()) {
            let stranger = bench.get(route.path, "").await;
            assert_eq!(stranger.status, StatusCode::SEE_OTHER, "{}", route.path);
            assert!(stranger.location().starts_with("/login?next=/"), "{}", stranger.location());
            let posted = bench.post(route.path, "", &[("action", "peer.forget")]).await;
            assert!(posted.location().starts_with("/login"), "{}", route.path);
        }
        for role in Role::ALL {
            let cookie = bench.login(role).await;
            for route in ROUTES.iter().filter(|route| route.role.is_some()) {
                let expected = if !route.exists_on(side) {
                    StatusCode::NOT_FOUND
                } else if route.role.is_some_and(|needed| role < needed) {
                    StatusCode::FORBIDDEN
                } else {
                    StatusCode::OK
                };
                let answer = bench.get(route.path, &cookie).await;
                assert_eq!(answer.status, expected, "{} for {role} on {side}", route.path);
                assert!(answer.body.contains("<h1"), "{}", route.path);
            }
        }
    }
}

#[tokio::test]
async fn a_form_above_the_readers_role_is_refused_by_the_door() {
    for side in [NodeRole::Master, NodeRole::Client] {
        let bench = Bench::new(side).await;
        for role in Role::ALL {
            let cookie = bench.login(role).await;
            for action in Action::ALL.iter().filter(|action| action.role() > role) {
                let route = app::routes::of(forms::page_of(*action));
                if route.exists_on(side) {
                    let more =
                        [("scope", "all"), ("text", "x"), ("name", "the-admin"), ("token", "x"), ("kind", "manual")];
                    let fields: Vec<_> = more.into_iter().chain([("action", action.as_str())]).collect();
                    let answer = bench.post(route.path, &cookie, &fields).await;
                    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{action:?} for {role} on {side}");
                    assert!(answer.body.contains("data-rule=\"permission.denied\""), "{action:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_session_ends_at_logout_and_by_inactivity() {
    let bench = Bench::new(NodeRole::Master).await;
    let cookie = bench.login(Role::Viewer).await;
    assert_eq!(bench.get("/", &cookie).await.status, StatusCode::OK);
    let left = bench.post("/logout", &cookie, &[]).await;
    assert_eq!(left.location(), "/login");
    assert_eq!(bench.get("/", &cookie).await.status, StatusCode::SEE_OTHER, "the old cookie opens nothing");

    let cookie = bench.login(Role::Viewer).await;
    bench.clock.0.store(29 * 60, Ordering::Relaxed);
    assert_eq!(bench.get("/", &cookie).await.status, StatusCode::OK);
    bench.clock.0.store(31 * 60, Ordering::Relaxed);
    let late = bench.get("/", &cookie).await;
    assert_eq!(late.location(), "/login?next=/&ended=1");
}

#[tokio::test]
async fn a_login_gets_a_new_session_id_and_an_http_only_strict_cookie() {
    let bench = Bench::new(NodeRole::Master).await;
    let first = bench.login(Role::Viewer).await;
    let name = format!("the-{}", Role::Viewer);
    let again = bench.post("/login", &first, &[("name", &name), ("password", PASSWORD)]).await;
    assert_ne!(again.cookie(), first);
    let line = again.headers.get("set-cookie").unwrap().to_str().unwrap().to_owned();
    assert!(line.starts_with(&format!("{}=", session::cookie_name(&bench.node))), "{line}");
    assert!(line.contains("HttpOnly") && line.contains("SameSite=Strict") && line.contains("Path=/"), "{line}");
    assert_eq!(bench.get("/", &first).await.status, StatusCode::SEE_OTHER, "the id before the login is dead");
}

#[tokio::test]
async fn a_new_password_ends_every_other_session_and_keeps_this_one() {
    let bench = Bench::new(NodeRole::Client).await;
    let (here, elsewhere) = (bench.login(Role::Operator).await, bench.login(Role::Operator).await);
    let new = "quite another long phrase";
    let fields = [("action", "password.change"), ("current", PASSWORD), ("new", new), ("again", new)];
    let answer = bench.post("/account", &here, &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert_eq!(bench.get("/", &elsewhere).await.status, StatusCode::SEE_OTHER);
    assert_eq!(bench.get("/", &here).await.status, StatusCode::SEE_OTHER, "the old id is dead too");
    let page = bench.get("/account", &answer.cookie()).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("Password cambiata."), "said once");
    assert!(!bench.get("/account", &answer.cookie()).await.body.contains("Password cambiata."), "and not twice");
}

#[tokio::test]
async fn a_session_dies_with_its_user() {
    let bench = Bench::new(NodeRole::Client).await;
    let (viewer, admin) = (bench.login(Role::Viewer).await, bench.login(Role::Admin).await);
    let fields = [("action", "user.remove"), ("name", "the-viewer")];
    assert_eq!(bench.post("/utenti", &admin, &fields).await.status, StatusCode::SEE_OTHER);
    assert_eq!(bench.get("/", &viewer).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn until_the_first_password_is_changed_there_is_only_the_account() {
    let bench = Bench::new(NodeRole::Master).await;
    let admin = bench.login(Role::Admin).await;
    let add = [("action", "user.add"), ("name", "new"), ("role", "admin"), ("password", PASSWORD)];
    assert_eq!(bench.post("/utenti", &admin, &add).await.status, StatusCode::SEE_OTHER);
    let entered = bench.post("/login", "", &[("name", "new"), ("password", PASSWORD), ("next", "/dati")]).await;
    assert_eq!(entered.location(), "/account");
    let cookie = entered.cookie();
    for route in ROUTES.iter().filter(|route| route.role.is_some() && route.path != "/account") {
        assert_eq!(bench.get(route.path, &cookie).await.location(), "/account", "{}", route.path);
        assert_eq!(bench.post(route.path, &cookie, &add).await.location(), "/account", "{}", route.path);
    }
    assert_eq!(bench.get("/events", &cookie).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(bench.get("/registro/export", &cookie).await.location(), "/account");
}

#[tokio::test]
async fn too_many_wrong_passwords_make_the_next_one_wait() {
    let bench = Bench::new(NodeRole::Master).await;
    let mut last = None;
    for _ in 0..12 {
        last = Some(bench.post("/login", "", &[("name", "the-admin"), ("password", "wrong"), ("next", "/dati")]).await);
    }
    let last = last.unwrap();
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(last.headers.contains_key("retry-after"));
    assert!(last.body.contains("value=\"the-admin\"") && !last.body.contains("wrong"), "{}", last.body);
    assert!(last.body.contains("value=\"/dati\""), "where to go is not lost");
    assert!(last.body.contains("value=\"/login?next=/dati\""), "nor by changing the language: {}", last.body);
    let turned = bench.post("/lang", "", &[("lang", "en"), ("next", "/login?next=/dati")]).await;
    assert_eq!(turned.location(), "/login?next=/dati");
}

#[test]
fn only_requests_from_our_own_pages_may_change_something() {
    type Row = (&'static str, &'static [(&'static str, &'static str)], bool);
    let table: &[Row] = &[
        ("GET", &[("sec-fetch-site", "cross-site")], true),
        ("POST", &[("sec-fetch-site", "same-origin")], true),
        ("POST", &[("sec-fetch-site", "none")], true),
        ("POST", &[("sec-fetch-site", "same-site")], false),
        ("POST", &[("sec-fetch-site", "cross-site")], false),
        ("POST", &[("sec-fetch-site", "SAME-ORIGIN")], false),
        ("POST", &[("sec-fetch-site", "cross-site"), ("origin", "http://h:1"), ("host", "h:1")], false),
        ("POST", &[("origin", "http://h:1"), ("host", "h:1")], true),
        ("POST", &[("origin", "http://h:2"), ("host", "h:1")], false),
        ("POST", &[("origin", "https://h:1"), ("host", "h:1")], false),
        ("POST", &[("origin", "null"), ("host", "h:1")], false),
        ("POST", &[("origin", "http://h:1")], false),
        ("DELETE", &[("sec-fetch-site", "cross-site")], false),
        ("POST", &[("host", "h:1")], true),
    ];
    for (method, headers, ours) in table {
        let mut map = HeaderMap::new();
        for (name, value) in *headers {
            map.insert(*name, HeaderValue::from_static(value));
        }
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        assert_eq!(origin::is_ours(&method, &map, false), *ours, "{method} {headers:?}");
    }
}
