//! What cannot be taken back is asked twice: the button opens a popover that says what will happen, and only the
//! button in there posts. The browser does it alone (the `popover` attribute), so that it is the same with and without
//! JavaScript; a browser that does not know popovers shows the question in its place, and it still works.

use leptos::prelude::*;

use crate::action::Action;
use crate::model::Context;

/// A button, the question behind it, and the form that does it.
pub(crate) fn confirm(
    cx: &Context,
    action: Action,
    subject: Option<&str>,
    button: &str,
    question: &str,
    consequence: &str,
) -> AnyView {
    let id = format!("confirm-{}-{}", action.as_str().replace('.', "-"), subject.unwrap_or("it"));
    let (open, close) = (id.clone(), id.clone());
    let title_id = format!("{id}-title");
    let titled_by = title_id.clone();
    let name = subject.map(|subject| view! { <input type="hidden" name="name" value=subject.to_owned() /> });
    let label = subject.map(|subject| format!("{button} {subject}"));
    view! {
        <button type="button" class="button grave" popovertarget=open aria-label=label>
            {button.to_owned()}
        </button>
        <div class="dialog" popover="auto" id=id role="dialog" aria-labelledby=titled_by>
            <h2 id=title_id>{question.to_owned()}</h2>
            <p>{consequence.to_owned()}</p>
            <form method="post" class="dialog-buttons">
                <input type="hidden" name="action" value=action.as_str() />
                {name}
                <button type="button" class="button" popovertarget=close popovertargetaction="hide">
                    {cx.t("Annulla", "Cancel")}
                </button>
                <button class="button danger">{button.to_owned()}</button>
            </form>
        </div>
    }
    .into_any()
}
