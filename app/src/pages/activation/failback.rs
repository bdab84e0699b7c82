//! The form by which what was made on the DR travels home: which data, and to which machine.

use contract::failback;
use contract::live::Live;
use leptos::prelude::*;

use super::super::approval;
use super::form::{check, proof, reason, two};
use crate::action::{Action, DISCARD};
use crate::model::Context;
use crate::widgets::select;

/// Gives the service back together with what was made on the DR, all of it or all but some datasets.
pub(super) fn view(cx: &Context, live: &Live) -> AnyView {
    let action = Action::Failback;
    let rows = live.sync.datasets.iter().map(|dataset| {
        let name = format!("{DISCARD}{}", dataset.name);
        let label = match cx.lang {
            contract::Lang::It => {
                format!("{} ({}): lasciare sul Master ciò che c'è", dataset.name, dataset.class.label(cx.lang))
            }
            contract::Lang::En => {
                format!("{} ({}): leave the Master what it has", dataset.name, dataset.class.label(cx.lang))
            }
        };
        check(cx, action, &name, &label, None)
    });
    let rows = rows.collect_view();
    let all = cx.t(
        "Tutto ciò che è stato creato sul DR torna sul Master. Spuntare solo i dati che non devono tornare: ciò che ne è stato creato sul DR viene esportato qui e scartato.",
        "Everything that was made on the DR travels to the Master. Tick only the data that is not to travel: what was made of it on the DR is exported here and discarded.",
    );
    let discard = cx.t(
        "Accetto di scartare ciò che è stato creato sul DR nei dati spuntati",
        "I accept that what was made on the DR in the ticked data is discarded",
    );
    let tail = cx.t(
        "Accetto di sostituire ciò che il Master ha scritto prima di fermarsi e che il DR non ha mai avuto",
        "I accept that what the Master wrote before it stopped, and the DR never had, is replaced",
    );
    let kept = cx.t(
        "Viene comunque messo da parte sul Master. Senza questo consenso, se c'è qualcosa del genere, l'operazione non comincia e lo dice.",
        "It is put aside on the Master all the same. Without this consent, if there is anything of the kind, the operation does not begin and says so.",
    );
    view! {
        <form method="post" class="grave-form">
            <input type="hidden" name="action" value=action.as_str() />
            {reason(cx, action)}
            {member(cx, live)}
            <fieldset class="consent">
                <legend>{cx.t("Che cosa torna sul Master", "What travels to the Master")}</legend>
                <p class="hint">{all}</p>
                {rows}
                {check(cx, action, "discard_dr_data", discard, None)}
                {check(cx, action, "accept_data_loss", tail, Some(kept))}
            </fieldset>
            {approval::break_glass(cx, two(live), action)}
            {proof(cx, action)}
            <button class="button large primary">{cx.t("RIENTRA CON I DATI", "FAIL BACK WITH THE DATA")}</button>
        </form>
    }
    .into_any()
}

/// Of a Master of two machines the one that takes the data in; the one that it falls to is chosen already.
fn member(cx: &Context, live: &Live) -> Option<AnyView> {
    let (action, pair) = (Action::Failback, &live.status.pair);
    let machines = &pair.peer.as_ref().filter(|peer| peer.machines.len() > 1)?.machines;
    let source = pair.cluster.as_ref().and_then(|cluster| cluster.source);
    let falls_to = failback::destination(machines, source).map(|machine| machine.ip.to_string()).unwrap_or_default();
    let options = machines.iter().filter(|machine| machine.associated).map(|machine| {
        let how = match (machine.reachable, machine.serves) {
            (true, Some(true)) => cx.t("ha l'IP di nodo", "has the node IP"),
            (true, _) => cx.t("risponde", "answers"),
            (false, _) => cx.t("non risponde", "does not answer"),
        };
        let name = machine.name.clone().unwrap_or_default();
        (machine.ip.to_string(), format!("{name} ({}): {how}", machine.ip))
    });
    let options: Vec<_> = options.collect();
    let options: Vec<_> = options.iter().map(|(ip, shown)| (ip.as_str(), shown.as_str())).collect();
    let label = cx.t("Macchina che riceve i dati", "Machine that takes the data in");
    let help = cx.t(
        "Il Master è un cluster: i dati tornano su una delle due macchine. L'altra non serve finché non ha gli stessi dati.",
        "The Master is a cluster: the data goes to one of its two machines. The other one does not serve before it has the same data.",
    );
    Some(select(cx, action, "member", label, help, &options, &falls_to))
}
