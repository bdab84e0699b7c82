//! Isolation: what each machine of the other site says of itself, or what its silence is worth.
//!
//! Any sign of life is one, also a refusal. Silence is never evidence here: what it needs is an operator's word, and that
//! is kept apart from what was found.

mod probe;

use std::net::IpAddr;

use contract::address::PeerAddress;
use contract::isolation::{Attestation, Evidence, IsolationOutcome, MachineIsolation, ProbeResult};
use contract::{Denied, Problem, Refused, Rule};
use futures_util::future::join_all;

use crate::node::Node;
use crate::pairing::Peer;
use probe::Probe;

/// Ports beside `tvox-dr`'s own that prove a machine to be alive: SIP and those of the datasets. None is declared yet.
const PORTS: &[u16] = &[];

/// One machine of the other site, and how it is looked at.
#[derive(Debug)]
struct Machine {
    ip: IpAddr,
    probes: Vec<Probe>,
}

fn machines(peer: &Peer, panel: Option<u16>) -> Vec<Machine> {
    let machine = |address: PeerAddress| Machine {
        ip: address.ip,
        probes: [Probe::PeerLink(address.port), Probe::Panel(panel), Probe::Icmp]
            .into_iter()
            .chain(PORTS.iter().copied().map(Probe::Tcp))
            .collect(),
    };
    peer.address.map(machine).into_iter().collect()
}

impl Node {
    /// Probes every machine of the other site, all at once; takes two seconds at most.
    pub(crate) async fn probe_machines(&self) -> Vec<MachineIsolation> {
        let Ok(peer) = self.peer().await else { return Vec::new() };
        let machines = machines(&peer, self.peer_panel_port());
        let looked = join_all(machines.iter().map(|machine| self.look_at(machine, &peer))).await;
        let yielded = self.peer_has_yielded();
        looked
            .into_iter()
            .map(|(ip, evidence)| MachineIsolation {
                ip,
                outcome: outcome(&evidence, yielded),
                attestation: None,
                evidence,
            })
            .collect()
    }

    async fn look_at(&self, machine: &Machine, peer: &Peer) -> (IpAddr, Vec<Evidence>) {
        let fingerprint = peer.pair.as_ref().map(|pair| pair.fingerprint.as_str());
        let looks = machine.probes.iter().map(|probe| async move {
            let (result, detail) = self.try_probe(*probe, machine.ip, fingerprint).await;
            Evidence { probe: probe.to_string(), result, at: self.clock.now(), detail }
        });
        (machine.ip, join_all(looks).await)
    }
}

/// What follows from the probes. Of a machine that has yielded, `tvox-dr` and the kernel may answer; its services may not.
fn outcome(evidence: &[Evidence], yielded: bool) -> IsolationOutcome {
    let lives = |one: &&Evidence| matches!(one.result, ProbeResult::Answered | ProbeResult::Refused);
    if evidence.iter().filter(lives).any(|one| !yielded || one.probe.starts_with("tcp:")) {
        IsolationOutcome::Alive
    } else if yielded {
        IsolationOutcome::Fenced
    } else {
        IsolationOutcome::Unreachable
    }
}

/// Puts the operator's word beside the machines it is about.
///
/// # Errors
/// [`Denied::Invalid`] on the field `attest`: a word without a text, or about something that is no machine of the other
/// site.
pub(crate) fn attest(machines: &mut [MachineIsolation], words: &[Attestation]) -> Result<(), Denied> {
    let known = machines.iter().map(|machine| machine.ip.to_string()).collect::<Vec<_>>().join(", ");
    let bad = |typed: &str, problem| {
        Denied::field("attest", Problem::Value { value: typed.to_owned(), problem: Box::new(problem) })
    };
    for word in words {
        let typed = word.ip.trim();
        let ip: IpAddr = typed.parse().map_err(|_| bad(typed, Problem::NotAnIp))?;
        if word.text.trim().is_empty() {
            return Err(bad(typed, Problem::Required));
        }
        let machine = machines.iter_mut().find(|machine| machine.ip == ip);
        let machine = machine.ok_or_else(|| bad(typed, Problem::NotOneOf(known.clone().into())))?;
        machine.attestation = Some(word.text.trim().to_owned());
    }
    Ok(())
}

