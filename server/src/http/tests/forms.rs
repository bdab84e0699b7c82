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
            if matches!(
                action.as_str(),
                "peer.forget" | "licence.remove" | "sync.stop" | "sync.start" | "telephony.clear"
            ) {
                continue;
            }
            let route = app::routes::of(super::super::forms::page_of(*action));
            for value in evil {
                let names = "name role password current new again text address email sms id note token kind class \
                             source target excludes owners only scope language server port security from user ca to url \
                             method secret headers body success_status success_body peer.bad lag.hard_s auth unit start stop check timeout order \
                             ip way host status off shutdown on soft system fingerprint tcp sip power_off:x \
                             limit windows newest minutes hours days every point dataset trunk registrations expected";
                let mut fields: Vec<_> = names.split_whitespace().map(|name| (name, value)).collect();
                fields.push(("action", action.as_str()));
                let answer = bench.post(route.path, &admin, &fields).await;
                // A bandwidth that is left empty is one without a limit, and a telephony one that is not proved.
                let may_be_empty = matches!(action.as_str(), "bandwidth.set" | "telephony.set");
                let expected = match (route.exists_on(side), may_be_empty && value.is_empty()) {
                    (false, _) => 404,
                    (true, true) => 303,
                    (true, false) => 422,
                };
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
async fn limits_are_saved_together_or_not_at_all() {
    let bench = Bench::new(NodeRole::Master).await;
    let admin = bench.login(Role::Admin).await;
    let save = |bad: &'static str, lag: &'static str| {
        let fields = [("action", "thresholds.set"), ("peer.bad", bad), ("lag.soft_s", lag)];
        let (bench, admin) = (&bench, &admin);
        async move { bench.post("/soglie", admin, &fields).await }
    };
    let refused = save("7", "0").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("Scrivere un numero fra 1 e 86400"), "{}", refused.body);
    assert!(
        refused.body.contains("name=\"peer.bad\" type=\"text\" inputmode=\"numeric\" value=\"7\""),
        "nothing typed is lost"
    );
    assert!(!bench.get("/soglie", &admin).await.body.contains("value=\"7\""), "and nothing saved");
    assert_eq!(save("7", "90").await.status, StatusCode::SEE_OTHER);
    let saved = bench.get("/soglie", &admin).await.body;
    assert!(saved.contains("value=\"7\"") && saved.contains("value=\"90\"") && saved.contains("Soglie salvate."));
    let reset = bench.post("/soglie", &admin, &[("action", "threshold.reset"), ("name", "peer.bad")]).await;
    assert_eq!(reset.status, StatusCode::SEE_OTHER);
    let saved = bench.get("/soglie", &admin).await.body;
    assert!(!saved.contains("value=\"7\"") && saved.contains("value=\"90\""));
}

#[tokio::test]
async fn the_mail_server_is_set_by_a_plain_form_and_its_password_never_comes_back() {
    let bench = Bench::new(NodeRole::Client).await;
    let admin = bench.login(Role::Admin).await;
    let set = |more: &[(&'static str, &'static str)]| {
        let first = [("action", "smtp.set"), ("server", "mail.example.com"), ("from", "pbx@example.com")];
        let fields: Vec<_> = first.into_iter().chain(more.iter().copied()).collect();
        let (bench, admin) = (&bench, &admin);
        async move { bench.post("/smtp", admin, &fields).await }
    };
    let drawn = [("drawn_port", "465"), ("drawn_security", "tls")];
    let nobody = [&drawn[..], &[("port", "465"), ("security", "starttls"), ("auth", "on"), ("user", " ")]].concat();
    let refused = set(&nobody).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("id=\"smtp-set-user-error\""), "{}", refused.body);
    assert!(refused.body.contains("name=\"drawn_port\" value=\"465\""), "the next try knows what was drawn first");

    let whole = [&nobody[..], &[("user", "pbx"), ("password", "hunter2-hunter2")]].concat();
    assert_eq!(set(&whole).await.status, StatusCode::SEE_OTHER);
    let page = bench.get("/smtp", &admin).await.body;
    assert!(page.contains("value=\"587\""), "the untouched port followed STARTTLS");
    assert!(page.contains("Una password è salvata") && !page.contains("hunter2"));

    // An empty password leaves the stored one, unless another server would get it.
    let kept = [("port", "587"), ("security", "starttls"), ("auth", "on"), ("user", "pbx"), ("password", "")];
    assert_eq!(set(&kept).await.status, StatusCode::SEE_OTHER);
    let moved = [&kept[..], &[("server", "evil.example.com")]].concat();
    let refused = set(&moved).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("id=\"smtp-set-password-error\""), "{}", refused.body);

    // Without the switch what stands below it counts for nothing.
    assert_eq!(set(&[("port", "25"), ("security", "none"), ("user", "pbx")]).await.status, StatusCode::SEE_OTHER);
    let page = bench.get("/smtp", &admin).await.body;
    assert!(!page.contains("Una password è salvata") && !page.contains("value=\"pbx\""));
}

