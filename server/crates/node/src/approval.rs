//! Whether grave runs need a second person, and for how long that one is waited for. What becomes of a run that waits is
//! the business of `runs/approval.rs`; what is chosen here holds for the next run.

use contract::approval::{ApprovalPolicy, ApprovalReport, Person};
use contract::sync::Switch;
use contract::{Actor, Denied, FieldError, Outcome, SCHEMA};
use serde_json::json;

use crate::door::Act;
use crate::node::Node;
use crate::store::db;

/// The name of a local account. Accounts of a directory service are not looked up: nobody may have to wait for one.
fn account_of(uid: u32) -> Option<String> {
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    let is = |line: &&str| line.split(':').nth(2) == Some(&uid.to_string());
    accounts.lines().find(is)?.split(':').next().map(str::to_owned)
}

/// The person behind an actor.
pub(crate) fn person(actor: &Actor) -> Person {
    Person::of(actor, actor.login_uid.and_then(account_of))
}

impl Node {
    pub(crate) async fn approval_policy(&self) -> Result<ApprovalPolicy, Denied> {
        let (activation, wait): (bool, u32) = sqlx::query_as("SELECT activation, wait FROM approval")
            .fetch_one(self.store.pool())
            .await
            .map_err(db("read whether a second person is needed"))?;
        Ok(ApprovalPolicy { activation: Switch::from_bool(activation), wait_seconds: wait })
    }

    /// How many users of the panel may approve of a run.
    pub(crate) async fn approvers(&self) -> Result<u32, Denied> {
        sqlx::query_scalar("SELECT count(*) FROM user WHERE role IN ('operator', 'admin')")
            .fetch_one(self.store.pool())
            .await
            .map_err(db("count the operators"))
    }

    pub(crate) async fn approval_report(&self) -> Result<ApprovalReport, Denied> {
        Ok(ApprovalReport {
            schema: SCHEMA,
            policy: self.approval_policy().await?,
            operators: self.approvers().await?,
            waiting: self.runs.waiting(),
        })
    }

    pub(crate) async fn approval_set(
        &self,
        act: Act<'_>,
        activation: Option<&str>,
        wait: Option<&str>,
    ) -> Result<Outcome, Denied> {
        let before = self.approval_policy().await?;
        let after = before.typed(activation, wait).map_err(|(activation, wait)| {
            let field = |name: &str, problem| Some(FieldError::new(name, problem?));
            Denied::Invalid([field("activation", activation), field("wait", wait)].into_iter().flatten().collect())
        })?;
        let mut tx = self.store.begin().await?;
        sqlx::query("UPDATE approval SET activation = ?, wait = ?")
            .bind(after.activation.is_on())
            .bind(after.wait_seconds)
            .execute(&mut *tx)
            .await
            .map_err(db("choose whether a second person is needed"))?;
        act.done(tx, Some(json!(before)), Some(json!(after))).await
    }
}
