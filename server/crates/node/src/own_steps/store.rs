//! The declared steps: the table, and the commands that change it. A run holds its steps as they were declared at the
//! press: nothing here reaches an open one.

use contract::command::Secret;
use contract::own_step::{Move, OwnStep, OwnStepForm, OwnStepsReport, Place, STEP_ORDER_MAX, Work, put_in_order};
use contract::{Denied, FieldError, Outcome, Problem, SCHEMA};
use serde_json::{Value, json};

use super::order::{self, Placed, STEP};
use super::{Declared, dns, http, what};
use crate::delivery::seal;
use crate::door::Act;
use crate::identity::sha256;
use crate::node::Node;
use crate::store::{Tx, db};

/// Name, place, group and whether it is switched off, number, limit, work, secret: one row of the table.
type Row = (String, String, Option<String>, bool, u32, u32, String, Option<Vec<u8>>);

impl Node {
    /// All declared steps, in the order in which they are done.
    pub(crate) async fn declared_own_steps(&self) -> Result<Vec<Declared>, Denied> {
        read(self.store.pool()).await
    }

    /// Those of them that a run takes: without the groups that are switched off.
    pub(crate) async fn own_steps_to_take(&self) -> Result<Vec<Declared>, Denied> {
        let mut declared = self.declared_own_steps().await?;
        declared.retain(|declared| !declared.step.off);
        Ok(declared)
    }

    pub(crate) async fn own_steps_report(&self) -> Result<OwnStepsReport, Denied> {
        let declared = self.declared_own_steps().await?;
        Ok(OwnStepsReport { schema: SCHEMA, steps: declared.into_iter().map(|declared| declared.step).collect() })
    }

    pub(crate) async fn step_add(&self, act: Act<'_>, form: &OwnStepForm) -> Result<Outcome, Denied> {
        let mut tx = self.store.begin().await?;
        let known = read(&mut *tx).await?;
        let before = known.iter().find(|declared| declared.step.name == form.name);
        let stood = before.map(|declared| &declared.step);
        let last = known.iter().map(|declared| declared.step.order).max().unwrap_or(0);
        let number = before.map_or((last + STEP).min(STEP_ORDER_MAX), |declared| declared.step.order);
        let others = || known.iter().map(|declared| &declared.step).filter(|other| other.name != form.name);
        let group = form.group(stood).ok().flatten();
        let in_group = |other: &&OwnStep| group.is_some() && other.group == group;
        let fellow = others().find(in_group);
        let place = fellow.or(stood).map_or(Place::AfterServices, |there| there.place);
        let step = form.check(number, place, stood).map_err(Denied::Invalid)?;
        if fellow.is_some_and(|fellow| fellow.place != step.place) {
            return Err(Denied::field("place", Problem::GroupElsewhere));
        }
        let secret = self.secret_of(&step, form.secret.as_ref(), before)?;
        check(&step.work, secret.as_ref()).map_err(Denied::Invalid)?;
        let sealed = secret.map(|secret| seal::seal(&self.dir, &what(&step.name), &secret)).transpose();
        let sealed = sealed.map_err(|error| Denied::failed("declare an own step", error))?;
        // Also where it stands there alone: whether runs take a group is its own, and stays.
        let off = fellow.or(stood.filter(in_group)).is_some_and(|there| there.off);
        let step = OwnStep { has_secret: sealed.is_some(), off, ..step };
        write(&mut tx, &step, sealed.as_deref()).await?;
        forget_empty_groups(&mut tx).await?;
        act.done(tx, before.map(|declared| told(&declared.step)), Some(told(&step))).await
    }

    /// The secret that goes with a step: the one that was typed, or the stored one as long as it serves the same end.
    fn secret_of(
        &self,
        step: &OwnStep,
        typed: Option<&Secret>,
        before: Option<&Declared>,
    ) -> Result<Option<Secret>, Denied> {
        if !step.work.wants_secret() {
            return Ok(None);
        }
        if let Some(typed) = typed.filter(|secret| !secret.reveal().is_empty()) {
            return Ok(Some(typed.clone()));
        }
        let kept = before.filter(|before| step.work.keeps_secret_of(&before.step.work));
        let opened = kept.map_or(Ok(None), |before| before.secret(&self.dir));
        opened.map_err(|why| Denied::field("secret", Problem::Other(why)))
    }

    pub(crate) async fn step_remove(&self, act: Act<'_>, name: &str) -> Result<Outcome, Denied> {
        let mut tx = self.store.begin().await?;
        let known = read(&mut *tx).await?;
        let step = known.iter().map(|declared| &declared.step).find(|step| step.name == name);
        let step = step.ok_or_else(|| Denied::field("name", Problem::NotFound))?;
        sqlx::query("DELETE FROM own_step WHERE name = ?")
            .bind(name)
            .execute(&mut *tx)
            .await
            .map_err(db("take an own step back"))?;
        forget_empty_groups(&mut tx).await?;
        act.done(tx, Some(told(step)), None).await
    }

