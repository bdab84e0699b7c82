//! The join token: made on one machine, pasted once on the other one.
//!
//! A token is `TVOX-DR-JOIN-1.<fingerprint>.<secret>`: the certificate of whoever made it and 128 random bits, good for
//! fifteen minutes and one use. A machine in the middle has another certificate and never sees the secret.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contract::command::{JoinToken, Secret};
use contract::mandate::Mandate;
use contract::{Denied, NodeRole, Outcome, Rule, SCHEMA, Timestamp};
use serde_json::json;

use super::Pair;
use crate::cluster::Machine;
use crate::door::Act;
use crate::identity::sha256;
use crate::link::message::{Hello, Purpose, Reply};
use crate::mandate::file::Seat;
use crate::mandate::loss;
use crate::node::Node;
use crate::random;
use crate::store::{Tx, db, time};

const MAGIC: &str = "TVOX-DR-JOIN-1";
const LIFETIME: Duration = Duration::from_secs(15 * 60);

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

impl Node {
    pub(crate) async fn peer_token(&self, act: Act<'_>) -> Result<Outcome, Denied> {
        if let Some(lost) = self.refuse_if_lost() {
            return Err(Denied::Refused(vec![lost]));
        }
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
        let mut machines = self.all_seats().await?;
        machines.retain(|machine| !machine.sibling);
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
        if let Some(lost) = self.tombstone_of(&token.fingerprint) {
            return Err(Denied::rule(Rule::PairRetiredToken, lost.name, ""));
        }
        let known = self.pair_id().await?;
        // A second machine joins the pair that there is.
        let member = machine.pair.is_none() && known.is_some();
        let mandate = if known.is_none() { self.mandate_to_be_inherited()? } else { None };
        // A join that was cut off between mandate and database is done once more, with the same pair alone.
        let half = self.book.look(|record| record.mandate.as_ref().map(|head| head.pair.clone()));
        let half = half.filter(|_| known.is_none() && mandate.is_none());
        let brought = mandate.as_ref().map(|mandate| mandate.pair.clone());
        let purpose = Purpose::Join { secret: token.secret, member, mandate: mandate.map(Box::new) };
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
        if brought.or(half).is_some_and(|pair| pair != pair_id) {
            return Err(Denied::rule(Rule::PairTwoMandates, &who.name, ""));
        }
        self.adopt_pair(machine, &pair_id, standing.as_ref()).await?;
        let pair = Pair { id: pair_id, node_id: who.node_id, name: who.name, fingerprint: token.fingerprint };
        let mut tx = self.store.begin().await?;
        write_pair(&mut tx, machine.seat, &pair, self.clock.now()).await?;
        let after = json!({ "pair": pair.id, "peer": pair.name, "fingerprint": pair.fingerprint });
        let outcome = act.done(tx, None, Some(after)).await?;
        self.pair_changed();
        Ok(outcome)
    }

    /// The mandate of a pair whose other machine was lost. Whoever does not hold the one it has brings none.
    fn mandate_to_be_inherited(&self) -> Result<Option<Mandate>, Denied> {
        if let Some(lost) = self.refuse_if_lost() {
            return Err(Denied::Refused(vec![lost]));
        }
        Ok(self.book.look(|record| loss::bequeaths(record).cloned()))
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

    /// Two histories do not become one by a token.
    fn refuse_two_mandates(&self, brought: Option<&Mandate>, subject: &str) -> Result<(), Denied> {
        let two = self.book.look(|record| match (&record.mandate, brought) {
            (Some(ours), Some(theirs)) => ours.id != theirs.id,
            (None, Some(_)) => record.missing,
            (_, None) => false,
        });
        if two { Err(Denied::rule(Rule::PairTwoMandates, subject, "")) } else { Ok(()) }
    }

    /// The pair that whoever joins becomes part of: the one that this machine is in, also where its other machine was lost;
    /// the one whose mandate is brought along and inherited; or a new one. Its mandate is on disk when this returns. `anew`
    /// is whether its place was free: a machine that joins once more is remembered as it was.
    async fn mandate_for(
        &self,
        seat: Seat,
        anew: bool,
        known: Option<String>,
        brought: Option<&Mandate>,
        subject: &str,
    ) -> Result<String, Denied> {
        let ours = self.book.look(|record| record.mandate.as_ref().map(|head| head.pair.clone()));
        let id = match (known.or(ours), brought) {
            (None, Some(brought)) => {
                let (mandate, pair) = (brought.clone(), brought.pair.clone());
                let sibling = self.is_sibling(seat);
                let inherited = self.book.change(move |record| {
                    let free = record.mandate.is_none() && !record.missing;
                    if free {
                        loss::inherit(record, mandate, sibling);
                        if sibling {
                            loss::join_beside(record, None);
                        }
                    }
                    free
                });
                if !inherited.await? {
                    return Err(Denied::rule(Rule::PairTwoMandates, subject, ""));
                }
                self.mandate_changed();
                pair
            }
            (known, _) => {
                let id = known.unwrap_or_else(random::id);
                self.begin_mandate(&id).await?;
                id
            }
        };
        if anew {
            self.book.change(move |record| loss::welcome(record, seat, None)).await?;
        }
        Ok(id)
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
        let second = self.whoever_sits_at(Seat::Second).await?.filter(|_| hello.who.role == NodeRole::Master);
        let sibling = second.is_some();
        self.fits(&hello.who, sibling)?;
        if self.info.role != NodeRole::Master {
            return Err(Denied::rule(Rule::RoleWrong, &self.info.name, self.info.role.label()));
        }
        let seat = if sibling { Seat::Second } else { Seat::First };
        let machine = match second {
            Some(machine) => Some(machine),
            None => self.whoever_sits_at(seat).await?,
        };
        let Some(machine) = machine else { return Err(Denied::rule(Rule::PeerUnset, &self.info.name, "")) };
        if machine.address.ip != from {
            let expected = format!("({})", machine.address.ip);
            return Err(Denied::rule(Rule::PeerWrongAddress, from.to_string(), expected));
        }
        if let Some(pair) = machine.pair.as_ref().filter(|pair| pair.fingerprint != fingerprint) {
            return Err(Denied::rule(Rule::PairAlreadyAssociated, &self.info.name, pair.name.clone()));
        }
        let Purpose::Join { member, mandate: brought, .. } = &hello.purpose else {
            return Err(Denied::rule(Rule::TokenInvalid, subject, ""));
        };
        let known = self.pair_id().await?;
        self.refuse_two_mandates(brought.as_deref(), &subject)?;
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
        let anew = machine.pair.is_none();
        let id = self.mandate_for(seat, anew, known, brought.as_deref(), &subject).await?;
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
