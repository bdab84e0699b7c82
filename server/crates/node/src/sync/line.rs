//! The connection on which a dataset's content comes: dialled for a pull, and kept afterwards so that the Master can say
//! when there is something new. It refuses to wait for a Master that fell silent while it reads its source.

use std::io;
use std::time::Duration;

use contract::sync::SyncError;
use replication::{Limits, Manifest};
use tokio_util::io::SyncIoBridge;
use tokio_util::task::AbortOnDropHandle;

use crate::link::DialError;
use crate::link::message::{self, Capture, Next, Purpose, Reply};
use crate::mandate::file::Seat;
use crate::node::Node;
use crate::sync::replica::Copy;
use crate::sync::sync_error;

/// How long the Master may say nothing while it reads its source.
const READS_IN_SILENCE: Duration = Duration::from_secs(30);

/// A connection for data, as the Client has it.
pub(super) type DataStream = tokio_rustls::client::TlsStream<crate::link::Wire>;

/// A connection on which the Master will say when something changed.
pub(super) type Line = AbortOnDropHandle<io::Result<Heard>>;

/// The first word of an offer, and the connection it came on.
pub(super) struct Heard {
    stream: DataStream,
    first: Capture,
    /// What the engine has asked ahead.
    pub(super) asked: Option<Vec<u8>>,
}

/// What the Master says on the line; `None` when the line is gone. Without a line nothing is ever heard.
pub(super) async fn hear(line: &mut Option<Line>) -> Option<Heard> {
    let Some(waiting) = line else { return std::future::pending().await };
    let heard = waiting.await;
    *line = None;
    heard.ok().and_then(Result::ok)
}

/// The content of the source that is here.
pub(super) fn content(copy: &Copy) -> Option<String> {
    copy.standing(|standing| standing.commit.as_ref().map(|commit| commit.offered_id().to_string()))
}

impl Node {
    /// Asks, on the connection of a pull that ended well, to be told when there is something new.
    pub(super) async fn listen_on(&self, copy: &Copy, mut stream: DataStream) -> Line {
        let seat = self.link.source().unwrap_or(Seat::First);
        let asks = self.with_engine(copy, |replica| replica.request().ok()).await.flatten();
        let next = Next { content: content(copy), standing: self.standing(seat).await, asks };
        AbortOnDropHandle::new(tokio::spawn(async move {
            message::write(&mut stream, &next).await?;
            let first = message::read(&mut stream).await?;
            Ok(Heard { stream, first, asked: next.asks })
        }))
    }

    /// Dials for data and waits until the Master has read its source.
    pub(super) async fn dial_data(&self, copy: &Copy, purpose: &Purpose) -> Result<DataStream, SyncError> {
        let lost = |error: &dyn std::fmt::Display| self.error("connection_lost", error);
        let machine = self.source_machine().await.map_err(|error| lost(&error.text(contract::Lang::En)))?;
        let Some(pair) = machine.pair else { return Err(lost(&"not associated")) };
        let dialled = self.dial(machine.address, Some(&pair.fingerprint), purpose.clone()).await;
        let dialled = dialled.map_err(|error: DialError| lost(&error))?;
        if let Reply::Refused { refused, .. } = dialled.reply {
            let told = refused.iter().map(|r| r.finding(contract::Lang::En).to_string()).collect::<Vec<_>>();
            let code = refused.first().map_or("refused", |refused| refused.rule.as_str());
            return Err(self.error(code, told.join("; ")));
        }
        let mut stream = dialled.stream;
        let first = self.hear_capture(&mut stream).await?;
        self.until_ready(copy, Heard { stream, first, asked: None }).await
    }

    async fn hear_capture(&self, stream: &mut DataStream) -> Result<Capture, SyncError> {
        let lost = |error: &dyn std::fmt::Display| self.error("connection_lost", error);
        let next = tokio::time::timeout(READS_IN_SILENCE, message::read(stream));
        let next = next.await.map_err(|_| lost(&"the Master fell silent while reading its source"))?;
        next.map_err(|error: io::Error| lost(&error))
    }

    /// Waits until the Master has read its source.
    pub(super) async fn until_ready(&self, copy: &Copy, heard: Heard) -> Result<DataStream, SyncError> {
        let Heard { mut stream, first, .. } = heard;
        let mut said = first;
        loop {
            match said {
                Capture::Reading { files, bytes } => {
                    copy.change(|standing| {
                        if let Some(pulling) = &mut standing.pulling {
                            pulling.reading = Some((files, bytes));
                        }
                    });
                }
                Capture::Ready { .. } => return Ok(stream),
                Capture::Failed { code, message } => return Err(self.error(&code, message)),
            }
            said = self.hear_capture(&mut stream).await?;
        }
    }

    /// The Master's list of one dataset's content, read and hashed anew.
    pub(crate) async fn fetch_manifest(&self, copy: &Copy) -> Result<Manifest, SyncError> {
        let stream = self.dial_data(copy, &Purpose::Manifest { dataset: copy.dataset.name.clone() }).await?;
        let mut bridge = SyncIoBridge::new(stream);
        let work = tokio::task::spawn_blocking(move || {
            replication::read_manifest(&mut bridge, Limits::default(), &replication::Unwatched)
        });
        let read = work.await.map_err(|error| self.error("io", error))?;
        read.map_err(|error| sync_error(&error, self.clock.now()))
    }
}
