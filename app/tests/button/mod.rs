//! The pages of the button on the days on which it matters: what they say first, what can be pressed, what cannot.
#![allow(clippy::unwrap_used, reason = "test code")]

mod drill;

use app::action::Action;
use app::document;
use app::form::FormState;
use app::model::Page;
use app::routes::PageId;
use contract::last_written::LastWritten;
use contract::role::NodeRole;
use contract::{Denied, FieldError, Lang, Problem, Refused, Role, Rule};

use crate::fixture;
use crate::fixture::button::{Scene, on, run_page};

const PATH: &str = "/attivazione";

fn activation(scene: Scene) -> String {
    document(&on(scene, Lang::It, Role::Operator, PATH), &Page::Activation(Box::default()))
}

fn offers(html: &str, action: Action) -> bool {
    html.contains(&format!("name=\"action\" value=\"{}\"", action.as_str()))
}

/// What is said on top.
fn banners(html: &str) -> &str {
    let rest = html.split_once("id=\"banners\"").map_or("", |(_, rest)| rest);
    rest.split_once('>').map_or("", |(_, rest)| rest).split("</div>").next().unwrap_or_default().trim_end_matches("<!>")
}

#[test]
fn each_day_offers_what_can_be_done_on_it_and_nothing_else() {
    use Action::{Activate, Deactivate, Failback, RunAbort, RunResume, Suspend, Takeover};
    let all = [Activate, Deactivate, Failback, Suspend, Takeover, RunAbort, RunResume];
    for scene in Scene::ALL {
        let offered: &[Action] = match scene {
            Scene::Ready | Scene::Now | Scene::Blocked => &[Activate],
            Scene::Active => &[Deactivate, Failback, Suspend],
            Scene::Suspended => &[Activate, Deactivate],
            Scene::Held | Scene::Fenced | Scene::SetBack => &[Takeover],
            // The DR answers, and what it sends is awaited.
            Scene::Receiving => &[],
            Scene::Activating | Scene::Stuck | Scene::HandingBack | Scene::Serving | Scene::Unverified => &[],
        };
        let html = activation(scene);
        let drawn: Vec<_> = all.into_iter().filter(|action| offers(&html, *action)).collect();
        let wanted: Vec<_> = all.into_iter().filter(|action| offered.contains(action)).collect();
        assert_eq!(drawn, wanted, "{scene:?}");
        let viewer = document(&on(scene, Lang::It, Role::Viewer, PATH), &Page::Activation(Box::default()));
        assert!(all.into_iter().all(|action| !offers(&viewer, action)), "{scene:?} for a viewer");
    }
}

#[test]
fn a_member_that_lacks_what_the_other_one_has_offers_to_say_that_it_has_it_and_nobody_else_does() {
    let mut context = on(Scene::Held, Lang::It, Role::Operator, PATH);
    let gate = |context: &mut app::model::Context, because: &[contract::gate::GateReason]| {
        let live = std::sync::Arc::make_mut(context.live.as_mut().unwrap());
        live.status.gate.as_mut().unwrap().because = because.to_vec();
        offers(&document(context, &Page::Activation(Box::default())), Action::GateSame)
    };
    use contract::gate::GateReason::{LacksContent, NotVerified, Stale};
    assert!(gate(&mut context, &[Stale, NotVerified]));
    assert!(!gate(&mut context, &[NotVerified]));
    assert!(!gate(&mut context, &[LacksContent, NotVerified]), "there is nobody beside it who has the data");
    let mut viewer = on(Scene::Held, Lang::It, Role::Viewer, PATH);
    assert!(!gate(&mut viewer, &[Stale]));
}

#[test]
fn of_a_master_of_two_machines_one_is_chosen_to_take_the_data_in() {
    let alone = activation(Scene::Active);
    assert!(!alone.contains("name=\"member\""), "there is nothing to choose");
    let mut context = on(Scene::Active, Lang::It, Role::Operator, PATH);
    let live = std::sync::Arc::make_mut(context.live.as_mut().unwrap());
    let pair = &mut live.status.pair;
    let machines = &mut pair.peer.as_mut().unwrap().machines;
    machines[0].associated = true;
    machines[0].reachable = false;
    let mut other = machines[0].clone();
    (other.ip, other.name, other.reachable) = ([10, 0, 0, 3].into(), Some("m2".into()), true);
    machines.push(other);
    let html = document(&context, &Page::Activation(Box::default()));
    let select = html.split_once("name=\"member\"").unwrap().1.split("</select>").next().unwrap();
    assert!(select.contains("value=\"10.0.0.3\" selected") && select.contains("m2 (10.0.0.3): risponde"), "{select}");
    assert!(select.contains("non risponde"), "{select}");
}

