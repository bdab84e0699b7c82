//! A forced sync or a verification while it runs, and what it left on the console: the cards *Forza la sincronizzazione
//! del database* and *Verifica*.

use contract::Lang;
use contract::task::{MAX_DIFFERENCES, Scope, TaskKind, TaskReport, TaskState};
use leptos::html::Div;
use leptos::prelude::*;

use super::follow;
use crate::action::Action;
use crate::format;

/// The forced sync: choice, START, progress, console.
#[island]
pub fn TaskPanel(
    /// As drawn by the server.
    initial: Option<TaskReport>,
    /// The last one of this kind, for as long as another kind is the last of all.
    kept: Option<TaskReport>,
    /// Whether the reader may press.
    may: bool,
    /// What was chosen, when the form came back.
    chosen: Scope,
    /// The server's zone.
    offset: i32,
    /// The reader's language.
    lang: Lang,
) -> impl IntoView {
    let task = follow(initial, |live| live.task.clone());
    let shown = of_kind(task, TaskKind::Full, kept);
    let console = Console::following(shown);
    let busy = move || task.with(|t| running(t.as_ref()));
    let form = may.then(move || {
        let options = Scope::ALL.map(|scope| {
            view! {
                <option value=scope.as_str() selected=scope == chosen>
                    {scope.label(lang)}
                </option>
            }
        });
        view! {
            <form method="post" class="task-form">
                <input type="hidden" name="action" value=Action::SyncFull.as_str() />
                <div class="field half">
                    <label for="scope">
                        {lang.pick("Replicazione", "Replication")} <span class="star" aria-hidden="true">" *"</span>
                    </label>
                    <select id="scope" name="scope" required disabled=busy aria-describedby="scope-help">
                        {options}
                    </select>
                    <p class="hint" id="scope-help">
                        {lang
                            .pick(
                                "Tutto rilegge e ricontrolla ogni dato. Configurazione e ultimi 2 mesi lascia com'è lo storico più vecchio, senza cancellarlo.",
                                "Everything reads and checks all data again. Configuration and last 2 months leaves older history as it is, without deleting it.",
                            )}
                    </p>
                </div>
                <div class="press">
                    <p>
                        {lang
                            .pick(
                                "Premendo il pulsante \"Start\" verrà avviata la sincronizzazione del database",
                                "Pressing \"Start\" begins the sync of the database",
                            )}
                    </p>
                    <button class="button primary wide" disabled=busy>
                        "START"
                    </button>
                </div>
            </form>
        }
    });
    view! {
        <div class="task">
            {form}
            {move || shown.with(|t| t.as_ref().map(|t| watch(t, console, may, offset, lang)))}
        </div>
    }
}

/// The verification: button, progress, result.
#[island]
pub fn VerifyPanel(
    /// As drawn by the server.
    initial: Option<TaskReport>,
    /// The last one of this kind, for as long as another kind is the last of all.
    kept: Option<TaskReport>,
    /// Whether the reader may press.
    may: bool,
    /// The server's zone.
    offset: i32,
    /// The reader's language.
    lang: Lang,
) -> impl IntoView {
    let task = follow(initial, |live| live.task.clone());
    let shown = of_kind(task, TaskKind::Verify, kept);
    let console = Console::following(shown);
    let busy = move || task.with(|t| running(t.as_ref()));
    let form = may.then(move || {
        view! {
            <form method="post" class="press">
                <input type="hidden" name="action" value=Action::SyncVerify.as_str() />
                <p>
                    {lang
                        .pick(
                            "Rilegge subito tutta la replica e confronta ogni file con il Master. Ciò che il disco ha alterato viene poi risanato.",
                            "Reads the whole replica again at once and compares every file with the Master. What the disk has altered is healed afterwards.",
                        )}
                </p>
                <button class="button primary wide" disabled=busy>
                    {lang.pick("VERIFICA", "VERIFY")}
                </button>
            </form>
        }
    });
    view! {
        <div class="task">
            {form}
            {move || {
                shown.with(|t| {
                    t.as_ref()
                        .map(|t| view! { {verdict(t, offset, lang)} {watch(t, console, may, offset, lang)} })
                })
            }}
        </div>
    }
}

/// The task that a panel shows: the last of all where it is of its kind, else what was kept of its kind.
fn of_kind(task: Memo<Option<TaskReport>>, kind: TaskKind, kept: Option<TaskReport>) -> Memo<Option<TaskReport>> {
    Memo::new(move |before: Option<&Option<TaskReport>>| {
        let now = task.with(|task| task.clone().filter(|task| task.kind == kind));
        now.or_else(|| before.cloned().flatten()).or_else(|| kept.clone())
    })
}

fn running(task: Option<&TaskReport>) -> bool {
    task.is_some_and(|task| task.state == TaskState::Running)
}

/// The console shows its newest line, unless the reader has scrolled up to an older one.
#[derive(Clone, Copy)]
struct Console {
    element: NodeRef<Div>,
    at_end: StoredValue<bool>,
}

