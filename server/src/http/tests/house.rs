//! Headers, assets, and pages for what goes wrong.

use std::sync::Arc;
use std::time::Duration;

use app::routes::ROUTES;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use contract::{NodeRole, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::ServiceExt;

use super::super::{assets, panel::Panel, render};
use super::Bench;

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let bench = Bench::new(NodeRole::Client).await;
    let viewer = bench.login(Role::Viewer).await;
    let paths = ROUTES.iter().map(|route| route.path).chain(["/nope", "/events", "/registro/export", "/logout"]);
    for path in paths {
        for cookie in ["", viewer.as_str()] {
            if path == "/events" && !cookie.is_empty() {
                continue;
            }
            let answer = bench.get(path, cookie).await;
            let header = |name: &str| answer.headers.get(name).map_or("", |value| value.to_str().unwrap());
            assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(header("referrer-policy"), "same-origin", "{path}");
            assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{path}");
            assert_eq!(header("cache-control"), "no-store", "{path}");
            let policy = header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
            assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"), "{path}");
            for nonce in answer.body.split("nonce=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(policy.contains(&format!("'nonce-{nonce}'")), "{path}");
            }
        }
    }
}

#[tokio::test]
async fn two_pages_never_share_a_nonce() {
    let bench = Bench::new(NodeRole::Client).await;
    let policy = |answer: super::Answer| answer.headers.get("content-security-policy").unwrap().clone();
    assert_ne!(policy(bench.get("/login", "").await), policy(bench.get("/login", "").await));
}

#[tokio::test]
async fn what_is_not_there_says_so_in_words() {
    let bench = Bench::new(NodeRole::Client).await;
    let viewer = bench.login(Role::Viewer).await;
    let missing = bench.get("/nope", &viewer).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert!(missing.body.contains("Pagina non trovata"));
    let other = bench.get("/dati", &viewer).await;
    assert!(other.body.contains("TVox Master"), "{}", other.body);
    let method = bench.get("/logout", &viewer).await;
    assert_eq!(method.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(method.body.contains("Richiesta non prevista"));
}

#[tokio::test]
async fn a_panic_is_a_page_that_tells_nothing() {
    let bench = Bench::new(NodeRole::Client).await;
    let panel = Arc::new(Panel::new(Arc::clone(&bench.node), bench.stop.clone()));
    async fn fails() -> &'static str {
        panic!("the secret detail")
    }
    let app = Router::new().route("/", get(fails)).layer(from_fn_with_state(panel, render::catch_panics));
    let response = app.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let body = String::from_utf8_lossy(&body);
    assert!(body.contains("Errore interno") && !body.contains("secret detail"));
}

#[tokio::test]
async fn a_page_that_is_only_read_may_load_itself_again_and_a_form_never() {
    let bench = Bench::new(NodeRole::Client).await;
    let viewer = bench.login(Role::Viewer).await;
    let refresh = |answer: super::Answer| answer.headers.get("refresh").map(|v| v.to_str().unwrap().to_owned());
    assert_eq!(refresh(bench.get("/?refresh=5", &viewer).await).as_deref(), Some("5"));
    for path in
        ["/", "/?refresh=0", "/?refresh=x", "/disaster-recovery?refresh=5", "/account?refresh=5", "/login?refresh=5"]
    {
        assert_eq!(refresh(bench.get(path, &viewer).await), None, "{path}");
    }
}

#[tokio::test]
async fn assets_are_cached_for_ever_under_their_hash_and_come_compressed() {
    let bench = Bench::new(NodeRole::Client).await;
    let ask = |path: String, accept: &'static str, known: &str| {
        let request = Request::get(path).header(header::ACCEPT_ENCODING, accept).header(header::IF_NONE_MATCH, known);
        bench.send(request.body(Body::empty()).unwrap())
    };
    for (name, kind) in [
        ("style.css", "text/css; charset=utf-8"),
        ("pkg/tvox-dr.js", "text/javascript; charset=utf-8"),
        ("pkg/tvox-dr_bg.wasm", "application/wasm"),
        ("icon.svg", "image/svg+xml"),
    ] {
        let path = format!("/{}/{name}", assets::base());
        let answer = ask(path.clone(), "gzip, deflate, br", "").await;
        let header = |name: &str| answer.headers.get(name).map_or("", |value| value.to_str().unwrap());
        assert_eq!((answer.status, header("content-type")), (StatusCode::OK, kind));
        assert!(header("cache-control").contains("immutable"));
        assert_eq!(header("content-encoding"), "br", "{name}");
        assert_eq!(header("vary"), "Accept-Encoding");
        let again = ask(path.clone(), "gzip, deflate, br", header("etag")).await;
        assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
        let plain = ask(path, "br;q=0", "").await;
        assert!(!plain.headers.contains_key("content-encoding"));
    }
    let old = ask("/assets/0000000000000000/style.css".into(), "", "").await;
    assert_eq!(old.headers.get("cache-control").unwrap(), "no-cache");
    for path in ["/assets/x/../Cargo.toml", "/assets/x/nope.css", "/assets/x/style.css.br", "/assets/style.css"] {
        assert_eq!(ask(path.into(), "", "").await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_request_that_is_never_finished_is_closed() {
    let bench = Bench::new(NodeRole::Client).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let limit = Duration::from_millis(300);
    let serving = tokio::spawn(super::super::listen(Arc::clone(&bench.node), listener, bench.stop.clone(), limit));
    for begun in ["", "G", "GET /login HTTP/1.1\r\nHost: x\r\nX-Slow: "] {
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "still open after {begun:?}");
        assert!(!rest.starts_with(b"HTTP/1.1 200"), "{begun:?}");
    }
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(b"GET /login HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    assert!(closed.is_ok(), "nor does a connection wait for ever for its next request");
    assert!(answer.starts_with(b"HTTP/1.1 200"), "a whole one is answered");
    bench.stop.cancel();
    serving.await.unwrap().unwrap();
}
