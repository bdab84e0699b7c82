//! A fold of the page Attivazione in which an operator vouches for something by their word: with a reason, the machine's
//! name typed, and their own password again.

use leptos::prelude::*;

use crate::action::Action;
use crate::model::Context;
use crate::widgets::{Field, Kind};

/// One such fold.
pub(super) struct Word {
    pub(super) action: Action,
    /// What stands on it while it is folded.
    pub(super) summary: &'static str,
    /// What it does, and what it costs where it is not true.
    pub(super) text: &'static str,
    /// How the reason is asked for.
    pub(super) reason: &'static str,
    pub(super) button: &'static str,
}

impl Word {
    /// Open while it has something to say of what was typed.
    pub(super) fn view(self, cx: &Context) -> AnyView {
        let Self { action, summary, text, reason, button } = self;
        let open = cx.form.is(action);
        let label = cx.t("Nome di questa macchina", "This machine's name");
        let machine = cx.t("Quello scritto in alto, per intero.", "The one written above, all of it.");
        let password = cx.t("La propria, di nuovo.", "Your own, again.");
        view! {
            <details class="fold card" open=open>
                <summary>{summary}</summary>
                <p>{text}</p>
                <form method="post" class="grave-form">
                    <input type="hidden" name="action" value=action.as_str() />
                    {Field::new(action, "reason", cx.t("Motivo", "Reason"), reason).view(cx)}
                    <div class="columns">
                        {Field::new(action, "confirm_name", label, machine).view(cx)}
                        {Field::new(action, "password", "Password", password)
                            .kind(Kind::Password("current-password"))
                            .view(cx)}
                    </div>
                    <button class="button danger">{button}</button>
                </form>
            </details>
        }
        .into_any()
    }
}
