//! Going back to an older restore point: what is kept from the press on, the step that reads the point again before
//! anything is written that cannot be undone, and the contents that the mandate then names.

use std::collections::BTreeMap;
use std::sync::Arc;

use contract::preflight::Take;
use contract::sync::RestorePoint;
use contract::{Denied, Refused, Rule, Text};
use replication::ErrorKind;
use serde::{Deserialize, Serialize};

use super::Run;
use super::giving::not_open;
use super::log::Plan;
use super::step::{Seen, Stop};
use crate::node::Node;
use crate::store::Tx;
use crate::sync::generation_check::{OnDisk, damaged};
use crate::sync::meter::Meter;
use crate::sync::pins::pin_skipped;
use crate::sync::replica::Copy;
use crate::sync::{ancestry, denied};

/// The restore point of a run: the whole vector, as it was when the button was pressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Chosen {
    pub(crate) id: String,
    datasets: BTreeMap<String, Part>,
}

/// One dataset of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    generation: u64,
    content: String,
    /// What the Master knows it as, where that is something else.
    #[serde(default)]
    offered: Option<String>,
    /// Newer ones that are here and are not used.
    skipped: Vec<u64>,
}

impl Chosen {
    /// The content of each dataset: what the mandate names.
    pub(super) fn contents(&self) -> BTreeMap<String, String> {
        let known = |part: &Part| part.offered.as_ref().unwrap_or(&part.content).clone();
        self.datasets.iter().map(|(name, part)| (name.clone(), known(part))).collect()
    }

    /// Where a dataset stands in it.
    pub(super) fn generation(&self, dataset: &str) -> Option<u64> {
        self.datasets.get(dataset).map(|part| part.generation)
    }

    fn on_disk(&self) -> impl Iterator<Item = OnDisk> {
        let one = |(dataset, part): (&String, &Part)| OnDisk {
            dataset: dataset.clone(),
            generation: part.generation,
            content: part.content.clone(),
        };
        self.datasets.iter().map(one)
    }
}

/// A DR that only goes on serving has nothing to choose.
pub(super) fn refuse_point(take: &Take) -> Vec<Refused> {
    let named = take.point.as_deref().map(str::trim).filter(|point| !point.is_empty());
    named.map(|point| Refused::new(Rule::PointNotUsed, point, "serving")).into_iter().collect()
}

impl Node {
    /// Whether a take goes on from a copy that has served before, instead of a restore point.
    pub(crate) async fn serves_from_a_copy(&self) -> bool {
        let holds = self.book.look(|record| record.is_holder());
        if !holds && matches!(self.gives_in_vain().await, Ok(false)) {
            return false;
        }
        for copy in self.copies.all() {
            if self.with_engine(&copy, |replica| replica.promoted().is_some()).await == Some(true) {
                return true;
            }
        }
        false
    }

    /// The vector of a point, as it is now. The caller holds `keeping`: what is here stays until it is pinned.
    pub(super) fn choose_point(&self, id: &str, consent: bool) -> Result<Chosen, Denied> {
        let points = self.points();
        let point = points.iter().find(|point| point.id == id);
        let point = point.ok_or_else(|| Denied::rule(Rule::PointUnknown, id, ""))?;
        let mut datasets = BTreeMap::new();
        let mut newer = Vec::new();
        for copy in self.copies.all() {
            let name = copy.dataset.name.clone();
            let gone = || Denied::rule(Rule::PointUnknown, id, "");
            let Some(part) = point.part(&name) else {
                // Nothing of it has come yet: it has nothing to serve, with or without a point.
                if copy.standing(|standing| standing.points.is_empty()) {
                    continue;
                }
                return Err(gone());
            };
            let generation = part.generation;
            let here = copy.generation(generation).ok_or_else(gone)?;
            let skipped = copy
                .standing(|standing| ancestry::skipped(standing.points.iter().map(|one| one.generation), generation));
            if !skipped.is_empty() {
                newer.push(name.clone());
            }
            let offered = copy.standing(|standing| {
                let point = standing.points.iter().find(|point| point.generation == generation)?;
                (point.offered_id != point.content_id).then(|| point.offered_id.to_string())
            });
            datasets.insert(name, Part { generation, content: here.content, offered, skipped });
        }
        // A newer one may have come since the loss was looked at.
        if !newer.is_empty() && !consent {
            return Err(Denied::rule(Rule::DataLossConsent, &self.info.name, newer.join(", ")));
        }
        Ok(Chosen { id: id.to_owned(), datasets })
    }

