//! Alarms: one open alarm per cause, written down together with the messages about it before anything is sent, and kept
//! until it has ended. What happened is never deleted; who took note is remembered.

use std::collections::{BTreeMap, HashMap};

use contract::alarm::{Acknowledgement, AlarmEvent, AlarmInfo, AlarmKind, AlarmsReport, DeliveryInfo, DeliveryState};
use contract::alarm_list::{AlarmBrief, AlarmFilter, AlarmHistory, LATEST, PAGE};
use contract::status::AlarmCount;
use contract::{Denied, Lang, Outcome, Problem, SCHEMA, Text, Timestamp};
use serde_json::json;

use crate::delivery::{self, Announcement};
use crate::door::Act;
use crate::node::Node;
use crate::random;
use crate::store::{Tx, db, time};

/// Ended alarms listed at most.
const MOST: u32 = 500;
/// Alarms that a search looks through at most, from the newest.
const LOOKED_THROUGH: u32 = 10_000;
/// Longest note, in characters.
const LONGEST_NOTE: usize = 1000;

/// A cause: one alarm at most is open for it.
pub(crate) type Cause = (AlarmKind, String);

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    code: String,
    subject: String,
    detail_it: String,
    detail_en: String,
    raised_at: String,
    cleared_at: Option<String>,
    ack_by: Option<String>,
    ack_at: Option<String>,
    ack_note: Option<String>,
    repeats: u32,
}

#[derive(sqlx::FromRow)]
struct DeliveryRow {
    alarm: String,
    event: String,
    channel: String,
    recipient: String,
    state: String,
    attempts: u32,
    at: Option<String>,
    detail: Option<String>,
}

impl Node {
    /// The language of messages.
    pub(crate) async fn message_lang(&self) -> Result<Lang, Denied> {
        let tag: String = sqlx::query_scalar("SELECT language FROM node")
            .fetch_one(self.store.pool())
            .await
            .map_err(db("read the language"))?;
        Ok(Lang::from_tag(&tag).unwrap_or_default())
    }

    pub(crate) async fn message_language(&self, act: Act<'_>, language: Lang) -> Result<Outcome, Denied> {
        let before = self.message_lang().await?;
        let mut tx = self.store.begin().await?;
        set_message_lang(&mut tx, language).await?;
        act.done(tx, Some(json!(before)), Some(json!(language))).await
    }

    /// The causes that are open now, with what was last said of them.
    pub(crate) async fn open_causes(&self) -> Result<BTreeMap<Cause, String>, Denied> {
        let rows: Vec<(String, String, String)> =
            sqlx::query_as("SELECT id, code, subject FROM alarm WHERE cleared_at IS NULL")
                .fetch_all(self.store.pool())
                .await
                .map_err(db("read the alarms"))?;
        let known = |(id, code, subject): (String, String, String)| {
            AlarmKind::from_code(&code).map(|kind| ((kind, subject), id))
        };
        Ok(rows.into_iter().filter_map(known).collect())
    }

    /// The open alarms of a kind: subject, id, and whether somebody has taken note of it.
    pub(crate) async fn open_of(&self, kind: AlarmKind) -> Result<Vec<(String, String, bool)>, Denied> {
        sqlx::query_as("SELECT subject, id, ack_at IS NOT NULL FROM alarm WHERE code = ? AND cleared_at IS NULL")
            .bind(kind.code())
            .fetch_all(self.store.pool())
            .await
            .map_err(db("read the alarms"))
    }

    /// Begins an alarm; its id. The messages about it are in the outbox when this returns.
    pub(crate) async fn raise(&self, kind: AlarmKind, subject: &str, detail: &Text) -> Result<String, Denied> {
        let mut tx = self.store.begin().await?;
        let id = self.raise_in(&mut tx, kind, subject, detail).await?;
        tx.commit().await.map_err(db("raise an alarm"))?;
        self.outbox.wake();
        self.poke();
        Ok(id)
    }

    /// The same in somebody's transaction, who wakes the outbox once it is committed.
    pub(crate) async fn raise_in(
        &self,
        tx: &mut Tx,
        kind: AlarmKind,
        subject: &str,
        detail: &Text,
    ) -> Result<String, Denied> {
        let (id, now) = (random::id(), self.clock.now());
        sqlx::query("INSERT INTO alarm (id, code, subject, detail_it, detail_en, raised_at) VALUES (?, ?, ?, ?, ?, ?)")
            .bind(&id)
            .bind(kind.code())
            .bind(subject)
            .bind(&detail.it)
            .bind(&detail.en)
            .bind(now.to_string())
            .execute(&mut **tx)
            .await
            .map_err(db("raise an alarm"))?;
        self.announce(tx, &id, kind, AlarmEvent::Raise, subject, detail, now).await?;
        tracing::warn!(code = kind.code(), subject, detail = detail.en, "alarm");
        Ok(id)
    }