    pub(crate) async fn step_move(&self, act: Act<'_>, name: &str, to: &str) -> Result<Outcome, Denied> {
        let to: Move = to.parse().map_err(|problem| Denied::field("to", problem))?;
        let mut tx = self.store.begin().await?;
        let known: Vec<OwnStep> = read(&mut *tx).await?.into_iter().map(|declared| declared.step).collect();
        let step = known.iter().find(|step| step.name == name);
        let step = step.ok_or_else(|| Denied::field("name", Problem::NotFound))?;
        let moved = order::step_moved(&known, step, to);
        place(&mut tx, &moved).await?;
        act.done(tx, Some(json!({ "order": step.order })), Some(order::told(&moved))).await
    }
}

/// The same as a change finds it, inside its own transaction.
pub(super) async fn read(from: impl sqlx::SqliteExecutor<'_>) -> Result<Vec<Declared>, Denied> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT own_step.name, place, group_name, coalesce(off, 0), position, timeout, work, secret FROM own_step \
         LEFT JOIN step_group ON step_group.name = group_name",
    )
    .fetch_all(from)
    .await
    .map_err(db("read the own steps"))?;
    let step = |(name, place, group, off, order, limit_seconds, work, sealed): Row| {
        let place = place.parse().map_err(|problem: Problem| Denied::failed("read the own steps", problem))?;
        let work = serde_json::from_str(&work).map_err(|error| Denied::failed("read the own steps", error))?;
        let step = OwnStep { name, place, group, off, order, limit_seconds, has_secret: false, work };
        Ok(Declared::new(step, sealed.as_deref()))
    };
    let mut declared = rows.into_iter().map(step).collect::<Result<Vec<_>, Denied>>()?;
    put_in_order(&mut declared, |declared| &declared.step);
    Ok(declared)
}

/// What the form alone cannot tell.
fn check(work: &Work, secret: Option<&Secret>) -> Result<(), Vec<FieldError>> {
    match work {
        Work::Dns(work) => dns::Switch::of(work, secret).map(drop),
        Work::Http(work) => http::check(work, secret),
        Work::Command(_) | Work::Manual(_) | Work::Wait(_) => Ok(()),
    }
}

/// For the audit log: what goes over HTTP by its hash, because people write keys into it.
fn told(step: &OwnStep) -> Value {
    let Work::Http(work) = &step.work else { return json!(step) };
    let text = serde_json::to_string(work).unwrap_or_default();
    json!({
        "name": step.name, "place": step.place, "group": step.group, "off": step.off, "order": step.order, "limit_seconds": step.limit_seconds, "kind": "http",
        "servers": work.servers(), "definition_sha256": sha256(text.as_bytes()), "has_secret": step.has_secret,
    })
}

/// Gives steps their new numbers.
pub(super) async fn place(tx: &mut Tx, moved: &[Placed]) -> Result<(), Denied> {
    for Placed { name, place, order } in moved {
        sqlx::query("UPDATE own_step SET place = ?, position = ? WHERE name = ?")
            .bind(place.as_str())
            .bind(order)
            .bind(name)
            .execute(&mut **tx)
            .await
            .map_err(db("move an own step"))?;
    }
    Ok(())
}

/// A group whose last step is gone is gone: one of that name which is made later begins switched on.
async fn forget_empty_groups(tx: &mut Tx) -> Result<(), Denied> {
    sqlx::query("DELETE FROM step_group WHERE name NOT IN (SELECT group_name FROM own_step WHERE group_name NOT NULL)")
        .execute(&mut **tx)
        .await
        .map_err(db("forget the groups without a step"))?;
    Ok(())
}

async fn write(tx: &mut Tx, step: &OwnStep, sealed: Option<&[u8]>) -> Result<(), Denied> {
    if let Some(group) = &step.group {
        sqlx::query("INSERT OR IGNORE INTO step_group (name) VALUES (?)")
            .bind(group)
            .execute(&mut **tx)
            .await
            .map_err(db("make a group of own steps"))?;
    }
    let work = serde_json::to_string(&step.work).map_err(|error| Denied::failed("declare an own step", error))?;
    sqlx::query(
        "INSERT OR REPLACE INTO own_step (name, place, group_name, position, timeout, work, secret) \
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&step.name)
    .bind(step.place.as_str())
    .bind(&step.group)
    .bind(step.order)
    .bind(step.limit_seconds)
    .bind(work)
    .bind(sealed)
    .execute(&mut **tx)
    .await
    .map_err(db("declare an own step"))?;
    Ok(())
}
