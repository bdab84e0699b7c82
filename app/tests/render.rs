//! Every page of the table is drawn with a representative model, in both languages and on both sides, and looked at.
#![cfg(feature = "ssr")]

mod button;
mod fixture;

use app::action::Action;
use app::document;
use app::form::FormState;
use app::model::{Page, ProblemKind, SmsDraft};
use app::routes::{self, PageId, ROUTES};
use contract::power::PowerWay;
use contract::role::NodeRole;
use contract::{Denied, FieldError, Lang, Problem, Role, Rule};
use fixture::{context, model};

const SIDES: [NodeRole; 2] = [NodeRole::Master, NodeRole::Client];
const LANGS: [Lang; 2] = [Lang::It, Lang::En];

/// Every page that exists, drawn for an administrator.
fn every_page(check: impl Fn(&str, &routes::Route, NodeRole, Lang)) {
    for side in SIDES {
        for lang in LANGS {
            for route in ROUTES.iter().filter(|route| route.exists_on(side)) {
                let cx = context(side, lang, Role::Admin, route.path);
                check(&document(&cx, &model(route.id, side)), route, side, lang);
            }
        }
    }
}

#[test]
fn every_page_has_its_title_its_language_and_one_heading() {
    every_page(|html, route, side, lang| {
        let at = format!("{} on {side} in {}", route.path, lang.tag());
        assert!(html.starts_with("<!DOCTYPE html><html lang=\""), "{at}");
        assert!(html.contains(&format!("<html lang=\"{}\"", lang.tag())), "{at}");
        // The Activation page of the Master goes on: that this is the wrong machine.
        let wrong = route.id == PageId::Activation && side == NodeRole::Master;
        assert!(html.contains(&format!("<title>{}{}", route.label(lang), if wrong { ": " } else { " · " })), "{at}");
        assert_eq!(html.matches("<h1").count(), 1, "{at}");
        assert!(html.ends_with("</html>"), "{at}");
    });
}

#[test]
fn no_page_has_inline_style_handlers_or_a_script_without_nonce() {
    every_page(|html, route, _, _| {
        let path = route.path;
        assert!(!html.contains("<style"), "{path}");
        assert!(!html.contains(" style="), "{path}");
        for handler in ["onclick", "onsubmit", "onload", "oninput", "onchange"] {
            assert!(!html.contains(&format!(" {handler}=")), "{path}: {handler}");
        }
        let scripts = html.matches("<script").count();
        assert_eq!(html.matches("<script type=\"module\" nonce=\"n0nce\"").count(), scripts, "{path}");
        assert!(!html.contains("http-equiv"), "{path}: a refresh by meta breaks WCAG 2.2.1");
    });
}

#[test]
fn ids_are_unique_and_every_description_exists() {
    every_page(|html, route, side, _| {
        let mut ids: Vec<&str> = attributes(html, " id=\"").collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "{} on {side}: an id stands twice", route.path);
        for reference in ["aria-describedby", "aria-labelledby", "for", "form", "popovertarget"] {
            for named in attributes(html, &format!(" {reference}=\"")).flat_map(str::split_whitespace) {
                // Drawn by an island from its props: the two ids of a chip's own message.
                assert!(ids.contains(&named), "{} on {side}: {reference} names {named}", route.path);
            }
        }
    });
}

fn attributes<'a>(html: &'a str, start: &str) -> impl Iterator<Item = &'a str> {
    html.split(start).skip(1).filter_map(|rest| rest.split('"').next()).collect::<Vec<_>>().into_iter()
}

#[test]
fn the_two_languages_share_no_title_but_the_products_own_names() {
    for route in ROUTES {
        let same = route.it == route.en;
        let own = [PageId::Pairing, PageId::Sms, PageId::Smtp].contains(&route.id);
        assert_eq!(same, own, "{}", route.path);
    }
    for action in Action::ALL {
        assert_ne!(action.done(Lang::It), action.done(Lang::En), "{action:?}");
        assert_eq!(Action::from_name(action.as_str()), Some(*action));
    }
}

#[test]
fn an_english_page_speaks_no_italian() {
    every_page(|html, route, side, lang| {
        if lang == Lang::En {
            for word in [" della ", " nella ", " delle ", " sono ", "Annulla", "Salva<", "Nome<", " più "] {
                assert!(!html.contains(word), "{} on {side}: {word}", route.path);
            }
        }
    });
}

