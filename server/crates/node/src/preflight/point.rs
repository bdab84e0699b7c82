//! Which restore point the service would go on from, and what is lost against it. Pure, like the judgement it belongs to.

use contract::preflight::{Loss, Take};
use contract::sync::RestorePoint;
use contract::{NodeRole, Refused, Rule};

use super::judge::Facts;

/// What an operator's choice of a restore point comes to.
#[derive(Debug)]
pub(super) struct Choice<'f> {
    /// The point that was named and can be used. `None` for whatever is newest when the data is made writable.
    pub(super) point: Option<&'f RestorePoint>,
    /// What would be lost, against that point.
    pub(super) losses: Vec<Loss>,
    /// What speaks against it.
    pub(super) refused: Vec<Refused>,
}

/// Looks at what was asked for. Where nothing was, the newest point counts: nobody learns after the mandate is written that
/// what was to serve is damaged.
pub(super) fn choose<'f>(facts: &'f Facts, take: &Take) -> Choice<'f> {
    let plain = |refused| Choice { point: None, losses: facts.losses.clone(), refused };
    let named = take.point.as_deref().map(str::trim).filter(|point| !point.is_empty());
    let goes_on = facts.side == NodeRole::Master || facts.resumes() || facts.serves_from;
    let Some(named) = named else {
        let newest = facts.points.first().filter(|_| !goes_on);
        return plain(newest.map(|newest| damage(facts, newest)).unwrap_or_default());
    };
    if goes_on {
        let why = if facts.side == NodeRole::Master { "master" } else { "serving" };
        return plain(vec![Refused::new(Rule::PointNotUsed, named, why)]);
    }
    let Some(point) = facts.points.iter().find(|point| point.id == named) else {
        return plain(vec![Refused::new(Rule::PointUnknown, named, "")]);
    };
    let against = |loss: &Loss| loss.against(point, &facts.points, facts.masters_now);
    Choice { point: Some(point), losses: facts.losses.iter().map(against).collect(), refused: damage(facts, point) }
}

/// Each dataset of a point that is known to be damaged, with the newest point that is not.
fn damage(facts: &Facts, point: &RestorePoint) -> Vec<Refused> {
    let sound = facts.points.iter().find(|point| point.damaged().next().is_none());
    let sound = sound.map_or("none", |sound| sound.id.as_str());
    point.damaged().map(|part| Refused::new(Rule::PointDamaged, &part.dataset, sound)).collect()
}
