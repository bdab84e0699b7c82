//! The page Telefonia: set, changed and taken back by plain forms.

use axum::http::StatusCode;
use contract::telephony::Telephony;
use contract::{Actor, NodeRole, Role, query};

use super::Bench;

async fn set(bench: &Bench) -> Telephony {
    bench.node.ask(&Actor::root(None), query::Telephony {}).await.unwrap().telephony
}

#[tokio::test]
async fn the_telephony_is_set_changed_and_taken_back_without_javascript() {
    let bench = Bench::new(NodeRole::Client).await;
    let admin = bench.login(Role::Admin).await;
    let typed = [
        ("action", "telephony.set"),
        ("sip", "127.0.0.1"),
        ("trunk", "127.0.0.1:5070\r\nsip.carrier.invalid/tcp\r\n"),
        ("registrations", "echo <1>\r\necho 12"),
        ("expected", "12"),
        ("limit", ""),
    ];
    let answer = bench.post("/telefonia", &admin, &typed).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/telefonia"), "{}", answer.body);
    let now = set(&bench).await;
    assert_eq!((now.trunks.len(), now.expected, now.limit_seconds), (2, Some(12), 30));
    assert_eq!(now.registrations.as_deref(), Some("echo <1>\necho 12"), "a line ends as a line of the shell");
    let page = bench.get("/telefonia", &admin).await.body;
    assert!(page.contains("echo &lt;1&gt;\necho 12</textarea>") && page.contains("127.0.0.1:5060"), "{page}");
    let clear = [("action", "telephony.clear")];
    assert_eq!(bench.post("/telefonia", &admin, &clear).await.status, StatusCode::SEE_OTHER);
    assert!(set(&bench).await.is_empty());
}

#[tokio::test]
async fn what_cannot_be_taken_comes_back_whole_with_every_field_marked() {
    let bench = Bench::new(NodeRole::Master).await;
    let admin = bench.login(Role::Admin).await;
    let typed = [
        ("action", "telephony.set"),
        ("sip", "0.0.0.0"),
        ("trunk", "a <b>"),
        ("registrations", "true"),
        ("expected", "tutti"),
        ("limit", "0"),
    ];
    let answer = bench.post("/telefonia", &admin, &typed).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    for field in ["sip", "trunk", "expected", "limit"] {
        assert!(answer.body.contains(&format!("id=\"telephony-set-{field}-error\"")), "{field}: {}", answer.body);
    }
    for typed in ["value=\"0.0.0.0\"", "a &lt;b&gt;</textarea>", "value=\"tutti\"", "true</textarea>"] {
        assert!(answer.body.contains(typed), "{typed}");
    }
    assert!(set(&bench).await.is_empty());
}

#[tokio::test]
async fn only_an_administrator_sets_the_telephony_and_everybody_may_look() {
    let bench = Bench::new(NodeRole::Client).await;
    let operator = bench.login(Role::Operator).await;
    let page = bench.get("/telefonia", &operator).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.body.contains("telephony-form") && page.body.contains("non impostato"), "{}", page.body);
    let typed = [("action", "telephony.set"), ("sip", "127.0.0.1")];
    assert_eq!(bench.post("/telefonia", &operator, &typed).await.status, StatusCode::FORBIDDEN);
}
