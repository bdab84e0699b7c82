//! Telephony: proves that calls can be made on this machine. [`settings`] keeps what is to be looked at, [`look`] asks the
//! own SIP server and the trunks, [`census`] counts the phones that have registered since the service came here. None of
//! it stands in the way of an activation: the step `telephony` (`runs/telephony.rs`) waits for the own SIP server, and an
//! operator may pass it.

mod census;
mod look;
mod settings;

use std::sync::{Mutex, PoisonError};

use contract::Denied;
use contract::telephony::{Heard, TelephonyNow, TelephonyReport};
use tokio::sync::Notify;

use crate::node::Node;

pub(crate) use look::ask;

/// What is known of the telephony at this moment.
#[derive(Debug, Default)]
pub(crate) struct Switchboard {
    heard: Mutex<Known>,
    /// Something was set.
    woken: Notify,
    /// Held by whoever counts.
    counting: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    sip: Option<Heard>,
    trunks: Vec<Heard>,
    /// The last count while no run had brought the service here; `None` where there was none, or it failed.
    idle: Option<u32>,
    /// The last count, whoever serves.
    registered: Option<u32>,
    /// Why the last count failed.
    trouble: Option<String>,
}

impl Switchboard {
    fn look<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was heard of the own SIP server and of the trunks.
    pub(crate) fn keep(&self, sip: Option<Heard>, trunks: Vec<Heard>) {
        self.look(|known| (known.sip, known.trunks) = (sip, trunks));
    }
}

impl Node {
    pub(crate) async fn telephony_report(&self) -> Result<TelephonyReport, Denied> {
        let telephony = self.telephony_settings().await?;
        Ok(TelephonyReport { schema: contract::SCHEMA, telephony, now: self.telephony_now().await? })
    }

    /// What is known now; `None` where nothing is set.
    pub(crate) async fn telephony_now(&self) -> Result<Option<TelephonyNow>, Denied> {
        let telephony = self.telephony_settings().await?;
        if telephony.is_empty() {
            return Ok(None);
        }
        let run = self.run_that_serves();
        let phones = match &run {
            Some(run) if telephony.registrations.is_some() => self.phones_since(&run.id).await?,
            _ => None,
        };
        let expected = match run.and_then(|run| run.expected) {
            Some(expected) => Some(expected),
            None => self.expected_phones(&telephony).await?,
        };
        Ok(Some(self.switchboard.look(|known| TelephonyNow {
            sip: known.sip.clone(),
            trunks: known.trunks.clone(),
            expected,
            registered: known.registered,
            phones,
            trouble: known.trouble.clone(),
        })))
    }
}
