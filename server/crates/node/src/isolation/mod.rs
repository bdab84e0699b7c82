//! Isolation: what each machine of the other site says of itself, or what its silence is worth.
//!
//! Any sign of life is one, also a refusal, and having power. Silence is never evidence here: what it needs is somebody
//! that sees the machine off (`power`), or an operator's word, and that is kept apart from what was found.

mod life_signs;
mod look;
mod power;
mod probe;

use std::net::IpAddr;
use std::time::Duration;

use contract::address::PeerAddress;
use contract::isolation::{
    Attestation, CONTRADICTED, Evidence, IsolationOutcome, MachineIsolation, ProbeResult, own_words,
};
use contract::life::LifeSigns;
use contract::{Denied, Problem, Refused, Rule};
use futures_util::future::join_all;

use crate::cluster::Machine;
use crate::node::Node;
pub(crate) use look::{Look, leaves_power_open};
pub(crate) use power::{Pace, Power};
use probe::Probe;

/// How long a glance takes. Whoever begins to answer does so within a round trip; what is slower was asked for two seconds
/// a moment before.
const GLANCE: Duration = Duration::from_millis(400);

/// How one machine of the other site is looked at.
fn probes(address: PeerAddress, panel: Option<u16>, signs: &LifeSigns) -> Vec<Probe> {
    let own = [Probe::PeerLink(address.port), Probe::Panel(panel), Probe::Icmp];
    let ports = signs.tcp.iter().copied().map(Probe::Tcp);
    own.into_iter().chain(ports).chain(signs.sip.map(Probe::Sip)).collect()
}

impl Node {
    /// Looks at every machine of the other site, all at once: two seconds at most by the network, and eight where the power
    /// is read.
    pub(crate) async fn probe_machines(&self, pace: Pace) -> Vec<MachineIsolation> {
        let Ok(machines) = self.machines_across().await else { return Vec::new() };
        let looks = join_all(machines.iter().map(|machine| self.look_at(machine, pace)));
        let (looked, node_ip) = tokio::join!(looks, self.look_at_node_ip(pace));
        let judged = |(machine, evidence): (&Machine, Vec<Evidence>)| self.judged(machine, evidence);
        let mut judged: Vec<_> = machines.iter().zip(looked).map(judged).collect();
        // The node IP is no machine of its own: it is told where somebody answers on it although both members are silent or
        // have stood down, and its silence needs nobody's word.
        if let Some((ip, evidence)) = node_ip
            && judged.iter().all(|machine| machine.outcome != IsolationOutcome::Alive)
        {
            let outcome = outcome(&evidence, machines.iter().any(|machine| self.has_yielded(machine.seat)));
            let alive = outcome == IsolationOutcome::Alive;
            judged.extend(alive.then_some(MachineIsolation { ip, outcome, attestation: None, evidence }));
        }
        judged
    }

    /// Looks at one machine alone, across or beside this one.
    pub(crate) async fn probe_machine(&self, machine: &Machine, pace: Pace) -> MachineIsolation {
        self.judged(machine, self.look_at(machine, pace).await)
    }

    fn judged(&self, machine: &Machine, evidence: Vec<Evidence>) -> MachineIsolation {
        let outcome = outcome(&evidence, self.has_yielded(machine.seat));
        MachineIsolation { ip: machine.address.ip, outcome, attestation: None, evidence }
    }

    /// What answers on the node IP of the other site, where it has one.
    async fn look_at_node_ip(&self, pace: Pace) -> Option<(IpAddr, Vec<Evidence>)> {
        let ip = self.node_ip_across().await?;
        let signs = self.life_signs(ip).await.unwrap_or_default();
        let services = signs.tcp.iter().copied().map(Probe::Tcp).chain(signs.sip.map(Probe::Sip));
        let probes = std::iter::once(Probe::Icmp).chain(services);
        Some((ip, join_all(probes.map(|probe| self.look_by(probe, ip, None, pace))).await))
    }

