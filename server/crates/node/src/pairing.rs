//! How two machines come to know each other: the address each administrator sets, the join token that is pasted once,
//! and the end of the association, which needs only one side.
//!
//! A token is `TVOX-DR-JOIN-1.<fingerprint>.<secret>`: the Master's certificate and 128 random bits, good for fifteen
//! minutes and one use. A machine in the middle has another certificate and never sees the secret.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contract::address::PeerAddress;
use contract::command::{JoinToken, Secret};
use contract::recipient::Channel;
use contract::state::NodeState;
use contract::status::PeerReport;
use contract::{Denied, FieldError, Lang, NodeRole, Outcome, Problem, Refused, Rule, SCHEMA, Timestamp};
use serde_json::json;

use crate::alarms::set_message_lang;
use crate::cluster::{Machine, Site};
use crate::door::Act;
use crate::identity::sha256;
use crate::link::message::{Hello, Purpose, Reply, Who};
use crate::mandate::file::Seat;
use crate::node::Node;
use crate::random;
use crate::recipients::insert_recipient;
use crate::store::{Tx, db, time};

const MAGIC: &str = "TVOX-DR-JOIN-1";
const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// What is known of the other machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Peer {
    pub(crate) address: Option<PeerAddress>,
    pub(crate) pair: Option<Pair>,
}

/// An association.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) id: String,
    pub(crate) node_id: String,
    pub(crate) name: String,
    pub(crate) fingerprint: String,
}

/// A token taken apart.
#[derive(Debug)]
struct Token {
    fingerprint: String,
    secret: Secret,
}