#[test]
fn the_wrong_console_says_so_in_its_title_in_its_heading_and_in_colour() {
    for scene in Scene::ALL {
        let html = activation(scene);
        let wrong = scene.side() == NodeRole::Master;
        assert_eq!(html.contains("<title>Attivazione: questa NON è la macchina DR · master1 · "), wrong, "{scene:?}");
        assert_eq!(html.contains("<h1>Attivazione: questa NON è la macchina DR</h1>"), wrong, "{scene:?}");
        assert_eq!(html.contains("class=\"console-band wrong\""), wrong, "{scene:?}");
        assert_eq!(html.contains("class=\"console-band right\""), !wrong, "{scene:?}");
    }
}

#[test]
fn a_master_that_receives_shows_how_far_it_is_and_what_is_wrong() {
    let html = activation(Scene::Receiving);
    for said in ["IN RICEZIONE: master1 riceve i dati da", "cdr: avanzamento", "value=\"0.5\"", "disk_full"] {
        assert!(html.contains(said), "{said}: {html}");
    }
}

#[test]
fn the_form_is_open_only_when_nothing_stands_in_the_way() {
    for (scene, folded) in [(Scene::Now, false), (Scene::Ready, true), (Scene::Blocked, true)] {
        let html = activation(scene);
        assert_eq!(html.contains("<details class=\"fold card\"><summary>Attivare comunque"), folded, "{scene:?}");
    }
    let html = activation(Scene::Blocked);
    for rule in ["service.none", "data.none"] {
        assert!(html.contains(&format!("data-rule=\"{rule}\"")), "{rule} is named");
    }
    assert!(html.contains("Dichiarare i servizi da avviare nella pagina Servizi."), "with its remedy");
    assert!(html.contains("name=\"override:data.none@cdr\""), "what may be passed can be passed, with a reason");
}

#[test]
fn on_the_day_the_sentence_comes_first_and_the_form_asks_for_all_the_door_will_ask() {
    let html = activation(Scene::Now);
    let places = [
        "Il DR può essere attivato adesso",
        "name=\"reason\"",
        "name=\"attest:10.0.0.2\"",
        "name=\"accept_data_loss\"",
        "name=\"confirm_name\"",
        "name=\"password\"",
        "ATTIVA IL DR</button>",
        "Che cosa accade ai telefoni",
        "Che cosa accadrà, in ordine",
    ];
    let found: Vec<_> = places.iter().map(|text| html.find(text).unwrap_or_else(|| panic!("{text}"))).collect();
    assert!(found.is_sorted(), "{found:?}");
    assert!(html.contains("spenta, non sospesa, e che ripartirà solo attraverso il suo consenso"));
    assert!(html.contains("nessuna copia completa: si perde tutto"), "the loss is listed beside the consent");
    assert!(html.contains("12 s), in arrivo 2,5 kB"), "{html}");
    assert!(!html.contains("data-rule=\"isolation.unattested\""), "what the form asks for is no obstacle");
}

#[test]
fn whoever_answers_may_be_passed_although_it_does_not_stop_and_whoever_is_silent_needs_no_such_word() {
    let tick = "name=\"override_tick:peer.not_yielding@10.0.0.2\"";
    let reason = "name=\"override:peer.not_yielding@10.0.0.2\"";
    let html = activation(Scene::Ready);
    assert!(html.contains(tick) && html.contains(reason), "{html}");
    assert!(
        !html.contains("<details open class=\"fold\"><summary>Se l'altra macchina non si ferma"),
        "nobody meets it"
    );
    assert!(!activation(Scene::Now).contains(tick));
    let mut cx = on(Scene::Now, Lang::It, Role::Operator, PATH);
    let typed = [("override_tick:peer.not_yielding@10.0.0.2", "yes"), ("override:peer.not_yielding@10.0.0.2", "")];
    let typed = typed.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let missing = FieldError::new("override:peer.not_yielding@10.0.0.2", Problem::Required);
    cx.form = FormState::denied(Some(Action::Activate), typed, Denied::Invalid(vec![missing]));
    let html = document(&cx, &Page::Activation(Box::default()));
    assert!(
        html.contains(tick) && html.contains("id=\"activate-override:peer.not_yielding@10.0.0.2-error\""),
        "{html}"
    );
}