#[test]
fn the_menu_shows_this_sides_pages_and_marks_the_present_one() {
    for side in SIDES {
        let cx = context(side, Lang::It, Role::Viewer, "/licenza");
        let html = document(&cx, &model(PageId::Licence, side));
        for route in ROUTES {
            let link = format!("<a href=\"{}\"", route.path);
            let menu = html.split("</nav>").next().unwrap();
            let menu = menu.split("<nav").nth(1).unwrap();
            assert_eq!(menu.contains(&link), route.place(side).is_some(), "{} on {side}", route.path);
        }
        assert!(html.contains("<a href=\"/licenza\" aria-current=\"page\""));
    }
}

#[test]
fn a_button_that_the_role_does_not_allow_is_not_drawn() {
    for side in SIDES {
        for role in Role::ALL {
            for route in ROUTES.iter().filter(|route| route.exists_on(side) && route.role.is_some()) {
                let html = document(&context(side, Lang::It, role, route.path), &model(route.id, side));
                for action in Action::ALL.iter().filter(|action| action.role() > role) {
                    let field = format!("name=\"action\" value=\"{}\"", action.as_str());
                    let drawn = html.contains(&field);
                    // A viewer sees the settings' values in a form without a button.
                    let shown = *action == Action::PeerSet && !html.contains("form=\"peer-form\"");
                    assert!(!drawn || shown, "{} for {role}: {action:?}", route.path);
                }
            }
        }
    }
}

#[test]
fn a_refused_form_comes_back_with_what_was_typed_and_the_sentence_beside_the_field() {
    for lang in LANGS {
        let mut cx = context(NodeRole::Client, lang, Role::Admin, "/disaster-recovery");
        let typed = [("address", "10.0.0.256"), ("email", "a@b.it, nope"), ("sms", "3471234567")];
        let typed = typed.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let errors = vec![FieldError::new("address", Problem::NotAnIp), FieldError::new("email", Problem::NotAnEmail)];
        cx.form = FormState::denied(Some(Action::PeerSet), typed, Denied::Invalid(errors));
        let html = document(&cx, &model(PageId::Pairing, NodeRole::Client));
        assert!(html.contains("value=\"10.0.0.256\""));
        assert!(html.contains("value=\"a@b.it, nope\""));
        assert!(html.contains("aria-describedby=\"peer-set-address-help peer-set-address-error\""));
        assert!(html.contains("aria-invalid=\"true\""));
        assert!(
            html.contains(&format!(
                "id=\"peer-set-address-error\" class=\"field-error\">{}",
                Problem::NotAnIp.text(lang)
            ))
        );
    }
}

#[test]
fn a_refusal_shows_its_sentence_and_its_remedy() {
    let mut cx = context(NodeRole::Client, Lang::En, Role::Admin, "/disaster-recovery");
    let typed = [("token".to_owned(), "s3cr3t-t0ken".to_owned())];
    cx.form = FormState::denied(Some(Action::PeerJoin), typed, Denied::rule(Rule::TokenExpired, "token", ""));
    let html = document(&cx, &fixture::unpaired(NodeRole::Client));
    assert!(html.contains("The join token has expired."));
    assert!(html.contains("Make a new one on the Master"));
    assert!(html.contains("id=\"peer-join-token-error\""), "and stands beside the field it is about");
    assert!(!html.contains("s3cr3t-t0ken"), "a secret is never sent back");
}

#[test]
fn what_a_stranger_typed_is_text_and_nothing_else() {
    let mut cx = context(NodeRole::Client, Lang::It, Role::Admin, "/disaster-recovery");
    let evil = "\"><script>alert(1)</script>";
    let typed = [("address".to_owned(), evil.to_owned()), ("email".to_owned(), evil.to_owned())];
    cx.form = FormState::denied(Some(Action::PeerSet), typed, Denied::field("address", Problem::NotAnIp));
    cx.path = format!("/disaster-recovery?x={evil}");
    let html = document(&cx, &model(PageId::Pairing, NodeRole::Client));
    assert!(!html.contains("<script>alert"));
}

