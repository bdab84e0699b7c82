//! Every step to come, before anybody presses: the groups of own steps as blocks, and what is left out of it.

use contract::own_step::blocks;
use contract::preflight::{PlannedStep, PreflightReport};
use contract::run::step_label;
use leptos::prelude::*;

use crate::model::Context;

pub(super) fn view(cx: &Context, report: &PreflightReport) -> AnyView {
    let left_out = (!report.left_out.is_empty()).then(|| {
        let about = cx.t(
            "Restano fuori, perché il loro gruppo è escluso nella pagina Procedura:",
            "Left out, because their group is switched off on the page Procedure:",
        );
        view! { <p>{about}</p> <ul class="left-out">{items(cx, &report.left_out)}</ul> }
    });
    view! { <ol>{items(cx, &report.steps)}</ol> {left_out} }.into_any()
}

fn items(cx: &Context, steps: &[PlannedStep]) -> AnyView {
    let one = |step: &PlannedStep| view! { <li>{step_label(&step.id, cx.lang)}</li> };
    let blocks = blocks(steps, |step| step.group.as_deref());
    let items = blocks.into_iter().map(|block| {
        let inner = block.items.iter().map(one).collect_view();
        match block.group {
            Some(name) => view! { <li><strong>{name.to_owned()}</strong> <ol>{inner}</ol></li> }.into_any(),
            None => inner.into_any(),
        }
    });
    items.collect_view().into_any()
}
