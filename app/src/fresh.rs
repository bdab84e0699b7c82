//! Pieces of a page that the server draws anew while the page is open. They travel over the event stream as HTML and
//! are put in their place as they come, so that what is long to draw and has nothing to press needs no code in the
//! browser. A piece is replaced only when its key has changed: what a reader opened or typed elsewhere stays.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use leptos::prelude::*;

use crate::live::Piece;
use crate::model::Context;

/// Where the pieces of one drawing are kept; a page that is shown whole keeps none.
#[derive(Debug, Clone, Default)]
pub struct Fresh(Option<Arc<Mutex<Vec<Piece>>>>);

impl Fresh {
    /// For the event stream.
    #[must_use]
    pub fn collecting() -> Self {
        Self(Some(Arc::default()))
    }

    /// Whether this drawing is for a page that is open already.
    #[must_use]
    pub const fn is_later(&self) -> bool {
        self.0.is_some()
    }

    fn keep(&self, piece: &Piece) {
        if let Some(list) = &self.0 {
            list.lock().unwrap_or_else(PoisonError::into_inner).push(piece.clone());
        }
    }

    /// What was kept.
    #[must_use]
    pub fn take(self) -> Vec<Piece> {
        self.0.map_or_else(Vec::new, |list| std::mem::take(&mut *list.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// A piece that is replaced whenever it looks otherwise.
pub(crate) fn fresh(cx: &Context, id: &str, view: impl IntoView + 'static) -> AnyView {
    let html = view.into_any().to_html();
    let mut hasher = DefaultHasher::new();
    html.hash(&mut hasher);
    place(cx, id, format!("{:x}", hasher.finish()), html)
}

/// A piece that is replaced only when its key is another one: what is typed in it must not vanish for less.
pub(crate) fn fresh_keyed(cx: &Context, id: &str, key: String, view: impl IntoView + 'static) -> AnyView {
    place(cx, id, key, view.into_any().to_html())
}

fn place(cx: &Context, id: &str, key: String, html: String) -> AnyView {
    let piece = Piece { id: id.to_owned(), key, html };
    cx.fresh.keep(&piece);
    view! { <div id=piece.id data-fresh=piece.key inner_html=piece.html></div> }.into_any()
}