    /// Ends an alarm.
    pub(crate) async fn clear(&self, id: &str, kind: AlarmKind, subject: &str) -> Result<(), Denied> {
        let now = self.clock.now();
        let mut tx = self.store.begin().await?;
        let ended = sqlx::query("UPDATE alarm SET cleared_at = ? WHERE id = ? AND cleared_at IS NULL")
            .bind(now.to_string())
            .bind(id)
            .execute(&mut *tx)
            .await
            .map_err(db("clear an alarm"))?;
        if ended.rows_affected() == 1 {
            self.announce(&mut tx, id, kind, AlarmEvent::Clear, subject, &Text::new("", ""), now).await?;
        }
        tx.commit().await.map_err(db("clear an alarm"))?;
        tracing::info!(code = kind.clear_code(), subject, "alarm ended");
        self.outbox.wake();
        self.poke();
        Ok(())
    }

    /// The cause came and went while its alarm was open.
    pub(crate) async fn count_repeat(&self, id: &str) -> Result<(), Denied> {
        sqlx::query("UPDATE alarm SET repeats = repeats + 1 WHERE id = ?")
            .bind(id)
            .execute(self.store.pool())
            .await
            .map_err(db("count a repeated alarm"))?;
        self.poke();
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "one sentence has many parts")]
    async fn announce(
        &self,
        tx: &mut Tx,
        id: &str,
        kind: AlarmKind,
        event: AlarmEvent,
        subject: &str,
        detail: &Text,
        at: Timestamp,
    ) -> Result<(), Denied> {
        let raised: String = sqlx::query_scalar("SELECT raised_at FROM alarm WHERE id = ?")
            .bind(id)
            .fetch_one(&mut **tx)
            .await
            .map_err(db("read an alarm"))?;
        let tag: String = sqlx::query_scalar("SELECT language FROM node")
            .fetch_one(&mut **tx)
            .await
            .map_err(db("read the language"))?;
        let announcement = Announcement {
            alarm_id: id,
            kind,
            event,
            subject,
            detail,
            raised_at: time(&raised)?,
            at,
            host: &self.info.name,
            role: self.info.role,
            language: Lang::from_tag(&tag).unwrap_or_default(),
        };
        delivery::enqueue(tx, &announcement).await
    }

    pub(crate) async fn alarm_ack(&self, act: Act<'_>, id: &str, note: Option<&str>) -> Result<Outcome, Denied> {
        let note = note.map(str::trim).filter(|note| !note.is_empty());
        if note.is_some_and(|note| note.chars().count() > LONGEST_NOTE) {
            return Err(Denied::field("note", Problem::TooLong(LONGEST_NOTE as u32)));
        }
        let mut tx = self.store.begin().await?;
        let noted = sqlx::query("UPDATE alarm SET ack_by = ?, ack_at = ?, ack_note = ? WHERE id = ?")
            .bind(&act.actor.name)
            .bind(self.clock.now().to_string())
            .bind(note)
            .bind(id)
            .execute(&mut *tx)
            .await
            .map_err(db("acknowledge an alarm"))?;
        if noted.rows_affected() == 0 {
            return Err(Denied::field("id", Problem::NotFound));
        }
        act.done(tx, None, Some(json!({ "note": note }))).await
    }

    pub(crate) async fn alarm_count(&self) -> Result<AlarmCount, Denied> {
        let open = self.open_causes().await?;
        Ok(AlarmCount {
            open: u32::try_from(open.len()).unwrap_or(u32::MAX),
            highest_priority: open.keys().map(|(kind, _)| kind.priority()).max(),
        })
    }

    /// Open alarms, or all of them with the newest first.
    pub(crate) async fn alarms_report(&self, all: bool) -> Result<AlarmsReport, Denied> {
        let mut alarms = self.alarms(all, MOST).await?;
        self.add_deliveries(&mut alarms).await?;
        Ok(AlarmsReport { schema: SCHEMA, alarms })
    }

    /// The alarms that fit, newest first, one page of them.
    pub(crate) async fn alarms_page(&self, filter: &AlarmFilter, page: usize) -> Result<AlarmHistory, Denied> {
        let fitting: Vec<_> =
            self.alarms(filter.all, LOOKED_THROUGH).await?.into_iter().filter(|alarm| filter.fits(alarm)).collect();
        let total = fitting.len();
        let pages = total.div_ceil(PAGE).max(1);
        let page = page.clamp(1, pages);
        let mut alarms: Vec<_> = fitting.into_iter().skip((page - 1) * PAGE).take(PAGE).collect();
        self.add_deliveries(&mut alarms).await?;
        Ok(AlarmHistory { schema: SCHEMA, alarms, total, page, pages })
    }

    /// The open alarms and those that ended last, in short.
    pub(crate) async fn latest_alarms(&self) -> Result<Vec<AlarmBrief>, Denied> {
        let rows =
            self.alarm_rows("ORDER BY cleared_at IS NOT NULL, raised_at DESC, id LIMIT ?2", true, LATEST).await?;
        let mut alarms = self.told(rows)?;
        alarms.sort_by_key(|alarm| std::cmp::Reverse(alarm.raised_at));
        let brief = |alarm: AlarmInfo| AlarmBrief {
            id: alarm.id,
            priority: alarm.priority,
            host: alarm.host,
            raised_at: alarm.raised_at,
            cleared_at: alarm.cleared_at,
            acknowledged: alarm.acknowledged.is_some(),
            text: alarm.text,
        };
        Ok(alarms.into_iter().map(brief).collect())
    }

    /// Alarms without their messages, newest first.
    async fn alarms(&self, all: bool, most: u32) -> Result<Vec<AlarmInfo>, Denied> {
        let rows = self.alarm_rows("ORDER BY raised_at DESC, id LIMIT ?2", all, most).await?;
        self.told(rows)
    }

    async fn alarm_rows(&self, order: &'static str, all: bool, most: u32) -> Result<Vec<Row>, Denied> {
        let columns =
            "id, code, subject, detail_it, detail_en, raised_at, cleared_at, ack_by, ack_at, ack_note, repeats";
        let query = format!("SELECT {columns} FROM alarm WHERE cleared_at IS NULL OR ?1 {order}");
        // Put together from two literals of this file.
        sqlx::query_as(sqlx::AssertSqlSafe(query))
            .bind(all)
            .bind(most)
            .fetch_all(self.store.pool())
            .await
            .map_err(db("read the alarms"))
    }

    /// A code of a later version is not ours to tell.
    fn told(&self, rows: Vec<Row>) -> Result<Vec<AlarmInfo>, Denied> {
        rows.into_iter()
            .filter_map(|row| {
                let kind = AlarmKind::from_code(&row.code)?;
                Some(alarm_info(row, kind, &self.info.name))
            })
            .collect()
    }

    async fn add_deliveries(&self, alarms: &mut [AlarmInfo]) -> Result<(), Denied> {
        let ids = json!(alarms.iter().map(|alarm| &alarm.id).collect::<Vec<_>>()).to_string();
        let told: Vec<DeliveryRow> = sqlx::query_as(
            "SELECT alarm, event, channel, recipient, state, attempts, at, detail FROM delivery \
             WHERE alarm IN (SELECT value FROM json_each(?)) ORDER BY id",
        )
        .bind(ids)
        .fetch_all(self.store.pool())
        .await
        .map_err(db("read the outbox"))?;
        let mut deliveries: HashMap<String, Vec<DeliveryInfo>> = HashMap::new();
        for row in told {
            deliveries.entry(row.alarm.clone()).or_default().push(delivery_info(row)?);
        }
        for alarm in alarms {
            alarm.deliveries = deliveries.remove(&alarm.id).unwrap_or_default();
        }
        Ok(())
    }
}

