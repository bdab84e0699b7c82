//! The other member of this site: its address, the association with it by a join token that either of the two makes, and
//! its end.

use std::net::IpAddr;

use contract::address::PeerAddress;
use contract::command::{Secret, SiblingForm};
use contract::state::NodeState;
use contract::{Denied, FieldError, NodeRole, Outcome, Problem, Refused, Rule};
use serde_json::json;

use super::members::write_address;
use crate::door::Act;
use crate::link::message::Who;
use crate::mandate::file::Seat;
use crate::node::Node;
use crate::store::db;

impl Node {
    /// Sets where the sibling is, what the node IP is, and how this machine knows that it has it.
    pub(crate) async fn sibling_set(&self, act: Act<'_>, form: &SiblingForm) -> Result<Outcome, Denied> {
        let mut errors = Vec::new();
        let mut keep = |field: &str, problem| errors.push(FieldError::new(field, problem));
        let address = form.address.parse::<PeerAddress>().map_err(|problem| keep("sibling", problem)).ok();
        let node_ip = form.node_ip.parse::<PeerAddress>().map_err(|problem| keep("node_ip", problem)).ok();
        let (Some(address), Some(node_ip)) = (address, node_ip.map(|typed| typed.ip)) else {
            return Err(Denied::Invalid(errors));
        };
        if node_ip == address.ip {
            return Err(Denied::field("node_ip", Problem::TwoMembers));
        }
        if self.is_own(address) {
            return Err(Denied::rule(Rule::PeerOwnAddress, form.address.trim(), ""));
        }
        let check = form.check.as_deref().map(str::trim).filter(|check| !check.is_empty());
        let before = self.machine(Seat::Second).await?.map(|machine| json!({ "address": machine.address.to_string() }));
        let mut tx = self.store.begin().await?;
        self.make_room_at(&mut tx, Seat::Second, address).await?;
        write_address(&mut tx, address).await?;
        sqlx::query("INSERT OR REPLACE INTO cluster (one, node_ip, serves) VALUES (1, ?, ?)")
            .bind(node_ip.to_string())
            .bind(check)
            .execute(&mut *tx)
            .await
            .map_err(db("set the node IP"))?;
        let after = json!({ "address": address.to_string(), "node_ip": node_ip.to_string(), "check": check });
        let outcome = act.done(tx, before, Some(after)).await?;
        self.look_for_node_ip().await;
        self.pair_changed();
        Ok(outcome)
    }

    /// Joins the sibling that made the token.
    pub(crate) async fn sibling_join(&self, act: Act<'_>, token: &Secret) -> Result<Outcome, Denied> {
        let Some(machine) = self.whoever_sits_at(Seat::Second).await? else {
            return Err(Denied::rule(Rule::SiblingUnset, &self.info.name, ""));
        };
        self.join_one_of(act, token, &[machine]).await
    }

    /// What must hold of whoever is to be the other member: the same role, another name, a version that fits.
    pub(crate) fn fits_as_sibling(&self, who: &Who) -> Result<(), Denied> {
        let mut refused = Vec::new();
        if who.role != NodeRole::Master || self.info.role != NodeRole::Master {
            refused.push(Refused::new(Rule::RoleWrong, &who.name, who.role.label()));
        }
        if who.name == self.info.name {
            refused.push(Refused::new(Rule::PairSameName, &who.name, &who.name));
        }
        refused.extend(self.incompatible(who));
        if refused.is_empty() { Ok(()) } else { Err(Denied::Refused(refused)) }
    }

    /// The site has one member again. What was declared and given stays.
    pub(crate) async fn sibling_forget(&self, act: Act<'_>) -> Result<Outcome, Denied> {
        let Some(machine) = self.machine(Seat::Second).await? else {
            return Err(Denied::rule(Rule::SiblingUnset, &self.info.name, ""));
        };
        // Whoever does not know who may serve must not forget whom to ask.
        let state = self.state();
        if machine.pair.is_some() && (state != NodeState::Serving || self.runs.in_earnest().is_some()) {
            return Err(Denied::rule(Rule::StateIllegal, &self.info.name, state.as_str()));
        }
        let mut tx = self.store.begin().await?;
        for query in ["DELETE FROM member", "DELETE FROM cluster"] {
            sqlx::query(query).execute(&mut *tx).await.map_err(db("forget the other member"))?;
        }
        let before = json!({ "address": machine.address.to_string(), "name": machine.name() });
        let outcome = act.done(tx, Some(before), None).await?;
        let forget = |record: &mut crate::mandate::file::Record| record.second = Default::default();
        self.book.change(forget).await?;
        self.look_for_node_ip().await;
        self.pair_changed();
        Ok(outcome)
    }

    /// Whether a stranger dials from where one of the machines is expected.
    pub(crate) async fn expects(&self, from: IpAddr) -> Option<Seat> {
        let machines = self.machines().await.ok()?;
        machines.into_iter().find(|machine| machine.address.ip == from).map(|machine| machine.seat)
    }
}
