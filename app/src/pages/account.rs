//! `/account`: one's own password. After the first login it is the only page there is.

use contract::users::PASSWORD_MIN;
use leptos::prelude::*;

use crate::action::Action;
use crate::model::Context;
use crate::routes::{self, PageId};
use crate::widgets::{Field, Kind, cancel_save, card, facts, title};

pub(crate) fn view(cx: &Context) -> AnyView {
    let Some(user) = &cx.user else { return ().into_any() };
    let must = user.must_change.then(|| {
        view! {
            <p class="notice" role="status">
                {cx
                    .t(
                        "Prima di continuare bisogna scegliere una nuova password.",
                        "A new password must be chosen before going on.",
                    )}
            </p>
        }
    });
    let length = match cx.lang {
        contract::Lang::It => format!("Almeno {PASSWORD_MIN} caratteri: conta la lunghezza, una frase va bene."),
        contract::Lang::En => format!("At least {PASSWORD_MIN} characters: length is what counts, a phrase is fine."),
    };
    let field =
        |name, label: &str, help: &str, kind| Field::new(Action::PasswordChange, name, label, help).kind(kind).view(cx);
    let who = facts([
        (cx.t("Nome utente", "User name").to_owned(), user.name.clone().into_any()),
        (cx.t("Ruolo", "Role").to_owned(), user.role.label(cx.lang).into_any()),
    ]);
    let form = view! {
        {who}
        <form method="post" id="password-form">
            <input type="hidden" name="action" value=Action::PasswordChange.as_str() />
            <input type="hidden" autocomplete="username" value=user.name.clone() />
            {field(
                "current",
                cx.t("Password attuale", "Current password"),
                cx.t("Quella con cui si è fatto l'accesso.", "The one used to log in."),
                Kind::Password("current-password"),
            )}
            {field("new", cx.t("Nuova password", "New password"), &length, Kind::Password("new-password"))}
            {field(
                "again",
                cx.t("Ripeti la nuova password", "New password again"),
                cx.t("La stessa, per evitare errori di battitura.", "The same one, against typing mistakes."),
                Kind::Password("new-password"),
            )}
        </form>
        <p class="muted">
            {cx
                .t(
                    "Cambiando la password terminano le altre sessioni di questo utente.",
                    "Changing the password ends this user's other sessions.",
                )}
        </p>
    };
    view! {
        {title(routes::of(PageId::Account).label(cx.lang), cancel_save(cx, "password-form", "/account"))}
        {must}
        {card("Password", form)}
    }
    .into_any()
}
