//! The Master puts the content in its place: when the newest mandate names exactly that content, and only then. It ends at
//! that content or at what was here before, never between, whenever the process dies; until then nothing is served.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use contract::mandate::Mandate;
use contract::{Denied, Lang};
use replication::{Arrival, ContentId};
use serde_json::json;

use super::receiver::{SEEDED, open_store};
use crate::mandate::file::{Record, Seat};
use crate::mandate::homecoming::{self, Fate};
use crate::mandate::rules;
use crate::node::Node;
use crate::runs::injector::{self, Moment};
use crate::sync::meter::Meter;
use crate::sync::source::Feed;
use crate::sync::{denied, told};

/// How often it is looked whether something is to be settled.
const LOOK: Duration = Duration::from_secs(1);
/// How long what could not be done is left alone.
const AGAIN: Duration = Duration::from_secs(5);
/// How the name of a run ends under which lies what it had brought when the service was taken past it.
const ARRIVED: &str = "-arrived";

impl Node {
    /// Settles what came home, until the node stops.
    pub(crate) async fn keep_home(self: Arc<Self>) {
        let mut book = self.book.watch();
        while !self.stop.is_cancelled() {
            book.mark_unchanged();
            let sibling = self.has_sibling().await;
            let fate = sibling.as_ref().map_or(Fate::Wait, |sibling| self.fate(*sibling));
            // What came to the other member is looked for with more patience.
            let lacks = |record: &Record| record.mandate.clone().filter(|_| rules::lacks_content(record));
            let lacking = if let Ok(true) = sibling { self.book.look(lacks) } else { None };
            let pause = if lacking.is_some() { AGAIN } else { LOOK };
            let done = match (fate, lacking) {
                (Fate::None, Some(mandate)) => self.look_for_content(&mandate).await,
                (Fate::None, None) => {
                    self.drop_what_was_left().await;
                    tokio::select! {
                        () = self.measure_what_was_written() => {}
                        // What holds now may want something more urgent.
                        _ = book.changed() => continue,
                    }
                    Ok(())
                }
                (Fate::Wait, _) => Ok(()),
                (Fate::Settle(mandate), _) => self.settle(&mandate).await,
                (Fate::GiveUp(run), _) => {
                    let _busy = self.home.busy.lock().await;
                    self.give_up_receiving(&run).await
                }
            };
            let pause = if done.is_err() { AGAIN } else { pause };
            let trouble = done.err().map(|denied| denied.text(Lang::En));
            if let Some(trouble) = &trouble {
                tracing::error!(trouble, "the DR's content cannot be put in its place");
            }
            self.home.set_trouble(trouble);
            tokio::select! {
                () = self.stop.cancelled() => return,
                _ = book.changed() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// What becomes at this moment of content that is coming in. `sibling`: this is one of two machines.
    pub(crate) fn fate(&self, sibling: bool) -> Fate {
        let told = self.peer_standing();
        let newest = |id: &str| self.somebody_knows(id);
        self.book.look(|record| match sibling {
            true => homecoming::fate_of_two(record, told.as_ref(), newest),
            false => homecoming::fate(record, told.as_ref()),
        })
    }

    /// Whether another machine says just now that this is the newest mandate.
    fn somebody_knows(&self, mandate: &str) -> bool {
        let heads = Seat::ALL.into_iter().filter_map(|seat| self.standing_of(seat)?.mandate);
        heads.into_iter().any(|head| head.id == mandate)
    }

    /// Puts every dataset that the mandate names in its place, measures it, and writes down that it stands.
    async fn settle(self: &Arc<Self>, mandate: &Mandate) -> Result<(), Denied> {
        let _busy = self.home.busy.lock().await;
        let run = self.book.look(|record| record.receiving.clone()).unwrap_or_else(|| mandate.id.clone());
        if !self.services_are_down() {
            // The keeper stops them; it is looked again in a moment.
            return Ok(());
        }
        injector::kill("settle", Moment::Before);
        let base = mandate.base.clone().unwrap_or_default();
        let mut stands = BTreeMap::new();
        for (name, content) in &base {
            let missing = || Denied::failed(format!("put {name} in its place"), "it is not declared here");
            let feed = self.feeds.get(name).ok_or_else(missing)?;
            let id = self.put_in_place(&run, &feed, content, mandate).await?;
            stands.insert(name.clone(), (feed, id));
        }
        injector::kill("settle", Moment::AfterDo);
        // What the DR had of the Master that was lost is known from here on, and not before: until now nothing of it was here.
        self.keep_generations(&self.book.look(|record| record.past.clone())).await?;
        for (feed, id) in stands.values() {
            // On disk before it is offered, like every content.
            self.give_generation(feed, *id, self.clock.now(), None).await?;
            feed.dirty.store(true, std::sync::atomic::Ordering::SeqCst);
        }
        let id = mandate.id.clone();
        let settled = self.book.change(move |record| homecoming::settle(record, &id));
        if settled.await? {
            injector::kill("settle", Moment::AfterEvent);
            tracing::warn!(run, "the DR's content is in its place");
            self.note("home.settled", Some(json!({ "run": run, "datasets": base }))).await;
            self.drop_stores().await;
            self.mandate_changed();
        }
        Ok(())
    }

    async fn put_in_place(
        self: &Arc<Self>,
        run: &str,
        feed: &Arc<Feed>,
        content: &str,
        mandate: &Mandate,
    ) -> Result<ContentId, Denied> {
        let name = feed.dataset.name.clone();
        let stop = self.stop.child_token();
        let _ended = stop.clone().drop_guard();
        let meter = Arc::new(Meter::new(stop.clone()));
        self.home.begin(&name, &meter);
        let (store, kept) = (self.homecoming_of(&feed.dataset), self.preserved_of(run, &feed.dataset));
        let (wanted, now, feed) = (content.to_owned(), self.clock.now(), Arc::clone(feed));
        let work = tokio::task::spawn_blocking(move || {
            let replica = open_store(&store, &feed)?;
            let held = replica.committed().is_some_and(|commit| commit.content_id.to_string() == wanted);
            if !held {
                return Ok(None);
            }
            let (manifest, points) = (replica.manifest()?, replica.restore_points()?);
            let Some(point) = points.last() else { return Ok(None) };
            let mut source = feed.engine.lock().unwrap_or_else(PoisonError::into_inner);
            let arrival = Arrival { manifest: &manifest, tree: &point.tree, kept: &kept };
            source.take_in(&arrival, now, &*meter).map(Some)
        });
        let superseded = async {
            let mut book = self.book.watch();
            while self.book.look(|record| holds(record, mandate)) {
                if book.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            stop.cancel();
            std::future::pending::<()>().await;
        };
        let done = tokio::select! {
            done = work => done,
            () = superseded => return Err(Denied::failed(format!("put {name} in its place"), "superseded")),
        };
        self.home.end();
        let done = done.map_err(|error| Denied::failed(format!("put {name} in its place"), error))?;
        let id = done.map_err(denied(format!("put {name} in its place")))?;
        let lost =
            || Denied::failed(format!("put {name} in its place"), "the content that the mandate names is not here");
        id.ok_or_else(lost)
    }

    /// Everything is as it was before this run: what was replaced is put back. The caller holds `busy`.
    pub(super) async fn give_up_receiving(self: &Arc<Self>, run: &str) -> Result<(), Denied> {
        // Where the site has the mandate again, the other member may serve from this very disk, with what came to it or
        // with what it took over: nothing is written there, and what is here else is stale.
        let beside = self.has_sibling().await? && self.book.look(homecoming::is_given_up_beside);
        for feed in self.feeds.all().into_iter().filter(|_| !beside) {
            let name = feed.dataset.name.clone();
            let (kept, now) = (self.preserved_of(run, &feed.dataset), self.clock.now());
            let meter = Meter::new(self.stop.child_token());
            let work = tokio::task::spawn_blocking(move || {
                let mut source = feed.engine.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.exists() { source.put_back(&kept, now, &meter) } else { Ok(()) }
            });
            let done = work.await.map_err(|error| Denied::failed(format!("put {name} back"), error))?;
            done.map_err(denied(format!("put {name} back")))?;
        }
        // Nobody sends it once more: what has come whole may be all that is left of what was made on the DR.
        // Moved before the record forgets the run: whoever dies in between finds it again by that name.
        let taken = self.book.look(Record::is_holder);
        let kept = if taken { self.keep_what_came(run).await } else { Vec::new() };
        let named = run.to_owned();
        let ended = self.book.change(move |record| homecoming::give_up(record, &named, beside));
        if ended.await? {
            tracing::warn!(run, ?kept, "nothing comes home any more: everything is as it was");
            self.note("home.given_up", Some(json!({ "run": run, "kept": kept }))).await;
            self.mandate_changed();
        }
        self.drop_stores().await;
        Ok(())
    }

    /// Puts what has come whole beside what was preserved, until somebody discards it. What cannot be moved goes with the
    /// stores: it keeps nobody from serving.
    async fn keep_what_came(&self, run: &str) -> Vec<String> {
        let mut kept = Vec::new();
        for feed in self.feeds.all() {
            let (store, name) = (self.homecoming_of(&feed.dataset), feed.dataset.name.clone());
            let aside = self.preserved_of(&format!("{run}{ARRIVED}"), &feed.dataset);
            let moved = tokio::task::spawn_blocking(move || move_aside(&store, &feed, &aside)).await;
            match moved.unwrap_or_else(|error| Err(io::Error::other(error))) {
                Ok(true) => kept.push(name),
                Ok(false) => {}
                Err(error) => tracing::error!(%error, dataset = name, "what came from the DR could not be put aside"),
            }
        }
        kept
    }

    /// Drops the stores that a process left which died once the record named no run any more.
    async fn drop_what_was_left(&self) {
        let left = std::fs::read_dir(self.dir.homecoming()).is_ok_and(|mut items| items.next().is_some());
        if !left {
            return;
        }
        // Under the lock: a run that begins is in the record before anything of it is here.
        let _busy = self.home.busy.lock().await;
        if self.book.look(|record| record.receiving.is_none()) {
            self.drop_stores().await;
        }
    }

    /// What waited is not needed any more. What cannot be removed is found by the next run.
    async fn drop_stores(&self) {
        let place = self.dir.homecoming();
        let _ = tokio::task::spawn_blocking(move || {
            for item in std::fs::read_dir(&place).into_iter().flatten().flatten() {
                let kind = match item.path().extension().and_then(|kind| kind.to_str()) {
                    Some("sqlite") => replication::SourceKind::Sqlite,
                    _ => replication::SourceKind::Files,
                };
                let gone = replication::Replica::open(item.path(), kind).and_then(replication::Replica::destroy);
                if let Err(error) = gone {
                    tracing::warn!(%error, "content that came home still takes its space twice");
                }
            }
        })
        .await;
    }
}

/// Moves the newest content of a store aside, where any of it came from the other side.
fn move_aside(store: &Path, feed: &Feed, aside: &Path) -> io::Result<bool> {
    let tree = aside.join("tree");
    if tree.exists() || !store.exists() {
        return Ok(tree.exists());
    }
    let points = open_store(store, feed).and_then(|replica| replica.restore_points());
    let points = points.map_err(|error| io::Error::other(told(&error)))?;
    let Some(point) = points.last().filter(|point| point.generation > SEEDED) else { return Ok(false) };
    std::fs::create_dir_all(aside)?;
    std::fs::rename(&point.tree, tree)?;
    Ok(true)
}

fn holds(record: &Record, mandate: &Mandate) -> bool {
    record.mandate.as_ref().is_some_and(|head| head.id == mandate.id)
}
