//! `GET` of every page of the table: who may see it, what the node says, the model.

use std::sync::Arc;

use app::form::FormState;
use app::model::{
    ActivationPage, AlarmsPage, AuditPage, DatasetsPage, IsolationPage, OverviewPage, Page, PairingPage, ProblemKind,
    Reader, ReplicationPage, ServicesPage, SmsDraft, SmsPage, UsersPage,
};
use app::routes::{self, PageId, Route};
use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use contract::alarm_list::AlarmFilter;
use contract::approval::Approval;
use contract::command::JoinToken;
use contract::lag::LagWindow;
use contract::run::{RunKind, RunReport, RunState};
use contract::sms::SmsReport;
use contract::{Actor, Denied, Lang, NodeRole, query as ask};

use super::panel::{Once, Panel};
use super::render::{self, Beside, see_other};
use super::visit::Visit;
use super::{isolation, login, procedure, query};

/// As many entries of the log as one page shows.
const AUDIT_PAGE: i64 = 50;
/// Shortest and longest interval of `?refresh=`, in seconds.
const REFRESH: std::ops::RangeInclusive<u32> = 2..=3600;
/// How often a page without JavaScript looks at a run that goes on, in seconds.
const FOLLOW: u32 = 3;

/// Who may go on, or the answer that they get instead.
pub(super) async fn admit<'a>(panel: &Panel, visit: &'a Visit) -> Result<(&'a Reader, &'static Route), Box<Response>> {
    let Some(reader) = &visit.reader else { return Err(Box::new(login::redirect(visit))) };
    let Some(route) = routes::at(visit.page()) else {
        return Err(Box::new(render::problem(panel, visit, ProblemKind::NotFound).await));
    };
    if reader.must_change && route.id != PageId::Account {
        return Err(Box::new(see_other(routes::of(PageId::Account).path)));
    }
    if let Some(side) = route.side.filter(|side| *side != panel.node.info().role) {
        return Err(Box::new(render::problem(panel, visit, ProblemKind::OtherSide(side)).await));
    }
    match route.role {
        Some(role) if reader.role < role => {
            Err(Box::new(render::problem(panel, visit, ProblemKind::Forbidden(role)).await))
        }
        _ => Ok((reader, route)),
    }
}

/// Any page.
pub(super) async fn show(State(panel): State<Arc<Panel>>, method: Method, visit: Visit) -> Response {
    let (reader, route) = match admit(&panel, &visit).await {
        Ok(admitted) => admitted,
        Err(response) => return *response,
    };
    let once = if method == Method::GET { panel.take_once(visit.session.id()) } else { Once::default() };
    let page = match model(&panel, &visit.actor(reader), route.id, &visit.path, once.token).await {
        Ok(page) => page,
        Err(denied) => return broken(&panel, &visit, &denied).await,
    };
    let status = match &page {
        Page::Problem(kind) => StatusCode::from_u16(kind.status()).unwrap_or(StatusCode::NOT_FOUND),
        _ => StatusCode::OK,
    };
    let refresh = refresh(&visit.path, visit.is_live, route.id, &page);
    let beside = Beside { notice: once.done, answer: once.answer, form: FormState::default(), refresh };
    render::page(&panel, &visit, &page, status, beside).await
}

/// After how many seconds the browser is to load the page again: where the address asks for it, and while a run goes on
/// for whoever has no JavaScript to follow it with.
fn refresh(path: &str, is_live: bool, id: PageId, page: &Page) -> Option<u32> {
    // Where somebody is asked for an answer they may be typing it.
    let asks = |run: &RunReport| {
        run.approval.as_ref().is_some_and(Approval::is_awaited) || run.steps.iter().any(|step| step.can_ack)
    };
    let goes_on = matches!(page, Page::Run(run) if run.state == RunState::Running && !asks(run));
    let wanted = query::value(path, "refresh").and_then(|text| text.parse().ok());
    let wanted = wanted.filter(|seconds| REFRESH.contains(seconds) && is_still(id));
    wanted.or((goes_on && !is_live).then_some(FOLLOW))
}

/// Pages on which nobody types: they may load themselves again.
const fn is_still(id: PageId) -> bool {
    matches!(id, PageId::Overview | PageId::Monitor)
}

/// What cannot be read is logged, and the reader gets a page that says so without telling more.
pub(super) async fn broken(panel: &Panel, visit: &Visit, denied: &Denied) -> Response {
    tracing::error!(path = visit.path, why = denied.text(Lang::En), "a page cannot be shown");
    render::problem(panel, visit, ProblemKind::Broken).await
}

