//! The audit log: who did what, from where, why, and what it was before. Append-only; every entry carries the hash of
//! the one before, so that a change anywhere shows.
//!
//! An entry about a change is written in the same transaction as the change: neither exists without the other.

use contract::audit::{AuditActor, AuditEntry, AuditHead, AuditLine, AuditOutcome, AuditReport, AuditVerdict};
use contract::{Actor, Command, Denied, Rule, SCHEMA, Timestamp};
use futures_util::TryStreamExt;
use sqlx::SqlitePool;

use crate::identity::sha256;
use crate::store::{Tx, db};

/// Characters of a subject that are kept.
const LONGEST_SUBJECT: usize = 256;
/// Characters of a reason that are kept.
const LONGEST_REASON: usize = 2000;

/// What an entry says beside its place in the chain.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    /// Who.
    pub actor: &'a Actor,
    /// What.
    pub action: &'a str,
    /// On what.
    pub subject: Option<String>,
    /// What it was before.
    pub before: Option<serde_json::Value>,
    /// What it is after.
    pub after: Option<serde_json::Value>,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// The guard that said no.
    pub rule: Option<Rule>,
    /// Why, in the operator's words.
    pub reason: Option<String>,
    /// The run it belongs to.
    pub run: Option<String>,
    /// The mandate's number at that moment.
    pub epoch: Option<u64>,
}

impl<'a> Event<'a> {
    /// Something that was done.
    #[must_use]
    pub fn done(actor: &'a Actor, action: &'a str, subject: Option<String>) -> Self {
        Self {
            actor,
            action,
            subject,
            before: None,
            after: None,
            outcome: AuditOutcome::Done,
            rule: None,
            reason: None,
            run: None,
            epoch: None,
        }
    }

    /// A command that was done.
    #[must_use]
    pub fn of(actor: &'a Actor, command: &'a Command) -> Self {
        let reason = command.reason().map(str::to_owned);
        Self { reason, ..Self::done(actor, command.action(), command.subject()) }
    }
}

fn genesis() -> String {
    "0".repeat(64)
}

fn chain(prev: &str, line: &str) -> String {
    sha256(format!("{prev}\n{line}").as_bytes())
}

/// Appends one entry.
///
/// # Errors
/// [`Denied::Failed`]: then the change it tells of must not be committed either.
pub async fn append(tx: &mut Tx, at: Timestamp, event: Event<'_>) -> Result<(), Denied> {
    let last: Option<(i64, String)> = sqlx::query_as("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
        .fetch_optional(&mut **tx)
        .await
        .map_err(db("read the audit log"))?;
    let (seq, prev) = last.map_or_else(|| (1, genesis()), |(seq, hash)| (seq + 1, hash));
    let line = AuditLine {
        seq,
        at,
        actor: AuditActor { kind: event.actor.kind, name: event.actor.name.clone(), login_uid: event.actor.login_uid },
        from: event.actor.from.clone(),
        action: event.action.to_owned(),
        // What was typed may be anything; the log keeps enough of it to know what it was.
        subject: event.subject.map(|subject| subject.chars().take(LONGEST_SUBJECT).collect()),
        reason: event.reason.map(|reason| reason.chars().take(LONGEST_REASON).collect()),
        before: event.before,
        after: event.after,
        outcome: event.outcome,
        rule: event.rule,
        run: event.run,
        epoch: event.epoch,
        prev,
    };
    let text = serde_json::to_string(&line).map_err(|error| Denied::failed("write the audit log", error))?;
    let hash = chain(&line.prev, &text);
    sqlx::query("INSERT INTO audit (seq, line, hash) VALUES (?, ?, ?)")
        .bind(seq)
        .bind(text)
        .bind(hash)
        .execute(&mut **tx)
        .await
        .map_err(db("write the audit log"))?;
    Ok(())
}

/// Reads entries, oldest first.
///
/// # Errors
/// [`Denied::Failed`] when the database cannot be read or an entry is not what was written.
pub async fn read(pool: &SqlitePool, since: Option<i64>, last: Option<u32>) -> Result<AuditReport, Denied> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT line, hash FROM (SELECT seq, line, hash FROM audit WHERE seq > ? ORDER BY seq DESC LIMIT ?) ORDER BY seq",
    )
    .bind(since.unwrap_or(0))
    .bind(last.map_or(-1, i64::from))
    .fetch_all(pool)
    .await
    .map_err(db("read the audit log"))?;
    let entries = rows
        .into_iter()
        .map(|(line, hash)| {
            let line = serde_json::from_str(&line).map_err(|error| Denied::failed("read the audit log", error))?;
            Ok(AuditEntry { line, hash })
        })
        .collect::<Result<Vec<_>, Denied>>()?;
    Ok(AuditReport { schema: SCHEMA, entries, head: head(pool).await? })
}

async fn head(pool: &SqlitePool) -> Result<AuditHead, Denied> {
    let last: Option<(i64, String)> = sqlx::query_as("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
        .fetch_optional(pool)
        .await
        .map_err(db("read the audit log"))?;
    Ok(last.map_or_else(|| AuditHead { seq: 0, hash: genesis() }, |(seq, hash)| AuditHead { seq, hash }))
}

/// Recomputes the whole chain.
///
/// # Errors
/// [`Denied::Failed`] when the database cannot be read; a chain that does not fit is an answer, not an error.
pub async fn verify(pool: &SqlitePool) -> Result<AuditVerdict, Denied> {
    let mut rows =
        sqlx::query_as::<_, (i64, String, String)>("SELECT seq, line, hash FROM audit ORDER BY seq").fetch(pool);
    let (mut prev, mut entries, mut first_bad) = (genesis(), 0, None);
    while let Some((seq, line, hash)) = rows.try_next().await.map_err(db("read the audit log"))? {
        entries += 1;
        let told: Option<AuditLine> = serde_json::from_str(&line).ok();
        let fits = seq == entries
            && hash == chain(&prev, &line)
            && told.is_some_and(|told| told.seq == seq && told.prev == prev);
        if !fits && first_bad.is_none() {
            first_bad = Some(seq);
        }
        prev = hash;
    }
    drop(rows);
    Ok(AuditVerdict { schema: SCHEMA, valid: first_bad.is_none(), entries, head: head(pool).await?, first_bad })
}
