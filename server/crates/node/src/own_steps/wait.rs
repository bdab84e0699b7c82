//! Waiting until somebody answers.

use std::time::Duration;

use contract::own_step::WaitWork;
use tokio::net::TcpStream;

/// For one attempt to connect.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether the port takes a connection now; why not.
///
/// # Errors
/// The system's words.
pub(crate) async fn answers(work: &WaitWork) -> Result<String, String> {
    match tokio::time::timeout(PATIENCE, TcpStream::connect(&work.tcp)).await {
        Ok(Ok(_)) => Ok(format!("{} answers", work.tcp)),
        Ok(Err(error)) => Err(format!("{}: {error}", work.tcp)),
        Err(_) => Err(format!("{}: no answer", work.tcp)),
    }
}
