//! The forms of the button over the router: what a press without its proofs gets, and that nothing is lost of it.

use axum::http::{StatusCode, header};
use contract::{NodeRole, Role};

use super::{Bench, PASSWORD};

#[tokio::test]
async fn a_press_that_is_refused_comes_back_whole_and_without_the_password() {
    for (side, action) in [(NodeRole::Client, "activate"), (NodeRole::Master, "takeover")] {
        let bench = Bench::new(side).await;
        let operator = bench.login(Role::Operator).await;
        let fields = [
            ("action", action),
            ("reason", "Incendio in sala macchine"),
            ("confirm_name", "another-machine"),
            ("attest:10.0.0.9", "Anna Verdi, dal vivo"),
            ("password", PASSWORD),
        ];
        let answer = bench.post("/attivazione", &operator, &fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{action}");
        assert!(!answer.body.contains(PASSWORD));
        assert!(answer.body.contains("class=\"notice bad\""), "{action}: {}", answer.body);
        if side == NodeRole::Client {
            for kept in ["value=\"Incendio in sala macchine\"", "value=\"another-machine\"", "Anna Verdi, dal vivo"] {
                assert!(answer.body.contains(kept), "{kept}");
            }
        }
        let audit = bench.get("/registro", &operator).await;
        assert!(audit.body.contains(if side == NodeRole::Client { "Attivazione del DR" } else { "Ripresa da parte" }));
        assert!(!audit.body.contains(PASSWORD), "the log keeps no password");
    }
}

#[tokio::test]
async fn to_pass_a_machine_that_does_not_stop_takes_a_reason_and_what_was_ticked_comes_back() {
    for (side, action) in [(NodeRole::Client, "activate"), (NodeRole::Master, "takeover")] {
        let bench = Bench::new(side).await;
        let operator = bench.login(Role::Operator).await;
        let field = "override:peer.not_yielding@10.0.0.9";
        let fields = [
            ("action", action),
            ("reason", "Incendio"),
            ("confirm_name", "dr1"),
            ("override_tick:peer.not_yielding@10.0.0.9", "yes"),
            (field, " "),
            ("password", PASSWORD),
        ];
        let answer = bench.post("/attivazione", &operator, &fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{action}");
        if side == NodeRole::Client {
            let error = format!("id=\"activate-{field}-error\"");
            for kept in [error.as_str(), "Campo obbligatorio", "value=\"Incendio\"", "value=\"yes\" checked"] {
                assert!(answer.body.contains(kept), "{kept}: {}", answer.body);
            }
        }
    }
}

#[tokio::test]
async fn a_press_asks_for_the_own_password_again_and_slows_down_who_guesses_it() {
    let bench = Bench::new(NodeRole::Client).await;
    let operator = bench.login(Role::Operator).await;
    let press = |password: &'static str| {
        let fields = [("action", "activate"), ("reason", "fuoco"), ("confirm_name", "dr1"), ("password", password)];
        let (bench, operator) = (&bench, &operator);
        async move { bench.post("/attivazione", operator, &fields).await.body }
    };
    assert!(press("").await.contains("Campo obbligatorio"));
    assert!(press("not mine at all").await.contains("La password attuale non è corretta"));
    let mut slowed = false;
    for _ in 0..20 {
        slowed |= press("not mine at all").await.contains("Troppi tentativi");
    }
    assert!(slowed, "guessing has its price");
}

#[tokio::test]
async fn a_button_of_the_other_side_is_refused_by_its_rule() {
    let bench = Bench::new(NodeRole::Master).await;
    let operator = bench.login(Role::Operator).await;
    for action in ["activate", "deactivate", "suspend"] {
        let answer = bench.post("/attivazione", &operator, &[("action", action)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.body.contains("data-rule=\"role.wrong\""), "{action}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_run_that_is_not_there_is_not_found_and_a_run_page_that_is_over_is_not_loaded_again() {
    let bench = Bench::new(NodeRole::Client).await;
    let viewer = bench.login(Role::Viewer).await;
    let missing = bench.get("/operazioni?id=nonsense", &viewer).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    let list = bench.get("/operazioni", &viewer).await;
    assert_eq!(list.status, StatusCode::OK);
    assert!(!list.headers.contains_key(header::REFRESH));
}