#[test]
fn a_refused_press_comes_back_with_everything_but_the_password() {
    let mut cx = on(Scene::Ready, Lang::It, Role::Operator, PATH);
    let typed = [
        ("reason", "Incendio"),
        ("attest:10.0.0.3", "Anna, dal vivo"),
        ("accept_data_loss", "yes"),
        ("confirm_name", "master1"),
        ("password", "s3cret-s3cret"),
        ("override:disk.full@/data", "non importa"),
    ];
    let typed = typed.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let denied = [
        Refused::new(Rule::ConfirmName, "dr1", ""),
        Refused::new(Rule::IsolationUnattested, "10.0.0.2", ""),
        Refused::new(Rule::DiskFull, "/data", "1 MB"),
    ];
    cx.form = FormState::denied(Some(Action::Activate), typed, Denied::Refused(denied.to_vec()));
    let html = document(&cx, &Page::Activation(Box::default()));
    assert!(!html.contains("s3cret"));
    for kept in ["value=\"Incendio\"", "value=\"Anna, dal vivo\"", "value=\"master1\"", "value=\"non importa\""] {
        assert!(html.contains(kept), "{kept}");
    }
    assert!(html.contains("id=\"activate-confirm_name-error\""), "the name's guard stands beside the name");
    assert!(html.contains("id=\"activate-attest:10.0.0.2-error\""), "a machine that the refusal names gets its field");
    assert!(html.contains("id=\"activate-override:disk.full@/data-error\""), "and so does a guard that can be passed");
    assert!(html.contains("checked"), "the consent stays ticked");
    assert!(html.contains("<details open class=\"fold card\">"), "the form that came back is open");
    let wrong = vec![FieldError::new("password", Problem::WrongPassword)];
    cx.form = FormState::denied(Some(Action::Activate), [], Denied::Invalid(wrong));
    assert!(document(&cx, &Page::Activation(Box::default())).contains("id=\"activate-password-error\""));
}

#[test]
fn the_header_of_every_page_says_who_serves() {
    for (scene, class, words) in [
        (Scene::Active, "active", ["DR ATTIVO", "nessuna ridondanza"]),
        (Scene::Fenced, "active", ["ESCLUSO – il DR è attivo", "servizi fermi"]),
        (Scene::Suspended, "bad", ["DR ATTIVO", "sospeso: nessuno serve"]),
        (Scene::Stuck, "bad", ["Attivazione in corso", "operazione bloccata"]),
        (Scene::SetBack, "bad", ["In attesa di conferma", "mandato da verificare"]),
        (Scene::Unverified, "warn", ["In servizio, non verificato", "non ha confermato"]),
    ] {
        let html =
            document(&on(scene, Lang::It, Role::Viewer, "/utenti"), &fixture::model(PageId::Users, scene.side()));
        let header = html.split("</header>").next().unwrap();
        assert!(header.contains(&format!("class=\"headline {class}\"")), "{scene:?}");
        for word in words {
            assert!(header.contains(word), "{scene:?}: {word}");
        }
    }
}

#[test]
fn a_day_that_is_not_ordinary_is_told_on_every_page_and_once_on_the_buttons_own() {
    for (scene, words) in [
        (Scene::Active, "DR ATTIVO: il servizio è su dr1."),
        (Scene::Fenced, "master1 è esclusa dal servizio: il DR dr1 è attivo."),
        (Scene::Held, "riprende il servizio da sola fra 42 s."),
        (Scene::Stuck, "Attivazione del DR: bloccata: serve un operatore"),
        (Scene::Unverified, "master1 serve senza la conferma di dr1."),
    ] {
        let html =
            document(&on(scene, Lang::It, Role::Viewer, "/utenti"), &fixture::model(PageId::Users, scene.side()));
        assert!(banners(&html).contains(words), "{scene:?}: {}", banners(&html));
        assert_eq!(banners(&activation(scene)), "", "{scene:?}");
    }
    let found = "riportata a una copia precedente";
    assert!(banners(&activation(Scene::SetBack)).contains(found), "what speaks against the mandate is on all");
    let quiet = document(
        &on(Scene::Serving, Lang::It, Role::Viewer, "/utenti"),
        &fixture::model(PageId::Users, NodeRole::Master),
    );
    assert_eq!(banners(&quiet), "");
}

