//! What is worth knowing about the steps before the day on which they are needed. It warns and never stands in the way:
//! a step that cannot be taken is stuck when its turn comes, and an operator can answer for it.

use contract::own_step::{CommandWork, Work};
use contract::{Denied, Refused, Rule};
use futures_util::future::join_all;

use super::{Declared, dns};
use crate::node::Node;
use crate::process::program::missing;

impl Node {
    /// Looks at every step that a run would take.
    pub(crate) async fn preview_own_steps(&self) -> Result<Vec<Refused>, Denied> {
        let declared = self.own_steps_to_take().await?;
        // At once: servers that are down, each waited for, must not add up on the day.
        Ok(join_all(declared.iter().map(|step| self.preview(step))).await.concat())
    }

    async fn preview(&self, declared: &Declared) -> Vec<Refused> {
        let name = &declared.step.name;
        match &declared.step.work {
            Work::Command(work) => commands(name, work),
            Work::Dns(work) => {
                let switch = declared.secret(&self.dir).map(|secret| dns::Switch::of(work, secret.as_ref()));
                match switch {
                    Ok(Ok(switch)) => switch.preview(name, dns::seconds(self.clock.now())).await,
                    Ok(Err(_)) => Vec::new(),
                    Err(why) => vec![Refused::new(Rule::StepRefused, name, why)],
                }
            }
            // Whoever is waited for or called may well not be there yet; a call cannot be tried without making it.
            Work::Manual(_) | Work::Http(_) | Work::Wait(_) => Vec::new(),
        }
    }
}

fn commands(name: &str, work: &CommandWork) -> Vec<Refused> {
    let texts = [Some(&work.run), work.undo.as_ref(), work.check.as_ref()];
    let mut wrong: Vec<String> = texts.into_iter().flatten().filter_map(|text| missing(text)).collect();
    wrong.dedup();
    wrong.into_iter().map(|why| Refused::new(Rule::StepCommand, name, why)).collect()
}
