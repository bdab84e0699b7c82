//! The fields of steps that talk to somebody else: a DNS server, a URL, somebody who is waited for.

use contract::own_step::{DNS_TTL, DNS_TYPES, HTTP_METHODS, HttpCall, HttpWork, TSIG_ALGORITHMS, WaitWork, Work};
use leptos::prelude::*;

use crate::action::Action;
use crate::model::Context;
use crate::widgets::{Field, Kind, select};

const ADD: Action = Action::StepAdd;

/// A line of text, or several, that may stay empty unless it must be there.
fn text(cx: &Context, name: &str, words: (&str, &str), saved: &str, must: bool, kind: Kind) -> AnyView {
    let field = Field::new(ADD, name, words.0, words.1).saved(saved).kind(kind);
    if must { field.view(cx) } else { field.optional().view(cx) }
}

pub(super) fn dns(cx: &Context, work: Option<&Work>, has_secret: bool) -> AnyView {
    let work = match work {
        Some(Work::Dns(work)) => Some(work),
        _ => None,
    };
    let set = |values: &[String]| values.join("\n");
    let key = work.and_then(|work| work.key.as_ref());
    let types = DNS_TYPES.map(|word| (word, word));
    let algorithms = TSIG_ALGORITHMS.map(|word| (word, word));
    let ttl = work.map_or_else(|| DNS_TTL.to_string(), |work| work.ttl.to_string());
    let [old, new, servers] = [
        work.map(|work| set(&work.old)).unwrap_or_default(),
        work.map(|work| set(&work.new)).unwrap_or_default(),
        work.map(|work| set(&work.servers)).unwrap_or_default(),
    ];
    view! {
        <p class="hint">
            {cx.t(
                "Il record viene cambiato solo se ha esattamente i valori indicati; un valore messo da altri non viene sovrascritto. Al rientro tornano i valori di prima.",
                "The record is changed only while it has exactly the values given; a value that somebody else has put there is not overwritten. At the roll back the old values return.",
            )}
        </p>
        <div class="columns">
            {text(
                cx,
                "zone",
                (cx.t("Zona", "Zone"), cx.t("Ad esempio example.org.", "E.g. example.org.")),
                work.map_or("", |work| &work.zone),
                true,
                Kind::Text,
            )}
            {text(
                cx,
                "record",
                (
                    cx.t("Nome del record", "Name of the record"),
                    cx.t("Per intero, ad esempio pbx.example.org.", "In full, e.g. pbx.example.org."),
                ),
                work.map_or("", |work| &work.record),
                true,
                Kind::Text,
            )}
            {select(
                cx,
                ADD,
                "record_type",
                cx.t("Tipo", "Type"),
                cx.t("Il tipo del record.", "The type of the record."),
                &types,
                work.map_or(DNS_TYPES[0], |work| &work.record_type),
            )}
            {text(
                cx,
                "ttl",
                (
                    "TTL",
                    cx.t(
                        "Secondi per cui altri possono tenere il valore. Breve, perché il passaggio sia rapido.",
                        "Seconds for which others may keep the value. Short, so that the switch is quick.",
                    ),
                ),
                &ttl,
                false,
                Kind::Number,
            )}
            {text(
                cx,
                "old_values",
                (
                    cx.t("Valori di prima", "Old values"),
                    cx.t("Tutti, uno per riga: quelli del Master.", "All of them, one per line: the Master's."),
                ),
                &old,
                true,
                Kind::Lines(2),
            )}
            {text(
                cx,
                "new_values",
                (
                    cx.t("Valori nuovi", "New values"),
                    cx.t("Tutti, uno per riga: quelli di questo sito.", "All of them, one per line: this site's."),
                ),
                &new,
                true,
                Kind::Lines(2),
            )}
            {text(
                cx,
                "servers",
                (
                    cx.t("Server autoritativi", "Authoritative servers"),
                    cx.t(
                        "Ogni server che accetta aggiornamenti, uno per riga: IP oppure IP:porta.",
                        "Every server that takes updates, one per line: IP or IP:port.",
                    ),
                ),
                &servers,
                true,
                Kind::Lines(2),
            )}
            {text(
                cx,
                "key_name",
                (
                    cx.t("Nome della chiave TSIG", "Name of the TSIG key"),
                    cx.t(
                        "Lo stesso che sul server. Vuoto se il server si fida dell'indirizzo.",
                        "The same as on the server. Empty where the server trusts the address.",
                    ),
                ),
                key.map_or("", |key| &key.name),
                false,
                Kind::Text,
            )}
            {select(
                cx,
                ADD,
                "key_algorithm",
                cx.t("Algoritmo della chiave", "Algorithm of the key"),
                cx.t("Lo stesso che sul server.", "The same as on the server."),
                &algorithms,
                key.map_or(TSIG_ALGORITHMS[0], |key| &key.algorithm),
            )}
            {secret(
                cx,
                cx.t("La chiave TSIG, in Base64.", "The TSIG key, in Base64."),
                has_secret,
            )}
        </div>
    }
    .into_any()
}

