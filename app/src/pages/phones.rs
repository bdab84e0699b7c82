//! Whether calls can be made on this machine: what the SIP servers said, and how many phones have come. Said the same way
//! while a run goes on, in its report, and while the DR serves.

use contract::Lang;
use contract::run::RunReport;
use contract::telephony::{Expected, ExpectedFrom, Heard, RunTelephony, TelephonyNow};
use leptos::prelude::*;

use crate::format;

/// As a run has found it.
pub(super) fn of_run(run: &RunReport, found: &RunTelephony, offset: i32, lang: Lang) -> AnyView {
    let mut rows = servers(found.sip.as_ref(), &found.trunks, offset, lang);
    let count = found.phones.map(|phones| phones.count);
    rows.extend(phones(count, found.expected, offset, lang));
    let first = run.first_phone_rto_seconds.map(|s| {
        let after = lang.pick("dopo", "after");
        (first_phone(lang), format!("{after} {}", format::span(s, lang)))
    });
    rows.extend(first);
    let silent = silent(&found.trunks, lang);
    if rows.is_empty() && silent.is_none() {
        return ().into_any();
    }
    view! {
        <section>
            <h2>{lang.pick("Telefonia", "Telephony")}</h2>
            {silent}
            {facts(rows)}
        </section>
    }
    .into_any()
}

/// As it is at this moment.
pub(super) fn now(now: &TelephonyNow, offset: i32, lang: Lang) -> AnyView {
    let mut rows = servers(now.sip.as_ref(), &now.trunks, offset, lang);
    let count = now.phones.map(|phones| phones.count).or(now.registered);
    rows.extend(phones(count, now.expected, offset, lang));
    let first = now.phones.and_then(|phones| phones.first_at);
    rows.extend(first.map(|at| (first_phone(lang), format::moment(at, offset, lang))));
    let trouble = now.trouble.as_ref().map(|why| {
        let words = lang.pick("I telefoni non si possono contare", "The phones cannot be counted");
        view! { <p class="banner warn">{words} ": " <span class="machine-words">{why.clone()}</span></p> }
    });
    view! { {silent(&now.trunks, lang)} {trouble} {facts(rows)} }.into_any()
}

const fn first_phone(lang: Lang) -> &'static str {
    lang.pick("Primo telefono registrato", "First registered phone")
}

fn facts(rows: Vec<(&'static str, String)>) -> AnyView {
    let rows = rows.into_iter().map(|(name, value)| view! { <div><dt>{name}</dt><dd>{value}</dd></div> });
    view! { <dl class="facts">{rows.collect_view()}</dl> }.into_any()
}

fn servers(sip: Option<&Heard>, trunks: &[Heard], offset: i32, lang: Lang) -> Vec<(&'static str, String)> {
    let row = |name, heard: &Heard| {
        let word = if heard.answered {
            lang.pick("risponde", "answers")
        } else {
            lang.pick("NON risponde", "does NOT answer")
        };
        (name, format!("{} {word} ({}, {})", heard.server, heard.detail, format::hour(heard.at, offset)))
    };
    let own = sip.map(|heard| row(lang.pick("Server SIP", "SIP server"), heard));
    own.into_iter().chain(trunks.iter().map(|heard| row("Trunk", heard))).collect()
}

/// How many have come, of how many; as long as nobody has counted, how many are expected.
fn phones(count: Option<u32>, expected: Option<Expected>, offset: i32, lang: Lang) -> Option<(&'static str, String)> {
    let number = |count: u32| format::count(count.into(), lang);
    let expected = expected.map(|expected| {
        let from = match (expected.from, expected.at) {
            (ExpectedFrom::LastSeen, Some(at)) => {
                let words = lang.pick("contati il", "counted on");
                format!(" ({words} {})", format::moment(at, offset, lang))
            }
            _ => String::new(),
        };
        format!("{} {}{from}", number(expected.count), lang.pick("attesi", "expected"))
    });
    let words = match (count, expected) {
        (None, None) => return None,
        (Some(count), None) => number(count),
        (Some(count), Some(expected)) => format!("{} {} {expected}", number(count), lang.pick("di", "of")),
        (None, Some(expected)) => expected,
    };
    Some((lang.pick("Telefoni registrati", "Registered phones"), words))
}

/// A trunk that is silent is said aloud: nobody outside can be called.
fn silent(trunks: &[Heard], lang: Lang) -> Option<AnyView> {
    let silent: Vec<String> = trunks.iter().filter(|one| !one.answered).map(|one| one.server.to_string()).collect();
    let words = lang.pick(
        "Un trunk non risponde: le chiamate esterne possono non passare. Chiamare l'operatore telefonico.",
        "A trunk does not answer: calls from and to outside may not get through. Call the carrier.",
    );
    (!silent.is_empty()).then(|| {
        view! {
            <p class="banner bad" role="alert">
                <strong>{words}</strong>
                " "
                {silent.join(", ")}
            </p>
        }
        .into_any()
    })
}