/// Asks the node for what a page shows.
pub(super) async fn model(
    panel: &Panel,
    actor: &Actor,
    id: PageId,
    path: &str,
    token: Option<JoinToken>,
) -> Result<Page, Denied> {
    let node = &panel.node;
    Ok(match id {
        PageId::Login | PageId::Account => Page::Account,
        PageId::Overview => Page::Overview(OverviewPage {
            peer: node.ask(actor, ask::Peer {}).await?,
            licence: node.ask(actor, ask::Licence {}).await?,
        }),
        PageId::Monitor => Page::Monitor(Box::new(node.ask(actor, ask::Monitor {}).await?)),
        PageId::Alarms => Page::Alarms(alarms(panel, actor, path).await?),
        PageId::Activation => Page::Activation(Box::new(activation(panel, actor, path).await?)),
        PageId::Runs => match query::value(path, "id") {
            None => Page::Runs(node.ask(actor, ask::Runs {}).await?),
            id => {
                let run = node.ask(actor, ask::Run { id }).await?;
                run.map_or(Page::Problem(ProblemKind::NotFound), |run| Page::Run(Box::new(run)))
            }
        },
        PageId::Licence => Page::Licence(node.ask(actor, ask::Licence {}).await?),
        PageId::Pairing => Page::Pairing(PairingPage {
            peer: node.ask(actor, ask::Peer {}).await?,
            token,
            gate: node.ask(actor, ask::Gate {}).await?,
        }),
        PageId::Datasets => {
            let preserved = node.ask(actor, ask::Preserved {}).await?;
            Page::Datasets(DatasetsPage { datasets: node.ask(actor, ask::Datasets {}).await?.datasets, preserved })
        }
        PageId::Replication => Page::Replication(Box::new(ReplicationPage {
            lag: node.ask(actor, ask::Lag { seconds: window(path).seconds() }).await?,
            window: window(path),
            live: Arc::new(node.ask(actor, ask::Live {}).await?),
            tasks: node.ask(actor, ask::Tasks {}).await?,
            points: node.ask(actor, ask::Points {}).await?,
            scrub: node.ask(actor, ask::Scrub {}).await?,
            bandwidth: node.ask(actor, ask::Bandwidth {}).await?,
            exports: node.ask(actor, ask::Preserved {}).await?,
        })),
        PageId::Services => Page::Services(ServicesPage {
            services: node.ask(actor, ask::Services {}).await?.services,
            edit: query::value(path, "edit"),
        }),
        PageId::Isolation => Page::Isolation(IsolationPage {
            report: node.ask(actor, ask::Isolation {}).await?,
            open: isolation::open(path),
        }),
        PageId::Telephony => Page::Telephony(Box::new(node.ask(actor, ask::Telephony {}).await?)),
        PageId::Procedure => Page::Procedure(procedure::page(node.ask(actor, ask::OwnSteps {}).await?, path)),
        PageId::Thresholds => Page::Thresholds(node.ask(actor, ask::Thresholds {}).await?),
        PageId::Smtp => Page::Smtp(node.ask(actor, ask::Smtp {}).await?),
        PageId::Sms => Page::Sms(sms(node.ask(actor, ask::Sms {}).await?, path)),
        PageId::Users => Page::Users(UsersPage {
            users: node.ask(actor, ask::Users {}).await?.users,
            approval: node.ask(actor, ask::Approval {}).await?,
        }),
        PageId::Audit => Page::Audit(audit(panel, actor, path).await?),
    })
}

/// What the service can go on from. A Master goes on from its own data.
async fn activation(panel: &Panel, actor: &Actor, path: &str) -> Result<ActivationPage, Denied> {
    if panel.node.info().role == NodeRole::Master {
        return Ok(ActivationPage::default());
    }
    let mut points = panel.node.ask(actor, ask::Points {}).await?.points;
    points.retain(|point| point.made_on == NodeRole::Master);
    let point = query::value(path, "point").filter(|id| points.iter().any(|point| point.id == *id));
    let runs = panel.node.ask(actor, ask::Runs {}).await?.runs;
    let drill = runs.into_iter().find(|run| run.brief.kind == RunKind::Drill);
    Ok(ActivationPage { points, point, drill })
}

/// How far back the lag is looked at.
fn window(path: &str) -> LagWindow {
    let wanted = query::value(path, "lag").unwrap_or_default();
    LagWindow::ALL.into_iter().find(|window| window.as_str() == wanted).unwrap_or_default()
}

async fn alarms(panel: &Panel, actor: &Actor, path: &str) -> Result<AlarmsPage, Denied> {
    let word = |name: &str| query::value(path, name).unwrap_or_default();
    let priority = word("priority").parse().ok().filter(|priority| (1..=6).contains(priority));
    let filter = AlarmFilter { all: word("state") == "all", priority, code: word("code"), text: word("text") };
    let page = word("page").parse().unwrap_or(1);
    let address = format!(
        "{}?state={}&priority={}&code={}&text={}",
        routes::of(PageId::Alarms).path,
        if filter.all { "all" } else { "open" },
        priority.map(|priority| priority.to_string()).unwrap_or_default(),
        query::encode(&filter.code),
        query::encode(&filter.text),
    );
    let history = panel.node.ask(actor, ask::AlarmsPage { filter: filter.clone(), page }).await?;
    Ok(AlarmsPage { filter, history, address })
}