pub(super) fn http(cx: &Context, work: Option<&Work>, has_secret: bool) -> AnyView {
    let work = match work {
        Some(Work::Http(work)) => Some(work),
        _ => None,
    };
    let call = work.map(|work| &work.call);
    let undo = work.and_then(|work| work.undo.as_ref());
    let headers = work.map(|work| work.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    let headers = headers.map(|lines| lines.collect::<Vec<_>>().join("\n")).unwrap_or_default();
    view! {
        <fieldset>
            <legend>{cx.t("All'attivazione", "At the activation")}</legend>
            {request(cx, "", call, true)}
        </fieldset>
        <fieldset>
            <legend>{cx.t("Al rientro", "At the roll back")}</legend>
            {request(cx, "undo_", undo, false)}
        </fieldset>
        {text(
            cx,
            "check_url",
            (
                cx.t("URL di controllo", "Check URL"),
                cx.t(
                    "Una GET che riesce solo finché ciò che fa il passo è in vigore. Vuoto: vale la risposta alla chiamata.",
                    "A GET that succeeds only while what the step does is in effect. Empty: the answer to the call counts.",
                ),
            ),
            work.and_then(|work| work.check.as_deref()).unwrap_or_default(),
            false,
            Kind::Text,
        )}
        {text(
            cx,
            "headers",
            (
                cx.t("Intestazioni", "Headers"),
                cx.t(
                    "Una per riga; {secret} sta per il segreto, ad esempio Authorization: Bearer {secret}.",
                    "One per line; {secret} stands for the secret, e.g. Authorization: Bearer {secret}.",
                ),
            ),
            &headers,
            false,
            Kind::Lines(3),
        )}
        {secret(
            cx,
            cx.t(
                "Al posto di {secret}. Va scritto di nuovo quando si cambia server.",
                "In the place of {secret}. It is written again when the server changes.",
            ),
            has_secret,
        )}
        {text(
            cx,
            "success_status",
            (
                cx.t("Stato HTTP di successo", "HTTP status of success"),
                cx.t("Uno o un intervallo. Vuoto: 200-299.", "One or a range. Empty: 200-299."),
            ),
            &work.map(success).unwrap_or_default(),
            false,
            Kind::Text,
        )}
        {text(
            cx,
            "pin",
            (
                cx.t("Impronta del certificato", "Certificate fingerprint"),
                cx.t(
                    "SHA-256 dell'unico certificato accettato. Vuoto: decidono le autorità.",
                    "SHA-256 of the only certificate that is taken. Empty: the authorities decide.",
                ),
            ),
            work.and_then(|work| work.pin.as_deref()).unwrap_or_default(),
            false,
            Kind::Text,
        )}
        {text(
            cx,
            "ca",
            (
                cx.t("Certificato dell'autorità", "The authority's certificate"),
                cx.t("In formato PEM. Vuoto: valgono le autorità del sistema.", "In PEM. Empty: the system's authorities count."),
            ),
            work.and_then(|work| work.ca.as_deref()).unwrap_or_default(),
            false,
            Kind::Lines(3),
        )}
    }
    .into_any()
}

fn success(work: &HttpWork) -> String {
    if work.status_from == work.status_to {
        work.status_from.to_string()
    } else {
        format!("{}-{}", work.status_from, work.status_to)
    }
}

/// Method, URL and body of one call.
fn request(cx: &Context, prefix: &str, call: Option<&HttpCall>, must: bool) -> AnyView {
    let methods = HTTP_METHODS.map(|word| (word, word));
    let name = |field: &str| format!("{prefix}{field}");
    let url_help = if must {
        cx.t("Ad esempio https://sbc.example.org/route.", "E.g. https://sbc.example.org/route.")
    } else {
        cx.t("Vuoto: non c'è nulla da annullare.", "Empty: there is nothing to undo.")
    };
    view! {
        {select(
            cx,
            ADD,
            &name("method"),
            cx.t("Metodo", "Method"),
            cx.t("Come lo chiede il server.", "As the server wants it."),
            &methods,
            call.map_or(HTTP_METHODS[0], |call| &call.method),
        )}
        {text(cx, &name("url"), ("URL", url_help), call.map_or("", |call| &call.url), must, Kind::Text)}
        {text(
            cx,
            &name("body"),
            (
                cx.t("Corpo", "Body"),
                cx.t(
                    "Inviato così com'è; l'intestazione Content-Type dice che cos'è.",
                    "Sent as it is; the header Content-Type says what it is.",
                ),
            ),
            call.map_or("", |call| &call.body),
            false,
            Kind::Lines(3),
        )}
    }
    .into_any()
}

pub(super) fn wait(cx: &Context, work: Option<&Work>) -> AnyView {
    let [mut tcp, mut sip, mut phones] = [(); 3].map(|()| String::new());
    match work {
        Some(Work::Wait(WaitWork::Tcp { tcp: saved })) => tcp.clone_from(saved),
        Some(Work::Wait(WaitWork::Sip { sip: saved })) => sip = saved.to_string(),
        Some(Work::Wait(WaitWork::Registrations { registrations })) => phones = registrations.to_string(),
        _ => {}
    }
    let hint = cx.t("Compilare uno solo dei tre campi.", "Fill in only one of the three fields.");
    let tcp_words = (
        cx.t("Server e porta TCP", "Server and TCP port"),
        cx.t(
            "Si aspetta finché accetta una connessione, ad esempio 10.0.0.5:5060.",
            "The run waits until it takes a connection, e.g. 10.0.0.5:5060.",
        ),
    );
    let sip_words = (
        cx.t("Server SIP", "SIP server"),
        cx.t(
            "Si aspetta finché risponde a una richiesta OPTIONS, ad esempio 10.0.0.5:5060 oppure sip.example.org/tcp.",
            "The run waits until it answers an OPTIONS request, e.g. 10.0.0.5:5060 or sip.example.org/tcp.",
        ),
    );
    let phones_words = (
        cx.t("Telefoni registrati", "Registered phones"),
        cx.t(
            "Si aspetta finché se ne contano almeno tanti, con il comando della pagina Telefonia.",
            "The run waits until at least so many are counted, by the command of the page Telephony.",
        ),
    );
    view! {
        <p class="hint">{hint}</p>
        {text(cx, "tcp", tcp_words, &tcp, false, Kind::Text)}
        {text(cx, "sip", sip_words, &sip, false, Kind::Text)}
        {text(cx, "registrations", phones_words, &phones, false, Kind::Number)}
    }
    .into_any()
}

fn secret(cx: &Context, about: &str, stored: bool) -> AnyView {
    let hint = stored.then(|| {
        view! {
            <p class="hint">
                {cx.t(
                    "Un segreto è salvato e non viene mostrato: lasciare vuoto per non cambiarlo.",
                    "A secret is stored and is not shown: leave it empty to keep it.",
                )}
            </p>
        }
    });
    view! {
        {text(cx, "secret", (cx.t("Segreto", "Secret"), about), "", false, Kind::Password("new-password"))}
        {hint}
    }
    .into_any()
}
