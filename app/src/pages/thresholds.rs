//! `/soglie`: from when on something counts as wrong.

use contract::Lang;
use contract::threshold::{Threshold, ThresholdInfo, ThresholdsReport};
use leptos::prelude::*;

use crate::action::Action;
use crate::format;
use crate::model::Context;
use crate::routes::{self, PageId};
use crate::widgets::{Field, Kind, cancel_save, card_with_help, facts, title};

pub(crate) fn view(cx: &Context, model: &ThresholdsReport) -> AnyView {
    let route = routes::of(PageId::Thresholds);
    let may = cx.may(Action::ThresholdsSet);
    // A limit of a later version has no words here.
    let limits: Vec<(Threshold, &ThresholdInfo)> =
        model.thresholds.iter().filter_map(|info| Some((info.name.parse().ok()?, info))).collect();
    let about = cx.t(
        "Un controllo fallito da solo non dà allarme: ne servono diversi di seguito, e diversi riusciti per il rientro.",
        "One failed probe alone raises no alarm: it takes several in a row, and several good ones to clear it.",
    );
    let body = view! {
        <p>{reaction(cx, &limits)}</p>
        {if may { form(cx, &limits) } else { shown(cx, &limits) }}
    };
    view! {
        {title(route.label(cx.lang), may.then(|| cancel_save(cx, "thresholds-form", route.path)))}
        {card_with_help(cx, "thresholds", cx.t("Soglie degli allarmi", "Alarm thresholds"), about, body)}
    }
    .into_any()
}

/// What the saved values come to.
fn reaction(cx: &Context, limits: &[(Threshold, &ThresholdInfo)]) -> String {
    let of = |wanted: Threshold| {
        let found = limits.iter().find(|(limit, _)| *limit == wanted);
        f64::from(found.map_or(wanted.default(), |(_, info)| info.value))
    };
    let interval = of(Threshold::ProbeInterval) / 1000.0;
    let bad = format::span(interval * of(Threshold::PeerBad), cx.lang);
    let good = format::span(interval * of(Threshold::PeerGood), cx.lang);
    match cx.lang {
        Lang::It => format!(
            "Con i valori salvati, se l'altra macchina tace l'allarme parte dopo circa {bad}, e rientra circa {good} dopo che risponde di nuovo."
        ),
        Lang::En => format!(
            "With the saved values, when the other machine falls silent the alarm goes off after about {bad}, and is cleared about {good} after it answers again."
        ),
    }
}

fn label(cx: &Context, limit: Threshold) -> String {
    match limit.unit() {
        "" => limit.label(cx.lang).to_owned(),
        unit => format!("{} ({unit})", limit.label(cx.lang)),
    }
}

/// For those who may only look.
fn shown(cx: &Context, limits: &[(Threshold, &ThresholdInfo)]) -> AnyView {
    facts(limits.iter().map(|(limit, info)| {
        let value = format!("{} {}", info.value, info.unit);
        (limit.label(cx.lang).to_owned(), value.trim_end().to_owned().into_any())
    }))
}

fn form(cx: &Context, limits: &[(Threshold, &ThresholdInfo)]) -> AnyView {
    let changed = || limits.iter().filter(|(_, info)| info.value != info.default);
    // A form cannot stand within a form: these are named by the buttons of the rows.
    let resets = changed().map(|(limit, _)| {
        view! {
            <form method="post" id=reset_id(*limit)>
                <input type="hidden" name="action" value=Action::ThresholdReset.as_str() />
                <input type="hidden" name="name" value=limit.name() />
            </form>
        }
    });
    view! {
        <form method="post" id="thresholds-form">
            <input type="hidden" name="action" value=Action::ThresholdsSet.as_str() />
            <div class="columns">{limits.iter().map(|(limit, info)| row(cx, *limit, info)).collect_view()}</div>
        </form>
        {resets.collect_view()}
    }
    .into_any()
}

fn reset_id(limit: Threshold) -> String {
    format!("reset-{}", limit.name())
}

fn row(cx: &Context, limit: Threshold, info: &ThresholdInfo) -> AnyView {
    let (min, max) = limit.range();
    let (value, default) = (info.value.to_string(), info.default);
    let unit = if info.unit.is_empty() { String::new() } else { format!(" {}", info.unit) };
    let help = match cx.lang {
        Lang::It => format!("Da {min} a {max}{unit}. Predefinito: {default}{unit}."),
        Lang::En => format!("From {min} to {max}{unit}. Default: {default}{unit}."),
    };
    let reset = (info.value != default).then(|| {
        let words = format!("{} {default}{unit}", cx.t("Ripristina", "Restore"));
        let name = format!("{words}: {}", limit.label(cx.lang));
        view! {
            <button class="plain-button" form=reset_id(limit) aria-label=name>
                {words}
            </button>
        }
    });
    view! {
        <div>
            {Field::new(Action::ThresholdsSet, limit.name(), &label(cx, limit), &help)
                .kind(Kind::Number)
                .saved(&value)
                .view(cx)}
            {reset}
        </div>
    }
    .into_any()
}