    async fn look_at(&self, machine: &Machine, pace: Pace) -> Vec<Evidence> {
        let ip = machine.address.ip;
        // What cannot be read must not keep the others from being tried.
        let signs = self.life_signs(ip).await.unwrap_or_else(|error| {
            tracing::error!(?error, "the signs of life cannot be read");
            LifeSigns::default()
        });
        let fingerprint = machine.pair.as_ref().map(|pair| pair.fingerprint.as_str());
        let probes = probes(machine.address, self.panel_port_of(machine.seat), &signs);
        let network = join_all(probes.into_iter().map(|probe| self.look_by(probe, ip, fingerprint, pace)));
        if pace == Pace::Standing {
            // What the network says decides whether the power must be read at all.
            let evidence = network.await;
            let power = self.power_evidence(ip, pace, evidence.iter().any(lives)).await;
            return evidence.into_iter().chain(power).collect();
        }
        let (evidence, power) = tokio::join!(network, self.power_now(ip, pace));
        self.power.beside(ip, evidence.iter().any(lives));
        evidence.into_iter().chain(power).collect()
    }

    async fn look_by(&self, probe: Probe, ip: IpAddr, fingerprint: Option<&str>, pace: Pace) -> Evidence {
        let (result, detail) = match (pace, probe) {
            // Whether anybody is there is known once a connection stands; who it is takes longer.
            (Pace::Glance, Probe::PeerLink(port)) => self.glance(Probe::Tcp(port), ip).await,
            (Pace::Glance, _) => self.glance(probe, ip).await,
            _ => self.try_probe(probe, ip, fingerprint).await,
        };
        Evidence { probe: probe.to_string(), result, at: self.clock.now(), detail }
    }

    async fn glance(&self, probe: Probe, ip: IpAddr) -> (ProbeResult, String) {
        let tried = tokio::time::timeout(GLANCE, self.try_probe(probe, ip, None)).await;
        tried.unwrap_or_else(|_| (ProbeResult::Timeout, own_words::NO_ANSWER.into()))
    }

    /// The power, read beside the network. That a glance does not get to know it is told.
    async fn power_now(&self, ip: IpAddr, pace: Pace) -> Option<Evidence> {
        let read = self.power_evidence(ip, Pace::Now, false);
        if pace != Pace::Glance {
            return read.await;
        }
        let (probe, detail) = (format!("{}glance", power::POWER), own_words::NO_ANSWER.to_owned());
        let late = || Some(Evidence { probe, result: ProbeResult::Timeout, at: self.clock.now(), detail });
        tokio::time::timeout(GLANCE, read).await.unwrap_or_else(|_| late())
    }
}

/// Whether a probe found the machine alive. One that has power is not off, whatever its silence suggests.
pub(crate) const fn lives(one: &Evidence) -> bool {
    matches!(one.result, ProbeResult::Answered | ProbeResult::Refused | ProbeResult::On)
}

/// Whether it was a service that was asked, not the machine or its node.
fn is_of_a_service(one: &Evidence) -> bool {
    ["tcp:", "sip:"].iter().any(|kind| one.probe.starts_with(kind))
}

/// Who sees the machine off, where anything does.
pub(crate) fn seen_off(machine: &MachineIsolation) -> Option<&str> {
    let off = machine.evidence.iter().find(|one| one.result == ProbeResult::Off);
    off.map(|one| one.detail.as_str())
}

