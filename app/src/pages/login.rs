//! `/login`: name and password. It says which machine this is, and nothing about its state.

use leptos::prelude::*;

use crate::format;
use crate::model::{Context, LoginPage, LoginTrouble};

pub(crate) fn view(cx: &Context, model: &LoginPage) -> AnyView {
    let trouble = model.trouble.map(|trouble| {
        view! {
            <p class="notice bad" role="alert" id="login-error">
                {sentence(cx, trouble)}
            </p>
        }
    });
    let described = model.trouble.map(|_| "login-error");
    let invalid = (model.trouble == Some(LoginTrouble::Wrong)).then_some("true");
    let ended = model.ended.then(|| {
        view! {
            <p class="notice" role="status">
                {cx.t("La sessione è terminata. Accedere di nuovo.", "The session has ended. Log in again.")}
            </p>
        }
    });
    view! {
        <section class="card login">
            <h1>{cx.t("Accesso", "Log in")}</h1>
            <p class="muted">
                {cx.node.role.label()} " " <strong>{cx.node.name.clone()}</strong>
            </p>
            {ended}
            {trouble}
            <form method="post" action="/login">
                <input type="hidden" name="next" value=model.next.clone() />
                <div class="field">
                    <label for="name">{cx.t("Nome utente", "User name")}</label>
                    <input
                        id="name"
                        name="name"
                        type="text"
                        required
                        autocomplete="username"
                        autocapitalize="none"
                        spellcheck="false"
                        value=model.name.clone()
                        aria-describedby=described
                        aria-invalid=invalid
                    />
                </div>
                <div class="field">
                    <label for="password">"Password"</label>
                    <input
                        id="password"
                        name="password"
                        type="password"
                        required
                        autocomplete="current-password"
                        aria-describedby=described
                        aria-invalid=invalid
                    />
                </div>
                <button class="button primary wide">{cx.t("Accedi", "Log in")}</button>
            </form>
        </section>
    }
    .into_any()
}

#[expect(clippy::cast_precision_loss, reason = "shown in two units")]
fn sentence(cx: &Context, trouble: LoginTrouble) -> String {
    match trouble {
        LoginTrouble::Wrong => cx.t("Nome utente o password non corretti.", "Wrong user name or password.").to_owned(),
        LoginTrouble::TooMany { retry_after_seconds } => format!(
            "{} {}.",
            cx.t("Troppi tentativi non riusciti. Riprovare fra", "Too many failed attempts. Try again in"),
            format::span(retry_after_seconds.max(1) as f64, cx.lang)
        ),
        LoginTrouble::Unavailable => cx
            .t(
                "L'accesso non è possibile in questo momento. Riprovare; se continua, controllare il servizio tvox-dr.",
                "Logging in is not possible right now. Try again; if it goes on, check the tvox-dr service.",
            )
            .to_owned(),
    }
}
