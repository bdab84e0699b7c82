//! Who may give data to whom. Data is refused to an older, forked or foreign side; the mandate never is: it travels with
//! the refusal.

use contract::{Denied, NodeRole, Rule};

use crate::link::message::{Hello, Purpose};
use crate::mandate::flow;
use crate::node::Node;
use crate::store::db;
use crate::sync::ancestry;

impl Node {
    /// Whether this node takes data in: it is no holder, nothing speaks against what it knows, and no run is at work.
    pub(crate) fn may_receive(&self) -> bool {
        let waits = self.book.look(flow::is_receiver);
        waits && self.info.role == NodeRole::Client && self.runs.at_work().is_none()
    }

    /// Whether a visitor gets data, where it asks for any.
    pub(crate) async fn admit_pull(&self, hello: &Hello) -> Result<(), Denied> {
        let (dataset, content, given_up) = match &hello.purpose {
            Purpose::Pull { dataset, content, given_up, .. } => (dataset, content.as_deref(), given_up.is_some()),
            Purpose::Manifest { dataset } => (dataset, None, false),
            _ => return Ok(()),
        };
        let record = self.book.record();
        let Some(told) = &hello.standing else { return Err(Denied::rule(Rule::SyncMandate, &self.info.name, "")) };
        if let Some(rule) = flow::refusal(&record, told) {
            let findings = record.findings().into_iter().chain(told.findings.iter().copied());
            let (subject, detail) = match rule {
                Rule::MandateFinding => {
                    let first = findings.map(contract::mandate::MandateFinding::as_str).next();
                    (&self.info.name, first.unwrap_or_default())
                }
                Rule::SyncReceiverServing => (&hello.who.name, ""),
                _ => (&self.info.name, ""),
            };
            return Err(Denied::rule(rule, subject, detail));
        }
        if self.serves_site() == Some(false) {
            return Err(Denied::rule(Rule::SyncMemberPassive, &self.info.name, ""));
        }
        let known = match content {
            Some(content) => self.was_offered(dataset, content).await?,
            None => false,
        };
        let admitted = ancestry::admits(content, known, given_up);
        if admitted { Ok(()) } else { Err(Denied::rule(Rule::SyncContentUnknown, dataset, "")) }
    }

    /// Whether this node once offered that content: what it never offered it must not overwrite.
    pub(crate) async fn was_offered(&self, dataset: &str, content: &str) -> Result<bool, Denied> {
        // As a rule the Client has what it was given last.
        if self.feeds.get(dataset).is_some_and(|feed| feed.gave_last(content)) {
            return Ok(true);
        }
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM generation WHERE dataset = ? AND content_id = ?)")
            .bind(dataset)
            .bind(content)
            .fetch_one(self.store.pool())
            .await
            .map_err(db("read the generations"))
    }
}
