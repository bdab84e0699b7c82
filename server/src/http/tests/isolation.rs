//! The page Isolamento: one page per way, set, read and forgotten by plain forms.

use axum::http::StatusCode;
use contract::power::{MachineSetup, PowerAccess, PowerState};
use contract::{Actor, NodeRole, Role, query};

use super::{Bench, PASSWORD};

const MASTER: &str = "192.0.2.1";

/// A Client that knows its Master's address.
async fn bench() -> Bench {
    let bench = Bench::new(NodeRole::Client).await;
    let db = rusqlite::Connection::open(bench.node.dir().root().join("tvox-dr.db")).unwrap();
    db.execute("INSERT INTO peer (one, ip, port) VALUES (1, ?, 5461)", [MASTER]).unwrap();
    bench
}

async fn machine(bench: &Bench) -> MachineSetup {
    bench.node.ask(&Actor::root(None), query::Isolation {}).await.unwrap().machines.remove(0)
}

#[tokio::test]
async fn the_power_is_set_read_and_forgotten_without_javascript() {
    let bench = bench().await;
    let admin = bench.login(Role::Admin).await;
    let page = bench.get("/isolamento", &admin).await.body;
    assert!(page.contains(&format!("/isolamento?ip={MASTER}&amp;way=command")), "{page}");
    let set =
        [("action", "power.set"), ("ip", MASTER), ("way", "command"), ("status", "echo\r\necho off"), ("soft", "")];
    let answer = bench.post("/isolamento", &admin, &set).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/isolamento"), "{}", answer.body);
    let power = machine(&bench).await.power.unwrap();
    assert!(matches!(&power.access, PowerAccess::Command { status, .. } if status == "echo\necho off"), "{power:?}");
    let form = bench.get(&format!("/isolamento?ip={MASTER}&way=command"), &admin).await.body;
    assert!(form.contains(">echo\necho off</textarea>"), "{form}");

    let read = [("action", "power.read"), ("name", MASTER)];
    assert_eq!(bench.post("/isolamento", &admin, &read).await.status, StatusCode::SEE_OTHER);
    assert_eq!(machine(&bench).await.reading.unwrap().state, PowerState::Off);
    let page = bench.get("/isolamento", &admin).await.body;
    assert!(page.contains("Spenta") && page.contains("command: spenta ("), "{page}");

    let remove = [("action", "power.remove"), ("name", MASTER)];
    assert_eq!(bench.post("/isolamento", &admin, &remove).await.status, StatusCode::SEE_OTHER);
    let left = machine(&bench).await;
    assert!(left.power.is_none() && left.reading.is_none(), "{left:?}");
}

#[tokio::test]
async fn what_cannot_be_taken_comes_back_on_the_page_of_its_way_with_every_field_marked() {
    let bench = bench().await;
    let admin = bench.login(Role::Admin).await;
    let typed = [
        ("action", "power.set"),
        ("ip", MASTER),
        ("way", "ipmi"),
        ("host", "a b"),
        ("port", "x"),
        ("user", "tvox"),
        ("password", "s3greta"),
        ("soft", "9999"),
    ];
    let answer = bench.post("/isolamento", &admin, &typed).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    for field in ["host", "port", "soft"] {
        assert!(answer.body.contains(&format!("id=\"power-set-{field}-error\"")), "{field}");
    }
    for typed in ["value=\"a b\"", "value=\"tvox\"", "value=\"9999\""] {
        assert!(answer.body.contains(typed), "{typed}");
    }
    assert!(!answer.body.contains("s3greta"), "a password does not come back");
    let stranger = [("action", "power.set"), ("ip", "192.0.2.9"), ("way", "command"), ("status", "echo on")];
    let answer = bench.post("/isolamento", &admin, &stranger).await;
    assert!(answer.body.contains(&format!("Valori possibili: {MASTER}")), "{}", answer.body);
    assert!(machine(&bench).await.power.is_none());
    let operator = bench.login(Role::Operator).await;
    let set = [("action", "power.set"), ("ip", MASTER), ("way", "command"), ("status", "echo on")];
    assert_eq!(bench.post("/isolamento", &operator, &set).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_machine_is_switched_off_on_the_way_only_where_its_address_was_typed_beside_the_tick() {
    let bench = bench().await;
    let operator = bench.login(Role::Operator).await;
    let press = [
        ("action", "activate"),
        ("reason", "incendio"),
        ("confirm_name", "machine1"),
        ("password", PASSWORD),
        ("power_off:192.0.2.1", "yes"),
        ("power_off_confirm:192.0.2.1", "192.0.2.2"),
    ];
    let answer = bench.post("/attivazione", &operator, &press).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let field = answer.body.split("id=\"activate-power_off_confirm:192.0.2.1\"").nth(1).unwrap_or_default();
    assert!(field.contains("value=\"192.0.2.2\"") && field.contains("Per confermare, scrivere 192.0.2.1"), "{field}");
    let tick = answer.body.split("id=\"activate-power_off:192.0.2.1\"").nth(1).unwrap_or_default();
    assert!(tick.split('>').next().is_some_and(|tick| tick.contains("checked")), "{tick}");
}

#[tokio::test]
async fn what_proves_a_machine_to_be_alive_is_declared_beside_it_and_marked_in_its_own_row() {
    let bench = bench().await;
    let admin = bench.login(Role::Admin).await;
    let wrong = [("action", "isolation.set"), ("name", MASTER), ("tcp", "5060 x"), ("sip", "pbx")];
    let answer = bench.post("/isolamento", &admin, &wrong).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    for field in ["tcp", "sip"] {
        assert!(answer.body.contains(&format!("id=\"isolation-set-{field}-{MASTER}-error\"")), "{field}");
    }
    let right = [("action", "isolation.set"), ("name", MASTER), ("tcp", "5060, 3306"), ("sip", "192.0.2.1/tcp")];
    assert_eq!(bench.post("/isolamento", &admin, &right).await.status, StatusCode::SEE_OTHER);
    let page = bench.get("/isolamento", &admin).await.body;
    assert!(page.contains("value=\"3306 5060\"") && page.contains("value=\"192.0.2.1:5060/tcp\""), "{page}");
}
