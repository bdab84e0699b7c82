//! The event stream.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use contract::live::Live;
use contract::{NodeRole, Role};
use futures_util::StreamExt;
use tower::ServiceExt;

use super::Bench;

async fn open(bench: &Bench, cookie: &str) -> axum::response::Response {
    let request = Request::get("/events").header(header::COOKIE, cookie).body(Body::empty()).unwrap();
    bench.app.clone().oneshot(request).await.unwrap()
}

#[tokio::test]
async fn a_stream_begins_with_the_present_picture_and_ends_with_the_node() {
    let bench = Bench::new(NodeRole::Client).await;
    assert_eq!(open(&bench, "").await.status(), StatusCode::UNAUTHORIZED);
    let cookie = bench.login(Role::Viewer).await;
    let response = open(&bench, &cookie).await;
    assert_eq!(response.headers().get("content-type").unwrap(), "text/event-stream");
    let mut stream = response.into_body().into_data_stream();
    let first = tokio::time::timeout(Duration::from_secs(5), stream.next()).await.unwrap().unwrap().unwrap();
    let text = String::from_utf8_lossy(&first).into_owned();
    let json = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let live: Live = serde_json::from_str(json).unwrap();
    assert_eq!(live.status.node.name, "machine1");
    bench.stop.cancel();
    let end = tokio::time::timeout(Duration::from_secs(1), async { while stream.next().await.is_some() {} }).await;
    assert!(end.is_ok(), "an open stream must not hold the stop");
}

#[tokio::test]
async fn a_stream_does_not_keep_its_session_alive() {
    let bench = Bench::new(NodeRole::Client).await;
    let cookie = bench.login(Role::Viewer).await;
    let response = open(&bench, &cookie).await;
    let set = response.headers().get("set-cookie").unwrap().to_str().unwrap();
    assert!(set.starts_with("tvox-dr-live=1;"), "no session cookie, only the word that this browser follows: {set}");
    bench.clock.0.store(31 * 60, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(open(&bench, &cookie).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_open_page_gets_the_pieces_of_it_that_move_and_no_other() {
    let bench = Bench::new(NodeRole::Client).await;
    let cookie = bench.login(Role::Operator).await;
    bench.node.run().await.unwrap();
    for (at, has, lacks) in
        [("/attivazione", "\"id\":\"stance\"", "run-state"), ("/utenti", "\"id\":\"banners\"", "stance")]
    {
        let request = Request::get(format!("/events?at={at}")).header(header::COOKIE, &cookie).body(Body::empty());
        let response = bench.app.clone().oneshot(request.unwrap()).await.unwrap();
        let mut stream = response.into_body().into_data_stream();
        let pieces = async {
            while let Some(chunk) = stream.next().await {
                let text = String::from_utf8_lossy(&chunk.unwrap()).into_owned();
                if text.contains("event: pieces") {
                    return text;
                }
            }
            String::new()
        };
        let text = tokio::time::timeout(Duration::from_secs(10), pieces).await.unwrap();
        assert!(text.contains(has) && !text.contains(lacks), "{at}: {text}");
    }
    bench.node.shut_down().await;
}
