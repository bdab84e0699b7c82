//! A Master site of two members: which machines this node talks with, and what each of them is to it.
//!
//! The site holds the mandate, each member asserts it for itself. Which member serves is not decided here: the cluster of
//! the PBX puts the node IP on one of them, and a member only has to know whether it is on this one ([`node_ip`]). How the
//! two keep their own files in step is the cluster's business, too.

mod contents;
mod conversation;
mod generations;
mod members;
mod node_ip;
mod sibling;

use std::net::IpAddr;

use contract::address::PeerAddress;
use contract::{Denied, NodeRole, Rule};

use crate::mandate::file::Seat;
use crate::node::Node;
use crate::pairing::Pair;
use crate::store::db;

pub(crate) use contents::SiblingContents;
pub(crate) use generations::Given;
pub(crate) use members::Site;
pub(crate) use node_ip::NodeIp;

/// Another machine, as it is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    /// Its place among them.
    pub(crate) seat: Seat,
    /// Whether it is of this site: the other member.
    pub(crate) sibling: bool,
    pub(crate) address: PeerAddress,
    /// The association with it.
    pub(crate) pair: Option<Pair>,
    /// It was declared lost, and no other one was named in its place yet.
    pub(crate) lost: bool,
}

impl Machine {
    /// Its name, or its address before it has one.
    pub(crate) fn name(&self) -> String {
        self.pair.as_ref().map_or_else(|| self.address.to_string(), |pair| pair.name.clone())
    }
}

type MemberRow = (String, u16, Option<String>, Option<String>, Option<String>, Option<String>);

impl Node {
    /// Every address that is set here, also where a machine was lost: another one may join in its place.
    pub(crate) async fn all_seats(&self) -> Result<Vec<Machine>, Denied> {
        let peer = self.peer().await?;
        let (pair, lost) = (peer.pair, peer.lost);
        let first = peer.address.map(|address| Machine { seat: Seat::First, sibling: false, address, pair, lost });
        Ok(first.into_iter().chain(self.second().await?).collect())
    }

    /// Every machine whose address is set here.
    pub(crate) async fn machines(&self) -> Result<Vec<Machine>, Denied> {
        let mut machines = self.all_seats().await?;
        // A site goes on with the other one of its two.
        let across = machines.iter().any(|machine| !machine.sibling && machine.pair.is_some());
        machines.retain(|machine| !(machine.lost && (machine.sibling || across)));
        Ok(machines)
    }

    /// The machines of the other site.
    pub(crate) async fn machines_across(&self) -> Result<Vec<Machine>, Denied> {
        let mut machines = self.machines().await?;
        machines.retain(|machine| !machine.sibling);
        Ok(machines)
    }

    /// The addresses of the machines of the other site.
    pub(crate) async fn ips_across(&self) -> Result<Vec<IpAddr>, Denied> {
        Ok(self.machines_across().await?.iter().map(|machine| machine.address.ip).collect())
    }

    /// The machine of one seat.
    pub(crate) async fn machine(&self, seat: Seat) -> Result<Option<Machine>, Denied> {
        Ok(self.machines().await?.into_iter().find(|machine| machine.seat == seat))
    }

    /// What is set for one seat, also where its machine was lost.
    pub(crate) async fn whoever_sits_at(&self, seat: Seat) -> Result<Option<Machine>, Denied> {
        Ok(self.all_seats().await?.into_iter().find(|machine| machine.seat == seat))
    }

    /// The machine that has proven to have this key.
    pub(crate) async fn machine_of(&self, fingerprint: &str) -> Option<Machine> {
        let machines = self.machines().await.ok()?;
        let its = |machine: &Machine| machine.pair.as_ref().is_some_and(|pair| pair.fingerprint == fingerprint);
        machines.into_iter().find(its)
    }

    async fn second(&self) -> Result<Option<Machine>, Denied> {
        let row: Option<MemberRow> = sqlx::query_as("SELECT ip, port, pair_id, node_id, name, fingerprint FROM member")
            .fetch_optional(self.store.pool())
            .await
            .map_err(db("read the members"))?;
        let Some((ip, port, pair_id, node_id, name, fingerprint)) = row else { return Ok(None) };
        let ip = ip.parse().map_err(|error| Denied::failed("read the members", error))?;
        let pair = match (pair_id, node_id, name, fingerprint) {
            (Some(id), Some(node_id), Some(name), Some(fingerprint)) => Some(Pair { id, node_id, name, fingerprint }),
            _ => None,
        };
        let lost = pair.as_ref().is_some_and(|pair: &Pair| self.tombstone_of(&pair.fingerprint).is_some());
        let pair = pair.filter(|_| !lost);
        let (seat, sibling) = (Seat::Second, self.is_sibling(Seat::Second));
        Ok(Some(Machine { seat, sibling, address: PeerAddress { ip, port }, pair, lost }))
    }

    /// Whether the machine of that seat is the other member of this site.
    pub(crate) fn is_sibling(&self, seat: Seat) -> bool {
        seat == Seat::Second && self.info.role == NodeRole::Master
    }

    /// Whether this machine is one of the two members of a site.
    pub(crate) async fn has_sibling(&self) -> Result<bool, Denied> {
        Ok(self.machine(Seat::Second).await?.is_some_and(|machine| machine.sibling))
    }

    /// The pair that this node is in, with whichever machine.
    pub(crate) async fn pair_id(&self) -> Result<Option<String>, Denied> {
        Ok(self.machines().await?.into_iter().find_map(|machine| machine.pair).map(|pair| pair.id))
    }

    /// The name of the other site: its machine's, or both members'.
    pub(crate) async fn site_name(&self) -> Result<Option<String>, Denied> {
        let machines = self.machines_across().await?;
        let names: Vec<_> = machines.into_iter().filter_map(|machine| machine.pair).map(|pair| pair.name).collect();
        Ok((!names.is_empty()).then(|| names.join(", ")))
    }

    /// The machine that content comes from.
    pub(crate) async fn source_machine(&self) -> Result<Machine, Denied> {
        let source = match self.link.source() {
            Some(seat) => self.machine(seat).await?,
            None => None,
        };
        source.ok_or_else(|| Denied::rule(Rule::PairNotAssociated, &self.info.name, ""))
    }

    /// Client: chooses the member that content comes from, among those that were just heard. One that goes on saying that
    /// the node IP is on it stays chosen: while that moves, both may say so for a moment.
    pub(crate) async fn choose_source(&self) -> Result<(), Denied> {
        let machines = self.machines_across().await?;
        let says = |seat| self.standing_of(seat).and_then(|told| told.serves_site) == Some(true);
        let chosen = match machines.as_slice() {
            [_, _, ..] => {
                let now = self.link.source().filter(|seat| says(*seat));
                now.or_else(|| machines.iter().map(|machine| machine.seat).find(|seat| says(*seat)))
            }
            [only] => Some(only.seat),
            [] => Some(Seat::First),
        };
        let before = self.link.set_source(chosen);
        if before != chosen {
            let name =
                |seat: Option<Seat>| machines.iter().find(|machine| Some(machine.seat) == seat).map(Machine::name);
            tracing::info!(from = name(before), to = name(chosen), "another member of the Master site serves");
            self.copies.cancel_pulls(|_, _| true);
            self.copies.wake_all();
            self.verdict_is_stale();
            self.poke();
        }
        Ok(())
    }
}