fn alarm_info(row: Row, kind: AlarmKind, host: &str) -> Result<AlarmInfo, Denied> {
    let acknowledged = match (row.ack_by, row.ack_at) {
        (Some(by), Some(at)) => Some(Acknowledgement { by, at: time(&at)?, note: row.ack_note }),
        _ => None,
    };
    Ok(AlarmInfo {
        id: row.id,
        code: kind.code().to_owned(),
        clear_code: kind.clear_code().to_owned(),
        priority: kind.priority(),
        host: host.to_owned(),
        source: "tvox-dr".to_owned(),
        text: kind.text(AlarmEvent::Raise, &row.subject, &Text::new(row.detail_it, row.detail_en)),
        subject: row.subject,
        raised_at: time(&row.raised_at)?,
        cleared_at: row.cleared_at.as_deref().map(time).transpose()?,
        acknowledged,
        repeats: row.repeats,
        deliveries: Vec::new(),
    })
}

fn delivery_info(row: DeliveryRow) -> Result<DeliveryInfo, Denied> {
    let states = [DeliveryState::Queued, DeliveryState::Sent, DeliveryState::Failed];
    let state = states.into_iter().find(|state| state.as_str() == row.state);
    Ok(DeliveryInfo {
        channel: row.channel.parse().map_err(|problem| Denied::failed("read the outbox", problem))?,
        to: row.recipient,
        event: if row.event == AlarmEvent::Clear.as_str() { AlarmEvent::Clear } else { AlarmEvent::Raise },
        state: state.unwrap_or(DeliveryState::Queued),
        attempts: row.attempts,
        at: row.at.as_deref().map(time).transpose()?,
        detail: row.detail,
    })
}

/// Chooses the language of messages to come; those that wait keep theirs.
pub(crate) async fn set_message_lang(tx: &mut Tx, language: Lang) -> Result<(), Denied> {
    sqlx::query("UPDATE node SET language = ?")
        .bind(language.tag())
        .execute(&mut **tx)
        .await
        .map_err(db("set the language"))?;
    Ok(())
}
