//! `/dati` (Master): what is replicated, how much disk the Client needs for it, and the form for more.

use contract::dataset::{DatasetClass, DatasetKind, Owners};
use contract::query::DatasetEntry;
use contract::sync::error_sentence;
use leptos::prelude::*;

use super::preserved;
use crate::action::Action;
use crate::format;
use crate::islands::state_badge;
use crate::model::{Context, DatasetsPage};
use crate::routes::{self, PageId};
use crate::widgets::{Field, Kind, card, card_with_help, confirm, reload, select, title};

pub(crate) fn view(cx: &Context, model: &DatasetsPage) -> AnyView {
    let route = routes::of(PageId::Datasets);
    view! {
        {title(route.label(cx.lang), reload(cx, route.path))}
        {list(cx, model)}
        {preserved::view(cx, &model.preserved)}
        {cx.may(Action::DatasetAdd).then(|| add(cx))}
    }
    .into_any()
}

fn list(cx: &Context, model: &DatasetsPage) -> AnyView {
    let needed: u64 = model.datasets.iter().filter_map(|d| d.bytes).sum();
    let uncounted = model.datasets.iter().any(|d| d.bytes.is_none());
    let total = format!(
        "{}{}",
        format::bytes(needed, cx.lang),
        if uncounted { cx.t(" (conteggio in corso)", " (still counting)") } else { "" }
    );
    let about = cx.t(
        "Lo spazio è quello dei dati di oggi. Sul DR Client serve di più: durante una copia quella vecchia e quella nuova stanno insieme, e i punti di ripristino occupano ciò che nel frattempo è cambiato.",
        "The space is today's data. The DR Client needs more: during a copy the old and the new one stand side by side, and restore points take what has changed meanwhile.",
    );
    let body = if model.datasets.is_empty() {
        view! {
            <p>
                {cx
                    .t(
                        "Ancora nulla: finché non si aggiungono dati, sul DR Client non arriva niente.",
                        "Nothing yet: until data is added, nothing reaches the DR Client.",
                    )}
            </p>
        }
        .into_any()
    } else {
        let caption = cx.t("Dati dichiarati", "Declared data");
        let [replica, kind, here, there, files, size] = columns(cx);
        view! {
            <p>
                <strong>{cx.t("Spazio necessario sul DR:", "Space needed on the DR:")} " " {total}</strong>
            </p>
            <div class="scroll" tabindex="0" role="region" aria-label=caption>
                <table>
                    <caption class="visually-hidden">{caption}</caption>
                    <thead>
                        <tr>
                            <th scope="col">{cx.t("Nome", "Name")}</th>
                            <th scope="col">{replica}</th>
                            <th scope="col">{kind}</th>
                            <th scope="col">{here}</th>
                            <th scope="col">{there}</th>
                            <th scope="col" class="number">{files}</th>
                            <th scope="col" class="number">{size}</th>
                            {cx.may(Action::DatasetRemove).then(|| view! { <th scope="col"><span class="visually-hidden">{cx.t("Azioni", "Actions")}</span></th> })}
                        </tr>
                    </thead>
                    <tbody>{model.datasets.iter().map(|entry| row(cx, entry)).collect_view()}</tbody>
                </table>
            </div>
        }
        .into_any()
    };
    card_with_help(cx, "datasets", cx.t("Dati dichiarati", "Declared data"), about, body)
}

/// What stands beside the name, in this order; on a small screen each cell says it again (`data-label`).
fn columns(cx: &Context) -> [&'static str; 6] {
    [
        cx.t("Replica", "Replica"),
        cx.t("Tipo", "Kind"),
        cx.t("Sul Master", "On the Master"),
        cx.t("Sul DR Client", "On the DR Client"),
        cx.t("File", "Files"),
        cx.t("Spazio", "Size"),
    ]
}

