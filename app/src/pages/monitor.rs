//! `/monitor`: both machines and the link, the latest alarms, the last hour of every replica, disks and services.

use contract::lag::LagWindow;
use contract::monitor::{HISTORY_SECONDS, LagSeries, MonitorReport};
use leptos::prelude::*;

use crate::chart::LagChart;
use crate::format;
use crate::grid::{self, Eyes, Grid, Row};
use crate::islands::{LagGraph, MonitorGrid, ReplicaTable};
use crate::model::Context;
use crate::routes::{self, PageId};
use crate::widgets::{card, card_with_help, reload, title};

pub(crate) fn view(cx: &Context, model: &MonitorReport) -> AnyView {
    let lang = cx.lang;
    let eyes = Eyes { lang, offset: cx.offset(cx.now) };
    let route = routes::of(PageId::Monitor);
    let table = |grid: Grid, rows: &[Row]| {
        let initial = grid.table(rows, lang);
        view! { <MonitorGrid grid initial eyes /> }
    };
    let alarms = view! {
        {table(Grid::Alarms, &grid::alarms(&model.alarms, eyes))}
        <p>
            <a href=routes::of(PageId::Alarms).path>
                {cx.t("Tutti gli allarmi, che cosa fare, messaggi inviati", "All alarms, what to do, messages sent")}
            </a>
        </p>
    };
    let replicas = cx.live.as_ref().map(|live| {
        let replicas = view! { <ReplicaTable initial=live.sync.clone() role=cx.node.role offset=eyes.offset lang /> };
        card(cx.t("Dati replicati", "Replicated data"), replicas)
    });
    view! {
        {title(route.label(lang), reload(cx, route.path))}
        {card(Grid::Machines.title(lang), table(Grid::Machines, &grid::machines(&model.node, model.state, &model.pair, eyes)))}
        {card(Grid::Alarms.title(lang), alarms)}
        {card_with_help(
            cx,
            "lag",
            cx.t("Ritardo della replica nell'ultima ora", "Lag of the replica during the last hour"),
            cx.t(
                "Quanto la copia è indietro rispetto al Master. La scala verticale è logaritmica: ogni tratto vale più del precedente. Dove la linea manca, il ritardo non era noto. Qui la storia ricomincia a ogni avvio di tvox-dr; la pagina Replicazione la conserva per 7 giorni.",
                "How far the copy is behind the Master. The vertical scale is logarithmic: each stretch is worth more than the one below. Where there is no line, the lag was not known. Here the history begins anew with each start of tvox-dr; the Replication page keeps it for 7 days.",
            ),
            lag(cx, model),
        )}
        {replicas}
        <div class="two">
            {card(Grid::Disks.title(lang), table(Grid::Disks, &grid::disks(&model.disks, eyes)))}
            {card(Grid::Services.title(lang), table(Grid::Services, &grid::services(&model.services, eyes)))}
        </div>
    }
    .into_any()
}

fn lag(cx: &Context, model: &MonitorReport) -> AnyView {
    if model.lag.series.is_empty() {
        return view! { <p>{cx.t("Ancora nessun dato da replicare.", "Nothing to replicate yet.")}</p> }.into_any();
    }
    let (soft, hard) = (model.lag.soft_seconds, model.lag.hard_seconds);
    let limits = format!(
        "{} {} · {} {}",
        cx.t("Limite di avviso", "Warning limit"),
        format::whole_span(soft, cx.lang),
        cx.t("limite di allarme", "alarm limit"),
        format::whole_span(hard, cx.lang),
    );
    let graphs = model.lag.series.iter().map(|series| {
        let initial = chart(series, model, (soft, hard));
        view! { <LagGraph initial offset=cx.offset(cx.now) lang=cx.lang /> }
    });
    view! {
        <p class="muted">{limits}</p>
        <div class="charts">{graphs.collect_view()}</div>
    }
    .into_any()
}

fn chart(series: &LagSeries, model: &MonitorReport, (soft, hard): (u32, u32)) -> LagChart {
    let now = model.at.as_second();
    let points = series.points.iter().map(|point| (point.at.as_second(), point.lag_seconds));
    let recent = points.filter(|(at, _)| (0..=HISTORY_SECONDS).contains(&(now - at))).collect();
    LagChart { dataset: series.dataset.clone(), points: recent, soft, hard, now, window: LagWindow::Hour }
}
