//! Waiting until somebody answers, or until phones have come.

use std::time::Duration;

use contract::own_step::WaitWork;
use tokio::net::TcpStream;

use crate::node::Node;
use crate::telephony;

/// For one attempt to connect.
const PATIENCE: Duration = Duration::from_secs(3);

impl Node {
    /// Whether what a step of a run waits for is there now; if not, why.
    ///
    /// # Errors
    /// The words of the system, or of the command that counts.
    pub(crate) async fn is_there(&self, work: &WaitWork, run: &str) -> Result<String, String> {
        match work {
            WaitWork::Tcp { tcp } => match tokio::time::timeout(PATIENCE, TcpStream::connect(tcp)).await {
                Ok(Ok(_)) => Ok(format!("{tcp} answers")),
                Ok(Err(error)) => Err(format!("{tcp}: {error}")),
                Err(_) => Err(format!("{tcp}: no answer")),
            },
            WaitWork::Sip { sip } => {
                let told = |words| format!("{sip}: {words}");
                telephony::ask(sip, PATIENCE).await.map(told).map_err(told)
            }
            WaitWork::Registrations { registrations } => {
                let telephony = self.telephony_settings().await.map_err(|denied| denied.text(contract::Lang::En))?;
                let Some(text) = &telephony.registrations else {
                    return Err("nothing is set that counts the phones (tvox-dr telephony set --registrations)".into());
                };
                let count = self.phones_now(text, run).await?;
                let words = format!("{count} of {registrations} phones");
                if count >= *registrations { Ok(words) } else { Err(words) }
            }
        }
    }
}