#[tokio::test]
async fn a_new_sms_account_does_not_replace_an_old_one_and_an_edited_one_keeps_its_secret() {
    let bench = Bench::new(NodeRole::Client).await;
    let admin = bench.login(Role::Admin).await;
    let add = |more: &[(&'static str, &'static str)]| {
        let first = [("action", "sms.account.add"), ("name", "gateway"), ("body", "{text}{secret}")];
        let fields: Vec<_> = first.into_iter().chain(more.iter().copied()).collect();
        let (bench, admin) = (&bench, &admin);
        async move { bench.post("/sms", admin, &fields).await }
    };
    let here = ("url", "https://one.example/a");
    let bare = add(&[here, ("fresh", "1")]).await;
    assert!(bare.body.contains("id=\"sms-account-add-secret-error\""), "{}", bare.body);
    assert_eq!(add(&[here, ("fresh", "1"), ("secret", "hunter2")]).await.status, StatusCode::SEE_OTHER);
    let again = add(&[here, ("fresh", "1"), ("secret", "other")]).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.body.contains("Già in uso"), "{}", again.body);

    let editor = bench.get("/sms?account=gateway", &admin).await.body;
    assert!(editor.contains("Un segreto è salvato") && !editor.contains("hunter2"));
    assert_eq!(add(&[("url", "https://one.example/b"), ("secret", "")]).await.status, StatusCode::SEE_OTHER);
    assert!(bench.get("/sms?account=gateway", &admin).await.body.contains("https://one.example/b"));
    let elsewhere = add(&[("url", "https://two.example/b")]).await;
    assert_eq!(elsewhere.status, StatusCode::UNPROCESSABLE_ENTITY, "another gateway does not get the secret");

    let unknown = bench.get("/sms?account=nobody", &admin).await.body;
    assert!(unknown.contains("Test Configurazione SMS"), "an account that is not there opens nothing");
    let second =
        [("action", "sms.account.add"), ("name", "second"), ("url", "https://two.example/{text}"), ("fresh", "1")];
    assert_eq!(bench.post("/sms", &admin, &second).await.status, StatusCode::SEE_OTHER);
    let first = [("action", "sms.account.default"), ("name", "second")];
    assert_eq!(bench.post("/sms", &admin, &first).await.status, StatusCode::SEE_OTHER);
    let page = bench.get("/sms", &admin).await.body;
    assert!(page.contains("<option value=\"second\" selected"), "{page}");
    let gone = [("action", "sms.account.remove"), ("name", "second")];
    assert_eq!(bench.post("/sms", &admin, &gone).await.status, StatusCode::SEE_OTHER);
    assert!(!bench.get("/sms", &admin).await.body.contains("two.example"));
}

#[tokio::test]
async fn a_language_that_no_message_has_is_refused_beside_its_field() {
    let bench = Bench::new(NodeRole::Client).await;
    let admin = bench.login(Role::Admin).await;
    let node = bench.get("/disaster-recovery", &admin).await.body;
    assert!(node.contains("<option value=\"it\" selected"), "{node}");
    let refused = [("action", "peer.set"), ("address", "10.0.0.2"), ("language", "fr")];
    let refused = bench.post("/disaster-recovery", &admin, &refused).await;
    assert!(refused.body.contains("id=\"peer-set-language-error\""), "{}", refused.body);
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