impl Console {
    /// A console that goes to its end whenever the task says something new.
    fn following(task: Memo<Option<TaskReport>>) -> Self {
        let console = Self { element: NodeRef::new(), at_end: StoredValue::new(true) };
        Effect::new(move |_| {
            task.track();
            // Once the new line is drawn.
            request_animation_frame(move || {
                if console.at_end.try_get_value() == Some(true)
                    && let Some(element) = console.element.get_untracked()
                {
                    element.set_scroll_top(element.scroll_height());
                }
            });
        });
        console
    }

    /// The reader, or this console itself, has moved.
    fn moved(self) {
        /// Less than a line.
        const NEAR: i32 = 16;
        if let Some(element) = self.element.get_untracked() {
            let below = element.scroll_height() - element.client_height() - element.scroll_top();
            self.at_end.set_value(below < NEAR);
        }
    }
}

/// Progress while it runs, and the console.
fn watch(task: &TaskReport, console: Console, may: bool, offset: i32, lang: Lang) -> AnyView {
    let label = format!("{}: {}", task.kind.label(lang), lang.pick("avanzamento", "progress"));
    let bar = (task.state == TaskState::Running).then(|| {
        let fraction = task.progress.fraction();
        let text = fraction.map_or_else(|| lang.pick("conteggio…", "counting…").to_owned(), format::percent);
        let part = |done: String, total: Option<String>| match total {
            Some(total) => format!("{done} / {total}"),
            None => done,
        };
        let now = &task.progress;
        let count = |n: u64| format::count(n, lang);
        let bytes = |n: u64| format::bytes(n, lang);
        let files = Some(format!("{} file", part(count(now.files_done), now.files_total.map(count))));
        let size = Some(part(bytes(now.bytes_done), now.bytes_total.map(bytes)));
        let rate = now.bytes_per_second.map(|rate| format!("{}/s", bytes(rate)));
        let rest = now.remaining_seconds.map(|seconds| format::about(seconds, lang));
        let more = [files, size, rate, rest].into_iter().flatten().collect::<Vec<_>>().join(" · ");
        view! {
            <div class="bar">
                <progress max="1" value=fraction.map(|f| f.to_string()) aria-label=label></progress>
                <span class="percent">{text}</span>
            </div>
            <p class="muted">{more}</p>
            {may.then(|| cancel(task.kind, lang))}
        }
    });
    let lines = task.log.iter().map(|line| {
        view! { <p><span class="when">{format::hour(line.at, offset)}</span> " " {line.text.get(lang).to_owned()}</p> }
    });
    let by = format!(
        "{} {} {} {}",
        lang.pick("Avviata da", "Started by"),
        task.started_by,
        lang.pick("il", "on"),
        format::moment(task.started_at, offset, lang)
    );
    view! {
        <p class="muted">{by}</p>
        {bar}
        <div
            class="console"
            node_ref=console.element
            on:scroll=move |_| console.moved()
            role="log"
            tabindex="0"
            aria-label=format!("{}: {}", task.kind.label(lang), lang.pick("console", "console"))
        >
            {lines.collect_view()}
        </div>
    }
    .into_any()
}

/// Ends what runs.
fn cancel(kind: TaskKind, lang: Lang) -> AnyView {
    let name = format!("{}: {}", lang.pick("Interrompi", "Cancel"), kind.label(lang));
    view! {
        <form method="post">
            <input type="hidden" name="action" value=Action::SyncCancel.as_str() />
            <button class="button" aria-label=name>
                {lang.pick("Interrompi", "Cancel")}
            </button>
        </form>
    }
    .into_any()
}

/// What a verification found.
fn verdict(task: &TaskReport, offset: i32, lang: Lang) -> Option<AnyView> {
    let ended = format::moment(task.ended_at?, offset, lang);
    let point = task.point.as_ref().map(|id| format!("{} {id} · ", lang.pick("punto di ripristino", "restore point")));
    let total = task.differences_total;
    let (tone, text) = match task.state {
        TaskState::Running => return None,
        TaskState::Done => ("good", lang.pick("Nessuna differenza", "No difference").to_owned()),
        TaskState::Failed if total == 0 => {
            ("bad", lang.pick("La verifica non è riuscita", "The verification failed").to_owned())
        }
        TaskState::Failed => {
            ("bad", format!("{}: {}", lang.pick("Differenze", "Differences"), format::count(total, lang)))
        }
    };
    let list = (!task.differences.is_empty()).then(|| {
        let cut = (total > MAX_DIFFERENCES as u64)
            .then(|| lang.pick("Ne sono elencate le prime mille.", "The first thousand are listed."));
        let items = task.differences.iter().map(|difference| {
            view! {
                <li>
                    <code>{format!("{}/{}", difference.dataset, difference.path)}</code>
                    " "
                    {difference.what.clone()}
                </li>
            }
        });
        view! { <ul class="differences">{items.collect_view()}</ul> <p class="muted">{cut}</p> }
    });
    Some(view! { <p><span class=format!("badge {tone}")>{text}</span> " " {point} {ended}</p> {list} }.into_any())
}
