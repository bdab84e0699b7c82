//! The page Procedura: steps are declared, changed, moved and taken back by plain forms.

use axum::http::StatusCode;
use contract::own_step::{OwnStep, Work};
use contract::{Actor, NodeRole, Role, query};

use super::Bench;

async fn declared(bench: &Bench) -> Vec<OwnStep> {
    bench.node.ask(&Actor::root(None), query::OwnSteps {}).await.unwrap().steps
}

async fn names(bench: &Bench) -> String {
    declared(bench).await.into_iter().map(|step| step.name).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_step_is_declared_changed_moved_and_taken_back_without_javascript() {
    let bench = Bench::new(NodeRole::Client).await;
    let admin = bench.login(Role::Admin).await;
    for (kind, field) in [("command", "run"), ("manual", "text_it")] {
        let form = bench.get(&format!("/procedura?new={kind}"), &admin).await.body;
        assert!(form.contains(&format!("name=\"{field}\"")), "{kind}: {form}");
    }
    let fax = [("action", "step.add"), ("kind", "command"), ("fresh", "1"), ("name", "fax"), ("run", "a\r\nb")];
    let answer = bench.post("/procedura?new=command", &admin, &fax).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let carrier = [("action", "step.add"), ("kind", "manual"), ("name", "carrier"), ("text_en", "Call <them>")];
    assert_eq!(bench.post("/procedura", &admin, &carrier).await.status, StatusCode::SEE_OTHER);
    let Work::Command(work) = &declared(&bench).await[0].work else { panic!("not a command") };
    assert_eq!(work.run, "a\nb", "a line of a form ends as a line of the shell");
    let page = bench.get("/procedura?edit=carrier", &admin).await.body;
    assert!(page.contains("Modifica il passo carrier") && page.contains("Call &lt;them&gt;"), "{page}");
    assert_eq!(names(&bench).await, "fax carrier");
    let up = [("action", "step.move"), ("name", "carrier"), ("to", "up")];
    assert_eq!(bench.post("/procedura", &admin, &up).await.location(), "/procedura");
    assert_eq!(names(&bench).await, "carrier fax");
    let remove = [("action", "step.remove"), ("name", "fax")];
    assert_eq!(bench.post("/procedura", &admin, &remove).await.status, StatusCode::SEE_OTHER);
    assert_eq!(names(&bench).await, "carrier");
}

#[tokio::test]
async fn a_step_that_cannot_be_taken_comes_back_whole_with_every_field_marked() {
    let bench = Bench::new(NodeRole::Master).await;
    let admin = bench.login(Role::Admin).await;
    let typed = [
        ("action", "step.add"),
        ("kind", "command"),
        ("fresh", "1"),
        ("name", "Il fax"),
        ("undo", "back <&2"),
        ("limit", "0"),
        ("order", "primo"),
    ];
    let answer = bench.post("/procedura?new=command", &admin, &typed).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    for field in ["name", "run", "limit", "order"] {
        assert!(answer.body.contains(&format!("id=\"step-add-{field}-error\"")), "{field}: {}", answer.body);
    }
    for typed in ["value=\"Il fax\"", "back &lt;&amp;2</textarea>", "value=\"primo\""] {
        assert!(answer.body.contains(typed), "{typed}");
    }
    assert!(declared(&bench).await.is_empty());
    let odd = bench.post("/procedura", &admin, &[("action", "step.add"), ("kind", "dance"), ("name", "x")]).await;
    assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn only_an_administrator_changes_the_procedure() {
    let bench = Bench::new(NodeRole::Client).await;
    let operator = bench.login(Role::Operator).await;
    assert!(!bench.get("/procedura?new=command", &operator).await.body.contains("step-form"));
    let add = [("action", "step.add"), ("kind", "command"), ("name", "fax"), ("run", "true")];
    assert_eq!(bench.post("/procedura", &operator, &add).await.status, StatusCode::FORBIDDEN);
    let ack = bench.post("/operazioni?id=x", &operator, &[("action", "run.ack"), ("id", "own:x"), ("note", "y")]).await;
    assert_ne!(ack.status, StatusCode::SEE_OTHER, "there is no run that waits");
}

#[tokio::test]
async fn a_secret_is_kept_without_being_shown_until_it_would_go_elsewhere() {
    let bench = Bench::new(NodeRole::Client).await;
    let admin = bench.login(Role::Admin).await;
    let typed = [
        ("action", "step.add"),
        ("kind", "http"),
        ("name", "sbc"),
        ("url", "https://sbc.example.org/route"),
        ("headers", "X-A: b\r\nAuthorization: Bearer {secret}"),
    ];
    let without = bench.post("/procedura?new=http", &admin, &typed).await;
    assert_eq!(without.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(without.body.contains("id=\"step-add-secret-error\""), "{}", without.body);
    let with = [&typed[..], &[("secret", "geheim-123")]].concat();
    assert_eq!(bench.post("/procedura?new=http", &admin, &with).await.status, StatusCode::SEE_OTHER);
    let wrong = bench.post("/procedura?edit=sbc", &admin, &[&with[..], &[("pin", "ab")]].concat()).await;
    assert!(wrong.body.contains("id=\"step-add-pin-error\"") && !wrong.body.contains("geheim-123"));
    let page = bench.get("/procedura?edit=sbc", &admin).await.body;
    assert!(page.contains("Bearer {secret}</textarea>") && !page.contains("geheim-123"), "{page}");
    let change = [&typed[..], &[("success_status", "204")]].concat();
    assert_eq!(bench.post("/procedura?edit=sbc", &admin, &change).await.status, StatusCode::SEE_OTHER);
    let step = declared(&bench).await.remove(0);
    let Work::Http(work) = &step.work else { panic!("not a call") };
    assert!(step.has_secret && work.status_from == 204 && work.headers.len() == 2, "{step:?}");
    let elsewhere = [&typed[..3], &[("url", "https://other.example.org/"), typed[4]]].concat();
    let elsewhere = bench.post("/procedura?edit=sbc", &admin, &elsewhere).await;
    assert!(elsewhere.body.contains("id=\"step-add-secret-error\""), "it does not go to another server");
    let form = bench.get("/procedura?new=wait", &admin).await.body;
    assert!(form.contains("name=\"tcp\""), "{form}");
}

#[tokio::test]
async fn a_key_is_kept_without_being_shown_until_another_one_is_typed() {
    let bench = Bench::new(NodeRole::Client).await;
    let admin = bench.login(Role::Admin).await;
    let secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let typed = [
        ("action", "step.add"),
        ("kind", "dns"),
        ("fresh", "1"),
        ("name", "dns"),
        ("zone", "example.org"),
        ("record", "pbx.example.org"),
        ("old_values", "192.0.2.1\r\n192.0.2.2"),
        ("new_values", "198.51.100.1"),
        ("servers", "127.0.0.1"),
        ("key_name", "dr-key"),
    ];
    let without = bench.post("/procedura?new=dns", &admin, &typed).await;
    assert_eq!(without.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(without.body.contains("id=\"step-add-secret-error\""), "a key needs its secret");
    let with = [&typed[..], &[("secret", secret)]].concat();
    assert_eq!(bench.post("/procedura?new=dns", &admin, &with).await.status, StatusCode::SEE_OTHER);
    let wrong = [&with[..], &[("ttl", "long")]].concat();
    let wrong = bench.post("/procedura?edit=dns", &admin, &wrong).await;
    assert!(wrong.body.contains("id=\"step-add-ttl-error\"") && !wrong.body.contains(secret));
    let page = bench.get("/procedura?edit=dns", &admin).await.body;
    assert!(page.contains("192.0.2.1\n192.0.2.2</textarea>") && !page.contains(secret), "{page}");
    let change = [&typed[..], &[("ttl", "30")]].concat();
    assert_eq!(bench.post("/procedura?edit=dns", &admin, &change).await.status, StatusCode::SEE_OTHER);
    let step = declared(&bench).await.remove(0);
    let Work::Dns(work) = &step.work else { panic!("not a record") };
    assert!(step.has_secret && work.ttl == 30 && work.old.len() == 2, "{step:?}");
}

#[tokio::test]
async fn a_group_is_moved_and_left_out_without_javascript() {
    let bench = Bench::new(NodeRole::Client).await;
    let admin = bench.login(Role::Admin).await;
    for (name, group) in [("carrier", "Operatore <1>"), ("sms", " Operatore  <1> "), ("fax", "")] {
        let add = [("action", "step.add"), ("kind", "command"), ("name", name), ("run", "true"), ("group", group)];
        assert_eq!(bench.post("/procedura", &admin, &add).await.status, StatusCode::SEE_OTHER);
    }
    let page = bench.get("/procedura", &admin).await.body;
    assert!(page.contains("Operatore &lt;1&gt;") && page.contains("2 passi, al massimo"), "{page}");
    assert_eq!(page.matches("class=\"group-head\"").count(), 1);
    let form = bench.get("/procedura?edit=sms", &admin).await.body;
    assert!(form.contains("name=\"group\"") && form.contains("value=\"Operatore &lt;1&gt;\""), "{form}");
    let order = |action: &'static str, to: &'static str| [("action", action), ("name", "Operatore <1>"), ("to", to)];
    let moved = bench.post("/procedura", &admin, &order("step.group.move", "down")).await;
    assert_eq!(moved.status, StatusCode::SEE_OTHER, "{}", moved.body);
    assert_eq!(names(&bench).await, "fax carrier sms");
    let off = bench.post("/procedura", &admin, &order("step.group.off", "")).await;
    assert_eq!(off.location(), "/procedura");
    assert!(declared(&bench).await.iter().all(|step| step.off == step.group.is_some()));
    let page = bench.get("/procedura", &admin).await.body;
    assert!(page.contains("Escluso") && page.contains("value=\"step.group.on\""), "{page}");
    assert!(bench.post("/procedura", &admin, &order("step.group.on", "")).await.status.is_redirection());
    assert!(!declared(&bench).await.iter().any(|step| step.off));
    let left = bench.post("/procedura", &admin, &order("step.group.move", "left")).await;
    assert_eq!(left.status, StatusCode::UNPROCESSABLE_ENTITY, "it cannot go there");
    let add = [("action", "step.add"), ("kind", "command"), ("name", "gate"), ("run", "true")];
    let elsewhere = [&add[..], &[("group", "Operatore <1>"), ("place", "before_services")]].concat();
    let elsewhere = bench.post("/procedura?new=command", &admin, &elsewhere).await;
    assert!(elsewhere.body.contains("id=\"step-add-place-error\""), "{}", elsewhere.body);
    let operator = bench.login(Role::Operator).await;
    let no = bench.post("/procedura", &operator, &order("step.group.off", "")).await;
    assert_eq!(no.status, StatusCode::FORBIDDEN);
}
