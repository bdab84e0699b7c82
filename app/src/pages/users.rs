//! `/utenti`: who may log in, and what each role may do.

use contract::Role;
use contract::users::{PASSWORD_MIN, User};
use leptos::prelude::*;

use super::approval;
use crate::action::Action;
use crate::model::{Context, UsersPage};
use crate::routes::{self, PageId};
use crate::widgets::{Field, Kind, card, confirm, select, title};

pub(crate) fn view(cx: &Context, model: &UsersPage) -> AnyView {
    view! {
        {title(routes::of(PageId::Users).label(cx.lang), ())}
        {card(routes::of(PageId::Users).label(cx.lang), list(cx, &model.users))}
        {cx.may(Action::UserAdd).then(|| add(cx))}
        {approval::policy(cx, &model.approval)}
        {card(cx.t("Ruoli", "Roles"), roles(cx))}
    }
    .into_any()
}

fn list(cx: &Context, users: &[User]) -> AnyView {
    let may = cx.may(Action::UserRemove);
    let caption = cx.t("Utenti", "Users");
    let [role, added, login] = columns(cx);
    let actions = may.then(|| view! { <th scope="col">{cx.t("Azioni", "Actions")}</th> });
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label=caption>
            <table>
                <caption class="visually-hidden">{caption}</caption>
                <thead>
                    <tr>
                        <th scope="col">{cx.t("Nome", "Name")}</th>
                        <th scope="col">{role}</th>
                        <th scope="col">{added}</th>
                        <th scope="col">{login}</th>
                        {actions}
                    </tr>
                </thead>
                <tbody>{users.iter().map(|user| row(cx, user, may)).collect_view()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// What stands beside the name; on a small screen each cell says it again (`data-label`).
fn columns(cx: &Context) -> [&'static str; 3] {
    [cx.t("Ruolo", "Role"), cx.t("Creato il", "Added on"), cx.t("Ultimo accesso", "Last login")]
}

fn row(cx: &Context, user: &User, may: bool) -> AnyView {
    let [role_head, added_head, login_head] = columns(cx);
    let own = cx.user.as_ref().is_some_and(|reader| reader.name == user.name);
    let note = user.must_change.then(|| {
        view! { <br /> <span class="muted">{cx.t("deve scegliere una nuova password", "must choose a new password")}</span> }
    });
    let login = user.last_login.map_or_else(|| cx.t("mai", "never").to_owned(), |at| cx.moment(at));
    let actions = may.then(|| {
        let question = format!("{} {}?", cx.t("Rimuovere l'utente", "Remove the user"), user.name);
        let own_password =
            own.then(|| view! { <a class="button" href="/account">{cx.t("Cambia password", "Change password")}</a> });
        view! {
            <td>
                <div class="row-actions">
                {own_password}
                {(!own).then(|| password(cx, user))}
                {confirm(
                    cx,
                    Action::UserRemove,
                    Some(&user.name),
                    cx.t("Rimuovi", "Remove"),
                    &question,
                    cx.t("Le sue sessioni terminano subito.", "Their sessions end at once."),
                )}
                </div>
            </td>
        }
    });
    view! {
        <tr>
            <th scope="row">{user.name.clone()} {note}</th>
            <td data-label=role_head>{user.role.label(cx.lang)}</td>
            <td data-label=added_head>{cx.moment(user.created_at)}</td>
            <td data-label=login_head>{login}</td>
            {actions}
        </tr>
    }
    .into_any()
}

fn password(cx: &Context, user: &User) -> AnyView {
    let action = Action::UserPassword;
    let open = cx.form.is_row(action, &user.name);
    let word = cx.t("Imposta password", "Set password");
    view! {
        <details class="inline-form" open=open>
            <summary class="button" aria-label=format!("{word}: {}", user.name)>{word}</summary>
            <form method="post">
                <input type="hidden" name="action" value=action.as_str() />
                <input type="hidden" name="name" value=user.name.clone() />
                {Field::new(action, "password", cx.t("Nuova password", "New password"), &length(cx))
                    .kind(Kind::Password("new-password"))
                    .row(&user.name)
                    .view(cx)}
                <button class="button primary">{cx.t("Imposta", "Set")}</button>
            </form>
        </details>
    }
    .into_any()
}

fn length(cx: &Context) -> String {
    match cx.lang {
        contract::Lang::It => {
            format!("Almeno {PASSWORD_MIN} caratteri. Al primo accesso l'utente ne sceglierà un'altra.")
        }
        contract::Lang::En => {
            format!("At least {PASSWORD_MIN} characters. At the first login the user chooses another.")
        }
    }
}

fn add(cx: &Context) -> AnyView {
    let action = Action::UserAdd;
    let roles = Role::ALL.map(|role| (role.as_str(), role.label(cx.lang)));
    let form = view! {
        <form method="post">
            <input type="hidden" name="action" value=action.as_str() />
            <div class="columns">
                {Field::new(
                        action,
                        "name",
                        cx.t("Nome utente", "User name"),
                        cx.t("Lettere minuscole, cifre e trattini.", "Lower-case letters, digits and dashes."),
                    )
                    .view(cx)}
                {select(
                    cx,
                    action,
                    "role",
                    cx.t("Ruolo", "Role"),
                    cx.t("Che cosa può fare: vedi sotto.", "What they may do: see below."),
                    &roles,
                    Role::Viewer.as_str(),
                )}
                {Field::new(action, "password", "Password", &length(cx)).kind(Kind::Password("new-password")).view(cx)}
            </div>
            <button class="button primary">{cx.t("Aggiungi", "Add")}</button>
        </form>
    };
    card(cx.t("Nuovo utente", "New user"), form)
}

fn roles(cx: &Context) -> AnyView {
    let what = |role| match role {
        Role::Viewer => cx.t(
            "Vede tutte le pagine, registro compreso, e non cambia nulla.",
            "Sees every page, the audit log included, and changes nothing.",
        ),
        Role::Operator => cx.t(
            "In più avvia e ferma la replica, la sincronizzazione forzata e la verifica.",
            "Also starts and stops replication, the forced sync and the verification.",
        ),
        Role::Admin => cx.t(
            "Tutto: licenza, indirizzi, associazione, dati da replicare, utenti.",
            "Everything: licence, addresses, association, data to replicate, users.",
        ),
    };
    let rows = Role::ALL.map(|role| view! { <div><dt>{role.label(cx.lang)}</dt><dd>{what(role)}</dd></div> });
    view! { <dl class="facts">{rows}</dl> }.into_any()
}
