//! `/telefonia`: what proves after an activation that calls can be made here, and what is known of it now.

use contract::NodeRole;
use contract::telephony::{TELEPHONY_LIMIT, Telephony, TelephonyReport};
use leptos::prelude::*;

use super::phones;
use crate::action::Action;
use crate::fresh::fresh;
use crate::model::Context;
use crate::routes::{self, PageId};
use crate::widgets::{Field, Kind, card, card_with_help, confirm, facts, reload, title};

const SET: Action = Action::TelephonySet;

pub(crate) fn view(cx: &Context, report: &TelephonyReport) -> AnyView {
    let route = routes::of(PageId::Telephony);
    let now = report.now.as_ref().map(|now| {
        let now = fresh(cx, "phones", phones::now(now, cx.offset(cx.now), cx.lang));
        card(cx.t("In questo momento", "At this moment"), now)
    });
    let body = if cx.may(SET) { form(cx, &report.telephony) } else { shown(cx, &report.telephony) };
    view! {
        {title(route.label(cx.lang), reload(cx, route.path))}
        {now}
        {card_with_help(
            cx,
            "telephony",
            cx.t("Prova della telefonia", "Proof of the telephony"),
            cx.t(
                "Dopo che i servizi sono stati verificati, un'attivazione chiede al server SIP di questa macchina e ai trunk se ci sono, e conta i telefoni che arrivano. Se il server SIP non risponde l'operazione si blocca e un operatore può confermarla con una nota; un trunk che non risponde e i telefoni che mancano vengono mostrati e scritti nel rapporto, senza fermare nulla.",
                "After the services were verified, an activation asks the SIP server of this machine and the trunks whether they are there, and counts the phones that come. Where the SIP server does not answer the run is stuck and an operator may acknowledge it with a note; a trunk that does not answer and phones that are missing are shown and written into the report, and hold nothing up.",
            ),
            body,
        )}
    }
    .into_any()
}

/// What is set, as it is typed.
fn typed(telephony: &Telephony) -> [String; 5] {
    let trunks: Vec<String> = telephony.trunks.iter().map(ToString::to_string).collect();
    [
        telephony.sip.as_ref().map(ToString::to_string).unwrap_or_default(),
        trunks.join("\n"),
        telephony.registrations.clone().unwrap_or_default(),
        telephony.expected.map(|count| count.to_string()).unwrap_or_default(),
        telephony.limit_seconds.to_string(),
    ]
}

fn labels(cx: &Context) -> [&'static str; 5] {
    [
        cx.t("Server SIP di questa macchina", "SIP server of this machine"),
        cx.t("Trunk", "Trunks"),
        cx.t("Comando che conta i telefoni registrati", "Command that counts the registered phones"),
        cx.t("Telefoni attesi", "Expected phones"),
        cx.t("Tempo massimo (secondi)", "Time limit (seconds)"),
    ]
}

/// For those who may only look.
fn shown(cx: &Context, telephony: &Telephony) -> AnyView {
    let unset = || cx.t("non impostato", "not set").to_owned();
    let rows = labels(cx).into_iter().zip(typed(telephony)).map(|(label, value)| {
        let value = if value.is_empty() { unset() } else { value };
        (label.to_owned(), value.into_any())
    });
    facts(rows)
}

fn form(cx: &Context, telephony: &Telephony) -> AnyView {
    let limit = format!(
        "{} {TELEPHONY_LIMIT}.",
        cx.t(
            "Quanti secondi si aspetta il server SIP, prima che l'operazione risulti bloccata. Vuoto:",
            "How many seconds the SIP server is waited for before the run counts as stuck. Empty:",
        )
    );
    let expected = match cx.node.role {
        NodeRole::Client => cx.t(
            "Vuoto: quanti ne sono stati contati l'ultima volta mentre serviva il Master, se il comando li legge dalla replica; altrimenti non è noto.",
            "Empty: as many as were last counted while the Master served, if the command can read that from the replica; otherwise it is unknown.",
        ),
        NodeRole::Master => cx.t("Vuoto: non è noto.", "Empty: it is unknown."),
    };
    let about: [(&str, &str, Kind); 5] = [
        (
            "sip",
            cx.t(
                "Dove risponde quando i servizi sono attivi, ad esempio 10.0.0.3:5060 oppure 10.0.0.3/tcp. Vuoto: non viene provato.",
                "Where it answers once the services are up, e.g. 10.0.0.3:5060 or 10.0.0.3/tcp. Empty: it is not proved.",
            ),
            Kind::Text,
        ),
        (
            "trunk",
            cx.t(
                "Uno per riga: nome o indirizzo, porta, /tcp se serve. Il trunk deve essere attestato anche sul DR: viene provato già prima, da questa macchina.",
                "One a line: name or address, port, /tcp where needed. The trunk must be attested on the DR, too: it is tried beforehand, from this machine.",
            ),
            Kind::Lines(3),
        ),
        (
            "registrations",
            cx.t(
                "Eseguito da /bin/sh; la sua ultima riga è il numero dei telefoni registrati. Viene eseguito spesso: deve essere rapido.",
                "Run by /bin/sh; its last line is the number of registered phones. It is run often: it must be quick.",
            ),
            Kind::Lines(2),
        ),
        ("expected", expected, Kind::Number),
        ("limit", &limit, Kind::Number),
    ];
    let saved = typed(telephony);
    let fields = about.into_iter().zip(labels(cx)).zip(&saved).map(|(((name, help, kind), label), saved)| {
        Field::new(SET, name, label, help).saved(saved).optional().kind(kind).view(cx)
    });
    let clear = (!telephony.is_empty()).then(|| {
        confirm(
            cx,
            Action::TelephonyClear,
            None,
            cx.t("Togli tutto", "Take all of it back"),
            cx.t("Togliere la prova della telefonia?", "Take the proof of the telephony back?"),
            cx.t(
                "Le prossime attivazioni non proveranno che si può telefonare.",
                "The next activations will not prove that calls can be made.",
            ),
        )
    });
    let fields = fields.collect_view();
    view! {
        <form method="post" action=routes::of(PageId::Telephony).path id="telephony-form">
            <input type="hidden" name="action" value=SET.as_str() />
            {fields}
        </form>
        <div class="card-buttons">
            {clear}
            <button class="button primary" form="telephony-form">{cx.t("Salva", "Save")}</button>
        </div>
    }
    .into_any()
}
