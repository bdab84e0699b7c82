//! The declared steps: the table, and the commands that change it. A run holds its steps as they were declared at the
//! press: nothing here reaches an open one.

use contract::command::Secret;
use contract::own_step::{Move, OwnStep, OwnStepForm, OwnStepsReport, STEP_ORDER_MAX, Work};
use contract::{Denied, FieldError, Outcome, Problem, SCHEMA};
use serde_json::{Value, json};

use super::{Declared, dns, http, what};
use crate::delivery::seal;
use crate::door::Act;
use crate::identity::sha256;
use crate::node::Node;
use crate::store::{Tx, db};

/// How far a step without a number comes behind the last one.
const STEP: u32 = 10;

/// Name, place, number, limit, work, secret: one row of the table.
type Row = (String, String, u32, u32, String, Option<Vec<u8>>);

impl Node {
    /// All declared steps, in the order in which they are done.
    pub(crate) async fn declared_own_steps(&self) -> Result<Vec<Declared>, Denied> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT name, place, position, timeout, work, secret FROM own_step \
             ORDER BY place <> 'before_services', position, name",
        )
        .fetch_all(self.store.pool())
        .await
        .map_err(db("read the own steps"))?;
        let step = |(name, place, order, limit_seconds, work, sealed): Row| {
            let place = place.parse().map_err(|problem: Problem| Denied::failed("read the own steps", problem))?;
            let work = serde_json::from_str(&work).map_err(|error| Denied::failed("read the own steps", error))?;
            let step = OwnStep { name, place, order, limit_seconds, has_secret: false, work };
            Ok(Declared::new(step, sealed.as_deref()))
        };
        rows.into_iter().map(step).collect()
    }

    pub(crate) async fn own_steps_report(&self) -> Result<OwnStepsReport, Denied> {
        let declared = self.declared_own_steps().await?;
        Ok(OwnStepsReport { schema: SCHEMA, steps: declared.into_iter().map(|declared| declared.step).collect() })
    }

    pub(crate) async fn step_add(&self, act: Act<'_>, form: &OwnStepForm) -> Result<Outcome, Denied> {
        let known = self.declared_own_steps().await?;
        let before = known.iter().find(|declared| declared.step.name == form.name);
        let last = known.iter().map(|declared| declared.step.order).max().unwrap_or(0);
        let number = before.map_or((last + STEP).min(STEP_ORDER_MAX), |declared| declared.step.order);
        let step = form.check(number).map_err(Denied::Invalid)?;
        let secret = self.secret_of(&step, form.secret.as_ref(), before)?;
        check(&step.work, secret.as_ref()).map_err(Denied::Invalid)?;
        let sealed = secret.map(|secret| seal::seal(&self.dir, &what(&step.name), &secret)).transpose();
        let sealed = sealed.map_err(|error| Denied::failed("declare an own step", error))?;
        let step = OwnStep { has_secret: sealed.is_some(), ..step };
        let mut tx = self.store.begin().await?;
        write(&mut tx, &step, sealed.as_deref()).await?;
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
        let known = self.declared_own_steps().await?;
        let step = known.iter().map(|declared| &declared.step).find(|step| step.name == name);
        let step = step.ok_or_else(|| Denied::field("name", Problem::NotFound))?;
        let mut tx = self.store.begin().await?;
        sqlx::query("DELETE FROM own_step WHERE name = ?")
            .bind(name)
            .execute(&mut *tx)
            .await
            .map_err(db("take an own step back"))?;
        act.done(tx, Some(told(step)), None).await
    }

    pub(crate) async fn step_move(&self, act: Act<'_>, name: &str, to: &str) -> Result<Outcome, Denied> {
        let to: Move = to.parse().map_err(|problem| Denied::field("to", problem))?;
        let known: Vec<OwnStep> = self.declared_own_steps().await?.into_iter().map(|declared| declared.step).collect();
        let step = known.iter().find(|step| step.name == name);
        let step = step.ok_or_else(|| Denied::field("name", Problem::NotFound))?;
        let orders = reordered(&known, step, to);
        let mut tx = self.store.begin().await?;
        for (name, order) in &orders {
            sqlx::query("UPDATE own_step SET position = ? WHERE name = ?")
                .bind(order)
                .bind(name)
                .execute(&mut *tx)
                .await
                .map_err(db("move an own step"))?;
        }
        let after = orders.iter().map(|(name, order)| (name.clone(), json!(order))).collect::<serde_json::Map<_, _>>();
        act.done(tx, Some(json!({ "order": step.order })), Some(json!(after))).await
    }
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
        "name": step.name, "place": step.place, "order": step.order, "limit_seconds": step.limit_seconds, "kind": "http",
        "servers": work.servers(), "definition_sha256": sha256(text.as_bytes()), "has_secret": step.has_secret,
    })
}

async fn write(tx: &mut Tx, step: &OwnStep, sealed: Option<&[u8]>) -> Result<(), Denied> {
    let work = serde_json::to_string(&step.work).map_err(|error| Denied::failed("declare an own step", error))?;
    sqlx::query(
        "INSERT OR REPLACE INTO own_step (name, place, position, timeout, work, secret) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(&step.name)
    .bind(step.place.as_str())
    .bind(step.order)
    .bind(step.limit_seconds)
    .bind(work)
    .bind(sealed)
    .execute(&mut **tx)
    .await
    .map_err(db("declare an own step"))?;
    Ok(())
}

/// The numbers that change when one step is moved. Up and down go past the neighbour in its place; where two have the same
/// number that place is numbered anew, because a number alone would not tell them apart.
fn reordered(known: &[OwnStep], step: &OwnStep, to: Move) -> Vec<(String, u32)> {
    let mut place: Vec<&OwnStep> = known.iter().filter(|other| other.place == step.place).collect();
    let Some(at) = place.iter().position(|other| other.name == step.name) else { return Vec::new() };
    match to {
        Move::To(order) => return vec![(step.name.clone(), order)],
        Move::Up if at > 0 => place.swap(at, at - 1),
        Move::Down if at + 1 < place.len() => place.swap(at, at + 1),
        Move::Up | Move::Down => return Vec::new(),
    }
    let numbered = place.into_iter().zip((1..).map(|number: u32| (number * STEP).min(STEP_ORDER_MAX)));
    numbered.filter(|(step, order)| step.order != *order).map(|(step, order)| (step.name.clone(), order)).collect()
}

#[cfg(test)]
mod tests {
    use contract::own_step::{CommandWork, Place, Work};

    use super::*;

    fn step(name: &str, order: u32) -> OwnStep {
        let work = Work::Command(CommandWork { run: "true".into(), undo: None, check: None });
        OwnStep { name: name.into(), place: Place::AfterServices, order, limit_seconds: 60, has_secret: false, work }
    }

    #[test]
    fn a_step_goes_past_its_neighbour_also_where_both_have_the_same_number() {
        let known = [step("a", 5), step("b", 5), step("c", 30)];
        let told = |at: usize, to| {
            let moved = reordered(&known, &known[at], to);
            moved.iter().map(|(name, order)| format!("{name}{order}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(told(1, Move::Up), "b10 a20");
        assert_eq!(told(1, Move::Down), "a10 c20 b30");
        assert_eq!(told(0, Move::Up), "", "it is the first already");
        assert_eq!(told(2, Move::Down), "");
        assert_eq!(told(2, Move::To(1)), "c1");
    }
}
