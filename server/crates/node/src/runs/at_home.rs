//! What is left of a failback once its mandate is written: the Master puts the content in its place, is seen to serve, and
//! is watched for the stable time. It does all that by itself, whatever becomes of this node.

use std::time::{Duration, Instant};

use contract::{Denied, Text};

use super::Run;
use super::log::Plan;
use super::procedure::patience_for_master;
use super::step::{Seen, Stop};
use crate::link::errand::Errand;
use crate::mandate::rules::Standing;
use crate::node::Node;

/// How often the Master is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How long to wait before a Master that fell silent is dialled again.
const AGAIN: Duration = Duration::from_secs(1);

impl Node {
    /// Whether the content stands on the Master site: on the machine that took it in, or by now on the other one.
    pub(super) async fn master_has_settled(&self, plan: &Plan) -> Seen {
        self.any_across(|told| told.settled.as_ref() == Some(&plan.mandate)).await.then(String::new)
    }

    /// Waits until the Master has put the content in its place.
    pub(super) async fn await_settled(&self, plan: &Plan) -> Result<(), Stop> {
        let mut heard = Instant::now();
        while self.master_has_settled(plan).await.is_none() {
            match self.errand(&self.home_of(plan).await?, Errand::Look).await {
                Ok(_) => heard = Instant::now(),
                Err(Denied::Failed(failure)) => return Err(Stop::new(failure.cause, correct_there())),
                Err(denied) if heard.elapsed() > patience_for_master(plan) => return Err(denied.into()),
                Err(_) => {}
            }
            tokio::time::sleep(AGAIN).await;
        }
        Ok(())
    }

    /// Whether a machine of the Master site serves under the mandate of this run.
    pub(super) async fn master_serves(&self, plan: &Plan) -> bool {
        self.serves_under(plan).await.is_some()
    }

    /// The same, and since when its words have come without a gap: one that is shorter than our own looks counts too.
    async fn serves_under(&self, plan: &Plan) -> Option<Instant> {
        let serves = |told: &Standing| told.up && told.mandate.as_ref().is_some_and(|head| head.id == plan.mandate);
        let machines = self.machines_across().await.unwrap_or_default();
        let serving = machines.iter().filter(|machine| self.standing_of(machine.seat).as_ref().is_some_and(serves));
        serving.filter_map(|machine| self.link.unbroken(machine.seat)).min()
    }

    /// Waits until the Master serves. Nobody does until then: an operator is to know soon, and why.
    pub(super) async fn await_service(&self, plan: &Plan) -> Result<(), Stop> {
        let begun = Instant::now();
        while !self.master_serves(plan).await {
            if begun.elapsed() > patience_for_master(plan) {
                return Err(self.master_does_not_serve(plan).await);
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Watches the Master until it has served for the stable time without a gap, and gives up when it does not any more.
    pub(super) async fn watch_master_serve(&self, run: &Run, plan: &Plan) -> Result<(), Stop> {
        let mut seen = Instant::now();
        loop {
            let unbroken = self.serves_under(plan).await;
            if unbroken.is_some() {
                seen = Instant::now();
            } else if seen.elapsed() > patience_for_master(plan) {
                return Err(self.master_does_not_serve(plan).await);
            }
            run.travel(|travel| {
                let since = travel.serves_since.unwrap_or_else(Instant::now);
                travel.serves_since = unbroken.map(|unbroken| since.max(unbroken));
            });
            if self.master_has_served(run, plan).is_some() {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Whether it has been seen to serve for the stable time.
    pub(super) fn master_has_served(&self, run: &Run, plan: &Plan) -> Seen {
        let since = run.travel(|travel| travel.serves_since);
        since.filter(|since| since.elapsed() >= plan.stable()).map(|_| String::new())
    }

    /// What is known of each machine there.
    async fn master_does_not_serve(&self, plan: &Plan) -> Stop {
        let mut words = Vec::new();
        for machine in self.machines_across().await.unwrap_or_default() {
            let said = match self.standing_of(machine.seat) {
                Some(told) => told.state.map_or("its state is not known", contract::state::NodeState::as_str),
                None => "silent",
            };
            words.push(format!("{}: {said}", machine.name()));
        }
        let seconds = patience_for_master(plan).as_secs();
        let output = format!("the Master was not seen to serve for {seconds} seconds ({})", words.join(", "));
        Stop::new(output, see_to_services_there())
    }
}

fn correct_there() -> Text {
    Text::new(
        "Il mandato è del Master, che riprova da solo: correggere là la causa, poi premere Riprendi. Se il Master è perduto, attivare di nuovo il DR: i suoi dati sono ancora qui.",
        "The Master holds the mandate and tries again by itself: correct the cause there, then resume. If the Master is lost, activate the DR again: its data is still here.",
    )
}

fn see_to_services_there() -> Text {
    Text::new(
        "Il mandato è del Master ma non è in servizio: guardare sul suo pannello i servizi e il cancello di rientro (tvox-dr gate --explain), correggere la causa, poi premere Riprendi. Se il Master è perduto, attivare di nuovo il DR: i suoi dati sono ancora qui.",
        "The Master holds the mandate but does not serve: look at the services and the return gate on its panel (tvox-dr gate --explain), correct the cause, then resume. If the Master is lost, activate the DR again: its data is still here.",
    )
}
