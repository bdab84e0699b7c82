//! What was found against the mandate, settled by an operator's word: a fold of the page Attivazione, for the days on which
//! a machine was put back on purpose, or of two copies the superfluous one is gone.

use contract::live::Live;
use contract::mandate::MandateFinding;
use leptos::prelude::*;

use crate::action::Action;
use crate::model::Context;
use crate::widgets::{Field, Kind};

pub(super) fn view(cx: &Context, live: &Live) -> Option<AnyView> {
    let found = &live.status.mandate.as_ref()?.findings;
    let by_word = |finding: &MandateFinding| matches!(finding, MandateFinding::SetBack | MandateFinding::Cloned);
    if found.is_empty() || !found.iter().all(by_word) || !cx.may(Action::Settle) {
        return None;
    }
    let action = Action::Settle;
    let open = cx.form.is(action);
    let reason = cx.t(
        "Che cosa è successo, e perché ora è tutto a posto. Finisce nel registro.",
        "What has happened, and why it is well now. It goes into the audit log.",
    );
    let label = cx.t("Nome di questa macchina", "This machine's name");
    let machine = cx.t("Quello scritto in alto, per intero.", "The one written above, all of it.");
    let password = cx.t("La propria, di nuovo.", "Your own, again.");
    Some(
        view! {
            <details class="fold card" open=open>
                <summary>{cx.t("È voluto, oppure la copia di troppo non c'è più", "It was meant to be, or the superfluous copy is gone")}</summary>
                <p>
                    {cx
                        .t(
                            "Chi serve continua a servire; le due macchine ripartono da qui e la replicazione riprende. Funziona solo se l'altra macchina risponde e ha lo stesso mandato. Una copia di questa macchina che si riaccenda dopo verrà di nuovo segnalata.",
                            "Who serves goes on serving; the two machines go on from here and the replication goes on. It works only if the other machine answers and holds the same mandate. A copy of this machine that is switched on later will be told again.",
                        )}
                </p>
                <form method="post" class="grave-form">
                    <input type="hidden" name="action" value=action.as_str() />
                    {Field::new(action, "reason", cx.t("Motivo", "Reason"), reason).view(cx)}
                    <div class="columns">
                        {Field::new(action, "confirm_name", label, machine).view(cx)}
                        {Field::new(action, "password", "Password", password)
                            .kind(Kind::Password("current-password"))
                            .view(cx)}
                    </div>
                    <button class="button danger">{cx.t("CHIARISCI", "SETTLE IT")}</button>
                </form>
            </details>
        }
        .into_any(),
    )
}
