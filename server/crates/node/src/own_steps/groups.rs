//! Commands on a whole group of declared steps: it is moved, or left out by the next runs.

use contract::own_step::{GroupMove, GroupOrder, OwnStep, StepGroup};
use contract::{Denied, Outcome, Problem};
use serde_json::json;

use super::{order, store};
use crate::door::Act;
use crate::node::Node;
use crate::store::{Tx, db};

impl Node {
    pub(crate) async fn step_group(&self, act: Act<'_>, group: &StepGroup) -> Result<Outcome, Denied> {
        let mut tx = self.store.begin().await?;
        let known: Vec<OwnStep> = store::read(&mut *tx).await?.into_iter().map(|declared| declared.step).collect();
        let first = known.iter().find(|step| step.group.as_deref() == Some(&group.name));
        let first = first.ok_or_else(|| Denied::field("name", Problem::NotFound))?;
        match &group.order {
            GroupOrder::On => switch(tx, act, group, first.off, false).await,
            GroupOrder::Off => switch(tx, act, group, first.off, true).await,
            GroupOrder::Move { to } => {
                let to: GroupMove = to.parse().map_err(|problem| Denied::field("to", problem))?;
                let moved = order::group_moved(&known, &group.name, first.place, to);
                store::place(&mut tx, &moved).await?;
                let before = json!({ "place": first.place, "order": first.order });
                act.done(tx, Some(before), Some(order::told(&moved))).await
            }
        }
    }
}

async fn switch(mut tx: Tx, act: Act<'_>, group: &StepGroup, was: bool, off: bool) -> Result<Outcome, Denied> {
    sqlx::query("UPDATE step_group SET off = ? WHERE name = ?")
        .bind(off)
        .bind(&group.name)
        .execute(&mut *tx)
        .await
        .map_err(db("switch a group of own steps"))?;
    act.done(tx, Some(json!({ "off": was })), Some(json!({ "off": off }))).await
}
