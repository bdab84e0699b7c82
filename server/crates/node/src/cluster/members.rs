//! Client: the members of the Master site, as an administrator names them.

use contract::address::PeerAddress;
use contract::{Denied, FieldError, Problem};

use super::Machine;
use crate::mandate::file::Seat;
use crate::node::Node;
use crate::store::{Tx, db};

/// The machines of the other site as typed: one alone, or a node IP with two members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Site {
    /// The machine, or the first member.
    pub(crate) first: PeerAddress,
    /// The second member, and the node IP that is on one of the two.
    pub(crate) cluster: Option<(PeerAddress, std::net::IpAddr)>,
}

impl Site {
    /// Reads what was typed.
    pub(crate) fn parse(address: &str, members: &[String]) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut read = |field: &str, typed: &str| {
            typed.parse::<PeerAddress>().map_err(|problem| errors.push(FieldError::new(field, problem))).ok()
        };
        let address = read("address", address);
        let typed: Vec<&str> = members.iter().map(|member| member.trim()).filter(|typed| !typed.is_empty()).collect();
        let members: Vec<_> = typed.iter().filter_map(|typed| read("member", typed)).collect();
        if errors.is_empty() && !matches!(typed.len(), 0 | 2) {
            errors.push(FieldError::new("member", Problem::TwoMembers));
        }
        let ips: Vec<_> = address.iter().chain(&members).map(|address| address.ip).collect();
        let twice = ips.iter().enumerate().any(|(at, ip)| ips[..at].contains(ip));
        if errors.is_empty() && twice {
            errors.push(FieldError::new("member", Problem::TwoMembers));
        }
        match (address, members.as_slice()) {
            _ if !errors.is_empty() => Err(errors),
            (Some(node_ip), [first, second]) => Ok(Self { first: *first, cluster: Some((*second, node_ip.ip)) }),
            (Some(first), _) => Ok(Self { first, cluster: None }),
            (None, _) => Err(errors),
        }
    }

    /// In the order in which the members are known already: each has its own key.
    pub(crate) fn in_order_of(self, known: &[Machine]) -> Self {
        let Some((second, node_ip)) = self.cluster else { return self };
        let swapped = known.iter().any(|machine| {
            (machine.pair.is_some() || machine.lost)
                && (machine.seat == Seat::First && machine.address.ip == second.ip
                    || machine.seat == Seat::Second && machine.address.ip == self.first.ip)
        });
        if swapped { Self { first: second, cluster: Some((self.first, node_ip)) } } else { self }
    }

    /// Every address.
    pub(crate) fn addresses(self) -> impl Iterator<Item = PeerAddress> {
        std::iter::once(self.first).chain(self.cluster.map(|(second, _)| second))
    }
}

impl Node {
    /// Writes down the second member, or that there is none.
    pub(crate) async fn write_members(&self, tx: &mut Tx, site: Site) -> Result<(), Denied> {
        let Some((second, node_ip)) = site.cluster else {
            for query in ["DELETE FROM member", "DELETE FROM cluster"] {
                sqlx::query(query).execute(&mut **tx).await.map_err(db("set the members"))?;
            }
            return Ok(());
        };
        self.make_room_at(tx, Seat::Second, second).await?;
        write_address(tx, second).await?;
        sqlx::query("INSERT OR REPLACE INTO cluster (one, node_ip, serves) VALUES (1, ?, NULL)")
            .bind(node_ip.to_string())
            .execute(&mut **tx)
            .await
            .map_err(db("set the members"))?;
        Ok(())
    }
}

impl Node {
    /// Another address is about to be named in that place: where the machine there is lost, another one is expected now. The
    /// same address once more says nothing of the kind: whoever saves a page has not met another machine.
    pub(crate) async fn make_room_at(&self, tx: &mut Tx, seat: Seat, address: PeerAddress) -> Result<(), Denied> {
        let lost = self.book.look(|record| record.mandate.as_ref().map(|head| head.retired.clone()));
        let table = match seat {
            Seat::First => "peer",
            Seat::Second => "member",
        };
        for lost in lost.into_iter().flatten() {
            let query = format!(
                "UPDATE {table} SET pair_id = NULL, node_id = NULL, name = NULL, fingerprint = NULL, \
                 associated_at = NULL WHERE fingerprint = ? AND NOT (ip IS ? AND port IS ?)"
            );
            sqlx::query(sqlx::AssertSqlSafe(query))
                .bind(&lost.fingerprint)
                .bind(address.ip.to_string())
                .bind(address.port)
                .execute(&mut **tx)
                .await
                .map_err(db("expect another machine"))?;
        }
        Ok(())
    }
}

/// Sets the second machine's address, and leaves the association with it.
pub(super) async fn write_address(tx: &mut Tx, address: PeerAddress) -> Result<(), Denied> {
    sqlx::query(
        "INSERT INTO member (one, ip, port) VALUES (1, ?, ?) ON CONFLICT (one) DO UPDATE SET ip = excluded.ip, port = excluded.port",
    )
    .bind(address.ip.to_string())
    .bind(address.port)
    .execute(&mut **tx)
    .await
    .map_err(db("set the other member's address"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(address: &str, members: &[&str]) -> Result<Site, Vec<&'static str>> {
        let members: Vec<_> = members.iter().map(|member| (*member).to_owned()).collect();
        Site::parse(address, &members).map_err(|errors| {
            errors.iter().map(|error| if error.field == "address" { "address" } else { "member" }).collect()
        })
    }

    #[test]
    fn a_site_is_one_machine_or_a_node_ip_with_two_members() {
        let address = |text: &str| text.parse::<PeerAddress>().unwrap();
        assert_eq!(parse("10.0.0.1", &[]), Ok(Site { first: address("10.0.0.1"), cluster: None }));
        let two = parse("10.0.0.9", &["10.0.0.1:7001", " 10.0.0.2 "]).unwrap();
        assert_eq!(two.addresses().collect::<Vec<_>>(), [address("10.0.0.1:7001"), address("10.0.0.2")]);
        assert_eq!(two.cluster.map(|(_, node_ip)| node_ip), Some(address("10.0.0.9").ip));
        assert_eq!(parse("10.0.0.9", &["", " "]).map(|site| site.cluster), Ok(None), "empty fields of a form");
    }

    #[test]
    fn one_member_three_or_the_same_twice_are_refused() {
        for members in [&["10.0.0.1"][..], &["10.0.0.1", "10.0.0.2", "10.0.0.3"], &["10.0.0.1", "10.0.0.1:7001"]] {
            assert_eq!(parse("10.0.0.9", members), Err(vec!["member"]), "{members:?}");
        }
        assert_eq!(parse("10.0.0.1", &["10.0.0.1", "10.0.0.2"]), Err(vec!["member"]), "the node IP is nobody's own");
        assert_eq!(parse("x", &["y", "10.0.0.2"]), Err(vec!["address", "member"]));
    }
}
