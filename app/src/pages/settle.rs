//! What was found against the mandate, settled by an operator's word: a fold of the page Attivazione, for the days on which
//! a machine was put back on purpose, or of two copies the superfluous one is gone.

use contract::live::Live;
use contract::mandate::MandateFinding;
use leptos::prelude::*;

use super::word::Word;
use crate::action::Action;
use crate::model::Context;

pub(super) fn view(cx: &Context, live: &Live) -> Option<AnyView> {
    let found = &live.status.mandate.as_ref()?.findings;
    let by_word = |finding: &MandateFinding| matches!(finding, MandateFinding::SetBack | MandateFinding::Cloned);
    if found.is_empty() || !found.iter().all(by_word) || !cx.may(Action::Settle) {
        return None;
    }
    let word = Word {
        action: Action::Settle,
        summary: cx.t(
            "È voluto, oppure la copia di troppo non c'è più",
            "It was meant to be, or the superfluous copy is gone",
        ),
        text: cx.t(
            "Chi serve continua a servire; le due macchine ripartono da qui e la replicazione riprende. Funziona solo se l'altra macchina risponde e ha lo stesso mandato. Una copia di questa macchina che si riaccenda dopo verrà di nuovo segnalata.",
            "Who serves goes on serving; the two machines go on from here and the replication goes on. It works only if the other machine answers and holds the same mandate. A copy of this machine that is switched on later will be told again.",
        ),
        reason: cx.t(
            "Che cosa è successo, e perché ora è tutto a posto. Finisce nel registro.",
            "What has happened, and why it is well now. It goes into the audit log.",
        ),
        button: cx.t("CHIARISCI", "SETTLE IT"),
    };
    Some(word.view(cx))
}
