//! The page Servizi: declared, changed and taken back by plain forms.

use axum::http::StatusCode;
use contract::service::Handling;
use contract::{Actor, NodeRole, Role, query};

use super::Bench;

async fn declared(bench: &Bench) -> Vec<contract::service::Service> {
    let report = bench.node.ask(&Actor::root(None), query::Services {}).await.unwrap();
    report.services.into_iter().map(|entry| entry.service).collect()
}

#[tokio::test]
async fn a_service_is_declared_changed_and_taken_back_without_javascript() {
    let bench = Bench::new(NodeRole::Client).await;
    let admin = bench.login(Role::Admin).await;
    let add = [("action", "service.add"), ("name", "pbx"), ("start", "a\r\nb"), ("stop", "c"), ("check", "d")];
    let answer = bench.post("/servizi", &admin, &add).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/servizi"), "{}", answer.body);
    let commands = Handling::Commands { start: "a\nb".into(), stop: "c".into(), check: "d".into() };
    assert_eq!(declared(&bench).await[0].handling, commands, "a line of a form ends as a line of the shell");
    let form = bench.get("/servizi?edit=pbx", &admin).await.body;
    assert!(form.contains("Modifica il servizio pbx") && form.contains(">a\nb</textarea>"), "{form}");
    assert!(form.contains("action=\"/servizi\""), "what was changed is not left open to be changed again");
    let wrong = [("action", "service.add"), ("name", "pbx"), ("unit", "../a"), ("timeout", "9"), ("order", "10")];
    let answer = bench.post("/servizi", &admin, &wrong).await;
    assert!(answer.body.contains("Modifica il servizio pbx"), "a change that came back is still one");
    let change = [("action", "service.add"), ("name", "pbx"), ("unit", "a.service"), ("timeout", "9"), ("order", "10")];
    assert_eq!(bench.post("/servizi", &admin, &change).await.location(), "/servizi");
    assert_eq!(declared(&bench).await[0].handling, Handling::Unit("a.service".into()));
    let remove = [("action", "service.remove"), ("name", "pbx")];
    assert_eq!(bench.post("/servizi", &admin, &remove).await.status, StatusCode::SEE_OTHER);
    assert!(declared(&bench).await.is_empty());
}

#[tokio::test]
async fn a_declaration_that_cannot_be_taken_comes_back_whole_with_every_field_marked() {
    let bench = Bench::new(NodeRole::Master).await;
    let admin = bench.login(Role::Admin).await;
    let typed = [
        ("action", "service.add"),
        ("name", "Il PBX"),
        ("start", "pbx start <&2"),
        ("timeout", "0"),
        ("order", "primo"),
    ];
    let answer = bench.post("/servizi", &admin, &typed).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    for field in ["name", "stop", "check", "timeout", "order"] {
        assert!(answer.body.contains(&format!("id=\"service-add-{field}-error\"")), "{field}");
    }
    for typed in ["value=\"Il PBX\"", "pbx start &lt;&amp;2</textarea>", "value=\"primo\"", "value=\"0\""] {
        assert!(answer.body.contains(typed), "{typed}");
    }
    assert!(declared(&bench).await.is_empty());
}