/// The accounts, and the one that the address opens for writing.
fn sms(report: SmsReport, path: &str) -> SmsPage {
    let known = |name: &String| report.accounts.iter().any(|one| one.account.name == *name);
    let old = query::value(path, "account").filter(known).map(SmsDraft::Old);
    let open = old.or_else(|| query::value(path, "new").map(|_| SmsDraft::New));
    SmsPage { accounts: report.accounts, open }
}

async fn audit(panel: &Panel, actor: &Actor, path: &str) -> Result<AuditPage, Denied> {
    let typed = query::value(path, "upto").unwrap_or_default();
    let upto = typed.trim().parse::<i64>().ok().filter(|seq| *seq > 0);
    let head = panel.node.ask(actor, ask::Audit { since: None, last: Some(1) }).await?.head;
    let last = upto.map_or(head.seq, |seq| seq.min(head.seq));
    let first = (last - AUDIT_PAGE + 1).max(1);
    // The newest entries are asked by count, older ones by number: either way only what the page shows, and what is newer.
    let report = panel.node.ask(actor, ask::Audit { since: Some(first - 1), last: None }).await?;
    let mut entries: Vec<_> = report.entries.into_iter().filter(|entry| entry.line.seq <= last).collect();
    entries.reverse();
    let newer = (last < head.seq).then(|| (last + AUDIT_PAGE < head.seq).then_some(last + AUDIT_PAGE));
    let verdict = match query::value(path, "verify").as_deref() {
        Some("1") => Some(panel.node.ask(actor, ask::AuditVerify {}).await?),
        _ => None,
    };
    let older = (first > 1).then(|| first - 1);
    Ok(AuditPage { entries, head, upto, typed, older, newer, verdict })
}

/// `GET /registro/export`: the whole log, one JSON object a line, oldest first.
pub(super) async fn export(State(panel): State<Arc<Panel>>, visit: Visit) -> Response {
    let Some(reader) = &visit.reader else { return login::redirect(&visit) };
    if reader.must_change {
        return see_other(routes::of(PageId::Account).path);
    }
    let report = match panel.node.ask(&visit.actor(reader), ask::Audit { since: None, last: None }).await {
        Ok(report) => report,
        Err(denied) => return broken(&panel, &visit, &denied).await,
    };
    let lines: Result<Vec<_>, _> = report.entries.iter().map(serde_json::to_string).collect();
    match lines {
        Ok(lines) => {
            let text = lines.into_iter().map(|line| line + "\n").collect::<String>();
            let name = format!("attachment; filename=\"{}-audit.jsonl\"", panel.node.info().name);
            let kind = "application/x-ndjson; charset=utf-8".to_owned();
            ([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], text).into_response()
        }
        Err(error) => broken(&panel, &visit, &Denied::failed("export the audit log", error)).await,
    }
}

/// No such page. A stranger is not told which pages there are.
pub(super) async fn not_found(State(panel): State<Arc<Panel>>, visit: Visit) -> Response {
    if visit.reader.is_none() {
        return login::redirect(&visit);
    }
    render::problem(&panel, &visit, ProblemKind::NotFound).await
}

/// A method that a page does not take.
pub(super) async fn wrong_method(State(panel): State<Arc<Panel>>, visit: Visit) -> Response {
    render::problem(&panel, &visit, ProblemKind::Method).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(state: RunState) -> Page {
        Page::Run(Box::new(RunReport {
            schema: contract::SCHEMA,
            id: "r".into(),
            kind: contract::run::RunKind::Activation,
            state,
            step: None,
            started_by: String::new(),
            reason: String::new(),
            started_at: contract::Timestamp::UNIX_EPOCH,
            ended_at: None,
            epoch: None,
            can_abort: false,
            at_gate: false,
            isolation: Vec::new(),
            point: None,
            loss: Vec::new(),
            rto_seconds: None,
            first_phone_rto_seconds: None,
            telephony: None,
            ledger: None,
            approval: None,
            groups: Vec::new(),
            steps: Vec::new(),
        }))
    }

    #[test]
    fn a_run_that_goes_on_is_loaded_again_only_where_nothing_else_follows_it() {
        let running = |is_live| refresh("/operazioni?id=r", is_live, PageId::Runs, &run(RunState::Running));
        assert_eq!(running(false), Some(FOLLOW));
        assert_eq!(running(true), None, "JavaScript follows by itself");
        for over in [RunState::Done, RunState::Aborted, RunState::Stuck] {
            let wanted = refresh("/operazioni?id=r", false, PageId::Runs, &run(over));
            assert_eq!(wanted, None, "{over:?}: somebody reads, or types");
        }
    }
}
