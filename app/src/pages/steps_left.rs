//! What an activation, or a take-over, has left behind on this machine: own steps that are still in effect although the service was taken
//! from here otherwise, and the button that undoes them.

use contract::live::Live;
use contract::run::RunKind;
use leptos::prelude::*;

use crate::action::Action;
use crate::fresh::fresh_keyed;
use crate::model::Context;
use crate::routes::{self, PageId};
use crate::widgets::{Field, card};

/// Nothing where nothing is left; drawn anew only when that changes, because somebody may be typing in it.
pub(super) fn view(cx: &Context, live: &Live) -> AnyView {
    let run = live.status.open_run().map(|run| run.id.clone()).unwrap_or_default();
    let key = format!("{} {run}", live.status.steps_left.join(" "));
    fresh_keyed(cx, "steps-left", key, body(cx, live))
}

fn body(cx: &Context, live: &Live) -> Option<AnyView> {
    let left = &live.status.steps_left;
    if left.is_empty() {
        return None;
    }
    let about = cx.t(
        "Il servizio è stato ripreso dall'altra sede senza un rientro da qui: questi passi, che l'avevano portato qui, non sono mai stati annullati. Finché restano in effetto, chiamate o nomi DNS possono andare alla sede sbagliata.",
        "The other site took the service without a roll back from here: these steps, which had brought it here, were never undone. While they are in effect, calls or DNS names may go to the wrong site.",
    );
    let items = left.iter().map(|name| view! { <li><strong>{name.clone()}</strong></li> }).collect_view();
    let action = Action::StepsUndo;
    let form = (cx.may(action) && live.status.open_run().is_none()).then(|| {
        let help = cx.t("Finisce nel registro e nel rapporto.", "It goes into the audit log and the report.");
        view! {
            <form method="post" action=routes::of(PageId::Procedure).path>
                <input type="hidden" name="action" value=action.as_str() />
                {Field::new(action, "reason", cx.t("Motivo", "Reason"), help).view(cx)}
                <button class="button primary">{cx.t("ANNULLA ORA", "UNDO NOW")}</button>
            </form>
        }
    });
    let follow = live.status.open_run().filter(|run| run.kind == RunKind::Undo).map(|run| {
        let word = cx.t("SEGUI L'OPERAZIONE", "FOLLOW THE OPERATION");
        view! { <p><a class="button primary" href=format!("{}?id={}", routes::of(PageId::Runs).path, run.id)>{word}</a></p> }
    });
    let order = cx
        .t("Si annullano in ordine inverso, l'ultimo per primo.", "They are undone in reverse order, the last first.");
    let body = view! {
        <p class="banner warn">{about}</p>
        <ol>{items}</ol>
        <p class="hint">{order}</p>
        {form}
        {follow}
    };
    Some(card(cx.t("Passi rimasti in effetto", "Steps still in effect"), body).into_any())
}
