//! The document around every page: head, header, menu, main.

use std::sync::Arc;

use contract::{Lang, role::NodeRole};
use hydration_context::{SharedContext, SsrSharedContext};
use leptos::config::LeptosOptions;
use leptos::nonce::Nonce;
use leptos::prelude::*;

use crate::banner::banners;
use crate::fresh::Fresh;
use crate::headline::headline;
use crate::islands::{AlarmBell, HeaderState, MenuSearch};
use crate::live::Piece;
use crate::model::{Context, Page};
use crate::pages;
use crate::routes::{self, PageId, Place, ROUTES, Route};
use crate::widgets::notices;

/// The product's name, in plain type: the vendor's logo is not ours.
pub(crate) const PRODUCT: &str = "TVox DR";

/// One page as a view, for the server's renderer. Nothing in it waits or suspends: the model is already there.
#[must_use]
pub fn view(cx: &Context, page: &Page) -> AnyView {
    // Only islands come alive in the browser; the rest needs no marks.
    if let Some(shared) = Owner::current_shared_context() {
        shared.set_is_hydrating(false);
    }
    provide_context(Nonce::from_value(cx.nonce.as_str()));
    view! {
        <!DOCTYPE html>
        {html(cx, page)}
    }
    .into_any()
}

/// One page as text, without a server: what tests look at.
#[must_use]
pub fn document(cx: &Context, page: &Page) -> String {
    let shared: Arc<dyn SharedContext + Send + Sync> = Arc::new(SsrSharedContext::new());
    let owner = Owner::new_root(Some(shared));
    let html = owner.with(|| view(cx, page).to_html());
    owner.unset_with_forced_cleanup();
    html
}

fn html(cx: &Context, page: &Page) -> AnyView {
    let title = format!("{} · {} · {PRODUCT}", pages::title_of(cx, page), cx.node.name);
    let options = LeptosOptions::builder().output_name("tvox-dr").site_pkg_dir(format!("{}/pkg", cx.assets)).build();
    let scripts = moves(cx).then(|| view! { <HydrationScripts options islands=true /> });
    view! {
        <html lang=cx.lang.tag() data-at=moves(cx).then(|| cx.now.to_string())>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <title>{title}</title>
                <link rel="icon" type="image/svg+xml" href=format!("/{}/icon.svg", cx.assets) />
                <link rel="stylesheet" href=format!("/{}/style.css", cx.assets) />
                {scripts}
            </head>
            <body>
                <a class="skip" href="#main">
                    {cx.t("Vai al contenuto", "Skip to content")}
                </a>
                {header(cx)}
                <div class="below">
                    {menu(cx)} <main id="main" tabindex="-1">
                        {said_everywhere(cx, Some(page))} {notices(cx)} {pages::view(cx, page)}
                    </main>
                </div>
                {moves(cx).then(|| no_script(cx, page))}
            </body>
        </html>
    }
    .into_any()
}

/// Without a session, or before the password was chosen, there is nothing that moves.
fn moves(cx: &Context) -> bool {
    cx.user.as_ref().is_some_and(|user| !user.must_change)
}

/// Who serves, where it is not as on any other day; the pages of the button say it themselves, and larger.
fn said_everywhere(cx: &Context, page: Option<&Page>) -> Option<AnyView> {
    let live = cx.live.as_ref().filter(|_| moves(cx))?;
    Some(banners(cx, live, matches!(page, Some(Page::Activation(_) | Page::Run(_)))))
}

/// What an open page gets anew: the banners of every page, and the pieces of this one where it has any.
#[must_use]
pub fn pieces(cx: &Context, page: Option<&Page>) -> Vec<Piece> {
    let cx = Context { fresh: Fresh::collecting(), ..cx.clone() };
    let shared: Arc<dyn SharedContext + Send + Sync> = Arc::new(SsrSharedContext::new());
    let owner = Owner::new_root(Some(shared));
    owner.with(|| {
        drop(said_everywhere(&cx, page));
        drop(page.map(|page| pages::view(&cx, page)));
    });
    owner.unset_with_forced_cleanup();
    cx.fresh.take()
}

fn no_script(cx: &Context, page: &Page) -> AnyView {
    let text = if pages::has_reload(page) {
        cx.t(
            "Senza JavaScript la pagina non si aggiorna da sola: usare Aggiorna.",
            "Without JavaScript this page does not update by itself: use Refresh.",
        )
    } else {
        cx.t(
            "Senza JavaScript la pagina non si aggiorna da sola.",
            "Without JavaScript this page does not update by itself.",
        )
    };
    view! {
        <noscript>
            <p class="no-script">{text}</p>
        </noscript>
    }
    .into_any()
}

