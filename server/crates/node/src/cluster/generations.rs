//! What one member of the site has given, the other one knows before it is offered: so that, in its place, it knows what
//! the Client has, and goes on counting from there. Nothing is copied anew because another member serves.
//!
//! A member that could not be told is *stale* by that alone: the Client then shows a content that it never heard of.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use contract::dataset::Dataset;
use contract::{Denied, Rule, Timestamp};
use serde::{Deserialize, Serialize};

use crate::link::listener::Visitor;
use crate::link::message::{self, Purpose, Reply};
use crate::mandate::file::Seat;
use crate::node::Node;
use crate::store::{db, time};
use crate::sync::dataset;

/// How long the other member may take to write down what is about to be offered. It is then told with a later beat.
const PATIENCE: Duration = Duration::from_secs(2);
/// Generations told at once.
const MOST: i64 = 1000;

/// One generation, as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Given {
    /// Its number.
    pub number: u64,
    /// The dataset's name.
    pub dataset: String,
    /// The content's id.
    pub content: String,
    /// When reading began, by the clock of the member that gave it.
    pub captured_at: Timestamp,
}

type GivenRow = (i64, String, String, String);

impl Node {
    /// Lets the sibling write down what is about to be offered, where there is one in reach. One that does not answer in
    /// time holds nobody up.
    pub(crate) async fn tell_sibling(&self, given: Given) {
        if !self.is_sibling(Seat::Second) || !self.link.contact(Seat::Second).reachable {
            return;
        }
        let Ok(Some(machine)) = self.machine(Seat::Second).await else { return };
        let Some(pair) = machine.pair else { return };
        let told = async {
            // What is offered before the next beat may belong to a dataset that was declared since the last one.
            let datasets = self.datasets().await.ok();
            let purpose = Purpose::Given { generations: vec![given], datasets };
            let dialled = self.dial(machine.address, Some(&pair.fingerprint), purpose).await?;
            let Reply::Welcome { .. } = dialled.reply else { return Ok(()) };
            let mut stream = dialled.stream;
            message::read::<Kept>(&mut stream).await.map(drop).map_err(crate::link::DialError::from)
        };
        match tokio::time::timeout(PATIENCE, told).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the other member could not be told what is offered"),
            Err(_) => tracing::debug!("the other member did not write down in time what is offered"),
        }
    }

    /// Writes down what the sibling is about to offer, and what it declares, and says so.
    pub(crate) async fn keep_given(
        self: &Arc<Self>,
        mut visitor: Visitor,
        given: &[Given],
        declared: Option<&[Dataset]>,
    ) -> io::Result<()> {
        let kept = async {
            if let Some(datasets) = declared
                && self.serves_site() != Some(true)
            {
                self.declare_as(datasets).await?;
            }
            self.keep_generations(given).await
        };
        kept.await.map_err(|error| io::Error::other(error.text(contract::Lang::En)))?;
        if let Some(told) = &visitor.hello.standing {
            self.home.given_beside.hear(told, given);
        }
        message::write(&mut visitor.stream, &Kept {}).await?;
        tokio::io::AsyncWriteExt::shutdown(&mut visitor.stream).await
    }

    /// Writes down what the sibling has given. The content of a number may still change until it is committed; what this
    /// member has given itself stays as it is, as long as it serves.
    pub(crate) async fn keep_generations(&self, given: &[Given]) -> Result<(), Denied> {
        if given.is_empty() {
            return Ok(());
        }
        let serves = self.serves_site() == Some(true);
        let mut tx = self.store.begin().await?;
        for one in given {
            let number = i64::try_from(one.number).map_err(|error| Denied::failed("keep a generation", error))?;
            sqlx::query(
                "INSERT INTO generation (number, dataset, content_id, captured_at) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (number) DO UPDATE SET content_id = ?3, captured_at = ?4 \
                 WHERE dataset = ?2 AND content_id <> ?3 AND NOT ?5",
            )
            .bind(number)
            .bind(&one.dataset)
            .bind(&one.content)
            .bind(one.captured_at.to_string())
            .bind(serves)
            .execute(&mut *tx)
            .await
            .map_err(db("keep a generation"))?;
        }
        let done = tx.commit().await.map_err(db("keep a generation"));
        self.feeds.highest.forget();
        for feed in given.iter().filter_map(|one| self.feeds.get(&one.dataset)) {
            feed.forget_given();
        }
        done
    }

    /// Those above a number, in their order, as many as are told at once.
    pub(super) async fn given_above(&self, above: u64) -> Result<Vec<Given>, Denied> {
        let above = i64::try_from(above).unwrap_or(i64::MAX);
        let query = "SELECT number, dataset, content_id, captured_at FROM generation WHERE number > ? \
                     ORDER BY number LIMIT ?";
        let rows = sqlx::query_as(query).bind(above).bind(MOST).fetch_all(self.store.pool()).await;
        rows.map_err(db("read the generations"))?.into_iter().map(given).collect()
    }

    /// The last generation of each dataset, whose content may have changed while it was sent.
    pub(super) async fn given_last(&self) -> Result<Vec<Given>, Denied> {
        let query = "SELECT number, dataset, content_id, captured_at FROM generation \
                     WHERE number IN (SELECT max(number) FROM generation GROUP BY dataset)";
        let rows = sqlx::query_as(query).fetch_all(self.store.pool()).await;
        rows.map_err(db("read the generations"))?.into_iter().map(given).collect()
    }

    /// Whether this member, of a site of two, knows every content that the Client has. One that does not is stale: another
    /// member has given something since, and was not heard.
    pub(crate) async fn knows_contents(&self, contents: &BTreeMap<String, String>) -> bool {
        if !matches!(self.machine(Seat::Second).await, Ok(Some(machine)) if machine.sibling) {
            return true;
        }
        for (dataset, content) in contents {
            if !self.was_offered(dataset, content).await.unwrap_or(false) {
                return false;
            }
        }
        true
    }

    /// Whether data may be declared here: a site has one list, that of the member that serves.
    pub(crate) fn declares(&self) -> Result<(), Denied> {
        let sibling = self.standing_of(Seat::Second).filter(|_| self.is_sibling(Seat::Second));
        let there = sibling.is_some_and(|told| told.serves_site == Some(true));
        if there && self.serves_site() == Some(false) {
            return Err(Denied::rule(Rule::SiblingServes, &self.info.name, ""));
        }
        Ok(())
    }

    /// Declares what the sibling that serves declares: the site has one list.
    pub(super) async fn declare_as(self: &Arc<Self>, told: &[Dataset]) -> Result<(), Denied> {
        let mut declared = told.to_vec();
        declared.sort_by(|a, b| a.name.cmp(&b.name));
        if self.datasets().await? == declared {
            // Whoever wrote it down may have been cut off before they are looked after.
            let looked_after = self.feeds.all().iter().map(|feed| &feed.dataset).eq(&declared);
            return if looked_after { Ok(()) } else { self.refresh_sources().await };
        }
        let mut tx = self.store.begin().await?;
        sqlx::query("DELETE FROM dataset").execute(&mut *tx).await.map_err(db("keep the site's datasets"))?;
        for one in &declared {
            dataset::insert(&mut tx, one).await?;
        }
        tx.commit().await.map_err(db("keep the site's datasets"))?;
        self.note("dataset.declared_by_sibling", None).await;
        self.refresh_sources().await
    }
}

fn given((number, dataset, content, captured_at): GivenRow) -> Result<Given, Denied> {
    let number = u64::try_from(number).map_err(|error| Denied::failed("read the generations", error))?;
    Ok(Given { number, dataset, content, captured_at: time(&captured_at)? })
}

/// The sibling has it on its disk.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {}