/// What stands against taking the service from these machines.
pub(crate) fn findings(machines: &[MachineIsolation]) -> Vec<Refused> {
    let finding = |machine: &MachineIsolation| match machine.outcome {
        IsolationOutcome::Alive => Some(Refused::new(Rule::IsolationAlive, machine.ip.to_string(), signs(machine))),
        IsolationOutcome::Unreachable if machine.attestation.is_none() => {
            Some(Refused::new(Rule::IsolationUnattested, machine.ip.to_string(), ""))
        }
        _ => None,
    };
    machines.iter().filter_map(finding).collect()
}

/// The probes to which a machine answered.
fn signs(machine: &MachineIsolation) -> String {
    let lives = |one: &&Evidence| matches!(one.result, ProbeResult::Answered | ProbeResult::Refused);
    machine.evidence.iter().filter(lives).map(|one| one.probe.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::Timestamp;

    fn evidence(probe: &str, result: ProbeResult) -> Evidence {
        Evidence { probe: probe.into(), result, at: Timestamp::UNIX_EPOCH, detail: String::new() }
    }

    fn silent(ip: &str) -> MachineIsolation {
        MachineIsolation {
            ip: ip.parse().unwrap(),
            outcome: IsolationOutcome::Unreachable,
            attestation: None,
            evidence: vec![evidence("peer_link", ProbeResult::Timeout)],
        }
    }

    fn word(ip: &str, text: &str) -> Attestation {
        Attestation { ip: ip.into(), text: text.into() }
    }

    #[test]
    fn one_sign_of_life_among_many_silences_is_life() {
        use ProbeResult::{Answered, NotApplicable, Refused, Timeout};
        for (results, expected) in [
            (vec![Timeout, Timeout, NotApplicable], IsolationOutcome::Unreachable),
            (vec![], IsolationOutcome::Unreachable),
            (vec![NotApplicable], IsolationOutcome::Unreachable),
            (vec![Timeout, Refused], IsolationOutcome::Alive),
            (vec![Timeout, NotApplicable, Answered], IsolationOutcome::Alive),
        ] {
            let evidence: Vec<_> = results.iter().map(|result| evidence("peer_link", *result)).collect();
            assert_eq!(outcome(&evidence, false), expected, "{results:?}");
        }
    }

    #[test]
    fn a_machine_that_has_yielded_may_answer_by_itself_but_not_by_its_services() {
        let own: Vec<_> =
            ["peer_link", "panel", "icmp"].iter().map(|probe| evidence(probe, ProbeResult::Answered)).collect();
        assert_eq!(outcome(&own, true), IsolationOutcome::Fenced);
        assert_eq!(outcome(&own, false), IsolationOutcome::Alive);
        let sip = [own, vec![evidence("tcp:5060", ProbeResult::Answered)]].concat();
        assert_eq!(outcome(&sip, true), IsolationOutcome::Alive);
    }

    #[test]
    fn a_word_counts_for_the_machine_it_names_and_for_no_other() {
        let mut machines = [silent("192.0.2.1"), silent("192.0.2.2")];
        attest(&mut machines, &[word(" 192.0.2.2 ", " Rossi, spenta dal rack ")]).unwrap();
        assert_eq!(machines[1].attestation.as_deref(), Some("Rossi, spenta dal rack"));
        let left: Vec<_> = findings(&machines).into_iter().map(|finding| (finding.rule, finding.subject)).collect();
        assert_eq!(left, [(Rule::IsolationUnattested, "192.0.2.1".to_owned())]);
    }

    #[test]
    fn a_word_without_text_or_about_another_machine_is_invalid() {
        for bad in [word("192.0.2.1", " "), word("192.0.2.9", "seen"), word("master1", "seen"), word("", "seen")] {
            let denied = attest(&mut [silent("192.0.2.1")], std::slice::from_ref(&bad)).unwrap_err();
            assert!(matches!(&denied, Denied::Invalid(errors) if errors[0].field == "attest"), "{bad:?}: {denied:?}");
        }
    }

    #[test]
    fn a_word_does_not_make_a_living_machine_dead() {
        let mut machines = [silent("192.0.2.1")];
        machines[0].outcome = IsolationOutcome::Alive;
        machines[0].evidence.push(evidence("icmp", ProbeResult::Answered));
        attest(&mut machines, &[word("192.0.2.1", "off")]).unwrap();
        let left = findings(&machines);
        assert_eq!((left.len(), left[0].rule, left[0].detail.as_str()), (1, Rule::IsolationAlive, "icmp"));
    }
}
