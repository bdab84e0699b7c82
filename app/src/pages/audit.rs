//! `/registro`: who did what, newest first; the chain can be recomputed and the log taken away as JSON lines.

use contract::actor::ActorKind;
use contract::audit::{AuditEntry, AuditOutcome, AuditVerdict};
use leptos::prelude::*;

use crate::action::Action;
use crate::model::{AuditPage, Context};
use crate::routes::{self, PageId};
use crate::widgets::{card, reload, title};

pub(crate) fn view(cx: &Context, model: &AuditPage) -> AnyView {
    let route = routes::of(PageId::Audit);
    let buttons = view! {
        <a class="button" href="/registro?verify=1">{cx.t("Verifica integrità", "Verify integrity")}</a>
        <a class="button" href="/registro/export" download="tvox-dr-audit.jsonl">
            {cx.t("Esporta", "Export")}
        </a>
        {reload(cx, route.path)}
    };
    let chain = view! {
        <p>
            {cx
                .t(
                    "Ogni riga è legata alla precedente con SHA-256: togliere o cambiare una riga si vede.",
                    "Each entry is chained to the one before by SHA-256: taking out or changing one shows.",
                )}
        </p>
        <p class="muted">
            {cx.t("Ultima riga", "Last entry")} " " {model.head.seq} ": "
            <code class="fingerprint">{model.head.hash.clone()}</code>
        </p>
    };
    view! {
        {title(route.label(cx.lang), buttons)}
        {model.verdict.as_ref().map(|verdict| said(cx, verdict))}
        {card(cx.t("Integrità", "Integrity"), chain)}
        {card(cx.t("Operazioni", "Actions"), view! { {find(cx, model)} {table(cx, model)} {pager(cx, model)} })}
    }
    .into_any()
}

fn said(cx: &Context, verdict: &AuditVerdict) -> AnyView {
    let (class, text) = if verdict.valid {
        (
            "notice good",
            format!(
                "{} {}",
                cx.t("Registro integro. Righe controllate:", "The log is intact. Entries checked:"),
                verdict.entries
            ),
        )
    } else {
        let at = verdict.first_bad.map(|seq| seq.to_string()).unwrap_or_default();
        (
            "notice bad",
            format!(
                "{} {at}",
                cx.t(
                    "Il registro è stato alterato. Prima riga che non torna:",
                    "The log was altered. First entry that does not fit:"
                )
            ),
        )
    };
    view! { <p class=class role="status">{text}</p> }.into_any()
}

fn find(cx: &Context, model: &AuditPage) -> AnyView {
    let invalid = !model.typed.is_empty() && model.upto.is_none();
    let value = model.upto.map_or_else(|| model.typed.clone(), |seq| seq.to_string());
    let error = invalid.then(|| {
        view! {
            <p class="field-error" id="upto-error">
                {cx.t("Scrivere il numero di una riga", "Write the number of an entry")}
            </p>
        }
    });
    view! {
        <form method="get" action="/registro" class="find">
            <label for="upto">{cx.t("Dalla riga numero", "From entry number")}</label>
            <input
                id="upto"
                name="upto"
                type="text"
                inputmode="numeric"
                value=value
                aria-describedby=invalid.then_some("upto-error")
                aria-invalid=invalid.then_some("true")
            />
            <button class="button">{cx.t("Vai", "Go")}</button>
            {error}
        </form>
    }
    .into_any()
}