/// What follows from the probes. Of a machine that has yielded, `tvox-dr` and the kernel may answer; its services may not.
/// Whoever answers is alive, also where its power is said to be off: then it is not the machine that was looked at.
fn outcome(evidence: &[Evidence], yielded: bool) -> IsolationOutcome {
    if evidence.iter().filter(|one| lives(one)).any(|one| !yielded || is_of_a_service(one)) {
        IsolationOutcome::Alive
    } else if evidence.iter().any(|one| one.result == ProbeResult::Off) {
        IsolationOutcome::AlreadyDown
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

/// What stands against taking the service from these machines, of which some are to be switched off on the way. One whose
/// `tvox-dr` answers can stand down in good order: it is not switched off without an override.
pub(crate) fn findings(machines: &[MachineIsolation], off: &[IpAddr]) -> Vec<Refused> {
    let finding = |machine: &MachineIsolation| match machine.outcome {
        _ if off.contains(&machine.ip) && !talks(machine) => None,
        IsolationOutcome::Alive => Some(Refused::new(Rule::IsolationAlive, machine.ip.to_string(), signs(machine))),
        IsolationOutcome::Unreachable if machine.attestation.is_none() => {
            Some(Refused::new(Rule::IsolationUnattested, machine.ip.to_string(), ""))
        }
        _ => None,
    };
    machines.iter().filter_map(finding).collect()
}

/// Whether its `tvox-dr` answered.
pub(crate) fn talks(machine: &MachineIsolation) -> bool {
    machine.evidence.iter().any(|one| one.probe == "peer_link" && one.result == ProbeResult::Answered)
}

/// The probes to which a machine answered, and that something sees it off all the same.
pub(crate) fn signs(machine: &MachineIsolation) -> String {
    let signs = machine.evidence.iter().filter(|one| lives(one)).map(|one| one.probe.as_str());
    signs.chain(seen_off(machine).map(|_| CONTRADICTED)).collect::<Vec<_>>().join(", ")
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
    fn seen_off_needs_no_word_and_having_power_is_life() {
        use ProbeResult::{Answered, NotApplicable, Off, On, Timeout};
        for (power, network, expected) in [
            (Off, Timeout, IsolationOutcome::AlreadyDown),
            (Off, Answered, IsolationOutcome::Alive),
            (On, Timeout, IsolationOutcome::Alive),
            (Timeout, Timeout, IsolationOutcome::Unreachable),
            (NotApplicable, Timeout, IsolationOutcome::Unreachable),
        ] {
            let evidence = [evidence("peer_link", network), evidence("power:ipmi", power)];
            assert_eq!(outcome(&evidence, false), expected, "{power:?} {network:?}");
        }
        let machine = MachineIsolation {
            outcome: IsolationOutcome::AlreadyDown,
            evidence: vec![evidence("power:ipmi", Off)],
            ..silent("192.0.2.1")
        };
        assert_eq!(findings(&[machine], &[]), []);
    }

    #[test]
    fn a_machine_that_answers_although_it_is_seen_off_is_told_as_the_contradiction_that_it_is() {
        let machine = MachineIsolation {
            outcome: IsolationOutcome::Alive,
            evidence: vec![evidence("icmp", ProbeResult::Answered), evidence("power:ipmi", ProbeResult::Off)],
            ..silent("192.0.2.1")
        };
        let told = &findings(&[machine], &[])[0];
        assert_eq!(told.detail, "icmp, contradicted");
        let words = told.finding(contract::Lang::En).message;
        assert!(words.contains("ping") && words.contains("although its power is said to be off"), "{words}");
    }

    #[test]
    fn what_is_to_be_switched_off_on_the_way_needs_no_word_unless_its_node_can_stand_down() {
        let mut machine = silent("192.0.2.1");
        let off = [machine.ip];
        assert_eq!(findings(std::slice::from_ref(&machine), &off), []);
        machine.outcome = IsolationOutcome::Alive;
        machine.evidence = vec![evidence("icmp", ProbeResult::Answered), evidence("power:ipmi", ProbeResult::On)];
        assert_eq!(findings(std::slice::from_ref(&machine), &off), []);
        machine.evidence.push(evidence("peer_link", ProbeResult::Answered));
        assert_eq!(findings(std::slice::from_ref(&machine), &off)[0].rule, Rule::IsolationAlive);
    }

    #[test]
    fn a_machine_that_has_yielded_may_answer_by_itself_but_not_by_its_services() {
        let own: Vec<_> =
            ["peer_link", "panel", "icmp"].iter().map(|probe| evidence(probe, ProbeResult::Answered)).collect();
        let own = [own, vec![evidence("power:ipmi", ProbeResult::On)]].concat();
        assert_eq!(outcome(&own, true), IsolationOutcome::Fenced);
        assert_eq!(outcome(&own, false), IsolationOutcome::Alive);
        for service in ["tcp:5432", "sip:192.0.2.1:5060"] {
            let served = [own.clone(), vec![evidence(service, ProbeResult::Answered)]].concat();
            assert_eq!(outcome(&served, true), IsolationOutcome::Alive, "{service}");
        }
    }

    #[test]
    fn a_word_counts_for_the_machine_it_names_and_for_no_other() {
        let mut machines = [silent("192.0.2.1"), silent("192.0.2.2")];
        attest(&mut machines, &[word(" 192.0.2.2 ", " Rossi, spenta dal rack ")]).unwrap();
        assert_eq!(machines[1].attestation.as_deref(), Some("Rossi, spenta dal rack"));
        let left: Vec<_> =
            findings(&machines, &[]).into_iter().map(|finding| (finding.rule, finding.subject)).collect();
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
        let left = findings(&machines, &[]);
        assert_eq!((left.len(), left[0].rule, left[0].detail.as_str()), (1, Rule::IsolationAlive, "icmp"));
    }
}
