//! Who is told when something is wrong.

use contract::recipient::{Channel, Recipient};
use contract::{Denied, Outcome, Problem};
use serde_json::json;

use crate::door::Act;
use crate::node::Node;
use crate::store::{Tx, db};

impl Node {
    pub(crate) async fn recipients(&self) -> Result<Vec<Recipient>, Denied> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT channel, value FROM recipient ORDER BY channel, value")
                .fetch_all(self.store.pool())
                .await
                .map_err(db("read the recipients"))?;
        rows.into_iter()
            .map(|(channel, value)| {
                let channel = channel.parse().map_err(|error| Denied::failed("read the recipients", error))?;
                Ok(Recipient { channel, value })
            })
            .collect()
    }

    pub(crate) async fn recipient_add(&self, act: Act<'_>, channel: Channel, value: &str) -> Result<Outcome, Denied> {
        let value = channel.normalise(value).map_err(|problem| Denied::field("value", problem))?;
        let mut tx = self.store.begin().await?;
        insert_recipient(&mut tx, channel, &value).await?;
        act.done(tx, None, Some(json!({ "value": value }))).await
    }

    pub(crate) async fn recipient_remove(
        &self,
        act: Act<'_>,
        channel: Channel,
        value: &str,
    ) -> Result<Outcome, Denied> {
        let value = channel.normalise(value).map_err(|problem| Denied::field("value", problem))?;
        let mut tx = self.store.begin().await?;
        let done = sqlx::query("DELETE FROM recipient WHERE channel = ? AND value = ?")
            .bind(channel.as_str())
            .bind(&value)
            .execute(&mut *tx)
            .await
            .map_err(db("remove a recipient"))?;
        if done.rows_affected() == 0 {
            return Err(Denied::field("value", Problem::NotFound));
        }
        act.done(tx, Some(json!({ "value": value })), None).await
    }
}

pub(crate) async fn insert_recipient(tx: &mut Tx, channel: Channel, value: &str) -> Result<(), Denied> {
    sqlx::query("INSERT OR IGNORE INTO recipient (channel, value) VALUES (?, ?)")
        .bind(channel.as_str())
        .bind(value)
        .execute(&mut **tx)
        .await
        .map_err(db("add a recipient"))?;
    Ok(())
}
