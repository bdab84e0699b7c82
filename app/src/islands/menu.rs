//! The search box on top of the menu. Without JavaScript it is not there: the menu is whole.

use contract::Lang;
use leptos::prelude::*;

/// `Cerca tra i menù`.
#[island]
pub fn MenuSearch(
    /// The reader's language.
    lang: Lang,
) -> impl IntoView {
    let typed = RwSignal::new(String::new());
    let ready = RwSignal::new(false);
    Effect::new(move |_| ready.set(true));
    #[cfg(feature = "hydrate")]
    Effect::new(move |_| filter(&typed.get()));
    let label = lang.pick("Cerca tra i menù", "Search the menu");
    view! {
        <input
            class="menu-search"
            type="search"
            placeholder=label
            aria-label=label
            hidden=move || !ready.get()
            on:input=move |event| typed.set(event_target_value(&event))
        />
    }
}

/// Hides every entry whose name lacks what was typed, and every heading left without entries.
#[cfg(feature = "hydrate")]
fn filter(typed: &str) {
    use wasm_bindgen::JsCast;
    let wanted = typed.trim().to_lowercase();
    let all = |root: &web_sys::Element, selector: &str| {
        let list = root.query_selector_all(selector).ok();
        let nodes: Vec<web_sys::HtmlElement> = list
            .map(|list| (0..list.length()).filter_map(|i| list.get(i)?.dyn_into().ok()).collect())
            .unwrap_or_default();
        nodes
    };
    let Some(menu) = document().get_element_by_id("menu") else { return };
    for link in all(&menu, "a") {
        let fits = link.text_content().unwrap_or_default().to_lowercase().contains(&wanted);
        if let Some(entry) = link.parent_element().and_then(|e| e.dyn_into::<web_sys::HtmlElement>().ok()) {
            entry.set_hidden(!fits);
        }
    }
    for group in all(&menu, "[data-group]") {
        let gone = |link: &web_sys::HtmlElement| link.parent_element().is_some_and(|li| li.has_attribute("hidden"));
        let empty = all(&group, "a").iter().all(gone);
        group.set_hidden(empty);
    }
}