fn table(cx: &Context, model: &AuditPage) -> AnyView {
    if model.entries.is_empty() {
        return view! { <p>{cx.t("Nessuna riga.", "No entry.")}</p> }.into_any();
    }
    let caption = cx.t("Operazioni", "Actions");
    let [number, when, who, action, outcome, details] = columns(cx);
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label=caption>
            <table>
                <caption class="visually-hidden">{caption}</caption>
                <thead>
                    <tr>
                        <th scope="col" class="number">{number}</th>
                        <th scope="col">{when}</th>
                        <th scope="col">{who}</th>
                        <th scope="col">{action}</th>
                        <th scope="col">{outcome}</th>
                        <th scope="col">{details}</th>
                    </tr>
                </thead>
                <tbody>{model.entries.iter().map(|entry| row(cx, entry)).collect_view()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// The columns; on a small screen each cell says it again (`data-label`).
fn columns(cx: &Context) -> [&'static str; 6] {
    [
        cx.t("N.", "No."),
        cx.t("Data e ora", "When"),
        cx.t("Chi", "Who"),
        cx.t("Operazione", "Action"),
        cx.t("Esito", "Outcome"),
        cx.t("Dettagli", "Details"),
    ]
}

fn row(cx: &Context, entry: &AuditEntry) -> AnyView {
    let line = &entry.line;
    let [number_head, when_head, who_head, action_head, outcome_head, details_head] = columns(cx);
    let (tone, outcome) = match line.outcome {
        AuditOutcome::Done => ("good", cx.t("eseguita", "done")),
        AuditOutcome::Refused => ("warn", cx.t("rifiutata", "refused")),
        AuditOutcome::Failed => ("bad", cx.t("non riuscita", "failed")),
    };
    let who = match (line.actor.kind, line.actor.login_uid) {
        (ActorKind::Root, Some(uid)) => format!("{} (uid {uid})", line.actor.name),
        (ActorKind::System, _) => cx.t("sistema", "system").to_owned(),
        _ => line.actor.name.clone(),
    };
    let json = |value: &Option<serde_json::Value>| value.as_ref().map(ToString::to_string);
    let details = [
        (cx.t("oggetto", "subject"), line.subject.clone()),
        (cx.t("motivo", "reason"), line.reason.clone()),
        (cx.t("regola", "rule"), line.rule.map(|rule| rule.as_str().to_owned())),
        (cx.t("prima", "before"), json(&line.before)),
        (cx.t("dopo", "after"), json(&line.after)),
    ];
    let details =
        details.into_iter().filter_map(|(name, value)| Some(view! { <div><dt>{name}</dt><dd>{value?}</dd></div> }));
    view! {
        <tr id=format!("n{}", line.seq)>
            <td data-label=number_head class="number">{line.seq}</td>
            <td data-label=when_head class="when">{cx.moment(line.at)}</td>
            <td data-label=who_head>{who} <br /> <span class="muted">{line.from.clone()}</span></td>
            <td data-label=action_head>{spoken(cx, &line.action)} <br /> <code>{line.action.clone()}</code></td>
            <td data-label=outcome_head><span class=format!("badge {tone}")>{outcome}</span></td>
            <td data-label=details_head><dl class="details">{details.collect_view()}</dl></td>
        </tr>
    }
    .into_any()
}

/// The action in the reader's words; empty for one that this page does not know yet.
fn spoken(cx: &Context, action: &str) -> &'static str {
    let words = |it: &'static str, en: &'static str| cx.lang.pick(it, en);
    match action {
        "login" => return words("Accesso", "Log in"),
        "logout" => return words("Uscita", "Log out"),
        "init" => return words("Inizializzazione", "Initialised"),
        "peer.joined" => return words("Associazione accettata", "Association accepted"),
        "recipient.add" => return words("Destinatario aggiunto", "Recipient added"),
        "message.language" => return words("Lingua dei messaggi", "Language of messages"),
        "threshold.set" => return words("Soglia impostata", "Threshold set"),
        "power.ordered" => return words("Ordine all'alimentazione", "Power order"),
        "sync.accepted" => return words("Copia sostituita con il consenso", "Copy replaced with the consent"),
        "run.lapsed" => return words("Approvazione non arrivata in tempo", "No approval in time"),
        "recipient.remove" => return words("Destinatario tolto", "Recipient removed"),
        _ => {}
    }
    match Action::from_name(action) {
        Some(Action::PasswordChange) => words("Cambio password", "Password change"),
        Some(Action::LicenceLoad) => words("Caricamento licenza", "Licence load"),
        Some(Action::LicenceRemove) => words("Rimozione licenza", "Licence removal"),
        Some(Action::PeerSet) => words("Impostazioni Disaster Recovery", "Disaster Recovery settings"),
        Some(Action::PeerToken) => words("Codice di associazione", "Join token"),
        Some(Action::PeerJoin) => words("Associazione", "Association"),
        Some(Action::SiblingSet) => words("Cluster del Master", "The Master's cluster"),
        Some(Action::SiblingJoin) => words("Associazione del cluster", "Association of the cluster"),
        Some(Action::SiblingForget) => words("Cluster sciolto", "Cluster dissolved"),
        Some(Action::PeerForget) => words("Associazione sciolta", "Association dissolved"),
        Some(Action::DatasetAdd) => words("Dati aggiunti", "Dataset added"),
        Some(Action::DatasetRemove) => words("Dati tolti", "Dataset removed"),
        Some(Action::SyncStart) => words("START replica", "Replication START"),
        Some(Action::SyncStop) => words("STOP replica", "Replication STOP"),
        Some(Action::BandwidthSet) => words("Banda Replicazione", "Replication bandwidth"),
        Some(Action::SyncFull) => words("Sincronizzazione forzata", "Forced sync"),
        Some(Action::SyncVerify) => words("Verifica", "Verification"),
        Some(Action::SyncCancel) => words("Operazione interrotta", "Task cancelled"),
        Some(Action::LagLimitSet) => words("Limiti del ritardo", "Limits of the lag"),
        Some(Action::LagLimitReset) => words("Limiti del ritardo predefiniti", "Default limits of the lag"),
        Some(Action::RetentionSet) => words("Numero di punti di ripristino", "Number of restore points"),
        Some(Action::ScrubSet) => words("Durata della verifica continua", "Pace of the continuous verification"),
        Some(Action::StepAdd) => words("Passo proprio dichiarato", "Own step declared"),
        Some(Action::StepRemove) => words("Passo proprio tolto", "Own step removed"),
        Some(Action::StepMove) => words("Passo proprio spostato", "Own step moved"),
        Some(Action::StepGroupOn) => words("Gruppo di passi incluso", "Group of steps included"),
        Some(Action::StepGroupOff) => words("Gruppo di passi escluso", "Group of steps left out"),
        Some(Action::StepGroupMove) => words("Gruppo di passi spostato", "Group of steps moved"),
        Some(Action::Drill) => words("Prova di attivazione", "Activation drill"),
        Some(Action::StepsUndo) => words("Annullamento dei passi propri", "Undoing of the own steps"),
        Some(Action::RunAck) => words("Passo confermato", "Step acknowledged"),
        Some(Action::ServiceAdd) => words("Servizio dichiarato", "Service declared"),
        Some(Action::ServiceRemove) => words("Servizio tolto", "Service taken back"),
        Some(Action::Activate) => words("Attivazione del DR", "Activation of the DR"),
        Some(Action::Takeover) => words("Ripresa da parte del Master", "Take-over by the Master"),
        Some(Action::PeerRetire) => words("Macchina dichiarata perduta", "Machine declared lost"),
        Some(Action::Deactivate) => words("Rientro sul Master", "Roll back to the Master"),
        Some(Action::Failback) => words("Rientro con i dati del DR", "Failback with the data of the DR"),
        Some(Action::Suspend) => words("Sospensione del DR", "Suspension of the DR"),
        Some(Action::Settle) => words("Anomalia chiarita", "Finding settled"),
        Some(Action::GateSame) => words("Dati dichiarati uguali", "Data stated to be the same"),
        Some(Action::SyncAccept) => words("Consenso a sostituire la copia", "Consent to replace the copy"),
        Some(Action::PreservedDiscard) => words("Dati messi da parte eliminati", "What was put aside discarded"),
        Some(Action::RunResume) => words("Operazione ripresa", "Operation resumed"),
        Some(Action::RunAbort) => words("Operazione annullata", "Operation aborted"),
        Some(Action::RunApprove) => words("Operazione approvata", "Run approved"),
        Some(Action::RunDecline) => words("Operazione non approvata", "Run not approved"),
        Some(Action::RunBypass) => words("Senza la seconda persona", "Without the second person"),
        Some(Action::ApprovalSet) => words("Seconda persona", "Second person"),
        Some(Action::GateSet) => words("Consenso al rientro", "Return gate"),
        Some(Action::LifeSignsSet) => words("Segni di vita impostati", "Signs of life"),
        Some(Action::TelephonySet) => words("Prova della telefonia", "Proof of the telephony"),
        Some(Action::TelephonyClear) => words("Prova della telefonia tolta", "Proof of the telephony removed"),
        Some(Action::PowerSet) => words("Alimentazione impostata", "Power settings"),
        Some(Action::PowerRemove) => words("Alimentazione tolta", "Power settings removed"),
        Some(Action::PowerOff) => words("Macchina spenta da qui", "Machine switched off"),
        Some(Action::PowerOn) => words("Macchina accesa da qui", "Machine switched on"),
        Some(Action::PowerRead) => words("Lettura dell'alimentazione", "Power read"),
        Some(Action::ThresholdsSet) => words("Soglie", "Thresholds"),
        Some(Action::ThresholdReset) => words("Soglia predefinita", "Default threshold"),
        Some(Action::SmtpSet) => words("Configurazione SMTP", "SMTP configuration"),
        Some(Action::SmtpTest) => words("Mail di prova", "Test mail"),
        Some(Action::SmsAccountAdd) => words("Account SMS", "SMS account"),
        Some(Action::SmsAccountRemove) => words("Account SMS rimosso", "SMS account removed"),
        Some(Action::SmsAccountDefault) => words("Account SMS di default", "Default SMS account"),
        Some(Action::SmsTest) => words("SMS di prova", "Test SMS"),
        Some(Action::UserAdd) => words("Nuovo utente", "New user"),
        Some(Action::UserPassword) => words("Password di un utente", "A user's password"),
        Some(Action::UserRemove) => words("Utente rimosso", "User removed"),
        Some(Action::AlarmAck) => words("Allarme preso in carico", "Alarm acknowledged"),
        None => "",
    }
}

fn pager(cx: &Context, model: &AuditPage) -> Option<AnyView> {
    if model.older.is_none() && model.newer.is_none() {
        return None;
    }
    let newer = model.newer.map(|upto| {
        let href = upto.map_or_else(|| "/registro".to_owned(), |seq| format!("/registro?upto={seq}"));
        view! { <a class="button" href=href>{cx.t("← Più recenti", "← Newer")}</a> }
    });
    let older = model.older.map(|seq| {
        view! { <a class="button" href=format!("/registro?upto={seq}")>{cx.t("Meno recenti →", "Older →")}</a> }
    });
    Some(
        view! { <nav class="pager" aria-label=cx.t("Pagine del registro", "Pages of the log")>{newer} {older}</nav> }
            .into_any(),
    )
}