#[test]
fn steps_that_were_never_undone_are_told_where_they_matter_with_the_button_that_undoes_them() {
    for (path, page) in
        [(PATH, Page::Activation(Box::default())), ("/procedura", fixture::model(PageId::Procedure, NodeRole::Client))]
    {
        let mut cx = on(Scene::Ready, Lang::It, Role::Operator, path);
        assert!(!offers(&document(&cx, &page), Action::StepsUndo), "nothing is left");
        let mut live = contract::live::Live::clone(cx.live.as_ref().unwrap());
        live.status.steps_left = vec!["carrier".into(), "dns".into()];
        cx.live = Some(live.into());
        let html = document(&cx, &page);
        assert!(offers(&html, Action::StepsUndo) && html.contains("<strong>carrier</strong>"), "{html}");
        assert!(html.contains("ANNULLA ORA") && html.contains("in ordine inverso"), "{html}");
        let typed = [("reason".to_owned(), String::new())];
        let missing = FieldError::new("reason", Problem::Required);
        cx.form = FormState::denied(Some(Action::StepsUndo), typed, Denied::Invalid(vec![missing]));
        assert!(document(&cx, &page).contains("id=\"steps-undo-reason-error\""));
    }
}

#[test]
fn what_the_master_wrote_last_stands_on_both_panels_with_what_it_means() {
    for (scene, verdict) in [(Scene::Active, LastWritten::Tail), (Scene::Fenced, LastWritten::SplitBrain)] {
        let mut cx = on(scene, Lang::It, Role::Viewer, PATH);
        assert!(!activation(scene).contains("data-verdict"), "nothing is known");
        let mut live = contract::live::Live::clone(cx.live.as_ref().unwrap());
        live.status.datasets[0].last_written = Some(verdict);
        cx.live = Some(live.into());
        let html = document(&cx, &Page::Activation(Box::default()));
        assert!(html.contains(&format!("data-verdict=\"{}\"", verdict.as_str())), "{html}");
        assert!(html.contains(verdict.label(Lang::It)) && html.contains("messo da parte sul Master"), "{html}");
    }
}

#[test]
fn a_run_shows_where_it_stands_and_what_to_do_where_it_is_stuck() {
    let draw = |scene, page: &Page| document(&on(scene, Lang::It, Role::Operator, "/operazioni?id=run-1"), page);
    let running = draw(Scene::Activating, &run_page("activation", "running", Some("start:pbx")));
    assert!(running.contains("Passo 5 di 6: Avviare il servizio pbx"));
    assert!(!offers(&running, Action::RunResume) && offers(&running, Action::RunAbort));
    let stuck = draw(Scene::Stuck, &run_page("activation", "stuck", Some("evidence")));
    assert!(stuck.contains("Verificare l'isolamento dell'altra sede. Ripetere la dichiarazione."));
    assert!(offers(&stuck, Action::RunResume) && stuck.contains("name=\"attest:10.0.0.2\""));
    assert!(stuck.contains("tentativo 2"));
    let Page::Run(mut waits) = run_page("activation", "stuck", Some("freeze")) else { panic!("a run") };
    waits.at_gate = true;
    let waits = draw(Scene::Stuck, &Page::Run(waits));
    assert!(!offers(&waits, Action::RunResume), "to resume moves nothing that waits at its gate");
    let done = draw(Scene::Active, &run_page("activation", "done", None));
    for fact in
        ["41 s", "Incendio in sala macchine", "mario (10.0.0.9)", "Dati persi (RPO misurato)", "22/11/2026 14:42:00"]
    {
        assert!(done.contains(fact), "{fact}");
    }
    assert!(!offers(&done, Action::RunAbort) && !offers(&done, Action::RunResume));
    let back = draw(Scene::HandingBack, &run_page("deactivation", "running", Some("ledger")));
    assert!(back.contains("+ voicemail/1.wav") && back.contains("12 aggiunti"));
    let viewer =
        document(&on(Scene::Stuck, Lang::It, Role::Viewer, "/"), &run_page("activation", "stuck", Some("evidence")));
    assert!(!offers(&viewer, Action::RunResume) && !offers(&viewer, Action::RunAbort));
}