fn row(cx: &Context, entry: &DatasetEntry) -> AnyView {
    let d = &entry.dataset;
    let [replica_head, kind_head, here_head, there_head, files_head, size_head] = columns(cx);
    let none = || "–".to_owned();
    let problem = entry.problem.as_ref().map(|code| {
        view! { <span class="row-error">{error_sentence(code, cx.lang)}</span> }
    });
    let excludes = (!d.excludes.is_empty()).then(|| {
        let text = format!("{} {}", cx.t("escluso:", "excluded:"), d.excludes.join(", "));
        view! { <br /> <span class="muted">{text}</span> }
    });
    let by_name = (d.owners == Owners::Names).then(|| {
        view! { <br /> <span class="muted">{cx.t("proprietari per nome", "owners by name")}</span> }
    });
    let standing = cx.live.as_ref().and_then(|live| live.sync.datasets.iter().find(|r| r.name == d.name));
    let state = standing.map(|r| {
        let generation = r.generation.map(|n| format!("{} {n}", cx.t("generazione", "generation")));
        view! { {state_badge(r.state, cx.lang)} " " {generation} }
    });
    let state = state.map_or_else(|| none().into_any(), IntoAny::into_any);
    let remove = cx.may(Action::DatasetRemove).then(|| {
        let question = format!("{} {}?", cx.t("Togliere dalla replica", "Stop replicating"), d.name);
        view! {
            <td>
                {confirm(
                    cx,
                    Action::DatasetRemove,
                    Some(&d.name),
                    cx.t("Togli", "Remove"),
                    &question,
                    cx.t(
                        "I dati sul Master non cambiano, e la copia sul DR Client resta dov'è ma non si aggiorna più.",
                        "The data on the Master stays as it is; the copy on the DR Client stays too but is no longer updated.",
                    ),
                )}
            </td>
        }
    });
    view! {
        <tr>
            <th scope="row">{d.name.clone()}</th>
            <td data-label=replica_head>{state}</td>
            <td data-label=kind_head>{d.kind.label(cx.lang)} <br /> <span class="muted">{d.class.label(cx.lang)}</span></td>
            <td data-label=here_head><code>{d.source.clone()}</code> {excludes} {by_name} {problem}</td>
            <td data-label=there_head><code>{d.target.clone()}</code></td>
            <td data-label=files_head class="number">{entry.files.map_or_else(none, |n| format::count(n, cx.lang))}</td>
            <td data-label=size_head class="number">{entry.bytes.map_or_else(none, |n| format::bytes(n, cx.lang))}</td>
            {remove}
        </tr>
    }
    .into_any()
}

fn add(cx: &Context) -> AnyView {
    let a = Action::DatasetAdd;
    let kinds = DatasetKind::ALL.map(|kind| (kind.as_str(), kind.label(cx.lang)));
    let classes = DatasetClass::ALL.map(|class| (class.as_str(), class.label(cx.lang)));
    let owners = Owners::ALL.map(|owners| (owners.as_str(), owners.label(cx.lang)));
    let form = view! {
        <form method="post" id="dataset-form">
            <input type="hidden" name="action" value=a.as_str() />
            <div class="columns">
                {Field::new(
                        a,
                        "name",
                        cx.t("Nome", "Name"),
                        cx.t(
                            "Lettere minuscole, cifre e trattini, ad esempio registrazioni.",
                            "Lower-case letters, digits and dashes, e.g. recordings.",
                        ),
                    )
                    .view(cx)}
                {select(
                    cx,
                    a,
                    "kind",
                    cx.t("Tipo", "Kind"),
                    cx.t(
                        "Un database si dichiara come tale: copiarlo come file darebbe una copia incoerente.",
                        "A database is declared as one: copying its file would give an inconsistent copy.",
                    ),
                    &kinds,
                    DatasetKind::Files.as_str(),
                )}
                {select(
                    cx,
                    a,
                    "class",
                    cx.t("Classe", "Class"),
                    cx.t(
                        "Configurazione: serve per partire. Storico: chiamate, registrazioni, log.",
                        "Configuration: needed to start. History: calls, recordings, logs.",
                    ),
                    &classes,
                    DatasetClass::Configuration.as_str(),
                )}
                {select(
                    cx,
                    a,
                    "owners",
                    cx.t("Proprietari", "Owners"),
                    cx.t(
                        "Per nome: un file resta di chi porta lo stesso nome, anche se sul DR Client ha un altro numero. Un nome che là non c'è viene segnalato.",
                        "By name: a file stays with who has the same name, though the number is another one on the DR Client. A name that is unknown there is told.",
                    ),
                    &owners,
                    Owners::Numbers.as_str(),
                )}
                {Field::new(
                        a,
                        "source",
                        cx.t("Percorso sul Master", "Path on the Master"),
                        cx.t(
                            "Il percorso completo di una cartella o di un database SQLite su questa macchina.",
                            "The full path of a directory or of a SQLite database on this machine.",
                        ),
                    )
                    .view(cx)}
                {Field::new(
                        a,
                        "target",
                        cx.t("Percorso sul DR Client", "Path on the DR Client"),
                        cx.t(
                            "Dove la replica si legge sul DR Client. Vuoto: lo stesso percorso. Lì non deve esserci già qualcosa.",
                            "Where the replica is read on the DR Client. Empty: the same path. Nothing may be there already.",
                        ),
                    )
                    .optional()
                    .view(cx)}
                {Field::new(
                        a,
                        "excludes",
                        cx.t("Esclusi", "Excluded"),
                        cx.t(
                            "Un modello per riga, relativo al percorso, ad esempio *.tmp oppure cache/**.",
                            "One pattern per line, relative to the path, e.g. *.tmp or cache/**.",
                        ),
                    )
                    .optional()
                    .kind(Kind::Lines(3))
                    .view(cx)}
            </div>
            <button class="button primary">{cx.t("Aggiungi", "Add")}</button>
        </form>
    };
    card(cx.t("Aggiungi dati", "Add data"), form)
}
