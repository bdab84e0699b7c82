//! A group of own steps on the page Procedura: its heading, how many steps it has and how long they may take, and what
//! can be done with the whole of it.

use contract::own_step::{Block, OwnStep, Place};
use leptos::prelude::*;

use crate::action::Action;
use crate::format;
use crate::model::Context;
use crate::routes::{self, PageId};

/// Where a block can still go, among those of its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) up: bool,
    pub(super) down: bool,
}

/// The row above the steps of a group; `columns` is how wide the table is.
pub(super) fn heading(cx: &Context, name: &str, block: &Block<'_, OwnStep>, room: Room, columns: usize) -> AnyView {
    let first = block.items.first();
    let (place, off) = first.map_or((Place::AfterServices, false), |step| (step.place, step.off));
    let limit = block.items.iter().map(|step| step.limit_seconds).fold(0, u32::saturating_add);
    let (count, limit) = (block.items.len(), format::whole_span(limit, cx.lang));
    let sum = match cx.lang {
        contract::Lang::It if count == 1 => format!("1 passo, al massimo {limit}"),
        contract::Lang::It => format!("{count} passi, al massimo {limit}"),
        contract::Lang::En if count == 1 => format!("1 step, {limit} at most"),
        contract::Lang::En => format!("{count} steps, {limit} at most"),
    };
    let left_out = off.then(|| view! { <span class="badge warn">{cx.t("Escluso", "Left out")}</span> });
    let buttons = cx.may(Action::StepGroupMove).then(|| buttons(cx, name, place, off, room));
    view! {
        <tr class="group-head">
            <th scope="rowgroup" colspan=columns.to_string()>
                <div class="group-line">
                    <span class="group-name">{name.to_owned()}</span>
                    {left_out}
                    <span class="muted">{format!("{} · {sum}", place.label(cx.lang))}</span>
                    {buttons}
                </div>
            </th>
        </tr>
    }
    .into_any()
}

fn buttons(cx: &Context, name: &str, place: Place, off: bool, room: Room) -> AnyView {
    let (switch, word) = if off {
        (Action::StepGroupOn, cx.t("Includi", "Include"))
    } else {
        (Action::StepGroupOff, cx.t("Escludi", "Leave out"))
    };
    let (other, there) = match place {
        Place::BeforeServices => (Place::AfterServices, cx.t("Dopo i servizi", "After the services")),
        Place::AfterServices => (Place::BeforeServices, cx.t("Prima dei servizi", "Before the services")),
    };
    let of_group = cx.t("il gruppo", "the group");
    let button = |action: Action, to: &'static str, sign: &'static str, words: &str| {
        view! {
            <form method="post" action=routes::of(PageId::Procedure).path>
                <input type="hidden" name="action" value=action.as_str() />
                <input type="hidden" name="name" value=name.to_owned() />
                <input type="hidden" name="to" value=to />
                <button class="button" aria-label=format!("{words} {of_group} {name}") title=words.to_owned()>
                    {sign}
                </button>
            </form>
        }
    };
    let shift = |to, sign, words: &str| button(Action::StepGroupMove, to, sign, words);
    // What is read aloud begins with what is seen.
    let to_the_other = format!("{there}: {}", cx.t("sposta", "move"));
    view! {
        <div class="row-actions">
            {room.up.then(|| shift("up", "▲", cx.t("Sposta su", "Move up")))}
            {room.down.then(|| shift("down", "▼", cx.t("Sposta giù", "Move down")))}
            {shift(other.as_str(), there, &to_the_other)}
            {button(switch, "", word, word)}
        </div>
    }
    .into_any()
}
