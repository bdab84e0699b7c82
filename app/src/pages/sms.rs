//! `/sms`: the gateways by which alarms leave by SMS, which one is tried first, and an SMS to try them with.

use contract::sms::{SmsAccount, SmsAccountInfo};
use leptos::prelude::*;

use crate::action::Action;
use crate::model::{Context, SmsDraft, SmsPage};
use crate::routes::{self, PageId};
use crate::widgets::{Field, Kind, answer, cancel_save, card_with_help, confirm, help, select, title};

const ADD: Action = Action::SmsAccountAdd;

pub(crate) fn view(cx: &Context, model: &SmsPage) -> AnyView {
    let route = routes::of(PageId::Sms);
    match draft(cx, model).filter(|_| cx.may(ADD)) {
        Some(draft) => {
            let account = match &draft {
                SmsDraft::New => None,
                SmsDraft::Old(name) => model.accounts.iter().find(|one| one.account.name == *name),
            };
            view! {
                {title(route.label(cx.lang), cancel_save(cx, "sms-account-form", route.path))}
                {editor(cx, account)}
            }
            .into_any()
        }
        None => {
            let save = cx.may(Action::SmsAccountDefault) && !model.accounts.is_empty();
            view! {
                {title(route.label(cx.lang), save.then(|| cancel_save(cx, "sms-default-form", route.path)))}
                {accounts(cx, model)}
                {cx.may(Action::SmsTest).then(|| test(cx, model))}
            }
            .into_any()
        }
    }
}

/// The account that is being written: the one that came back, or the one that was asked for.
fn draft(cx: &Context, model: &SmsPage) -> Option<SmsDraft> {
    if !cx.form.is(ADD) {
        return model.open.clone();
    }
    let name = cx.form.value(ADD, "name", "");
    let old = cx.form.value(ADD, "fresh", "").is_empty() && model.accounts.iter().any(|one| one.account.name == name);
    Some(if old { SmsDraft::Old(name) } else { SmsDraft::New })
}

fn accounts(cx: &Context, model: &SmsPage) -> AnyView {
    let about = cx.t(
        "I gateway con cui questa macchina invia gli allarmi via SMS. Se quello di default non risponde, si provano gli altri nell'ordine della lista.",
        "The gateways by which this machine sends its alarms by SMS. When the default one does not answer, the others are tried in the order of the list.",
    );
    let names: Vec<&str> = model.accounts.iter().map(|one| one.account.name.as_str()).collect();
    let first = (cx.may(Action::SmsAccountDefault) && !names.is_empty()).then(|| {
        let choices: Vec<_> = names.iter().map(|name| (*name, *name)).collect();
        let saved = model.accounts.iter().find(|one| one.default).map_or("", |one| one.account.name.as_str());
        view! {
            <form method="post" id="sms-default-form">
                <input type="hidden" name="action" value=Action::SmsAccountDefault.as_str() />
                {select(
                    cx,
                    Action::SmsAccountDefault,
                    "name",
                    cx.t("Account di default", "Default account"),
                    cx.t("Quello che si prova per primo.", "The one that is tried first."),
                    &choices,
                    saved,
                )}
            </form>
        }
    });
    let new = cx.may(ADD).then(|| {
        view! {
            <a class="button primary" href="/sms?new=1">
                <span aria-hidden="true">"+ "</span>
                {cx.t("Nuovo", "New")}
            </a>
        }
    });
    let body = view! {
        {first}
        <section class="card">
            <div class="press">
                <h2>{cx.t("Account SMS", "SMS accounts")}</h2>
                {new}
            </div>
            {list(cx, model)}
        </section>
    };
    card_with_help(cx, "sms", cx.t("Configurazione SMS Server", "SMS server configuration"), about, body)
}

/// What stands beside the name; on a small screen each cell says it again (`data-label`).
fn columns(cx: &Context) -> [&'static str; 3] {
    [cx.t("Gateway", "Gateway"), cx.t("Segreto", "Secret"), cx.t("Ordine", "Order")]
}