fn header(cx: &Context) -> AnyView {
    let state = cx.live.as_ref().filter(|_| moves(cx)).map(|live| {
        view! { <HeaderState initial=headline(&live.status, cx.lang) lang=cx.lang /> }
    });
    let bell = cx.live.as_ref().filter(|_| moves(cx)).map(|live| {
        view! { <AlarmBell initial=live.status.alarms lang=cx.lang /> }
    });
    view! {
        <header class="top">
            <p class="brand">
                <a href="/">{PRODUCT}</a>
            </p>
            <p class="machine">
                <strong>{cx.node.name.clone()}</strong>
                " "
                <span class="role">{cx.node.role.label()}</span>
            </p>
            {state}
            <div class="top-right">{bell} {language(cx)} {user(cx)}</div>
        </header>
    }
    .into_any()
}

fn language(cx: &Context) -> AnyView {
    let (other, word) = match cx.lang {
        Lang::It => (Lang::En, "English"),
        Lang::En => (Lang::It, "Italiano"),
    };
    view! {
        <form method="post" action="/lang">
            <input type="hidden" name="next" value=cx.path.clone() />
            <button class="plain-button" name="lang" value=other.tag() lang=other.tag()>
                {word}
            </button>
        </form>
    }
    .into_any()
}

fn user(cx: &Context) -> Option<AnyView> {
    let user = cx.user.as_ref()?;
    Some(
        view! {
            <details class="user-menu">
                <summary>
                    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
                        <circle cx="12" cy="12" r="10"></circle>
                        <circle cx="12" cy="10" r="3"></circle>
                        <path d="M6.5 18.5a6 6 0 0 1 11 0"></path>
                    </svg>
                    <span>{user.name.clone()}</span>
                </summary>
                <div class="user-panel">
                    <p class="muted">{user.role.label(cx.lang)}</p>
                    <a href="/account">{routes::of(PageId::Account).label(cx.lang)}</a>
                    <form method="post" action="/logout">
                        <button class="plain-button">{cx.t("Esci", "Log out")}</button>
                    </form>
                </div>
            </details>
        }
        .into_any(),
    )
}

/// The menu of a reader who may see it; while a password must be chosen there is none.
fn menu(cx: &Context) -> Option<AnyView> {
    let user = cx.user.as_ref().filter(|user| !user.must_change)?;
    let side = cx.node.role;
    let here = cx.path.split('?').next().unwrap_or_default();
    let entries = |place: Place| {
        let fits = |route: &&Route| route.place(side) == Some(place) && route.role.is_none_or(|role| user.role >= role);
        ROUTES
            .iter()
            .filter(fits)
            .map(|route| {
                let current = (route.path == here).then_some("page");
                view! {
                    <li>
                        <a href=route.path aria-current=current>
                            {route.label(cx.lang)}
                        </a>
                    </li>
                }
            })
            .collect_view()
            .into_any()
    };
    let network = (side == NodeRole::Client).then(|| {
        view! {
            <li data-group>
                <span class="group">{cx.t("Rete", "Network")}</span>
                <ul>{entries(Place::Network)}</ul>
            </li>
        }
    });
    let tree = view! {
        <MenuSearch lang=cx.lang />
        <ul class="foremost">{entries(Place::Foremost)}</ul>
        <div data-group>
            <p class="section">{cx.t("SISTEMA", "SYSTEM")}</p>
            <ul>
                {entries(Place::System)} <li data-group>
                    <span class="group">{cx.t("Configurazione di sistema", "System configuration")}</span>
                    <ul>{entries(Place::Configuration)} {network} {entries(Place::Messages)}</ul>
                </li>
            </ul>
        </div>
        <div data-group>
            <p class="section">{cx.t("GESTIONE", "MANAGEMENT")}</p>
            <ul>{entries(Place::Management)}</ul>
        </div>
    };
    Some(
        view! {
            <nav class="side" id="menu" aria-label=cx.t("Menù principale", "Main menu")>
                <input type="checkbox" id="menu-toggle" class="visually-hidden" />
                <label for="menu-toggle" class="menu-toggle">{cx.t("Menù", "Menu")}</label>
                <div class="tree">{tree}</div>
            </nav>
        }
        .into_any(),
    )
}