#[test]
fn no_field_of_any_form_lets_markup_through() {
    let evil = "</textarea></title><script>alert(1)</script>&lt;\"'";
    for side in SIDES {
        for action in Action::ALL {
            let names = "name note id role text address email sms kind class source target excludes owners language server port \
                         security from user ca drawn_port drawn_security to url method headers body success_status \
                         success_body peer.bad lag.soft_s unit start stop check timeout order";
            let typed = names.split_whitespace().map(|name| (name.to_owned(), evil.to_owned()));
            for route in ROUTES.iter().filter(|route| route.exists_on(side)) {
                let mut cx = context(side, Lang::It, Role::Admin, route.path);
                cx.form = FormState::denied(Some(*action), typed.clone(), Denied::field("name", Problem::NotAName));
                let html = document(&cx, &model(route.id, side));
                assert!(!html.contains("<script>alert"), "{action:?} on {}", route.path);
                // Written once too often it would not come back as it was typed.
                assert!(!html.contains("&amp;amp;lt;"), "{action:?} on {}", route.path);
            }
        }
    }
}

#[test]
fn a_service_that_is_not_as_it_should_be_says_why_and_can_be_changed_where_it_stands() {
    let cx = context(NodeRole::Master, Lang::It, Role::Admin, "/servizi?edit=pbx");
    let html = document(&cx, &model(PageId::Services, NodeRole::Master));
    for told in ["Sconosciuto", "deve essere attivo, controllato alle 14:41:07", "start: exit 1: no space"] {
        assert!(html.contains(told), "{told}");
    }
    // The declaration of `pbx` stands in the form, and its name cannot be typed over.
    assert!(html.contains("Modifica il servizio pbx"));
    assert!(html.contains(">pbx start</textarea>"), "{html}");
    let name = html.split("id=\"service-add-name\"").nth(1).and_then(|rest| rest.split('>').next()).unwrap();
    assert!(name.contains("value=\"pbx\"") && name.contains("readonly"), "{name}");
}

#[test]
fn a_stored_secret_is_told_of_and_never_shown() {
    for lang in LANGS {
        let smtp =
            document(&context(NodeRole::Client, lang, Role::Admin, "/smtp"), &model(PageId::Smtp, NodeRole::Client));
        assert!(smtp.contains(lang.pick("Una password è salvata", "A password is stored")));
        assert!(smtp.contains("type=\"password\"") && !smtp.contains("type=\"password\" value"));
        let cx = context(NodeRole::Client, lang, Role::Admin, "/sms");
        let old = document(&cx, &fixture::sms(Some(SmsDraft::Old("gateway".into()))));
        assert!(old.contains(lang.pick("Un segreto è salvato", "A secret is stored")));
        let new = document(&cx, &fixture::sms(Some(SmsDraft::New)));
        assert!(!new.contains(lang.pick("Un segreto è salvato", "A secret is stored")));
        let cx = context(NodeRole::Client, lang, Role::Admin, "/isolamento");
        let ipmi = document(&cx, &fixture::isolation(Some(("10.0.0.2", PowerWay::Ipmi))));
        assert!(ipmi.contains(lang.pick("Una password è salvata", "A password is stored")));
        assert!(!ipmi.contains("type=\"password\" value"));
    }
}

#[test]
fn an_account_is_edited_under_its_name_and_a_new_one_comes_back_as_a_new_one() {
    let mut cx = context(NodeRole::Client, Lang::It, Role::Admin, "/sms?account=gateway");
    let old = document(&cx, &fixture::sms(Some(SmsDraft::Old("gateway".into()))));
    assert!(old.contains("readonly") && !old.contains("name=\"fresh\""));
    assert!(old.contains("Authorization: Bearer {secret}"), "{old}");
    let typed = [("name", "gateway"), ("fresh", "1"), ("url", "http://mine/{text}"), ("secret", "s3cr3t")];
    let typed = typed.map(|(name, value)| (name.to_owned(), value.to_owned()));
    cx.form = FormState::denied(Some(Action::SmsAccountAdd), typed, Denied::field("name", Problem::Taken));
    let back = document(&cx, &fixture::sms(None));
    assert!(back.contains("name=\"fresh\"") && back.contains("http://mine/{text}"), "{back}");
    assert!(back.contains("Già in uso") && !back.contains("readonly") && !back.contains("s3cr3t"));
}

#[test]
fn the_servers_words_are_the_answer_to_a_test() {
    for (action, page) in [(Action::SmtpTest, PageId::Smtp), (Action::SmsTest, PageId::Sms)] {
        let mut cx = context(NodeRole::Master, Lang::It, Role::Admin, routes::of(page).path);
        cx.notice = Some(action);
        cx.answer = Some("250 2.0.0 <queued> as 17".into());
        let taken = document(&cx, &model(page, NodeRole::Master));
        assert!(
            taken.contains("250 2.0.0 &lt;queued&gt; as 17") && taken.contains("badge good\">Accettato"),
            "{taken}"
        );
        (cx.notice, cx.answer) = (None, None);
        cx.form = FormState::denied(Some(action), [], Denied::failed("send a test", "550 no such user"));
        let refused = document(&cx, &model(page, NodeRole::Master));
        assert_eq!(refused.matches("550 no such user").count(), 1);
        assert!(refused.contains("Non accettato") && !refused.contains("send a test"), "no English on an Italian page");
    }
}

