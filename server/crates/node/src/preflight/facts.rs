//! Gathers what the judgement stands on.

use contract::preflight::{Loss, age};
use contract::{Denied, NodeRole};

use super::Probed;
use super::judge::Facts;
use crate::mandate::file::Seat;
use crate::mandate::homecoming;
use crate::node::Node;
use crate::services;
use crate::store::{db, time};
use crate::sync::replica::Copy;

impl Node {
    pub(super) async fn facts(&self, probed: &Probed) -> Result<Facts, Denied> {
        let client = self.info.role == NodeRole::Client;
        let peer = self.site_name().await?;
        let (mandate, suspended, findings) = self
            .book
            .look(|record| (record.mandate.is_some(), record.suspended && record.is_holder(), record.findings()));
        // One that has just fallen silent sends no more.
        let across = self.link.source().unwrap_or(Seat::First);
        let told = self.standing_of(across).filter(|_| self.link.contact(across).reachable);
        let (fate, trouble) = (self.fate(self.has_sibling().await?), self.home.trouble().is_some());
        let (receiving, coming) = self.book.look(|record| {
            (record.receiving.is_some(), homecoming::in_the_way_of_a_take(record, told.as_ref(), &fate, trouble))
        });
        let declared_lost = self.refuse_if_lost().is_some();
        let policy = self.approval_policy().await?;
        let approvers = if policy.activation.is_on() { Some(self.approvers().await?) } else { None };
        let copies = self.copies.all();
        let losses = if client {
            copies.iter().map(|copy| self.loss(copy)).collect()
        } else {
            self.losses_of_a_takeover().await?
        };
        let services = self.declared_services().await?;
        let bytes = |copy: &std::sync::Arc<Copy>| copy.standing(|s| s.commit.as_ref().map(|commit| commit.bytes));
        Ok(Facts {
            at: self.clock.now(),
            side: self.info.role,
            name: self.info.name.clone(),
            peer,
            state: self.state(),
            mandate,
            suspended,
            findings,
            declared_lost,
            receiving,
            coming,
            run: self.run_in_the_way(),
            approvers,
            isolation: probed.look.machines.clone(),
            losses,
            services_preview: services::preview(&services),
            services: services.into_iter().map(|service| service.name).collect(),
            gate_unchosen: self.gate_unchosen().await?,
            own: self.declared_own_steps().await?.into_iter().map(|declared| declared.step).collect(),
            own_preview: probed.preview.own.clone(),
            telephony: !probed.preview.telephony.0.is_empty(),
            telephony_preview: probed.preview.telephony.1.clone(),
            disk: self.dir.root().display().to_string(),
            free: self.disk().map(|(free, _)| free),
            need: copies.iter().filter_map(bytes).sum(),
            points: self.points_to_go_back_to().await?,
            serves_from: self.serves_from_a_copy().await,
            masters_now: self.copies.masters_now().unwrap_or_else(|| self.clock.now()),
            // Of two members, the one that would go on first.
            opens_after: Seat::ALL
                .into_iter()
                .filter(|seat| !self.is_sibling(*seat))
                .filter_map(|seat| self.link.last_standing(seat)?.opens_after)
                .min(),
        })
    }

    /// The machines of the pair of which nobody has chosen what they do when they boot into silence: this one, and the
    /// other ones as they say.
    async fn gate_unchosen(&self) -> Result<Vec<String>, Denied> {
        let own = (!self.gate.is_chosen()).then(|| self.info.name.clone());
        let across = self.machines_across().await?.into_iter().filter_map(|machine| {
            let said = self.link.last_standing(machine.seat)?.gate_chosen;
            said.is_some_and(|chosen| !chosen).then(|| machine.pair.map(|pair| pair.name))?
        });
        Ok(own.into_iter().chain(across).collect())
    }

    /// What an activation would lose of one dataset: all that the Master wrote after the last moment at which the copy is
    /// known to have been equal.
    fn loss(&self, copy: &Copy) -> Loss {
        let (masters_now, now) = (self.copies.masters_now(), self.clock.now());
        copy.standing(|standing| {
            let commit = standing.commit.as_ref();
            let captured_at = commit.map(|commit| standing.confirmed.unwrap_or(commit.captured_at));
            let raw = standing.pulling.as_ref().and_then(|pulling| pulling.meter.raw());
            Loss {
                dataset: copy.dataset.name.clone(),
                generation: commit.map(|commit| commit.generation),
                captured_at,
                age_seconds: standing.behind(masters_now, now).map(|(since, now)| age(since, now)),
                in_flight: raw.map(|raw| raw.bytes_total.unwrap_or(raw.bytes_done)).filter(|bytes| *bytes > 0),
                none_confirmed: false,
                skipped: 0,
                missing: None,
            }
        })
    }

    /// What a take-over would lose: of every dataset all that the DR has made since it took the service. The Master goes
    /// on from its own data, whose last generation is told.
    async fn losses_of_a_takeover(&self) -> Result<Vec<Loss>, Denied> {
        let rows: Vec<(String, Option<i64>, Option<String>)> = sqlx::query_as(
            "SELECT dataset.name, max(generation.number), generation.captured_at \
             FROM dataset LEFT JOIN generation ON generation.dataset = dataset.name GROUP BY dataset.name ORDER BY dataset.name",
        )
        .fetch_all(self.store.pool())
        .await
        .map_err(db("read the generations"))?;
        let now = self.clock.now();
        let loss = |(dataset, number, captured_at): (String, Option<i64>, Option<String>)| {
            let captured_at = captured_at.as_deref().map(time).transpose()?;
            Ok(Loss {
                dataset,
                generation: number.and_then(|number| u64::try_from(number).ok()),
                captured_at,
                age_seconds: captured_at.map(|at| age(at, now)),
                in_flight: None,
                none_confirmed: false,
                skipped: 0,
                missing: None,
            })
        };
        rows.into_iter().map(loss).collect()
    }
}
