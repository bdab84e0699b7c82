//! What the press of the button stands on. The lookout looks at a silent site again and again; where it has seen it silent
//! a moment ago a glance is enough, so that the button does not wait for a silence that is known.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use contract::Denied;
use contract::preflight::{PreflightReport, Take};

use super::Probed;
use crate::isolation::{Look, Pace, leaves_power_open};
use crate::node::Node;

/// How long ago the last look may have ended. The run's evidence, which comes after it, wants it within five seconds.
const A_MOMENT: Duration = Duration::from_secs(4);

impl Node {
    /// Finds out what the button would do for what an operator brings, and on which look that stands.
    pub(crate) async fn look_for_press(&self, take: &Take) -> Result<(PreflightReport, Look), Denied> {
        self.check_power_off(&take.power_off).await?;
        let probed = match self.seen_silent(take).await {
            Some(probed) => {
                let seen = probed.look.age();
                tracing::info!(?seen, "the press stands on what the lookout saw a moment ago");
                probed
            }
            None => Arc::new(self.probe_all(Pace::Now).await),
        };
        Ok((self.judge_now(&probed, take).await?, probed.look.clone()))
    }

    /// The lookout's last look, where nothing has changed since and everybody was silent, and still is.
    async fn seen_silent(&self, take: &Take) -> Option<Arc<Probed>> {
        let (probed, changes) = self.lookout.probed()?;
        let unchanged = changes == self.lookout.changes.load(Ordering::SeqCst);
        if !unchanged || probed.look.age() > A_MOMENT || !take.power_off.is_empty() {
            return None;
        }
        let glance = self.glance_at_silence(&probed.look).await?;
        // Nobody is to be activated against while his controller, which takes longer than a glance, says that he has power.
        if leaves_power_open(&glance) {
            return None;
        }
        // The lookout may stand on an older reading of the power: the glance has read it anew, or it does not count.
        probed.look.is_confirmed_by(&glance).then_some(probed)
    }
}
