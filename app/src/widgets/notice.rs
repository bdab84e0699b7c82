//! What is said on top of a page: what was done, what was refused and what to do about it, what failed.

use contract::Refused;
use leptos::prelude::*;

use crate::model::Context;

/// The notice of the page: success of the last form, or why this one came back.
pub(crate) fn notices(cx: &Context) -> AnyView {
    let done = cx.notice.map(|action| {
        view! {
            <p class="notice good" role="status">
                {action.done(cx.lang)}
            </p>
        }
    });
    let refused = cx.form.refused().iter().map(|refused| explain(cx, refused)).collect_view();
    let failed = cx.form.failure().map(|failure| {
        view! {
            <div class="notice bad" role="alert">
                <p>
                    <strong>{cx.t("Operazione non riuscita.", "That did not work.")}</strong>
                </p>
                <p>{format!("{}: {}", failure.attempt, failure.cause)}</p>
            </div>
        }
    });
    let stray = cx.form.stray(cx.lang).into_iter().map(|text| {
        view! {
            <p class="notice bad" role="alert">
                {text}
            </p>
        }
    });
    let wrong = cx.form.has_marked_fields().then(|| {
        view! {
            <p class="notice bad" role="alert">
                {cx
                    .t(
                        "Nulla è stato salvato: correggere i campi segnalati.",
                        "Nothing was saved: correct the fields marked below.",
                    )}
            </p>
        }
    });
    view! {
        {done}
        {wrong}
        {stray.collect_view()}
        {refused}
        {failed}
    }
    .into_any()
}

/// One refusal: what is wrong, and what to do.
fn explain(cx: &Context, refused: &Refused) -> AnyView {
    let finding = refused.finding(cx.lang);
    view! {
        <div class="notice bad" role="alert" data-rule=finding.rule.as_str()>
            <p>
                <strong>{finding.message}</strong>
            </p>
            <p>{finding.remedy}</p>
        </div>
    }
    .into_any()
}
