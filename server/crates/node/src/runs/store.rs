//! Where logs are kept: two tables that can only grow. An event is durable before anybody hears of it.

use contract::run::RunKind;
use contract::{Denied, Timestamp};
use sqlx::SqlitePool;

use super::log::{Event, Plan, State};
use crate::store::{Tx, db, time};

fn unreadable(error: impl std::fmt::Display) -> Denied {
    Denied::failed("read the log of a run", error)
}

/// Writes a new run down, in somebody's transaction.
pub(super) async fn insert(tx: &mut Tx, plan: &Plan) -> Result<(), Denied> {
    let text = serde_json::to_string(plan).map_err(|error| Denied::failed("write a run down", error))?;
    sqlx::query("INSERT INTO run (id, kind, plan, started_at) VALUES (?, ?, ?, ?)")
        .bind(&plan.id)
        .bind(plan.kind.as_str())
        .bind(text)
        .bind(plan.started_at.to_string())
        .execute(&mut **tx)
        .await
        .map_err(db("write a run down"))?;
    Ok(())
}

/// Appends one event, in somebody's transaction.
pub(super) async fn append(tx: &mut Tx, run: &str, seq: u64, at: Timestamp, event: &Event) -> Result<(), Denied> {
    let text = serde_json::to_string(event).map_err(|error| Denied::failed("write a step down", error))?;
    sqlx::query("INSERT INTO run_event (run, seq, at, event) VALUES (?, ?, ?, ?)")
        .bind(run)
        .bind(i64::try_from(seq).unwrap_or(i64::MAX))
        .bind(at.to_string())
        .bind(text)
        .execute(&mut **tx)
        .await
        .map_err(db("write a step down"))?;
    Ok(())
}

/// One run, or the last one, replayed.
pub(super) async fn load(pool: &SqlitePool, id: Option<&str>) -> Result<Option<State>, Denied> {
    let plan: Option<String> =
        sqlx::query_scalar("SELECT plan FROM run WHERE ?1 IS NULL OR id = ?1 ORDER BY number DESC LIMIT 1")
            .bind(id)
            .fetch_optional(pool)
            .await
            .map_err(db("read the log of a run"))?;
    match plan {
        Some(plan) => replay(pool, &plan).await.map(Some),
        None => Ok(None),
    }
}

/// The newest run of a kind that fits, replayed.
pub(super) async fn load_newest(
    pool: &SqlitePool,
    kind: RunKind,
    fits: impl Fn(&State) -> bool,
) -> Result<Option<State>, Denied> {
    let plans: Vec<String> = sqlx::query_scalar("SELECT plan FROM run WHERE kind = ? ORDER BY number DESC")
        .bind(kind.as_str())
        .fetch_all(pool)
        .await
        .map_err(db("read the log of a run"))?;
    for plan in plans {
        let state = replay(pool, &plan).await?;
        if fits(&state) {
            return Ok(Some(state));
        }
    }
    Ok(None)
}

/// When the newest run of a kind that came to its end did so.
pub(super) async fn last_done(pool: &SqlitePool, kind: RunKind) -> Result<Option<Timestamp>, Denied> {
    let finished = serde_json::to_string(&Event::Finished).map_err(unreadable)?;
    let at: Option<String> = sqlx::query_scalar(
        "SELECT at FROM run_event JOIN run ON run.id = run_event.run WHERE kind = ? AND event = ? \
         ORDER BY run.number DESC LIMIT 1",
    )
    .bind(kind.as_str())
    .bind(finished)
    .fetch_optional(pool)
    .await
    .map_err(db("read the log of a run"))?;
    at.map(|at| time(&at)).transpose()
}

/// All runs, the newest first.
pub(super) async fn load_all(pool: &SqlitePool) -> Result<Vec<State>, Denied> {
    let plans: Vec<String> = sqlx::query_scalar("SELECT plan FROM run ORDER BY number DESC")
        .fetch_all(pool)
        .await
        .map_err(db("read the log of a run"))?;
    let mut runs = Vec::with_capacity(plans.len());
    for plan in plans {
        runs.push(replay(pool, &plan).await?);
    }
    Ok(runs)
}

async fn replay(pool: &SqlitePool, plan: &str) -> Result<State, Denied> {
    let plan: Plan = serde_json::from_str(plan).map_err(unreadable)?;
    let events: Vec<(String, String)> = sqlx::query_as("SELECT at, event FROM run_event WHERE run = ? ORDER BY seq")
        .bind(&plan.id)
        .fetch_all(pool)
        .await
        .map_err(db("read the log of a run"))?;
    let mut state = State::new(plan);
    for (at, event) in events {
        let event: Event = serde_json::from_str(&event).map_err(unreadable)?;
        state.apply(time(&at)?, &event).map_err(unreadable)?;
    }
    Ok(state)
}
