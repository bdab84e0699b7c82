//! How two machines come to know each other: the address each administrator sets, the join token that is pasted once,
//! and the end of the association, which needs only one side.

mod join;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use contract::address::PeerAddress;
use contract::recipient::Channel;
use contract::state::NodeState;
use contract::status::PeerReport;
use contract::{Denied, FieldError, Lang, NodeRole, Outcome, Problem, Refused, Rule, SCHEMA};
use serde_json::json;

use crate::alarms::set_message_lang;
use crate::cluster::Site;
use crate::door::Act;
use crate::link::message::Who;
use crate::mandate::file::Seat;
use crate::node::Node;
use crate::recipients::insert_recipient;
use crate::store::db;

/// What is known of the other machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Peer {
    pub(crate) address: Option<PeerAddress>,
    pub(crate) pair: Option<Pair>,
    /// It was declared lost.
    pub(crate) lost: bool,
}

/// An association.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) id: String,
    pub(crate) node_id: String,
    pub(crate) name: String,
    pub(crate) fingerprint: String,
}

type PeerRow = (Option<String>, Option<u16>, Option<String>, Option<String>, Option<String>, Option<String>);

impl Node {
    /// Reads what is known of the other machine.
    pub(crate) async fn peer(&self) -> Result<Peer, Denied> {
        let row: Option<PeerRow> = sqlx::query_as("SELECT ip, port, pair_id, node_id, name, fingerprint FROM peer")
            .fetch_optional(self.store.pool())
            .await
            .map_err(db("read the pair"))?;
        let Some((ip, port, pair_id, node_id, name, fingerprint)) = row else { return Ok(Peer::default()) };
        let address = match (ip, port) {
            (Some(ip), Some(port)) => {
                let ip: IpAddr = ip.parse().map_err(|error| Denied::failed("read the pair", error))?;
                Some(PeerAddress { ip, port })
            }
            _ => None,
        };
        let pair = match (pair_id, node_id, name, fingerprint) {
            (Some(id), Some(node_id), Some(name), Some(fingerprint)) => Some(Pair { id, node_id, name, fingerprint }),
            _ => None,
        };
        let lost = pair.as_ref().is_some_and(|pair| self.tombstone_of(&pair.fingerprint).is_some());
        Ok(Peer { address, pair: pair.filter(|_| !lost), lost })
    }

    pub(crate) async fn peer_report(&self) -> Result<PeerReport, Denied> {
        let peer = self.peer().await?;
        Ok(PeerReport {
            schema: SCHEMA,
            address: match self.cluster_row().await? {
                Some((node_ip, _)) if self.info.role == NodeRole::Client => Some(node_ip.to_string()),
                _ => peer.address.map(|address| address.to_string()),
            },
            members: self.members_as_set().await?,
            pair: self.pair_info().await?,
            fingerprint: self.identity.fingerprint().to_owned(),
            peer_fingerprint: peer.pair.map(|pair| pair.fingerprint),
            recipients: self.recipients().await?,
            language: self.message_lang().await?,
        })
    }

    /// Client: both addresses of a cluster, as they were set.
    async fn members_as_set(&self) -> Result<Vec<String>, Denied> {
        if self.node_ip_across().await.is_none() {
            return Ok(Vec::new());
        }
        Ok(self.all_seats().await?.iter().map(|machine| machine.address.to_string()).collect())
    }

    pub(crate) async fn peer_set(
        &self,
        act: Act<'_>,
        address: &str,
        members: &[String],
        email: Option<&[String]>,
        sms: Option<&[String]>,
        language: Option<Lang>,
    ) -> Result<Outcome, Denied> {
        let mut errors = Vec::new();
        let site = Site::parse(address, members).map_err(|found| errors.extend(found)).ok();
        let mut lists = Vec::new();
        for (field, channel, typed) in [("email", Channel::Email, email), ("sms", Channel::Sms, sms)] {
            let Some(typed) = typed else { continue };
            let mut values = Vec::new();
            for value in typed.iter().map(|v| v.trim()).filter(|v| !v.is_empty()) {
                match channel.normalise(value) {
                    Ok(value) => values.push(value),
                    Err(problem) => errors.push(FieldError::new(field, named(value, &problem))),
                }
            }
            lists.push((channel, values));
        }
        let Some(site) = site.filter(|_| errors.is_empty()) else { return Err(Denied::Invalid(errors)) };
        if self.info.role == NodeRole::Master && site.cluster.is_some() {
            return Err(Denied::rule(Rule::RoleWrong, &self.info.name, self.info.role.label()));
        }
        if let Some(own) = site.addresses().find(|address| self.is_own(*address)) {
            let typed = if site.cluster.is_some() { own.to_string() } else { address.trim().to_owned() };
            return Err(Denied::rule(Rule::PeerOwnAddress, typed, ""));
        }
        let mut before = self.all_seats().await?;
        before.retain(|machine| !machine.sibling);
        let site = site.in_order_of(&before);
        let parsed = site.first;
        let mut tx = self.store.begin().await?;
        self.make_room_at(&mut tx, Seat::First, parsed).await?;
        sqlx::query(
            "INSERT INTO peer (one, ip, port) VALUES (1, ?, ?) ON CONFLICT (one) DO UPDATE SET ip = excluded.ip, port = excluded.port",
        )
        .bind(parsed.ip.to_string())
        .bind(parsed.port)
        .execute(&mut *tx)
        .await
        .map_err(db("set the other machine's address"))?;
        if self.info.role == NodeRole::Client {
            self.write_members(&mut tx, site).await?;
        }
        for (channel, values) in &lists {
            sqlx::query("DELETE FROM recipient WHERE channel = ?")
                .bind(channel.as_str())
                .execute(&mut *tx)
                .await
                .map_err(db("set the recipients"))?;
            for value in values {
                insert_recipient(&mut tx, *channel, value).await?;
            }
        }
        if let Some(language) = language {
            set_message_lang(&mut tx, language).await?;
        }
        let recipients: Vec<&String> = lists.iter().flat_map(|(_, values)| values).collect();
        let mut after = json!({ "address": parsed.to_string(), "recipients": recipients, "language": language });
        if let Some((second, node_ip)) = site.cluster {
            after["address"] = json!(node_ip.to_string());
            after["members"] = json!([parsed.to_string(), second.to_string()]);
        }
        let told: Vec<_> = before.iter().map(|machine| machine.address.to_string()).collect();
        let before = (!told.is_empty()).then(|| json!({ "address": told.join(", ") }));
        let outcome = act.done(tx, before, Some(after)).await?;
        self.pair_changed();
        Ok(outcome)
    }

