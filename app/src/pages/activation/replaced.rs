//! A machine that was declared lost, and one in the place of a lost one: neither is waited for at a gate, and what can be
//! done is the same in words of the gate.

use contract::gate_explained::explain;
use contract::live::Live;
use leptos::prelude::*;

use super::stance;
use crate::headline::Tone;
use crate::model::Context;

/// Why this machine does not serve, and what can be done.
pub(super) fn view(cx: &Context, live: &Live, tone: Tone) -> Option<AnyView> {
    let gate = live.status.gate.as_ref()?;
    let told = explain(gate, cx.node.role, &cx.node.name, live.status.peer_name());
    let first = |texts: &[contract::Text]| texts.first().map(|text| text.get(cx.lang).to_owned()).unwrap_or_default();
    Some(stance(tone, &first(&told.why), &first(&told.to_do)))
}
