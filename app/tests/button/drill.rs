//! The drill on the page of the button.

use app::action::Action;
use app::document;
use app::model::{ActivationPage, Page};
use contract::run::{RunBrief, RunEntry, RunKind, RunState};
use contract::{Lang, Role};

use super::{PATH, offers};
use crate::fixture::button::{Scene, on};

#[test]
fn a_drill_is_offered_where_the_dr_stands_by_and_tells_of_the_last_one() {
    let cx = on(Scene::Ready, Lang::It, Role::Operator, PATH);
    let never = document(&cx, &Page::Activation(Box::default()));
    assert!(offers(&never, Action::Drill) && never.contains("Non è mai stata fatta"), "{never}");
    let brief = RunBrief { id: "drill-1".into(), kind: RunKind::Drill, state: RunState::Done, step: None };
    let at = contract::Timestamp::UNIX_EPOCH;
    let entry = |state| RunEntry {
        brief: RunBrief { state, ..brief.clone() },
        started_by: "carla (cli)".into(),
        reason: "prova mensile".into(),
        started_at: at,
        ended_at: Some(at),
    };
    for (state, words) in [(RunState::Done, "riuscita"), (RunState::Aborted, "interrotta prima della fine")] {
        let model = ActivationPage { drill: Some(entry(state)), ..Default::default() };
        let html = document(&cx, &Page::Activation(Box::new(model)));
        assert!(html.contains(words) && html.contains("/operazioni?id=drill-1"), "{html}");
    }
    let mut open = cx.clone();
    let mut live = contract::live::Live::clone(cx.live.as_ref().unwrap());
    live.status.run = Some(RunBrief { state: RunState::Stuck, ..brief });
    open.live = Some(live.into());
    let html = document(&open, &Page::Activation(Box::default()));
    assert!(offers(&html, Action::Activate) && html.contains("LA PROVA HA TROVATO UN PROBLEMA"), "{html}");
    assert!(!offers(&html, Action::Drill), "one is enough");
    let viewer = on(Scene::Ready, Lang::It, Role::Viewer, PATH);
    assert!(!offers(&document(&viewer, &Page::Activation(Box::default())), Action::Drill));
    let serving = on(Scene::Active, Lang::It, Role::Operator, PATH);
    assert!(!offers(&document(&serving, &Page::Activation(Box::default())), Action::Drill));
}
