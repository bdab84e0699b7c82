//! ON and OFF of the two rows, and the STOP that ends by itself. Until when is on disk: a restart, or a power cut, neither
//! forgets it nor makes it longer.

use std::sync::Arc;
use std::time::Duration;

use contract::dataset::Group;
use contract::status::{StoppedUntil, Switches};
use contract::sync::{PAUSE_RANGE, Switch};
use contract::{Actor, Denied, Outcome, Timestamp, span};
use serde_json::json;

use crate::audit::{self, Event};
use crate::door::Act;
use crate::node::Node;
use crate::store::{db, time};

/// How often it is looked whether a STOP has ended.
const LOOK: Duration = Duration::from_secs(1);

impl Node {
    /// The two switches.
    pub(crate) async fn switches(&self) -> Result<Switches, Denied> {
        self.copies.switches.or_read(self.read_switches()).await
    }

    async fn read_switches(&self) -> Result<Switches, Denied> {
        let rows: Vec<(String, bool, Option<String>)> = sqlx::query_as("SELECT grp, is_on, off_until FROM sync_switch")
            .fetch_all(self.store.pool())
            .await
            .map_err(db("read the switches"))?;
        let of = |group: Group| rows.iter().find(|(name, ..)| name == group.as_str());
        let switch = |group| Switch::from_bool(of(group).is_none_or(|(_, on, _)| *on));
        let until = |group| of(group).and_then(|(_, _, until)| until.as_deref()).map(time).transpose();
        Ok(Switches {
            database: switch(Group::Database),
            files: switch(Group::Files),
            until: StoppedUntil { database: until(Group::Database)?, files: until(Group::Files)? },
        })
    }

    /// START and STOP. Either takes back the time of a STOP before it.
    pub(crate) async fn sync_switch(
        &self,
        act: Act<'_>,
        only: Option<Group>,
        on: bool,
        pause: Option<&str>,
    ) -> Result<Outcome, Denied> {
        let until = match pause.filter(|_| !on) {
            None => None,
            Some(typed) => Some(self.end_of(typed)?),
        };
        let before = self.switches().await?;
        let mut tx = self.store.begin().await?;
        for group in Group::ALL.into_iter().filter(|group| only.is_none_or(|only| only == *group)) {
            sqlx::query("UPDATE sync_switch SET is_on = ?, off_until = ? WHERE grp = ?")
                .bind(on)
                .bind(until.map(|until| until.to_string()))
                .bind(group.as_str())
                .execute(&mut *tx)
                .await
                .map_err(db("set a switch"))?;
        }
        let done = act.done(tx, Some(json!(before)), Some(json!({ "on": on, "until": until }))).await;
        self.copies.switches.forget();
        let outcome = done?;
        if !on {
            let off = |group: Group| only.is_none_or(|only| only == group);
            self.copies.cancel_pulls(|copy, pulling| !pulling.forced && off(copy.dataset.kind.group()));
        }
        self.copies.wake_all();
        Ok(outcome)
    }

    fn end_of(&self, typed: &str) -> Result<Timestamp, Denied> {
        let seconds = span::parse(typed, PAUSE_RANGE).map_err(|problem| Denied::field("pause", problem))?;
        let end = self.clock.now().checked_add(Duration::from_secs(seconds.into()));
        end.map_err(|error| Denied::failed("stop for a time", error))
    }

    /// Starts each row again when its time has come, until the node stops.
    pub(crate) async fn keep_switches(self: Arc<Self>) {
        let mut looks = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                _ = looks.tick() => {}
            }
            if let Err(error) = self.start_what_is_due().await {
                tracing::error!(?error, "a row that was stopped for a time cannot be started");
            }
        }
    }

    async fn start_what_is_due(&self) -> Result<(), Denied> {
        let (now, before) = (self.clock.now(), self.switches().await?);
        for group in Group::ALL {
            let Some(until) = before.until(group).filter(|until| *until <= now) else { continue };
            let mut tx = self.store.begin().await?;
            // Whoever has pressed meanwhile is right.
            let ended =
                sqlx::query("UPDATE sync_switch SET is_on = 1, off_until = NULL WHERE grp = ? AND off_until = ?")
                    .bind(group.as_str())
                    .bind(until.to_string())
                    .execute(&mut *tx)
                    .await
                    .map_err(db("start a row again"))?;
            if ended.rows_affected() == 0 {
                continue;
            }
            let system = Actor::system();
            let event = Event {
                before: Some(json!({ "on": false, "until": until })),
                after: Some(json!({ "on": true })),
                ..Event::done(&system, "sync.start", Some(group.as_str().to_owned()))
            };
            audit::append(&mut tx, now, event).await?;
            let done = tx.commit().await.map_err(db("start a row again"));
            self.copies.switches.forget();
            done?;
            tracing::info!(%group, "the time of the STOP is over: the replication goes on");
            self.copies.wake_all();
            self.verdict_is_stale();
            self.poke();
        }
        Ok(())
    }
}
