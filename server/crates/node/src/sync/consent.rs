//! Consent that names a content: what the Master does not know is held, and replaced only when an operator of this very
//! machine says so of exactly that content. It is used once, void when the content changes or an hour has passed, and what
//! was here stays as a restore point.

use std::time::Duration;

use contract::preflight::Accept;
use contract::{Denied, FieldError, Outcome, Problem, Refused, Rule};
use replication::Commit;
use serde_json::json;

use super::ancestry;
use super::pins::Why;
use super::replica::Copy;
use crate::door::Act;
use crate::node::Node;
use crate::store::{db, time};

/// How long an operator's word waits to be used.
const VALID: Duration = Duration::from_secs(3600);

/// How long what was replaced is kept for whoever finds out that it was the good one.
pub(super) const KEPT: Duration = Duration::from_secs(30 * 86_400);

impl Copy {
    /// Whether the Master refused to replace what is here, or would have replaced it by something older.
    pub(super) fn is_held(&self) -> bool {
        self.standing(|standing| standing.error.as_ref().is_some_and(|error| ancestry::holds(&error.code)))
    }
}

impl Node {
    /// Writes the consent down. The next pull uses it.
    pub(crate) async fn sync_accept(&self, act: Act<'_>, accept: &Accept) -> Result<Outcome, Denied> {
        self.check_typed(&act, &accept.reason, accept.password.as_ref()).await?;
        let copy = self.copies.all().into_iter().find(|copy| copy.dataset.name == accept.dataset.trim());
        let copy = copy.ok_or_else(|| Denied::field("dataset", Problem::NotFound))?;
        let here = copy.standing(|standing| standing.commit.clone());
        let mut refused = self.guard(&accept.confirm_name);
        if !copy.is_held() {
            refused.push(Refused::new(Rule::SyncNotHeld, &copy.dataset.name, ""));
        }
        let (true, Some(here)) = (refused.is_empty(), here) else { return Err(Denied::Refused(refused)) };
        let content = here.content_id.to_string();
        if accept.content.trim() != content {
            return Err(Denied::Invalid(vec![FieldError::new("content", Problem::NotOneOf(content.into()))]));
        }
        let now = self.clock.now();
        let mut tx = self.store.begin().await?;
        sqlx::query(
            "INSERT INTO consent (dataset, content, operator, reason, given_at) VALUES (?, ?, ?, ?, ?) \
             ON CONFLICT (dataset) DO UPDATE SET content = excluded.content, operator = excluded.operator, \
             reason = excluded.reason, given_at = excluded.given_at",
        )
        .bind(&copy.dataset.name)
        .bind(&content)
        .bind(&act.actor.name)
        .bind(accept.reason.trim())
        .bind(now.to_string())
        .execute(&mut *tx)
        .await
        .map_err(db("keep a consent"))?;
        let until = now.checked_add(VALID).ok();
        let before = json!({ "content": content, "generation": here.generation });
        let outcome = act.done(tx, Some(before), Some(json!({ "valid_until": until }))).await?;
        copy.wake.notify_one();
        Ok(outcome)
    }

    /// The generation that an operator has given up, where that holds for what is here: it is kept before anything is asked
    /// for, and what comes in its place must be newer.
    pub(super) async fn given_up(&self, copy: &Copy, here: Option<&Commit>) -> Result<Option<u64>, Denied> {
        let Some(here) = here else { return Ok(None) };
        let row: Option<(String, String)> = sqlx::query_as("SELECT content, given_at FROM consent WHERE dataset = ?")
            .bind(&copy.dataset.name)
            .fetch_optional(self.store.pool())
            .await
            .map_err(db("read a consent"))?;
        let Some((content, given_at)) = row else { return Ok(None) };
        let now = self.clock.now();
        let covered = ancestry::covers(&content, time(&given_at)?, &here.content_id.to_string(), now, VALID);
        let highest = self.highest_generation().await?;
        let Some(given_up) = ancestry::given_up(covered, here.generation, highest) else {
            self.drop_consent(copy).await?;
            return Ok(None);
        };
        self.pin_for(&copy.dataset.name, given_up.keeps, Why::Replaced, KEPT).await?;
        Ok(Some(given_up.beyond))
    }

    /// The consent was used: the content it names is not here any more.
    pub(super) async fn consent_was_used(&self, copy: &Copy, generation: u64) {
        match self.drop_consent(copy).await {
            Ok(true) => {
                let after = json!({ "dataset": copy.dataset.name, "generation": generation });
                self.note("sync.accepted", Some(after)).await;
            }
            Ok(false) => {}
            // It names a content that is not here any more: it cannot be used again.
            Err(error) => tracing::warn!(?error, "a consent that was used could not be taken away"),
        }
    }

    async fn drop_consent(&self, copy: &Copy) -> Result<bool, Denied> {
        let dropped = sqlx::query("DELETE FROM consent WHERE dataset = ?")
            .bind(&copy.dataset.name)
            .execute(self.store.pool())
            .await
            .map_err(db("take a consent away"))?;
        Ok(dropped.rows_affected() > 0)
    }
}
