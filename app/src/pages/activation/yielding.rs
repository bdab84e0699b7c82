//! Going on although a machine that answers does not stand down. It is asked to first, and waited for; whoever ticks this
//! says why the run may go on all the same, machine by machine.

use contract::isolation::{IsolationOutcome, MachineIsolation, ProbeResult};
use contract::live::Live;
use contract::{Refused, Rule};
use leptos::prelude::*;

use crate::action::{Action, OVERRIDE, OVERRIDE_TICK};
use crate::form::override_field;
use crate::model::Context;
use crate::widgets::Field;

/// Machines that are alive and whose `tvox-dr` answers: those that can be asked, and may say no.
fn may_refuse(machine: &&MachineIsolation) -> bool {
    let talks = machine.evidence.iter().any(|one| one.probe == "peer_link" && one.result == ProbeResult::Answered);
    talks && machine.outcome == IsolationOutcome::Alive
}

/// A tick and a reason for each; nothing where there is none, and nothing was ticked.
pub(super) fn choice(cx: &Context, live: &Live, action: Action) -> Option<AnyView> {
    let guard = |ip: &str| Refused::new(Rule::PeerNotYielding, ip, "");
    let machines = live.preflight.iter().flat_map(|report| &report.isolation).filter(may_refuse);
    let mut ips: Vec<String> = machines.map(|machine| machine.ip.to_string()).collect();
    let ours = format!("{}@", Rule::PeerNotYielding.as_str());
    let came_back = cx.form.typed_under(action, OVERRIDE).into_iter().chain(cx.form.typed_under(action, OVERRIDE_TICK));
    for ip in
        came_back.filter_map(|(guard, typed)| Some(guard.strip_prefix(&ours)?.to_owned()).filter(|_| !typed.is_empty()))
    {
        if !ips.contains(&ip) {
            ips.push(ip);
        }
    }
    if ips.is_empty() {
        return None;
    }
    let open = ips.iter().any(|ip| {
        let field = override_field(&guard(ip));
        cx.form.error(action, &field, cx.lang).is_some() || !cx.form.value(action, &field, "").is_empty()
    });
    let fields = ips.iter().map(|ip| {
        let reason = override_field(&guard(ip));
        let tick = format!("{OVERRIDE_TICK}{}@{ip}", Rule::PeerNotYielding.as_str());
        let id = format!("{}-{tick}", action.as_str());
        let of = id.clone();
        let ticked = !cx.form.value(action, &tick, "").is_empty();
        let label = match cx.lang {
            contract::Lang::It => format!("Procedere anche se {ip} risponde e non ferma i propri servizi"),
            contract::Lang::En => format!("Proceed although {ip} answers and does not stop its services"),
        };
        let why = format!("{ip}: {}", cx.t("perché si può procedere", "why one may proceed"));
        let help = cx.t(
            "Necessario se si spunta la casella. Finisce nel registro con il nome della regola.",
            "Needed where the box is ticked. It goes into the audit log with the name of the rule.",
        );
        view! {
            <label class="check" for=of>
                <input type="checkbox" id=id name=tick value="yes" checked=ticked />
                <span>{label}</span>
            </label>
            {Field::new(action, &reason, &why, help).optional().view(cx)}
        }
    });
    let about = cx.t(
        "A chi risponde si chiede di fermarsi, e si attende. Solo se non lo fa e si accetta che due macchine possano servire insieme: la telefonia si divide fra le due sedi.",
        "Whoever answers is asked to stop, and waited for. Only where it does not and it is accepted that two machines may serve at once: the telephony is split between the two sites.",
    );
    Some(
        view! {
            <details class="fold" open=open>
                <summary>{cx.t("Se l'altra macchina non si ferma", "If the other machine does not stop")}</summary>
                <p class="hint">{about}</p>
                {fields.collect_view()}
            </details>
        }
        .into_any(),
    )
}
