//! The card *Ritardo*: how far each replica was behind, drawn on the server, the same as a table, and the limits.

use contract::lag::{DatasetLag, LagReport, LagWindow};
use contract::span;
use leptos::prelude::*;

use crate::action::Action;
use crate::chart::LagChart;
use crate::format;
use crate::model::Context;
use crate::routes::{self, PageId};
use crate::widgets::{Field, card_with_help, select};

pub(crate) fn view(cx: &Context, model: &LagReport, window: LagWindow) -> AnyView {
    let about = cx.t(
        "Quanto la copia è indietro rispetto al Master; resta scritto anche dopo un riavvio. La scala verticale è logaritmica. Dove la linea manca, il Master non si vedeva o questa macchina era spenta: il ritardo non era noto.",
        "How far the copy is behind the Master; it stays over a restart. The vertical scale is logarithmic. Where there is no line the Master was not seen or this machine was off: the lag was not known.",
    );
    let body = if model.datasets.is_empty() {
        view! { <p>{cx.t("Ancora nessun dato da replicare.", "Nothing to replicate yet.")}</p> }.into_any()
    } else {
        let charts: Vec<LagChart> = model.datasets.iter().map(|one| chart(one, model, window)).collect();
        view! {
            {windows(cx, window)}
            <div class="charts">{charts.iter().map(|one| figure(cx, one)).collect_view()}</div>
            {charts.iter().map(|one| table(cx, one)).collect_view()}
            {limits(cx, &model.datasets)}
        }
        .into_any()
    };
    card_with_help(cx, "lag", cx.t("Ritardo della replica", "Lag of the replica"), about, body)
}

fn chart(one: &DatasetLag, model: &LagReport, window: LagWindow) -> LagChart {
    LagChart {
        dataset: one.dataset.clone(),
        points: one.points.iter().map(|point| (point.at.as_second(), point.lag_seconds)).collect(),
        soft: one.limits.soft_seconds,
        hard: one.limits.hard_seconds,
        now: model.at.as_second(),
        window,
    }
}

/// The three stretches of time, the present one marked.
fn windows(cx: &Context, window: LagWindow) -> AnyView {
    let path = routes::of(PageId::Replication).path;
    let links = LagWindow::ALL.map(|one| {
        view! {
            <a class="button" href=format!("{path}?lag={}#lag-help", one.as_str()) aria-current=(one == window).then_some("true")>
                {one.label(cx.lang)}
            </a>
        }
    });
    let label = cx.t("Periodo", "Period");
    view! { <nav class="windows" aria-label=label>{links.collect_view()}</nav> }.into_any()
}

fn figure(cx: &Context, chart: &LagChart) -> AnyView {
    let drawing = chart.figure(cx.offset(cx.now), cx.lang);
    view! { <figure class="chart" inner_html=drawing></figure> }.into_any()
}

/// The same for those who cannot see it.
fn table(cx: &Context, chart: &LagChart) -> AnyView {
    let (when, worst) = (cx.t("Da", "From"), cx.t("Ritardo massimo", "Highest lag"));
    let caption = format!("{} {}", cx.t("Ritardo come tabella:", "Lag as a table:"), chart.dataset);
    let rows = chart.rows(cx.offset(cx.now)).into_iter().map(|(from, lag)| {
        let late = lag.is_some_and(|lag| lag > f64::from(chart.soft));
        let lag = lag.map_or_else(|| cx.t("non noto", "not known").to_owned(), |lag| format::span(lag, cx.lang));
        view! {
            <tr>
                <th scope="row">{from}</th>
                <td data-label=worst class=if late { "late" } else { "" }>{lag}</td>
            </tr>
        }
    });
    view! {
        <details class="as-table">
            <summary>{caption.clone()}</summary>
            <table>
                <caption class="visually-hidden">{caption}</caption>
                <thead>
                    <tr>
                        <th scope="col">{when}</th>
                        <th scope="col">{worst}</th>
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </details>
    }
    .into_any()
}

/// The limits of each dataset, and the form that gives one of them its own.
fn limits(cx: &Context, datasets: &[DatasetLag]) -> AnyView {
    let (name, soft) = (cx.t("Nome", "Name"), cx.t("Avviso oltre", "Warning beyond"));
    let (hard, whose) = (cx.t("Allarme oltre", "Alarm beyond"), cx.t("Limiti", "Limits"));
    let may = cx.may(Action::LagLimitSet);
    let rows = datasets.iter().map(|one| {
        let own = if one.own_limits {
            cx.t("propri", "its own")
        } else {
            cx.t("della pagina Soglie", "of the Thresholds page")
        };
        let reset = (may && one.own_limits).then(|| {
            let label = format!("{} {}", cx.t("Ripristina i limiti di", "Restore the limits of"), one.dataset);
            view! {
                <form method="post">
                    <input type="hidden" name="action" value=Action::LagLimitReset.as_str() />
                    <input type="hidden" name="dataset" value=one.dataset.clone() />
                    <button class="plain-button" aria-label=label>
                        {cx.t("Ripristina", "Restore")}
                    </button>
                </form>
            }
        });
        view! {
            <tr>
                <th scope="row">{one.dataset.clone()}</th>
                <td data-label=soft>{format::whole_span(one.limits.soft_seconds, cx.lang)}</td>
                <td data-label=hard>{format::whole_span(one.limits.hard_seconds, cx.lang)}</td>
                <td data-label=whose>{own} " " {reset}</td>
            </tr>
        }
    });
    let caption = cx.t("Limiti del ritardo", "Limits of the lag");
    view! {
        <h3>{caption}</h3>
        <div class="scroll" tabindex="0" role="region" aria-label=caption>
            <table>
                <caption class="visually-hidden">{caption}</caption>
                <thead>
                    <tr>
                        <th scope="col">{name}</th>
                        <th scope="col">{soft}</th>
                        <th scope="col">{hard}</th>
                        <th scope="col">{whose}</th>
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </div>
        {may.then(|| form(cx, datasets))}
    }
    .into_any()
}

fn form(cx: &Context, datasets: &[DatasetLag]) -> AnyView {
    let options: Vec<(&str, &str)> = datasets.iter().map(|one| (one.dataset.as_str(), one.dataset.as_str())).collect();
    let first = datasets.first();
    let saved = |limit: fn(&DatasetLag) -> u32| first.map(|one| span::written(limit(one))).unwrap_or_default();
    let (soft, hard) = (saved(|one| one.limits.soft_seconds), saved(|one| one.limits.hard_seconds));
    let help = cx.t("Una durata, ad esempio 90s, 5m oppure 1h.", "A span of time, for example 90s, 5m or 1h.");
    let which = cx.t("I dati che avranno limiti propri.", "The data that gets limits of its own.");
    view! {
        <form method="post">
            <input type="hidden" name="action" value=Action::LagLimitSet.as_str() />
            <div class="columns">
                {select(cx, Action::LagLimitSet, "dataset", cx.t("Dati", "Dataset"), which, &options, first.map_or("", |one| one.dataset.as_str()))}
                {Field::new(Action::LagLimitSet, "soft", cx.t("Avviso oltre", "Warning beyond"), help).saved(&soft).view(cx)}
                {Field::new(Action::LagLimitSet, "hard", cx.t("Allarme oltre", "Alarm beyond"), help).saved(&hard).view(cx)}
            </div>
            <button class="button">{cx.t("Salva i limiti", "Save the limits")}</button>
        </form>
    }
    .into_any()
}