#[test]
fn a_silent_trunk_is_loud_and_the_phones_are_counted_while_they_come() {
    let run = document(
        &on(Scene::Active, Lang::It, Role::Operator, "/operazioni?id=run-1"),
        &run_page("activation", "done", None),
    );
    for html in [activation(Scene::Active), run] {
        assert!(html.contains("role=\"alert\" class=\"banner bad\""), "{html}");
        for words in ["192.0.2.9:5060/tcp", "12 di 1.200 attesi", "Primo telefono registrato", "&lt;carrier&gt;"] {
            assert!(html.contains(words), "{words}: {html}");
        }
    }
}

#[test]
fn every_scene_speaks_one_language() {
    for scene in Scene::ALL {
        let html = document(&on(scene, Lang::En, Role::Admin, PATH), &Page::Activation(Box::default()));
        for word in [" della ", " nella ", " sono ", "Annulla", " più ", "Attiva", "Motivo"] {
            assert!(!html.contains(word), "{scene:?}: {word}");
        }
    }
}

#[test]
fn the_gates_question_shows_the_present_answer() {
    let html = document(
        &on(Scene::Serving, Lang::It, Role::Admin, "/disaster-recovery"),
        &fixture::model(PageId::Pairing, NodeRole::Master),
    );
    assert!(html.contains("che cosa deve fare?"));
    assert!(html.contains("value=\"unverified\" checked"), "{}", html.split("gate-form").nth(1).unwrap());
    let before = document(
        &on(Scene::Serving, Lang::It, Role::Admin, "/disaster-recovery"),
        &fixture::unpaired(NodeRole::Master),
    );
    assert!(!offers(&before, Action::GateSet), "there is no gate before there is a pair");
}

/// The page of a run that waits for another person than this one, as the fixture's reader sees it.
fn waiting(asked_by: &str, role: Role, lang: Lang) -> String {
    let mut run = fixture::button::run("activation", "running", Some("close_inbound"));
    run["steps"][0]["id"] = "approval".into();
    run["step"] = "approval".into();
    run["approval"] = serde_json::json!({
        "state": "waiting", "until": "2026-11-22T14:56:07Z", "by": null, "reason": null, "at": null,
        "asked_by": {"kind": "user", "name": asked_by, "login_uid": null, "account": null},
    });
    let cx = on(Scene::Ready, lang, role, "/operazioni?id=run-1");
    document(&cx, &Page::Run(Box::new(serde_json::from_value(run).unwrap())))
}

#[test]
fn a_run_that_waits_has_one_primary_button_for_the_other_person_and_none_for_who_asked() {
    use Action::{RunAbort, RunApprove, RunBypass, RunDecline};
    let all = [RunApprove, RunDecline, RunBypass, RunAbort];
    for (asked_by, role, offered) in [
        ("anna", Role::Operator, &[RunApprove, RunDecline][..]),
        ("admin", Role::Operator, &[RunBypass, RunAbort]),
        ("anna", Role::Viewer, &[]),
    ] {
        let html = waiting(asked_by, role, Lang::It);
        let drawn: Vec<_> = all.into_iter().filter(|action| offers(&html, *action)).collect();
        assert_eq!(drawn, offered, "{asked_by} {role}");
        let primary = html.matches("class=\"button primary").count();
        assert_eq!(primary, usize::from(offered.contains(&RunApprove)), "{asked_by} {role}");
    }
    assert!(waiting("anna", Role::Operator, Lang::It).contains("Chiesta da anna"));
    for word in [" della ", "Chiesta", "approvazione", "Motivo"] {
        assert!(!waiting("anna", Role::Operator, Lang::En).contains(word), "{word}");
        assert!(!waiting("admin", Role::Operator, Lang::En).contains(word), "{word}");
    }
}

#[test]
fn the_way_around_the_second_person_is_drawn_only_where_one_is_wanted() {
    for scene in [Scene::Now, Scene::Active] {
        assert!(!activation(scene).contains("break_glass"), "{scene:?}");
        let mut live = scene.live();
        live.status.approval.activation = contract::sync::Switch::On;
        let cx = on(scene, Lang::It, Role::Operator, PATH);
        let html = document(
            &app::model::Context { live: Some(std::sync::Arc::new(live)), ..cx },
            &Page::Activation(Box::default()),
        );
        let fields = html.matches("name=\"break_glass\"").count();
        assert_eq!(fields, if scene == Scene::Active { 2 } else { 1 }, "a suspension waits for nobody: {scene:?}");
    }
}
