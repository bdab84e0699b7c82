//! The panel over its router, against a real node in a temporary directory.

mod access;
mod alarms;
mod button;
mod forms;
mod house;
mod isolation;
mod procedure;
mod services;
mod streams;
mod telephony;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use contract::command::Secret;
use contract::{Actor, Command, NodeRole, Role, Timestamp};
use node::{Clock, Init, Node};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

const PASSWORD: &str = "a phrase that is long enough";

/// The machine's clock, and how far it was put forward.
#[derive(Debug, Default)]
struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let ahead = jiff::SignedDuration::from_secs(self.0.load(Ordering::Relaxed));
        node::SystemClock.now() + ahead
    }
}

/// A panel without a listener.
struct Bench {
    node: Arc<Node>,
    app: Router,
    clock: Arc<TestClock>,
    stop: CancellationToken,
    _dir: TempDir,
}

/// What came back.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn location(&self) -> &str {
        self.headers.get(header::LOCATION).map_or("", |value| value.to_str().unwrap())
    }

    /// The session cookie that was set, as the browser sends it back.
    fn cookie(&self) -> String {
        let set = self.headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().unwrap());
        set.filter_map(|line| line.split(';').next()).next_back().unwrap_or_default().to_owned()
    }
}

impl Bench {
    async fn new(role: NodeRole) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("data");
        let clock = Arc::new(TestClock::default());
        let init = Init {
            role,
            name: "machine1".into(),
            panel: "127.0.0.1:0".parse().unwrap(),
            peer: "127.0.0.1:0".parse().unwrap(),
            insecure_http: true,
            licence_key: None,
        };
        init.run(&root, &*clock).await.unwrap();
        let node = Node::open(&root, clock.clone()).await.unwrap();
        let stop = CancellationToken::new();
        let app = super::router(Arc::clone(&node), stop.clone());
        let bench = Self { node, app, clock, stop, _dir: dir };
        for role in Role::ALL {
            let (name, password) = (format!("the-{role}"), Secret::new(PASSWORD));
            let add = Command::UserAdd { name, role: role.to_string(), password, must_change: false };
            bench.node.tell(&Actor::root(None), add).await.unwrap();
        }
        bench
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = String::from_utf8_lossy(&to_bytes(body, usize::MAX).await.unwrap()).into_owned();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn get(&self, path: &str, cookie: &str) -> Answer {
        self.send(Request::get(path).header(header::COOKIE, cookie).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Answer {
        let body = fields.iter().map(|(k, v)| format!("{k}={}", super::query::encode(v))).collect::<Vec<_>>().join("&");
        let request = Request::post(path)
            .header(header::COOKIE, cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body));
        self.send(request.unwrap()).await
    }

    async fn login(&self, role: Role) -> String {
        let name = format!("the-{role}");
        let answer = self.post("/login", "", &[("name", &name), ("password", PASSWORD)]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        answer.cookie()
    }
}