    /// Own is: the same IP and port as our listener, or any non-loopback address of this machine.
    pub(crate) fn is_own(&self, address: PeerAddress) -> bool {
        let listens = self.config.peer;
        if address.ip.is_loopback() {
            let here = listens.ip() == address.ip || listens.ip().is_unspecified();
            return here && address.port == listens.port();
        }
        is_of_this_machine(address.ip)
    }

    pub(crate) async fn peer_forget(&self, act: Act<'_>) -> Result<Outcome, Denied> {
        let Some(pair) = self.peer().await?.pair else {
            return Err(Denied::rule(Rule::PairNotAssociated, &self.info.name, ""));
        };
        if let Some(lost) = self.refuse_if_lost() {
            return Err(Denied::Refused(vec![lost]));
        }
        // Whoever does not know who may serve must not forget whom to ask.
        let state = self.state();
        if !matches!(state, NodeState::Serving | NodeState::Standby) || self.runs.in_earnest().is_some() {
            return Err(Denied::rule(Rule::StateIllegal, &self.info.name, state.as_str()));
        }
        let mut tx = self.store.begin().await?;
        sqlx::query(
            "UPDATE peer SET pair_id = NULL, node_id = NULL, name = NULL, fingerprint = NULL, associated_at = NULL",
        )
        .execute(&mut *tx)
        .await
        .map_err(db("dissolve the association"))?;
        // The pair is one: its other member, or this one's sibling, is joined anew, too.
        sqlx::query(
            "UPDATE member SET pair_id = NULL, node_id = NULL, name = NULL, fingerprint = NULL, associated_at = NULL",
        )
        .execute(&mut *tx)
        .await
        .map_err(db("dissolve the association"))?;
        let outcome = act.done(tx, Some(json!({ "pair": pair.id, "peer": pair.name })), None).await?;
        self.end_mandate().await?;
        self.pair_changed();
        Ok(outcome)
    }

    /// What must hold of a machine before it can be what it is to be here.
    pub(crate) fn fits(&self, who: &Who, sibling: bool) -> Result<(), Denied> {
        if sibling { self.fits_as_sibling(who) } else { self.fits_as_peer(who) }
    }

    /// What must hold of any machine before it can be the other one: role, name, version.
    fn fits_as_peer(&self, who: &Who) -> Result<(), Denied> {
        let mut refused = Vec::new();
        if who.role == self.info.role {
            refused.push(Refused::new(Rule::PairSameRole, &who.name, self.info.role.label()));
        }
        if who.name == self.info.name {
            refused.push(Refused::new(Rule::PairSameName, &who.name, &who.name));
        }
        if let Some(why) = self.incompatible(who) {
            refused.push(why);
        }
        if refused.is_empty() { Ok(()) } else { Err(Denied::Refused(refused)) }
    }

    /// Versions fit when the protocol is the same and the first two numbers of the product version are.
    pub(crate) fn incompatible(&self, who: &Who) -> Option<Refused> {
        let series = |version: &str| version.split('.').take(2).map(str::to_owned).collect::<Vec<_>>();
        let fits = who.protocol == self.info.protocol && series(&who.version) == series(&self.info.version);
        let (ours, theirs) = (&self.info, who);
        let told = format!(
            "{} {} ({}), {} {} ({})",
            ours.name, ours.version, ours.protocol, theirs.name, theirs.version, theirs.protocol
        );
        (!fits).then(|| Refused::new(Rule::PairIncompatible, &who.name, told))
    }
}

/// A datagram socket must be connected to some port.
const ANY_PORT: u16 = 9;

/// Loopback, or assigned to one of this machine's interfaces.
pub(crate) fn is_of_this_machine(ip: IpAddr) -> bool {
    // Binding would not tell: with `ip_nonlocal_bind`, usual beside keepalived, any address can be bound. What is sent to
    // an address of one's own leaves from that very address; connecting a datagram socket asks the routes and sends nothing.
    let from = || {
        let any = if ip.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect((ip, ANY_PORT))?;
        socket.local_addr()
    };
    ip.is_loopback() || from().is_ok_and(|from| from.ip() == ip)
}

fn named(value: &str, problem: &Problem) -> Problem {
    Problem::Value { value: value.to_owned(), problem: Box::new(problem.clone()) }
}