impl Token {
    fn parse(text: &str) -> Option<Self> {
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let mut parts = text.split('.');
        let (magic, fingerprint, secret) = (parts.next()?, parts.next()?, parts.next()?);
        let hex =
            fingerprint.len() == 64 && fingerprint.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase());
        (magic == MAGIC && parts.next().is_none() && hex && secret.len() == 22)
            .then(|| Self { fingerprint: fingerprint.to_owned(), secret: Secret::new(secret) })
    }
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
        Ok(Peer { address, pair })
    }

    pub(crate) async fn peer_report(&self) -> Result<PeerReport, Denied> {
        let peer = self.peer().await?;
        Ok(PeerReport {
            schema: SCHEMA,
            address: match self.cluster_row().await? {
                Some((node_ip, _)) if self.info.role == NodeRole::Client => Some(node_ip.to_string()),
                _ => peer.address.map(|address| address.to_string()),
            },
            pair: self.pair_info().await?,
            fingerprint: self.identity.fingerprint().to_owned(),
            peer_fingerprint: peer.pair.map(|pair| pair.fingerprint),
            recipients: self.recipients().await?,
            language: self.message_lang().await?,
        })
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
        let before: Vec<_> = self.machines_across().await?;
        let site = site.in_order_of(&before);
        let parsed = site.first;
        let mut tx = self.store.begin().await?;
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

    pub(crate) async fn peer_token(&self, act: Act<'_>) -> Result<Outcome, Denied> {
        if self.machines().await?.is_empty() {
            return Err(Denied::rule(Rule::PeerUnset, &self.info.name, ""));
        }
        let secret = URL_SAFE_NO_PAD.encode(random::bytes::<16>());
        let now = self.clock.now();
        let expires_at = now.checked_add(LIFETIME).map_err(|error| Denied::failed("make a token", error))?;
        let mut tx = self.store.begin().await?;
        // One token at a time: a new one makes the others worthless. Used and expired ones are kept a day, so that
        // whoever pastes one is told which of the two it is.
        sqlx::query("DELETE FROM join_token WHERE (used_at IS NULL AND expires_at > ?) OR expires_at < ?")
            .bind(now.to_string())
            .bind(now.checked_sub(Duration::from_secs(86_400)).unwrap_or(now).to_string())
            .execute(&mut *tx)
            .await
            .map_err(db("make a token"))?;
        sqlx::query("INSERT INTO join_token (secret_hash, expires_at) VALUES (?, ?)")
            .bind(sha256(secret.as_bytes()))
            .bind(expires_at.to_string())
            .execute(&mut *tx)
            .await
            .map_err(db("make a token"))?;
        act.done(tx, None, Some(json!({ "expires_at": expires_at }))).await?;
        let token = format!("{MAGIC}.{}.{secret}", self.identity.fingerprint());
        Ok(Outcome::Token(JoinToken { schema: SCHEMA, token, expires_at }))
    }

    /// Client: dials the Master of the token, of two members whichever made it, and keeps its certificate once it has
    /// taken the secret.
    pub(crate) async fn peer_join(&self, act: Act<'_>, token: &Secret) -> Result<Outcome, Denied> {
        let machines = self.machines_across().await?;
        if machines.is_empty() {
            return Err(Denied::rule(Rule::PeerUnset, &self.info.name, ""));
        }
        self.join_one_of(act, token, &machines).await
    }

    /// Joins that one of these machines whose certificate the token names.
    pub(crate) async fn join_one_of(
        &self,
        act: Act<'_>,
        token: &Secret,
        machines: &[Machine],
    ) -> Result<Outcome, Denied> {
        let token =
            Token::parse(token.reveal()).ok_or_else(|| Denied::rule(Rule::TokenInvalid, &self.info.name, ""))?;
        let other = |machine: &&Machine| machine.pair.as_ref().is_some_and(|p| p.fingerprint != token.fingerprint);
        let (taken, free): (Vec<_>, Vec<_>) = machines.iter().partition(other);
        let Some(machine) = self.find_behind(&free, &token).await? else {
            let name = taken.first().map(|machine| machine.name()).unwrap_or_default();
            return Err(Denied::rule(Rule::PairAlreadyAssociated, &self.info.name, name));
        };
        let subject = machine.address.to_string();
        let known = self.pair_id().await?;
        // A second machine joins the pair that there is.
        let member = machine.pair.is_none() && known.is_some();
        let purpose = Purpose::Join { secret: token.secret, member };
        let (who, pair_id, standing) = match self.dial(machine.address, Some(&token.fingerprint), purpose).await {
            Ok(dialled) => match dialled.reply {
                Reply::Welcome { who, pair: Some(pair), standing } => (who, pair, standing),
                Reply::Welcome { .. } => return Err(Denied::rule(Rule::TokenInvalid, subject, "")),
                Reply::Refused { refused, .. } => return Err(Denied::Refused(refused)),
            },
            Err(error) if error.is_other_machine() => {
                return Err(Denied::rule(Rule::PeerWrongAddress, subject, ""));
            }
            Err(error) => return Err(Denied::failed(format!("reach the machine at {subject}"), error)),
        };
        self.fits(&who, machine.sibling)?;
        if member && known.as_ref() != Some(&pair_id) {
            return Err(Denied::rule(Rule::PairAlreadyAssociated, &who.name, pair_id));
        }
        self.adopt_pair(&pair_id, standing.as_ref()).await?;
        let pair = Pair { id: pair_id, node_id: who.node_id, name: who.name, fingerprint: token.fingerprint };
        let mut tx = self.store.begin().await?;
        write_pair(&mut tx, machine.seat, &pair, self.clock.now()).await?;
        let after = json!({ "pair": pair.id, "peer": pair.name, "fingerprint": pair.fingerprint });
        let outcome = act.done(tx, None, Some(after)).await?;
        self.pair_changed();
        Ok(outcome)
    }

    /// Of several machines the one that has the certificate of the token; of one alone, that one, whatever it has. `None`
    /// where there is no machine.
    async fn find_behind<'m>(&self, machines: &[&'m Machine], token: &Token) -> Result<Option<&'m Machine>, Denied> {
        let [_, _, ..] = machines else { return Ok(machines.first().copied()) };
        let mut why = None;
        for machine in machines {
            match self.dial(machine.address, Some(&token.fingerprint), Purpose::Greet).await {
                Ok(_) => return Ok(Some(machine)),
                Err(error) if error.is_other_machine() => {
                    why.get_or_insert_with(|| Denied::rule(Rule::PeerWrongAddress, machine.address.to_string(), ""));
                }
                Err(error) => {
                    let attempt = format!("reach the machine at {}", machine.address);
                    why = Some(Denied::failed(attempt, error));
                }
            }
        }
        why.map_or(Ok(None), Err)
    }

    /// Master: somebody brings a secret. A refusal is in the audit log too.
    pub(crate) async fn accept_join(
        &self,
        hello: &Hello,
        secret: &Secret,
        fingerprint: &str,
        from: IpAddr,
    ) -> Result<String, Denied> {
        let joined = self.join_as_master(hello, secret, fingerprint, from).await;
        if let Err(denied) = &joined {
            let actor = contract::Actor { from: from.to_string(), ..contract::Actor::system() };
            let event =
                crate::audit::Event::done(&actor, "peer.joined", Some(hello.who.name.chars().take(63).collect()));
            self.write_denial(event, denied).await;
            // A stranger from elsewhere does not change what the panel says of the other machine.
            if let (Denied::Refused(list), Some(seat)) = (denied, self.expects(from).await) {
                self.heard(seat, &hello.who, list.first().cloned());
            }
        }
        joined
    }

    /// The association is on disk before the answer leaves.
    async fn join_as_master(
        &self,
        hello: &Hello,
        secret: &Secret,
        fingerprint: &str,
        from: IpAddr,
    ) -> Result<String, Denied> {
        let subject = hello.who.name.clone();
        // Another Master is the other member of this site, where one is expected.
        let second = self.machine(Seat::Second).await?.filter(|_| hello.who.role == NodeRole::Master);
        let sibling = second.is_some();
        self.fits(&hello.who, sibling)?;
        if self.info.role != NodeRole::Master {
            return Err(Denied::rule(Rule::RoleWrong, &self.info.name, self.info.role.label()));
        }
        let seat = if sibling { Seat::Second } else { Seat::First };
        let machine = match second {
            Some(machine) => Some(machine),
            None => self.machine(seat).await?,
        };
        let Some(machine) = machine else { return Err(Denied::rule(Rule::PeerUnset, &self.info.name, "")) };
        if machine.address.ip != from {
            let expected = format!("({})", machine.address.ip);
            return Err(Denied::rule(Rule::PeerWrongAddress, from.to_string(), expected));
        }
        if let Some(pair) = machine.pair.as_ref().filter(|pair| pair.fingerprint != fingerprint) {
            return Err(Denied::rule(Rule::PairAlreadyAssociated, &self.info.name, pair.name.clone()));
        }
        let Purpose::Join { member, .. } = &hello.purpose else {
            return Err(Denied::rule(Rule::TokenInvalid, subject, ""));
        };
        let known = self.pair_id().await?;
        if *member && hello.pair != known {
            // Both members must be of one pair, and one of them knows it already.
            return Err(Denied::rule(Rule::SiblingFirst, &self.info.name, ""));
        }
        let now = self.clock.now();
        let mut tx = self.store.begin().await?;
        let row: Option<(String, Option<String>)> =
            sqlx::query_as("SELECT expires_at, used_at FROM join_token WHERE secret_hash = ?")
                .bind(sha256(secret.reveal().as_bytes()))
                .fetch_optional(&mut *tx)
                .await
                .map_err(db("check a token"))?;
        let refuse = |rule| Err(Denied::rule(rule, subject.clone(), ""));
        match row {
            None => return refuse(Rule::TokenInvalid),
            Some((_, Some(_))) => return refuse(Rule::TokenUsed),
            Some((expires_at, None)) if time(&expires_at)? < now => return refuse(Rule::TokenExpired),
            Some(_) => {}
        }
        sqlx::query("UPDATE join_token SET used_at = ? WHERE secret_hash = ?")
            .bind(now.to_string())
            .bind(sha256(secret.reveal().as_bytes()))
            .execute(&mut *tx)
            .await
            .map_err(db("use a token"))?;
        let id = known.unwrap_or_else(random::id);
        self.begin_mandate(&id).await?;
        let pair = Pair {
            id: id.clone(),
            node_id: hello.who.node_id.clone(),
            name: hello.who.name.clone(),
            fingerprint: fingerprint.to_owned(),
        };
        write_pair(&mut tx, seat, &pair, now).await?;
        let actor = contract::Actor { from: from.to_string(), ..contract::Actor::system() };
        let mut event = crate::audit::Event::done(&actor, "peer.joined", Some(pair.name.clone()));
        event.after = Some(json!({ "pair": pair.id, "fingerprint": pair.fingerprint }));
        crate::audit::append(&mut tx, now, event).await?;
        tx.commit().await.map_err(db("commit the association"))?;
        self.pair_changed();
        self.poke();
        Ok(id)
    }

    pub(crate) async fn peer_forget(&self, act: Act<'_>) -> Result<Outcome, Denied> {
        let Some(pair) = self.peer().await?.pair else {
            return Err(Denied::rule(Rule::PairNotAssociated, &self.info.name, ""));
        };
        // Whoever does not know who may serve must not forget whom to ask.
        let state = self.state();
        if !matches!(state, NodeState::Serving | NodeState::Standby) || self.runs.open().is_some() {
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

async fn write_pair(tx: &mut Tx, seat: Seat, pair: &Pair, now: Timestamp) -> Result<(), Denied> {
    let query = match seat {
        Seat::First => "UPDATE peer SET pair_id = ?, node_id = ?, name = ?, fingerprint = ?, associated_at = ?",
        Seat::Second => "UPDATE member SET pair_id = ?, node_id = ?, name = ?, fingerprint = ?, associated_at = ?",
    };
    sqlx::query(query)
        .bind(&pair.id)
        .bind(&pair.node_id)
        .bind(&pair.name)
        .bind(&pair.fingerprint)
        .bind(now.to_string())
        .execute(&mut **tx)
        .await
        .map_err(db("write the association"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_being_wrapped_by_a_mail_program_and_nothing_else() {
        let (fingerprint, secret) = ("ab".repeat(32), "A".repeat(22));
        let text = format!("{MAGIC}.{fingerprint}.{secret}");
        for good in [text.clone(), format!(" {}\n{} ", &text[..40], &text[40..])] {
            assert_eq!(Token::parse(&good).map(|t| t.fingerprint), Some(fingerprint.clone()), "{good}");
        }
        for bad in
            ["", "x", &text[..text.len() - 1], &format!("{text}A"), &text.replace('1', "2"), &text.replace("ab", "AB")]
        {
            assert!(Token::parse(bad).is_none(), "{bad}");
        }
    }
}
