//! The card *Verifica continua*: how far each replica is read again, what was found, and the pace.

use contract::scrub::{Damage, PERIOD_RANGE, ScrubInfo, ScrubReport};
use contract::{Lang, span};
use leptos::prelude::*;

use crate::action::Action;
use crate::format;
use crate::model::Context;
use crate::widgets::{Field, card_with_help};

pub(crate) fn view(cx: &Context, model: &ScrubReport) -> AnyView {
    let about = cx.t(
        "Un disco può alterare un file senza che nessuno lo scriva. Per questo ogni replica viene riletta di continuo, un pezzo alla volta, e ciò che risulta diverso viene risanato dal Master, con un allarme. Riprende da dove era anche dopo un riavvio.",
        "A disk may alter a file that nobody writes. Therefore every replica is read again all the time, a piece at a time, and what is found to differ is healed from the Master, with an alarm. It goes on where it was, also after a restart.",
    );
    let body = view! {
        {if model.datasets.is_empty() { none(cx) } else { table(cx, model) }}
        {model.datasets.iter().filter_map(|one| damage(cx, one)).collect_view()}
        {pace(cx, model)}
    };
    card_with_help(cx, "scrub", cx.t("Verifica continua", "Continuous verification"), about, body)
}

fn none(cx: &Context) -> AnyView {
    view! { <p>{cx.t("Ancora nessun dato da replicare.", "Nothing to replicate yet.")}</p> }.into_any()
}

fn table(cx: &Context, model: &ScrubReport) -> AnyView {
    let (name, done) = (cx.t("Nome", "Name"), cx.t("Rilettura in corso", "Pass under way"));
    let (last, result) = (cx.t("Ultima rilettura completa", "Last whole pass"), cx.t("Esito", "Result"));
    let rows = model.datasets.iter().map(|one| {
        let since = one.started_at.map(|at| format!("{} {}", cx.t("dal", "since"), cx.moment(at)));
        let (ended, outcome) = match &one.last {
            None => (cx.t("ancora nessuna", "none yet").to_owned(), "–".to_owned()),
            Some(pass) => {
                let read =
                    format!("{} file, {}", format::count(pass.files, cx.lang), format::bytes(pass.bytes, cx.lang));
                (format!("{} ({read})", cx.moment(pass.ended_at)), outcome(cx, pass.differences))
            }
        };
        view! {
            <tr>
                <th scope="row">{one.dataset.clone()}</th>
                <td data-label=done>{format::percent(one.fraction)} " " {since}</td>
                <td data-label=last>{ended}</td>
                <td data-label=result>{outcome}</td>
            </tr>
        }
    });
    let caption = cx.t("Verifica continua", "Continuous verification");
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label=caption>
            <table>
                <caption class="visually-hidden">{caption}</caption>
                <thead>
                    <tr>
                        <th scope="col">{name}</th>
                        <th scope="col">{done}</th>
                        <th scope="col">{last}</th>
                        <th scope="col">{result}</th>
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn outcome(cx: &Context, differences: u64) -> String {
    match differences {
        0 => cx.t("nessuna differenza", "no difference").to_owned(),
        n => format!("{}: {}", cx.t("differenze", "differences"), format::count(n, cx.lang)),
    }
}

/// What was found damaged last, and whether it is healed.
fn damage(cx: &Context, one: &ScrubInfo) -> Option<AnyView> {
    let Damage { found_at, healed_at, total, differences } = one.damage.as_ref()?;
    let (tone, word) = match healed_at {
        Some(at) => ("good", format!("{} {}", cx.t("risanata il", "healed on"), cx.moment(*at))),
        None => ("bad", cx.t("da risanare", "to be healed").to_owned()),
    };
    let found = match cx.lang {
        Lang::It => format!(
            "{}: danno trovato il {}, differenze: {}",
            one.dataset,
            cx.moment(*found_at),
            format::count(*total, cx.lang)
        ),
        Lang::En => format!(
            "{}: damage found on {}, differences: {}",
            one.dataset,
            cx.moment(*found_at),
            format::count(*total, cx.lang)
        ),
    };
    let items = differences.iter().map(|one| view! { <li><code>{one.path.clone()}</code> " " {one.what.clone()}</li> });
    Some(
        view! {
            <div class="damage">
                <p><span class=format!("badge {tone}")>{word}</span> " " {found}</p>
                <ul class="differences">{items.collect_view()}</ul>
            </div>
        }
        .into_any(),
    )
}

fn pace(cx: &Context, model: &ScrubReport) -> AnyView {
    let period = span::written(model.period_seconds);
    if !cx.may(Action::ScrubSet) {
        let text = format!("{} {period}.", cx.t("Tutto viene riletto in", "Everything is read again in"));
        return view! { <p class="muted">{text}</p> }.into_any();
    }
    let (min, max) = (span::written(*PERIOD_RANGE.start()), span::written(*PERIOD_RANGE.end()));
    let help = match cx.lang {
        Lang::It => {
            format!("Ad esempio 12h oppure 7d; da {min} a {max}. Più è breve, più il disco lavora. Predefinito: 7d.")
        }
        Lang::En => {
            format!("For example 12h or 7d; from {min} to {max}. The shorter, the more the disk works. Default: 7d.")
        }
    };
    view! {
        <form method="post" class="press">
            <input type="hidden" name="action" value=Action::ScrubSet.as_str() />
            {Field::new(Action::ScrubSet, "every", cx.t("Rileggere tutto in", "Read everything again in"), &help).saved(&period).view(cx)}
            <button class="button">{cx.t("Salva la durata", "Save the pace")}</button>
        </form>
    }
    .into_any()
}
