//! Servers that are authoritative for the zone and are not listed in the step: callers ask them, too. One that follows by
//! itself (a zone transfer) is well; one that does not would go on answering with the old value.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use contract::{Refused, Rule};
use futures_util::future::join_all;
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};

use super::{Kind, PATIENCE, Switch, Trouble};

impl Switch {
    /// Those that do not follow, as the first listed server tells that does answer.
    pub(super) async fn preview_unlisted(&self, step: &str, now: u64) -> Vec<Refused> {
        for server in &self.servers {
            if let Ok(found) = self.unlisted_told_by(*server, now).await {
                return found.into_iter().map(|words| Refused::new(Rule::StepUnlisted, step, words)).collect();
            }
        }
        // That none answers is told of each.
        Vec::new()
    }

    async fn unlisted_told_by(&self, server: SocketAddr, now: u64) -> Result<Vec<String>, Trouble> {
        let current = self.serial_at(server, now).await?;
        let names = self.look_up(server, &self.zone, RecordType::NS, now).await?;
        let names = names.into_iter().filter_map(|data| if let RData::NS(name) = data { Some(name.0) } else { None });
        let listed: BTreeSet<IpAddr> = self.servers.iter().map(SocketAddr::ip).collect();
        let looked = names.map(async |name| {
            let mut late = Vec::new();
            for ip in self.addresses_of(server, &name, now).await {
                // By the port at which the listed ones are reached: 53, but in a closed network.
                let at = SocketAddr::new(ip, server.port());
                if listed.contains(&ip) {
                    continue;
                }
                match self.serial_at(at, now).await {
                    Ok(serial) if serial == current => {}
                    Ok(serial) => late.push(format!("{name} ({ip}): serial {serial}, {server} {current}")),
                    Err(trouble) => late.push(format!("{name}: {trouble}")),
                }
            }
            late
        });
        Ok(join_all(looked).await.concat())
    }

    /// The addresses of a name server: as the zone says itself, else as this machine resolves it.
    async fn addresses_of(&self, server: SocketAddr, name: &Name, now: u64) -> BTreeSet<IpAddr> {
        let mut found = BTreeSet::new();
        for kind in [RecordType::A, RecordType::AAAA] {
            let told = self.look_up(server, name, kind, now).await.unwrap_or_default();
            found.extend(told.iter().filter_map(RData::ip_addr));
        }
        if found.is_empty() {
            let host = (name.to_ascii().trim_end_matches('.').to_owned(), server.port());
            let resolved = tokio::time::timeout(PATIENCE, tokio::net::lookup_host(host)).await;
            found.extend(resolved.into_iter().flatten().flatten().map(|at| at.ip()));
        }
        found
    }

    async fn serial_at(&self, server: SocketAddr, now: u64) -> Result<u32, Trouble> {
        let found = self.look_up(server, &self.zone, RecordType::SOA, now).await?;
        let serial = found.iter().find_map(|data| if let RData::SOA(soa) = data { Some(soa.serial) } else { None });
        serial.ok_or_else(|| Kind::NotAuthoritative.at(server))
    }

    /// What a server has itself of this kind under a name. Not signed: one that is not listed knows no key of ours.
    async fn look_up(
        &self,
        server: SocketAddr,
        name: &Name,
        kind: RecordType,
        now: u64,
    ) -> Result<Vec<RData>, Trouble> {
        let mut question = Message::query();
        question.metadata.recursion_desired = false;
        question.add_query(Query::query(name.clone(), kind));
        let answer = self.exchange(server, question, None, now).await?;
        if answer.metadata.response_code != ResponseCode::NoError || !answer.metadata.authoritative {
            return Err(Kind::NotAuthoritative.at(server));
        }
        let ours = answer.answers.iter().filter(|one| one.name == *name && one.data.record_type() == kind);
        Ok(ours.map(|one| one.data.clone()).collect())
    }
}
