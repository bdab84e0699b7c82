//! The database's own memory of the session ticket: what is put back alone, database or mandate files, is found by it.

use contract::Denied;
use contract::mandate::MandateFinding;
use serde_json::json;

use super::session::{self, Tally};
use crate::node::Node;
use crate::store::db;

impl Node {
    /// Lets the database know which ticket is held; nothing, where it does already. What cannot be written is tried again at
    /// the next contact, and no ticket is taken before.
    pub(super) async fn tally(&self) {
        if self.book.is_tallied() {
            return;
        }
        let tally = self.book.look(Tally::of);
        if let Some(tally) = &tally
            && let Err(error) = self.write_tally(tally).await
        {
            return tracing::debug!(?error, "the session ticket could not be remembered");
        }
        self.book.keep_tally(tally);
    }

    async fn write_tally(&self, tally: &Tally) -> Result<(), Denied> {
        let number = i64::try_from(tally.number).map_err(|error| Denied::failed("keep the session ticket", error))?;
        let kept = sqlx::query(
            "INSERT INTO session_ticket (one, pair, mandate, number) VALUES (1, ?, ?, ?) ON CONFLICT (one) \
             DO UPDATE SET pair = excluded.pair, mandate = excluded.mandate, number = excluded.number",
        )
        .bind(&tally.pair)
        .bind(&tally.mandate)
        .bind(number)
        .execute(self.store.pool())
        .await;
        kept.map(drop).map_err(db("keep the session ticket"))
    }

    async fn read_tally(&self) -> Result<Option<Tally>, Denied> {
        let row: Option<(String, String, i64)> = sqlx::query_as("SELECT pair, mandate, number FROM session_ticket")
            .fetch_optional(self.store.pool())
            .await
            .map_err(db("read the session ticket"))?;
        row.map(|(pair, mandate, number)| {
            let number = u64::try_from(number).map_err(|error| Denied::failed("read the session ticket", error))?;
            Ok(Tally { pair, mandate, number })
        })
        .transpose()
    }

    /// At start, before anything is said or served: database and mandate files must be of one time.
    ///
    /// # Errors
    /// [`Denied::Failed`] when either cannot be read or written.
    pub(crate) async fn compare_tally(&self) -> Result<(), Denied> {
        let known = self.read_tally().await?;
        self.book.keep_tally(known.clone());
        let parted = self.book.look(|record| {
            let ancestors = record.mandate.as_ref().map_or(&[][..], |head| &head.ancestors);
            record.set_back.is_none() && session::parted(Tally::of(record).as_ref(), ancestors, known.as_ref())
        });
        if !parted {
            return Ok(());
        }
        tracing::error!("the database and the mandate are of different times: one of them was put back");
        let found = |record: &mut super::file::Record| {
            record.set_back = record.mandate.as_ref().map(|head| head.id.clone());
        };
        self.book.change(found).await?;
        self.note("mandate.finding", Some(json!({ "finding": MandateFinding::SetBack }))).await;
        Ok(())
    }
}
