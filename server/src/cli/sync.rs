//! `tvox-dr sync`: the switches, and the two tasks that can be waited for.

use std::time::Duration;

use contract::dataset::Group;
use contract::lag::{LagLimitForm, LagWindow};
use contract::preflight::Accept;
use contract::retention::{RetentionForm, Tier};
use contract::task::Scope;
use contract::{Command, Denied, Outcome, SCHEMA, query, span};
use serde_json::Value;

use super::args::{LagLimitVerb, Only, RetentionVerb, ScrubVerb, SyncVerb};
use super::bandwidth::bandwidth;
use super::remote::Line;
use super::{Exit, print};

/// How often a task that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Does what a verb says.
pub async fn run(line: &Line, verb: SyncVerb) -> Result<Exit, Exit> {
    let group = |only: Only| -> Result<Option<Group>, Exit> {
        only.only.as_deref().map(str::parse).transpose().map_err(|problem| line.deny(&Denied::field("only", problem)))
    };
    match verb {
        SyncVerb::Status => {
            let report = line.ask(query::SyncStatus {}).await?;
            if line.json {
                print::json(&report)
            } else {
                print::sync(&report)
            }
            Ok(Exit::Done)
        }
        SyncVerb::Start(only) => {
            line.tell(Command::SyncSwitch { only: group(only)?, on: true, pause: None }).await.map(|_| Exit::Done)
        }
        SyncVerb::Stop { only, pause } => {
            line.tell(Command::SyncSwitch { only: group(only)?, on: false, pause }).await.map(|_| Exit::Done)
        }
        SyncVerb::Full { only, scope, wait } => {
            let scope: Scope = scope.parse().map_err(|problem| line.deny(&Denied::field("scope", problem)))?;
            let outcome = line.tell(Command::SyncFull { scope, only: group(only)? }).await?;
            follow(line, outcome, wait).await
        }
        SyncVerb::Accept { dataset, content, reason, confirm_name } => {
            let accept = Accept { dataset, content, reason, confirm_name, password: None };
            line.tell(Command::SyncAccept(accept)).await.map(|_| Exit::Done)
        }
        SyncVerb::Bandwidth { verb } => bandwidth(line, verb).await,
        SyncVerb::Cancel => line.tell(Command::SyncCancel).await.map(|_| Exit::Done),
        SyncVerb::Lag { since } => {
            let seconds = span::parse(&since, 1..=LagWindow::Week.seconds());
            let seconds = seconds.map_err(|problem| line.deny(&Denied::field("since", problem)))?;
            Ok(line.show(&line.ask(query::Lag { seconds }).await?, lag))
        }
        SyncVerb::LagLimit { verb: LagLimitVerb::List } => {
            // The points are not what was asked for: the shortest look back.
            Ok(line.show(&line.ask(query::Lag { seconds: 1 }).await?, lag_limits))
        }
        SyncVerb::LagLimit { verb: LagLimitVerb::Set { dataset, soft, hard } } => {
            line.tell(Command::LagLimitSet(LagLimitForm { dataset, soft, hard })).await.map(|_| Exit::Done)
        }
        SyncVerb::LagLimit { verb: LagLimitVerb::Reset { dataset } } => {
            line.tell(Command::LagLimitReset { dataset }).await.map(|_| Exit::Done)
        }
        SyncVerb::Points => Ok(line.show(&line.ask(query::Points {}).await?, points)),
        SyncVerb::Retention { verb: RetentionVerb::Show } => {
            let report = line.ask(query::Points {}).await?;
            let mut policy = report["retention"].clone();
            policy["schema"] = SCHEMA.into();
            Ok(line.show(&policy, retention))
        }
        SyncVerb::Retention { verb: RetentionVerb::Set { newest, minutes, hours, days } } => {
            let form = RetentionForm { newest, minutes, hours, days };
            line.tell(Command::RetentionSet(form)).await.map(|_| Exit::Done)
        }
        SyncVerb::Verify { only, point } => {
            let outcome = line.tell(Command::SyncVerify { only: group(only)?, point }).await?;
            follow(line, outcome, true).await
        }
        SyncVerb::Last => Ok(line.show(&line.ask(query::Tasks {}).await?, last)),
        SyncVerb::Scrub { verb: ScrubVerb::Show } => Ok(line.show(&line.ask(query::Scrub {}).await?, scrub)),
        SyncVerb::Scrub { verb: ScrubVerb::Set { every } } => {
            line.tell(Command::ScrubSet { every }).await.map(|_| Exit::Done)
        }
    }
}

fn lag_limits(report: &Value) {
    let keys = ["dataset", "soft_seconds", "hard_seconds", "own_limits"];
    print::table(&["DATASET", "WARNING s", "ALARM s", "ITS OWN"], &print::rows(&report["datasets"], &keys));
}

