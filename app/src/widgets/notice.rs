//! What is said on top of a page: what was done, what was refused and what to do about it, what failed.

use contract::Refused;
use leptos::prelude::*;

use crate::action::Action;
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
    let tested = cx.form.is(Action::SmtpTest) || cx.form.is(Action::SmsTest);
    let failed = cx.form.failure().map(|failure| {
        // Who tests a server reads its words beside the button: see `answer`.
        let told = if tested {
            cx.t(
                "Il messaggio di prova non è stato inviato: la risposta è nel riquadro del test.",
                "The test message was not sent: the answer stands in the test's box.",
            )
            .to_owned()
        } else {
            format!("{}: {}", failure.attempt, failure.cause)
        };
        view! {
            <div class="notice bad" role="alert">
                <p>
                    <strong>{cx.t("Operazione non riuscita.", "That did not work.")}</strong>
                </p>
                <p>{told}</p>
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

/// What the server said to a test, in its own words.
pub(crate) fn answer(cx: &Context, action: Action) -> Option<AnyView> {
    let (tone, verdict, words) = if cx.notice == Some(action) {
        ("good", cx.t("Accettato", "Accepted"), cx.answer.clone()?)
    } else if cx.form.is(action) {
        ("bad", cx.t("Non accettato", "Not accepted"), cx.form.failure()?.cause.clone())
    } else {
        return None;
    };
    Some(
        view! {
            <p class="answer">
                <span class=format!("badge {tone}")>{verdict}</span>
                <span>{cx.t("Risposta:", "Answer:")}</span>
                <code class="machine-words">{words}</code>
            </p>
        }
        .into_any(),
    )
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