#[test]
fn the_page_of_a_way_asks_for_what_that_way_needs_and_shows_what_is_saved_for_it() {
    let cx = context(NodeRole::Client, Lang::It, Role::Admin, "/isolamento");
    let fields = |html: &str| -> Vec<String> {
        let names = html.split("id=\"power-set-").skip(1).filter_map(|rest| rest.split('"').next());
        names.filter(|id| !id.ends_with("-help")).map(str::to_owned).collect()
    };
    let ipmi = document(&cx, &fixture::isolation(Some(("10.0.0.2", PowerWay::Ipmi))));
    assert_eq!(fields(&ipmi), ["host", "port", "user", "password", "soft"]);
    assert!(ipmi.contains("value=\"10.0.9.2\"") && ipmi.contains("value=\"30\""), "{ipmi}");
    let redfish = document(&cx, &fixture::isolation(Some(("10.0.0.2", PowerWay::Redfish))));
    assert_eq!(fields(&redfish), ["url", "user", "system", "fingerprint", "ca", "password", "soft"]);
    let command = document(&cx, &fixture::isolation(Some(("10.0.0.2", PowerWay::Command))));
    assert_eq!(fields(&command), ["status", "off", "shutdown", "on", "password", "soft"]);
    assert!(!command.contains("10.0.9.2"), "what is saved for another way is not its own");
}

#[test]
fn a_reading_of_the_power_is_told_in_plain_words_of_the_readers_language() {
    for lang in LANGS {
        let html = document(&context(NodeRole::Client, lang, Role::Operator, "/isolamento"), &fixture::isolation(None));
        assert!(html.contains(lang.pick("la password non è corretta (140 ms)", "the password is wrong (140 ms)")));
        assert!(html.contains(lang.pick("Non leggibile", "Not readable")));
        assert!(
            html.contains("name=\"action\" value=\"power.read\"") && !html.contains("power.set"),
            "an operator reads"
        );
    }
}

#[test]
fn a_viewer_reads_the_settings_and_finds_no_form() {
    for page in [PageId::Thresholds, PageId::Smtp, PageId::Sms, PageId::Isolation] {
        let html = document(&context(NodeRole::Client, Lang::It, Role::Viewer, "/"), &model(page, NodeRole::Client));
        let main = html.split("<main").nth(1).unwrap();
        assert!(!main.contains("<form") && !main.contains("<input"), "{main}");
        assert!(!main.contains("k3y"), "nor what an administrator wrote into a URL");
        assert!(!main.contains("pdu"), "or into a command");
    }
}

#[test]
fn refresh_is_named_only_where_its_link_stands() {
    every_page(|html, route, side, lang| {
        let link = format!(">{}</a>", lang.pick("Aggiorna", "Refresh"));
        let named = html.contains(lang.pick("usare Aggiorna", "use Refresh"));
        assert_eq!(named, html.contains(&link), "{} on {side}", route.path);
    });
}

#[test]
fn an_alarm_is_told_with_what_to_do_while_it_lasts_and_with_every_message() {
    for lang in LANGS {
        let html = document(
            &context(NodeRole::Client, lang, Role::Operator, "/allarmi"),
            &model(PageId::Alarms, NodeRole::Client),
        );
        let rows: Vec<&str> = html.split("<tr id=\"alarm-").skip(1).collect();
        assert_eq!(rows.len(), 3);
        let to_do = lang.pick("Che cosa fare:", "What to do:");
        let ack = "name=\"action\" value=\"alarm.ack\"";
        // Open; acknowledged; ended: what may still be done about each.
        let expected = [("badge bad", true, true), ("badge warn", true, false), ("badge good", false, true)];
        for (row, (tone, told, asked)) in rows.iter().zip(expected) {
            assert!(row.contains(&format!("class=\"{tone}\"")), "{tone}");
            assert_eq!((row.contains(to_do), row.contains(ack)), (told, asked), "{tone}");
            assert!(row.contains("a@b.it") && row.contains("250 2.0.0 Ok") && row.contains("HTTP 500"), "{row}");
        }
        assert!(rows[1].contains("Chiamato il &lt;b&gt;fornitore"), "a note is text");
        for page in [1, 3] {
            let link = format!("/allarmi?state=all&amp;priority=6&amp;code=dr.&amp;text=%22master%22&amp;page={page}");
            assert!(html.contains(&link), "page {page} keeps the filter");
        }
        assert!(html.contains("<option value=\"6\" selected"), "the filter says what it holds");
    }
}

