//! A member of a site of two that cannot be found to have what the other one was given: an operator says that it has. A fold
//! of the page Attivazione, while it is held for that.

use contract::gate::GateReason;
use contract::live::Live;
use leptos::prelude::*;

use super::word::Word;
use crate::action::Action;
use crate::model::Context;

pub(super) fn view(cx: &Context, live: &Live) -> Option<AnyView> {
    let action = Action::GateSame;
    let stale = live.status.gate.as_ref().is_some_and(|gate| gate.because.contains(&GateReason::Stale));
    if !stale || !cx.may(action) {
        return None;
    }
    let word = Word {
        action,
        summary: cx.t("Questa macchina ha già i dati della sede", "This machine has the data of the site already"),
        text: cx.t(
            "Per un disco che è montato solo sull'altra macchina del cluster, o sul quale si scrive sempre: il confronto non può riuscire. Solo se è certo che qui ci sono gli stessi dati: se non è così, al prossimo cambio di macchina ciò che è tornato dal DR si perde. L'altra macchina deve rispondere ed essere in servizio.",
            "For a disk that is mounted on the other machine of the cluster only, or is always written to: comparing cannot succeed. Only if it is certain that the same data is here: if it is not, what came home from the DR is lost when the cluster changes machines. The other machine must answer and serve.",
        ),
        reason: cx.t(
            "Come lo si sa: per esempio, il disco è replicato e risulta allineato. Finisce nel registro.",
            "How it is known: for example, the disk is replicated and seen in line. It goes into the audit log.",
        ),
        button: cx.t("HA GLI STESSI DATI", "IT HAS THE SAME DATA"),
    };
    Some(word.view(cx))
}
