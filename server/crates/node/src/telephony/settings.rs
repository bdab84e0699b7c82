//! What is to be looked at, as stored, and how many phones are expected.

use contract::telephony::{Expected, ExpectedFrom, Telephony, TelephonyForm};
use contract::{Denied, Outcome, Timestamp};
use serde_json::json;

use crate::door::Act;
use crate::node::Node;
use crate::store::{db, time};

impl Node {
    /// What is set; nothing unless something is.
    pub(crate) async fn telephony_settings(&self) -> Result<Telephony, Denied> {
        let text: Option<String> = sqlx::query_scalar("SELECT settings FROM telephony")
            .fetch_optional(self.store.pool())
            .await
            .map_err(db("read the telephony"))?;
        let Some(text) = text else { return Ok(Telephony::default()) };
        serde_json::from_str(&text).map_err(|error| Denied::failed("read the telephony", error))
    }

    pub(crate) async fn telephony_set(&self, act: Act<'_>, form: &TelephonyForm) -> Result<Outcome, Denied> {
        let before = self.telephony_settings().await?;
        let after = form.check(&before).map_err(Denied::Invalid)?;
        let text = serde_json::to_string(&after).map_err(|error| Denied::failed("set the telephony", error))?;
        let mut tx = self.store.begin().await?;
        // What another command has counted says nothing of this one.
        let forget = before.registrations != after.registrations;
        sqlx::query(
            "INSERT INTO telephony (id, settings) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET settings = ?1, \
             seen = iif(?2, NULL, seen), seen_at = iif(?2, NULL, seen_at)",
        )
        .bind(text)
        .bind(forget)
        .execute(&mut *tx)
        .await
        .map_err(db("set the telephony"))?;
        let outcome = act.done(tx, Some(json!(before)), Some(json!(after))).await?;
        self.telephony_changed();
        Ok(outcome)
    }

    pub(crate) async fn telephony_clear(&self, act: Act<'_>) -> Result<Outcome, Denied> {
        let before = self.telephony_settings().await?;
        let mut tx = self.store.begin().await?;
        sqlx::query("DELETE FROM telephony").execute(&mut *tx).await.map_err(db("take the telephony back"))?;
        let outcome = act.done(tx, Some(json!(before)), None).await?;
        self.telephony_changed();
        Ok(outcome)
    }

    fn telephony_changed(&self) {
        self.switchboard.look(|known| *known = super::Known::default());
        self.switchboard.woken.notify_one();
    }

    /// How many phones are expected here: as set, or as many as were last counted while the Master served.
    pub(crate) async fn expected_phones(&self, telephony: &Telephony) -> Result<Option<Expected>, Denied> {
        if telephony.registrations.is_none() {
            return Ok(None);
        }
        if let Some(count) = telephony.expected {
            return Ok(Some(Expected { count, from: ExpectedFrom::Declared, at: None }));
        }
        let row: Option<(u32, String)> =
            sqlx::query_as("SELECT seen, seen_at FROM telephony WHERE seen IS NOT NULL AND seen_at IS NOT NULL")
                .fetch_optional(self.store.pool())
                .await
                .map_err(db("read the telephony"))?;
        let expected =
            |(count, at): (u32, String)| Ok(Expected { count, from: ExpectedFrom::LastSeen, at: Some(time(&at)?) });
        row.map(expected).transpose()
    }

    /// So many were counted while the Master serves.
    pub(super) async fn remember_phones(&self, count: u32, at: Timestamp) -> Result<(), Denied> {
        let mut tx = self.store.begin().await?;
        sqlx::query("UPDATE telephony SET seen = ?, seen_at = ?")
            .bind(count)
            .bind(at.to_string())
            .execute(&mut *tx)
            .await
            .map_err(db("remember the phones"))?;
        tx.commit().await.map_err(db("remember the phones"))
    }
}
