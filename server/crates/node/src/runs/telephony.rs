//! The step that proves the telephony, and what a report tells of it. The own SIP server must answer; a trunk that does
//! not is told and holds nothing up, and neither does any phone: they come when they come, counted beside the run.

use std::sync::atomic::Ordering;
use std::time::Duration;

use contract::Text;
use contract::run::RunReport;
use contract::telephony::{Heard, SipServer};
use contract::{Denied, Lang, Timestamp};
use tokio::time::Instant;

use super::Run;
use super::log::{Event, Plan};
use super::step::Stop;
use crate::node::Node;

/// How often the own SIP server is asked anew.
const TRY: Duration = Duration::from_millis(500);

impl Node {
    /// Waits until the own SIP server answers, and asks the trunks meanwhile. Whoever corrects the settings of a run that
    /// is stuck means this one, too.
    pub(super) async fn prove_telephony(&self, run: &Run, plan: &Plan) -> Result<String, Stop> {
        let now = self.telephony_settings().await?;
        let telephony = if now.is_empty() { &plan.telephony } else { &now };
        let patience = Duration::from_secs(telephony.limit_seconds.into());
        let own = async {
            match &telephony.sip {
                Some(server) => Some(self.hear_until(run, server, patience).await),
                None => None,
            }
        };
        let (sip, trunks) = tokio::join!(own, self.hear_all(&telephony.trunks));
        self.switchboard.keep(sip.clone(), trunks.clone());
        let told = words(sip.iter().chain(&trunks));
        let silent = sip.as_ref().is_some_and(|sip| !sip.answered);
        self.log_run(run, vec![Event::Telephony { sip, trunks }]).await?;
        if silent { Err(Stop::new(told, remedy())) } else { Ok(told) }
    }

    /// Asks a server until it answers, or until it has had its time.
    async fn hear_until(&self, run: &Run, server: &SipServer, patience: Duration) -> Heard {
        let deadline = Instant::now() + patience;
        loop {
            let heard = self.hear_sip(server).await;
            let over = Instant::now() + TRY >= deadline || run.giving_up.load(Ordering::SeqCst);
            if heard.answered || over {
                return heard;
            }
            tokio::time::sleep(TRY).await;
        }
    }

    /// A report with the phones as they were last counted.
    pub(super) async fn with_phones(&self, mut report: RunReport) -> Result<RunReport, Denied> {
        if let Some(telephony) = &mut report.telephony {
            telephony.phones = self.phones_since(&report.id).await?;
            let first = telephony.phones.and_then(|phones| phones.first_at);
            report.first_phone_rto_seconds = first.map(|at| seconds(report.started_at, at));
        }
        Ok(report)
    }
}

/// Never negative, whatever the clock does.
fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

fn words<'a>(heard: impl Iterator<Item = &'a Heard>) -> String {
    heard.map(|one| format!("{}: {}", one.server, one.detail)).collect::<Vec<_>>().join("; ")
}

/// What an operator can do about a SIP server that does not answer.
fn remedy() -> Text {
    let words = |lang: Lang| {
        lang.pick(
            "Il server SIP di questa macchina non risponde: controllare il servizio, le sue porte e l'indirizzo nella pagina Telefonia, poi premere Riprendi (tvox-dr run resume). Se le chiamate funzionano, confermarlo con una nota (tvox-dr run ack telephony --note …).",
            "The SIP server of this machine does not answer: check the service, its ports and the address on the page Telephony, then resume (tvox-dr run resume). Where calls work all the same, acknowledge it with a note (tvox-dr run ack telephony --note …).",
        )
    };
    Text::new(words(Lang::It), words(Lang::En))
}