    /// Keeps the point and all that is newer until the way back is done.
    pub(super) async fn pin_from(&self, tx: &mut Tx, point: &Chosen) -> Result<(), Denied> {
        for (dataset, part) in &point.datasets {
            let kept: Vec<u64> = [part.generation].into_iter().chain(part.skipped.iter().copied()).collect();
            pin_skipped(tx, dataset, &kept).await?;
            if let Some(copy) = self.copies.all().iter().find(|copy| copy.dataset.name == *dataset) {
                copy.show_pinned(kept);
            }
        }
        Ok(())
    }

    /// Whether this run has read all of it, and found it as it was copied.
    pub(super) async fn point_is_sound(&self, plan: &Plan) -> Result<Seen, Stop> {
        let Some(point) = &plan.point else { return Ok(Some(String::new())) };
        for read in point.on_disk() {
            if self.damage_seen_by(&plan.id, &read).await? != Some(0) {
                return Ok(None);
            }
        }
        let told = point.on_disk().map(|read| format!("{} g{}", read.dataset, read.generation));
        Ok(Some(told.collect::<Vec<_>>().join(", ")))
    }

    /// Reads all of the point again. Where it is damaged, the next older and newer ones are read, too, until one is found
    /// that is not: an operator is to hear a way out, not only a no.
    pub(super) async fn read_point(&self, run: &Run, plan: &Plan) -> Result<(), Stop> {
        let Some(point) = &plan.point else { return Ok(()) };
        let mut bad = Vec::new();
        for read in point.on_disk() {
            if self.read_once(run, plan, &read, &point.id).await? > 0 {
                bad.push(read.dataset);
            }
        }
        if bad.is_empty() {
            return Ok(());
        }
        let sound = self.newest_sound_point(run, plan).await?;
        let sound = sound.as_deref().unwrap_or("none");
        let refused: Vec<Refused> =
            bad.iter().map(|dataset| Refused::new(Rule::PointDamaged, dataset, sound)).collect();
        let stop = Stop::refused(&refused);
        let (it, en) = (
            "Annullare questa operazione, nulla è stato cambiato, e attivare dal punto indicato.",
            "Abort this run, nothing was changed, and activate from the point named here.",
        );
        let remedy = Text::new(format!("{} {it}", stop.remedy.it), format!("{} {en}", stop.remedy.en));
        Err(Stop::new(stop.output, remedy))
    }

    /// The newest point of which everything was read by this run and is as it was copied.
    async fn newest_sound_point(&self, run: &Run, plan: &Plan) -> Result<Option<String>, Stop> {
        let points: Vec<RestorePoint> = self.points_to_go_back_to().await?;
        for point in points {
            let mut sound = true;
            for part in &point.datasets {
                let copy = self.copies.all().into_iter().find(|copy| copy.dataset.name == part.dataset);
                let Some(read) = copy.and_then(|copy| copy.generation(part.generation)) else { continue };
                sound = sound && self.read_once(run, plan, &read, &point.id).await? == 0;
            }
            if sound {
                return Ok(Some(point.id));
            }
        }
        Ok(None)
    }

    /// How much of a generation is damaged; what this run has read already is not read twice.
    async fn read_once(&self, run: &Run, plan: &Plan, read: &OnDisk, point: &str) -> Result<u64, Stop> {
        if let Some(known) = self.damage_seen_by(&plan.id, read).await? {
            return Ok(known);
        }
        let gone = || Stop::refused(&[Refused::new(Rule::PointUnknown, point, "")]);
        let copies = self.copies.all();
        let copy = copies.iter().find(|copy| copy.dataset.name == read.dataset).ok_or_else(gone)?;
        if copy.generation(read.generation).as_ref() != Some(read) {
            return Err(gone());
        }
        let found = self.read_generation(run, copy, read.generation).await?;
        self.keep_generation_check(read, found, &plan.id).await?;
        Ok(found)
    }

    async fn read_generation(&self, run: &Run, copy: &Arc<Copy>, generation: u64) -> Result<u64, Stop> {
        let stop = self.stop.child_token();
        let _ended = stop.clone().drop_guard();
        let meter = Meter::new(stop);
        let reading = self.with_engine(copy, move |replica| replica.verify_generation(generation, &meter));
        let found = tokio::select! {
            found = reading => found.ok_or_else(|| not_open(copy))?,
            () = run.gives_up() => return Err(Stop::new("given up", super::step::try_again())),
        };
        match found {
            Ok(found) => Ok(damaged(&found)),
            // Its very list cannot be read.
            Err(error) if error.kind() == ErrorKind::StoreDamaged => Ok(1),
            Err(error) => Err(denied(format!("read generation {generation} of {}", copy.dataset.name))(error).into()),
        }
    }
}
