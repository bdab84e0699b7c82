//! A replica that is held, as a card of the page Replicazione: what it means in plain words, and the consent that names
//! exactly what may be replaced.

use contract::Lang;
use contract::sync::DatasetReport;
use leptos::prelude::*;

use crate::action::Action;
use crate::format;
use crate::model::{Context, ReplicationPage};
use crate::widgets::{Field, Kind, card};

pub(super) fn view(cx: &Context, model: &ReplicationPage) -> Option<AnyView> {
    let held = model.live.sync.datasets.iter().filter(|dataset| dataset.held);
    let cards: Vec<AnyView> = held.filter_map(|dataset| one(cx, dataset, model.live.status.peer_name())).collect();
    (!cards.is_empty()).then(|| cards.collect_view().into_any())
}

fn one(cx: &Context, dataset: &DatasetReport, master: &str) -> Option<AnyView> {
    let content = dataset.content.clone()?;
    let name = &dataset.name;
    let heading = format!("{}: {name}", cx.t("La copia è trattenuta", "The copy is held"));
    let files = dataset.files.unwrap_or_default();
    let bytes = format::bytes(dataset.bytes.unwrap_or_default(), cx.lang);
    let at = dataset.captured_at.map_or_else(|| "–".to_owned(), |at| cx.moment(at));
    let (what, choice) = match cx.lang {
        Lang::It => (
            format!(
                "{master} non conosce il contenuto che si trova qui ({files} file, {bytes}, dati del Master al {at}): è stato sostituito, ripristinato da un backup, oppure è vuoto. Per questo nulla viene sovrascritto. La copia buona può essere questa."
            ),
            format!(
                "Solo se i dati giusti sono quelli che {master} ha adesso: acconsentire a sostituire questa copia. Ciò che c'è ora resta come punto di ripristino per 30 giorni. Il consenso vale per questo contenuto e basta, una volta sola, entro un'ora."
            ),
        ),
        Lang::En => (
            format!(
                "{master} does not know the content that is here ({files} files, {bytes}, the Master's data at {at}): it was replaced, restored from a backup, or is empty. So nothing is overwritten. The good copy may be this one."
            ),
            format!(
                "Only if the right data is what {master} has now: consent to replace this copy. What is here now stays as a restore point for 30 days. The consent is for this content alone, once, within an hour."
            ),
        ),
    };
    let form = cx.may(Action::SyncAccept).then(|| form(cx, name, &content));
    let body = view! {
        <p>{what}</p>
        <p>{choice}</p>
        <p class="muted">{cx.t("Contenuto", "Content")} ": " <code>{content.clone()}</code></p>
        {form}
    };
    Some(card(&heading, body).into_any())
}

fn form(cx: &Context, dataset: &str, content: &str) -> AnyView {
    let action = Action::SyncAccept;
    // Of several cards the one that came back shows what was typed.
    let error = cx.form.error(action, "content", cx.lang).filter(|_| cx.form.is_row(action, dataset));
    let reason = cx.t("Finisce nel registro.", "It goes into the audit log.");
    let label = cx.t("Nome di questa macchina", "This machine's name");
    let machine = cx.t("Quello scritto in alto, per intero.", "The one written above, all of it.");
    let password = cx.t("La propria, di nuovo.", "Your own, again.");
    let button = match cx.lang {
        Lang::It => format!("SOSTITUISCI LA COPIA DI {}", dataset.to_uppercase()),
        Lang::En => format!("REPLACE THE COPY OF {}", dataset.to_uppercase()),
    };
    view! {
        <form method="post" class="grave-form">
            <input type="hidden" name="action" value=action.as_str() />
            <input type="hidden" name="name" value=dataset.to_owned() />
            <input type="hidden" name="content" value=content.to_owned() />
            {error.map(|error| view! { <p class="field-error">{error}</p> })}
            {Field::new(action, "reason", cx.t("Motivo", "Reason"), reason).row(dataset).view(cx)}
            <div class="columns">
                {Field::new(action, "confirm_name", label, machine).row(dataset).view(cx)}
                {Field::new(action, "password", "Password", password).row(dataset).kind(Kind::Password("current-password")).view(cx)}
            </div>
            <button class="button danger">{button}</button>
        </form>
    }
    .into_any()
}