fn lag(report: &Value) {
    let rows = print::list(&report["datasets"]).map(|one| {
        let points: Vec<f64> = print::list(&one["points"]).filter_map(|point| point["lag_seconds"].as_f64()).collect();
        let worst = points.iter().copied().reduce(f64::max).map_or_else(|| "-".into(), |worst| worst.to_string());
        let mut row = print::cells(one, &["dataset", "lag_seconds"]);
        row.extend([worst, points.len().to_string()]);
        row.extend(print::cells(one, &["soft_seconds", "hard_seconds"]));
        row
    });
    let heads = ["DATASET", "LAG s", "WORST s", "POINTS", "WARNING s", "ALARM s"];
    print::table(&heads, &rows.collect::<Vec<_>>());
}

fn retention(policy: &Value) {
    for tier in Tier::ALL {
        print::line(&format!("{:9}{}", tier.name(), print::text(&policy[tier.name()])));
    }
}

fn points(report: &Value) {
    let rows = print::list(&report["points"]).map(|point| {
        let mut row = print::cells(point, &["id", "captured_at", "age_seconds", "bytes", "pinned"]);
        let parts = print::list(&point["datasets"]).map(|part| {
            let stands = print::cells(part, &["dataset", "generation"]).join("=");
            // Why that is not what it had then.
            part["missing"].as_str().map_or_else(|| stands.clone(), |missing| format!("{stands}({missing})"))
        });
        row.push(parts.collect::<Vec<_>>().join(" "));
        let check = &point["checked"];
        row.push(match check["differences"].as_u64() {
            None => "-".into(),
            Some(0) => format!("sound at {}", print::text(&check["at"])),
            Some(n) => format!("{n} differences at {}", print::text(&check["at"])),
        });
        row
    });
    let heads = ["POINT", "THE MASTER'S DATA AT", "AGE s", "BYTES", "PINNED", "DATASETS", "VERIFIED"];
    print::table(&heads, &rows.collect::<Vec<_>>());
}

fn last(report: &Value) {
    for task in [&report["full"], &report["verify"]].into_iter().filter(|task| !task.is_null()) {
        let told = print::cells(task, &["kind", "state", "started_by", "started_at", "ended_at"]);
        print::line(&format!("{}: {}, started by {} at {}, ended {}", told[0], told[1], told[2], told[3], told[4]));
        print::task_log(task, 0);
        differences(task);
    }
}

fn scrub(report: &Value) {
    let period = report["period_seconds"].as_u64().and_then(|seconds| u32::try_from(seconds).ok());
    print::line(&format!("Everything is read again in {}", period.map(span::written).unwrap_or_default()));
    let rows = print::list(&report["datasets"]).map(|one| {
        let mut row = print::cells(one, &["dataset", "started_at"]);
        row.push(format!("{:.1}%", one["fraction"].as_f64().unwrap_or_default() * 100.0));
        row.extend(print::cells(&one["last"], &["ended_at", "files", "bytes", "differences"]));
        row
    });
    let heads = ["DATASET", "PASS SINCE", "DONE", "LAST PASS", "FILES", "BYTES", "DIFFERENCES"];
    print::table(&heads, &rows.collect::<Vec<_>>());
    for one in print::list(&report["datasets"]).filter(|one| !one["damage"].is_null()) {
        let damage = &one["damage"];
        let told = print::cells(damage, &["found_at", "total", "healed_at"]);
        let name = print::text(&one["dataset"]);
        print::line(&format!("{name}: damaged, found {}, differences {}, healed {}", told[0], told[1], told[2]));
        differences(damage);
    }
}

/// Waits until the task has ended, prints its console as it grows, and takes its end as ours.
async fn follow(line: &Line, outcome: Outcome, wait: bool) -> Result<Exit, Exit> {
    let Outcome::Task { id } = outcome else { return Err(Exit::failed("the node started no task")) };
    let mut told = 0;
    loop {
        let task = line.ask(query::Task { id: Some(id.clone()) }).await?;
        if task.is_null() {
            return Err(Exit::failed("the node was restarted meanwhile; look at `tvox-dr sync status`"));
        }
        if !line.json && wait {
            told = print::task_log(&task, told);
        }
        let state = task["state"].as_str().unwrap_or_default().to_owned();
        if !wait || state != "running" {
            if line.json {
                print::json(&task);
            } else if state == "failed" {
                differences(&task);
            }
            return Ok(if state == "failed" { Exit::Failed } else { Exit::Done });
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn differences(task: &Value) {
    for difference in task["differences"].as_array().into_iter().flatten() {
        let text = |key: &str| difference[key].as_str().unwrap_or_default().to_owned();
        print::line(&format!("differs: {}: {}: {}", text("dataset"), text("path"), text("what")));
    }
}