#[test]
fn the_lag_is_a_drawing_with_a_name_and_the_same_in_words() {
    let html = document(
        &context(NodeRole::Client, Lang::It, Role::Viewer, "/monitor"),
        &model(PageId::Monitor, NodeRole::Client),
    );
    assert_eq!(html.matches("role=\"img\" aria-labelledby=").count(), 2);
    for said in
        ["<title id=\"lag-conf-title\">", "Ultimo valore 0,8 s", "Ancora nessun valore.", "limit hard", "polyline"]
    {
        assert!(html.contains(said), "{said}");
    }
    assert!(html.contains("exit 3"), "a service that is not as wanted says why");
}

#[test]
fn the_header_counts_open_alarms_on_every_page_of_a_session() {
    for (open, priority, class, words) in
        [(0, None, "bell", "allarmi attivi"), (1, Some(3), "bell priority p3", "allarme attivo, priorità massima 3")]
    {
        let mut cx = context(NodeRole::Client, Lang::It, Role::Viewer, "/licenza");
        let mut live = (**cx.live.as_ref().unwrap()).clone();
        live.status.alarms = contract::status::AlarmCount { open, highest_priority: priority };
        cx.live = Some(std::sync::Arc::new(live));
        let html = document(&cx, &model(PageId::Licence, NodeRole::Client));
        assert!(html.contains(&format!("<a href=\"/allarmi\" class=\"{class}\"")), "{html}");
        assert!(html.contains(words));
    }
}

#[test]
fn a_password_to_be_chosen_leaves_no_menu() {
    let mut cx = context(NodeRole::Master, Lang::It, Role::Admin, "/account");
    cx.user.as_mut().unwrap().must_change = true;
    let html = document(&cx, &Page::Account);
    assert!(!html.contains("<nav"));
    assert!(html.contains("Prima di continuare"));
}

#[test]
fn the_login_says_which_machine_and_nothing_of_its_state() {
    let mut cx = context(NodeRole::Master, Lang::It, Role::Admin, "/login");
    cx.user = None;
    cx.live = None;
    let html = document(&cx, &model(PageId::Login, NodeRole::Master));
    assert!(html.contains("master1"));
    assert!(!html.contains("In servizio"));
    assert!(!html.contains("<script"), "nothing moves on the login");
}

#[test]
fn every_problem_has_words_in_both_languages() {
    let kinds = [
        ProblemKind::NotFound,
        ProblemKind::OtherSide(NodeRole::Master),
        ProblemKind::Forbidden(Role::Admin),
        ProblemKind::ForeignRequest,
        ProblemKind::Method,
        ProblemKind::Unreadable,
        ProblemKind::TooLarge,
        ProblemKind::Broken,
    ];
    for kind in kinds {
        let draw = |lang| document(&context(NodeRole::Client, lang, Role::Viewer, "/x"), &Page::Problem(kind.clone()));
        assert_ne!(draw(Lang::It), draw(Lang::En), "{kind:?}");
        assert!(kind.status() >= 400);
    }
}

#[test]
fn a_cluster_is_shown_and_set_on_each_member_and_on_the_client() {
    for lang in LANGS {
        let draw = |side| document(&context(side, lang, Role::Admin, "/disaster-recovery"), &fixture::clustered(side));
        let member = draw(NodeRole::Master);
        for part in
            ["10.0.0.10", "m2, 10.0.0.3", "value=\"ha-status\"", "value=\"sibling.set\"", "value=\"sibling.join\""]
        {
            assert!(member.contains(part), "{}: {part}", lang.tag());
        }
        assert!(member.contains("value=\"peer.token\""), "the other member still needs a token");
        let client = draw(NodeRole::Client);
        assert!(client.contains("value=\"10.0.0.2, 10.0.0.3\""), "saved again with the rest of the form");
        assert!(!client.contains("sibling.set") && client.contains("value=\"peer.join\""), "{}", lang.tag());
    }
}
