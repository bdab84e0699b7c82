//! The pages *Monitor di sistema* and *Allarmi*, against alarms that a running node raised by itself.

use std::time::Duration;

use axum::http::StatusCode;
use contract::alarm::AlarmInfo;
use contract::{Actor, Command, NodeRole, Role, query};

use super::Bench;

impl Bench {
    /// Runs the node with limits that no disk can keep, until it says so.
    async fn alarmed() -> (Self, AlarmInfo) {
        let bench = Self::new(NodeRole::Client).await;
        bench.node.run().await.unwrap();
        for (name, value) in [("probe.interval_ms", "100"), ("disk.min_free_percent", "90")] {
            let set = Command::ThresholdSet { name: name.into(), value: value.into() };
            bench.node.tell(&Actor::root(None), set).await.unwrap();
        }
        let alarm = bench.until_alarm(false).await;
        (bench, alarm)
    }

    /// The first alarm, once it is open or has ended.
    async fn until_alarm(&self, ended: bool) -> AlarmInfo {
        let looking = async {
            loop {
                let report = self.node.ask(&Actor::root(None), query::Alarms { all: true }).await.unwrap();
                match report.alarms.into_iter().next() {
                    Some(alarm) if alarm.cleared_at.is_some() == ended => return alarm,
                    _ => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), looking).await.unwrap()
    }
}

#[tokio::test]
async fn an_alarm_is_shown_acknowledged_with_a_note_and_looked_for_again() {
    let (bench, alarm) = Bench::alarmed().await;
    let operator = bench.login(Role::Operator).await;
    let page = bench.get("/allarmi", &operator).await;
    assert_eq!(page.status, StatusCode::OK);
    for said in ["dr.disk.low", "priority p4", "Che cosa fare:", "Nessun destinatario", "Prendi in carico"] {
        assert!(page.body.contains(said), "{said}: {}", page.body);
    }
    let filtered = "/allarmi?state=all&code=disk";
    let note = [("action", "alarm.ack"), ("id", alarm.id.as_str()), ("note", " Visto, libero spazio ")];
    let answer = bench.post(filtered, &operator, &note).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, filtered), "the filter is not lost");
    let page = bench.get(filtered, &operator).await;
    assert!(page.body.contains("Allarme preso in carico."), "said once");
    assert!(page.body.contains("Preso in carico da the-operator") && page.body.contains("Visto, libero spazio"));
    assert!(!page.body.contains("value=\"alarm.ack\""), "and not asked again");

    let back = Command::ThresholdSet { name: "disk.min_free_percent".into(), value: "0".into() };
    bench.node.tell(&Actor::root(None), back).await.unwrap();
    bench.until_alarm(true).await;
    let shown = async |path: &str| bench.get(path, &operator).await.body.contains("id=\"alarm-");
    for (path, expected) in [
        ("/allarmi", false),
        ("/allarmi?state=all", true),
        ("/allarmi?state=all&priority=4&code=DISK&text=visto", true),
        ("/allarmi?state=all&priority=5", false),
        ("/allarmi?state=all&priority=9&page=77", true),
        ("/allarmi?state=all&text=%00%27%22%3Cscript%3E", false),
    ] {
        assert_eq!(shown(path).await, expected, "{path}");
    }
    bench.node.shut_down().await;
}

#[tokio::test]
async fn a_note_that_cannot_be_taken_comes_back_beside_its_alarm() {
    let (bench, alarm) = Bench::alarmed().await;
    let operator = bench.login(Role::Operator).await;
    let long = "x".repeat(1001);
    let note = [("action", "alarm.ack"), ("id", alarm.id.as_str()), ("note", long.as_str())];
    let answer = bench.post("/allarmi?code=disk", &operator, &note).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains(&long) && answer.body.contains(&format!("alarm-ack-note-{}-error", alarm.id)));
    assert!(answer.body.contains("<details open class=\"inline-form\""), "the form is open");
    assert!(answer.body.contains("value=\"disk\""), "and the filter is still there");
    let unknown = bench.post("/allarmi", &operator, &[("action", "alarm.ack"), ("id", "nonsense")]).await;
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(unknown.body.contains("role=\"alert\""), "{}", unknown.body);
    bench.node.shut_down().await;
}

#[tokio::test]
async fn every_page_says_how_many_alarms_are_open_and_in_which_colour() {
    let (bench, _) = Bench::alarmed().await;
    let viewer = bench.login(Role::Viewer).await;
    for path in ["/", "/monitor", "/utenti"] {
        let page = bench.get(path, &viewer).await;
        assert!(page.body.contains("href=\"/allarmi\" class=\"bell priority p4\""), "{path}: {}", page.body);
    }
    let monitor = bench.get("/monitor", &viewer).await.body;
    for said in ["Ultimi Allarmi di Sistema", "machine1", "Nessun servizio dichiarato.", "class=\"active\""] {
        assert!(monitor.contains(said), "{said}");
    }
    assert!(!bench.get("/allarmi", &viewer).await.body.contains("value=\"alarm.ack\""), "a viewer only looks");
    bench.node.shut_down().await;
}