fn list(cx: &Context, model: &SmsPage) -> AnyView {
    if model.accounts.is_empty() {
        let none = cx.t("Nessun account: gli allarmi non partono via SMS.", "No account: no alarm leaves by SMS.");
        return view! { <p>{none}</p> }.into_any();
    }
    let caption = cx.t("Account SMS", "SMS accounts");
    let [gateway, secret, order] = columns(cx);
    let actions = cx.may(ADD).then(|| view! { <th scope="col">{cx.t("Azioni", "Actions")}</th> });
    let rows = model.accounts.iter().zip(1..).map(|(info, place)| row(cx, info, place));
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label=caption>
            <table>
                <caption class="visually-hidden">{caption}</caption>
                <thead>
                    <tr>
                        <th scope="col">{cx.t("Nome", "Name")}</th>
                        <th scope="col">{gateway}</th>
                        <th scope="col">{secret}</th>
                        <th scope="col">{order}</th>
                        {actions}
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn row(cx: &Context, info: &SmsAccountInfo, place: usize) -> AnyView {
    let [gateway_head, secret_head, order_head] = columns(cx);
    let SmsAccount { name, method, .. } = &info.account;
    let gateway = info.account.gateway().to_owned();
    let secret = if info.has_secret { cx.t("salvato", "stored") } else { "–" };
    let order = if info.default {
        view! { <span class="badge good">{cx.t("Default", "Default")}</span> }.into_any()
    } else {
        place.to_string().into_any()
    };
    let actions = cx.may(ADD).then(|| {
        let edit = cx.t("Modifica", "Edit");
        let question = format!("{} {name}?", cx.t("Rimuovere l'account SMS", "Remove the SMS account"));
        view! {
            <td>
                <div class="row-actions">
                    <a class="button" href=format!("/sms?account={name}") aria-label=format!("{edit} {name}")>
                        {edit}
                    </a>
                    {confirm(
                        cx,
                        Action::SmsAccountRemove,
                        Some(name),
                        cx.t("Rimuovi", "Remove"),
                        &question,
                        cx.t(
                            "Anche il suo segreto viene cancellato. Gli SMS in attesa partono con gli altri account.",
                            "Its secret is deleted, too. SMS that wait leave by the other accounts.",
                        ),
                    )}
                </div>
            </td>
        }
    });
    view! {
        <tr>
            <th scope="row">{name.clone()}</th>
            <td data-label=gateway_head>{method.clone()} " " <code>{gateway}</code></td>
            <td data-label=secret_head>{secret}</td>
            <td data-label=order_head>{order}</td>
            {actions}
        </tr>
    }
    .into_any()
}

fn editor(cx: &Context, info: Option<&SmsAccountInfo>) -> AnyView {
    let account = info.map(|info| &info.account);
    let heading = match account {
        Some(account) => format!("{} {}", cx.t("Account SMS", "SMS account"), account.name),
        None => cx.t("Nuovo account SMS", "New SMS account").to_owned(),
    };
    let about = cx.t(
        "Un gateway si descrive, non si programma. Nei campi con segnaposto, {to} è il numero, {text} il messaggio, {ref} un riferimento uguale a ogni tentativo, {secret} il segreto: ciascuno viene scritto come il suo posto richiede.",
        "A gateway is described, not programmed. In fields with placeholders {to} is the number, {text} the message, {ref} a reference that is the same at every try, {secret} the secret: each is written as its place wants it.",
    );
    let new = account.is_none().then(|| view! { <input type="hidden" name="fresh" value="1" /> });
    let text = |pick: fn(&SmsAccount) -> &str| account.map_or("", pick);
    view! {
        <section class="card">
            <div class="card-title">
                <h2>{heading.clone()}</h2>
                {help(cx, "sms-account", &heading, about)}
            </div>
            <form method="post" action="/sms" id="sms-account-form">
                <input type="hidden" name="action" value=ADD.as_str() />
                {new}
                {Field::new(
                        ADD,
                        "name",
                        cx.t("Nome", "Name"),
                        cx.t("Lettere minuscole, cifre e trattini.", "Lower-case letters, digits and dashes."),
                    )
                    .saved(text(|account| &account.name))
                    .readonly(account.is_some())
                    .view(cx)}
                {request(cx, account)}
                {success(cx, account)}
                {trust(cx, info)}
            </form>
        </section>
    }
    .into_any()
}

/// What is sent.
fn request(cx: &Context, account: Option<&SmsAccount>) -> AnyView {
    let text = |pick: fn(&SmsAccount) -> &str| account.map_or("", pick);
    let headers = account.map(|account| account.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    let headers = headers.map(|lines| lines.collect::<Vec<_>>().join("\n")).unwrap_or_default();
    view! {
        {Field::new(
                ADD,
                "url",
                "URL",
                cx.t(
                    "Con segnaposto, ad esempio https://sms.example.com/send?to={to}&text={text}.",
                    "With placeholders, e.g. https://sms.example.com/send?to={to}&text={text}.",
                ),
            )
            .saved(text(|account| &account.url))
            .view(cx)}
        {select(
            cx,
            ADD,
            "method",
            cx.t("Metodo", "Method"),
            cx.t("Come lo chiede il gateway.", "As the gateway wants it."),
            &[("POST", "POST"), ("GET", "GET")],
            account.map_or("POST", |account| &account.method),
        )}
        {Field::new(
                ADD,
                "headers",
                cx.t("Intestazioni", "Headers"),
                cx.t(
                    "Una per riga, con segnaposto, ad esempio Authorization: Bearer {secret}.",
                    "One per line, with placeholders, e.g. Authorization: Bearer {secret}.",
                ),
            )
            .optional()
            .kind(Kind::Lines(3))
            .saved(&headers)
            .view(cx)}
        {Field::new(
                ADD,
                "body",
                cx.t("Corpo", "Body"),
                cx.t(
                    "Con segnaposto, ad esempio {\"to\":\"{to}\",\"text\":\"{text}\"}. Vuoto se tutto sta nell'URL.",
                    "With placeholders, e.g. {\"to\":\"{to}\",\"text\":\"{text}\"}. Empty where all of it stands in the URL.",
                ),
            )
            .optional()
            .kind(Kind::Lines(4))
            .saved(text(|account| &account.body))
            .view(cx)}
    }
    .into_any()
}

/// What counts as taken.
fn success(cx: &Context, account: Option<&SmsAccount>) -> AnyView {
    let status = account.map_or_else(
        || "200-299".to_owned(),
        |SmsAccount { status_from, status_to, .. }| match status_from == status_to {
            true => status_from.to_string(),
            false => format!("{status_from}-{status_to}"),
        },
    );
    view! {
        <div class="columns">
            {Field::new(
                    ADD,
                    "success_status",
                    cx.t("Stato HTTP di successo", "HTTP status of success"),
                    cx.t("Uno o un intervallo, ad esempio 200-299.", "One or a range, e.g. 200-299."),
                )
                .optional()
                .saved(&status)
                .view(cx)}
            {Field::new(
                    ADD,
                    "success_body",
                    cx.t("Risposta di successo", "Answer of success"),
                    cx.t(
                        "Un'espressione regolare, per i gateway che rispondono 200 anche quando rifiutano. Vuoto: basta lo stato.",
                        "A regular expression, for gateways that answer 200 even when they refuse. Empty: the status suffices.",
                    ),
                )
                .optional()
                .saved(account.and_then(|account| account.success_body.as_deref()).unwrap_or_default())
                .view(cx)}
        </div>
    }
    .into_any()
}

/// Secret and certificate.
fn trust(cx: &Context, info: Option<&SmsAccountInfo>) -> AnyView {
    let ca = info.and_then(|info| info.account.ca.as_deref()).unwrap_or_default();
    let open = !cx.form.value(ADD, "ca", ca).is_empty();
    let stored = info.is_some_and(|info| info.has_secret).then(|| {
        view! {
            <p class="hint">
                {cx
                    .t(
                        "Un segreto è salvato e non viene mostrato: lasciare vuoto per non cambiarlo.",
                        "A secret is stored and is not shown: leave it empty to keep it.",
                    )}
            </p>
        }
    });
    view! {
        {Field::new(
                ADD,
                "secret",
                cx.t("Segreto", "Secret"),
                cx.t(
                    "La password o la chiave del gateway, al posto di {secret}. Va scritta di nuovo quando si cambia gateway.",
                    "The gateway's password or key, in the place of {secret}. It is written again when the gateway changes.",
                ),
            )
            .optional()
            .kind(Kind::Password("new-password"))
            .view(cx)}
        {stored}
        <details class="more" open=open>
            <summary>{cx.t("Autorità di certificazione propria", "Certificate authority of your own")}</summary>
            {Field::new(
                    ADD,
                    "ca",
                    cx.t("Certificato dell'autorità", "The authority's certificate"),
                    cx.t(
                        "In formato PEM. Vuoto: valgono le autorità del sistema.",
                        "In PEM. Empty: the system's authorities count.",
                    ),
                )
                .optional()
                .kind(Kind::Lines(4))
                .saved(ca)
                .view(cx)}
        </details>
    }
    .into_any()
}

fn test(cx: &Context, model: &SmsPage) -> AnyView {
    let about = cx.t(
        "Invia un SMS con la configurazione salvata, e mostra che cosa risponde il gateway.",
        "Sends an SMS with the saved configuration, and shows what the gateway answers.",
    );
    let unset = model.accounts.is_empty();
    let hint =
        unset.then(|| view! { <p class="hint">{cx.t("Prima creare un account.", "Make an account first.")}</p> });
    let mut choices = vec![("", cx.t("Quello di default, poi gli altri", "The default one, then the others"))];
    choices.extend(model.accounts.iter().map(|one| (one.account.name.as_str(), one.account.name.as_str())));
    let body = view! {
        <form method="post" id="sms-test-form">
            <input type="hidden" name="action" value=Action::SmsTest.as_str() />
            {Field::new(
                    Action::SmsTest,
                    "to",
                    cx.t("A:", "To:"),
                    cx.t("Il numero di cellulare, ad esempio 3471234567.", "The mobile number, e.g. 3471234567."),
                )
                .view(cx)}
            {select(
                cx,
                Action::SmsTest,
                "name",
                cx.t("Account da usare", "Account to use"),
                cx.t("Per provarne uno solo, sceglierlo.", "To try one only, choose it."),
                &choices,
                "",
            )}
            {hint}
            {answer(cx, Action::SmsTest)}
            <div class="card-buttons end">
                <button class="button primary" disabled=unset>
                    {cx.t("Invia SMS", "Send SMS")}
                </button>
            </div>
        </form>
    };
    card_with_help(cx, "sms-test-card", cx.t("Test Configurazione SMS", "SMS configuration test"), about, body)
}
