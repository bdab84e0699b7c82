//! What a form gets back.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use contract::{NodeRole, Role};

use super::Bench;

#[tokio::test]
async fn a_form_that_is_not_accepted_comes_back_whole_in_the_readers_language() {
    let bench = Bench::new(NodeRole::Client).await;
    let admin = bench.login(Role::Admin).await;
    let fields = [("action", "user.add"), ("name", "Mario Rossi"), ("role", "operator"), ("password", "short")];
    for (cookie, said) in
        [(admin.clone(), "Solo lettere minuscole"), (format!("{admin}; tvox-dr-lang=en"), "Only lower-case letters")]
    {
        let answer = bench.post("/utenti", &cookie, &fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.body.contains("value=\"Mario Rossi\""), "what was typed is there");
        assert!(answer.body.contains("<option value=\"operator\" selected"), "{}", answer.body);
        assert!(answer.body.contains(said), "{}", answer.body);
        assert!(!answer.body.contains("short"), "a password is not sent back");
    }
}

#[tokio::test]
async fn nonsense_in_any_form_is_a_clear_answer_and_never_an_error_of_ours() {
    let evil =
        ["", "\0", "../../etc/passwd", "\"><script>alert(1)</script>", "💥", "0.0.0.0", "-1", "99999999999999999999"];
    for side in [NodeRole::Master, NodeRole::Client] {
        let bench = Bench::new(side).await;
        let admin = bench.login(Role::Admin).await;
        for action in app::action::Action::ALL {
            // What is done in any case and says nothing about bad input.
            if matches!(action.as_str(), "peer.forget" | "licence.remove" | "sync.stop" | "sync.start") {
                continue;
            }
            let route = app::routes::of(super::super::forms::page_of(*action));
            for value in evil {
                let names = ["name", "role", "password", "current", "new", "again", "text", "address", "email", "sms"];
                let more = [
                    "id", "note", "token", "kind", "class", "source", "target", "excludes", "only", "scope", "unit",
                    "start", "stop", "check", "timeout", "order",
                ];
                let mut fields: Vec<_> = names.into_iter().chain(more).map(|name| (name, value)).collect();
                fields.push(("action", action.as_str()));
                let answer = bench.post(route.path, &admin, &fields).await;
                let expected = if route.exists_on(side) { 422 } else { 404 };
                assert_eq!(
                    answer.status.as_u16(),
                    expected,
                    "{action:?} with {value:?} on {side}: {}",
                    answer.location()
                );
                assert!(!answer.body.contains("<script>alert"), "{action:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_form_of_another_page_or_of_none_is_unreadable() {
    let bench = Bench::new(NodeRole::Master).await;
    let admin = bench.login(Role::Admin).await;
    for action in ["user.remove", "nonsense", ""] {
        let answer = bench.post("/licenza", &admin, &[("action", action), ("name", "the-viewer")]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{action}");
    }
    assert!(bench.get("/utenti", &admin).await.body.contains("the-viewer"), "nothing was done");
}

#[tokio::test]
async fn a_licence_comes_as_a_file_or_as_text() {
    let bench = Bench::new(NodeRole::Master).await;
    let admin = bench.login(Role::Admin).await;
    let part = |name: &str, file: &str, text: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{text}\r\n")
    };
    let send = |file: String, text: &str| {
        let body =
            part("action", "", "licence.load") + &part("file", "; filename=\"a.lic\"", &file) + &part("text", "", text);
        let request = Request::post("/licenza")
            .header(header::COOKIE, &admin)
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b")
            .body(Body::from(body + "--b--\r\n"));
        bench.send(request.unwrap())
    };
    let forged = send("forged".into(), "").await;
    assert_eq!(forged.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(forged.body.contains("data-rule=\"licence.invalid\""), "{}", forged.body);
    let nothing = send(String::new(), " ").await;
    assert!(nothing.body.contains("Campo obbligatorio"), "{}", nothing.body);
    let huge = send("x".repeat(300 * 1024), "").await;
    assert_eq!(huge.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn the_language_is_kept_and_leads_back_to_this_panel_only() {
    let bench = Bench::new(NodeRole::Master).await;
    let answer = bench.post("/lang", "", &[("lang", "en"), ("next", "/login?next=/dati")]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/login?next=/dati"));
    assert!(bench.get("/login", &answer.cookie()).await.body.contains("<html lang=\"en\""));
    let away = bench.post("/lang", "", &[("lang", "it"), ("next", "//evil.example")]).await;
    assert_eq!(away.location(), "/");
    assert_eq!(bench.post("/lang", "", &[("lang", "xx")]).await.status, StatusCode::BAD_REQUEST);
}
