//! The conversation between the two members of a site: each beats once a second, and tells the other one what it must know
//! to go on in its place: what is declared, and what was given.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use contract::dataset::Dataset;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::Given;
use crate::link::control::SILENCE;
use crate::link::message::{self, Who};
use crate::mandate::file::Seat;
use crate::mandate::rules::Standing;
use crate::node::Node;

/// A beat a second, more when the mandate changes.
const BEAT: Duration = Duration::from_secs(1);

/// How many generations back the other member is asked again when a conversation begins.
const OVERLAP: u64 = 1000;

/// What one member tells the other one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiblingBeat {
    /// What it says of the mandate.
    pub standing: Standing,
    /// Everything that is declared there; only of the member that serves.
    pub datasets: Option<Vec<Dataset>>,
    /// The generations above this number are what it still asks for.
    pub after: u64,
    /// What the other one has asked for, in order.
    pub generations: Vec<Given>,
    /// The last one of each dataset.
    pub last: Vec<Given>,
}

impl Node {
    /// Talks with the sibling until that ends, another conversation begins, or the pair changes. Both ends are alike.
    pub(crate) async fn talk_with_sibling<S>(self: &Arc<Self>, stream: S, who: &Who) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite,
    {
        let seat = Seat::Second;
        let (mut reading, mut writing) = tokio::io::split(stream);
        let (mut pair, mut book) = (self.link.watch_pair(), self.book.watch());
        let mut conversations = self.begin_conversation(seat);
        let talk = self.link.begin_talk(seat);
        self.heard(seat, who, None);
        // From where on the other one asks; `None` until it has said so.
        let asked: watch::Sender<Option<u64>> = watch::Sender::new(None);
        let highest = self.highest_generation().await.ok().flatten().unwrap_or(0);
        // Somewhat more than what is known to lack: what was told on its way while another one was still lacking.
        let after = watch::Sender::new(highest.saturating_sub(OVERLAP));
        let beats = async {
            let mut ticks = interval(BEAT);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = ticks.tick() => {}
                    _ = book.changed() => {}
                }
                let (asked, after) = (*asked.borrow(), *after.borrow());
                message::write(&mut writing, &self.sibling_beat(asked, after).await).await?;
            }
        };
        let hears = async {
            loop {
                let next = timeout(SILENCE, message::read::<SiblingBeat>(&mut reading));
                let beat = next.await.map_err(|_| io::ErrorKind::TimedOut)??;
                let kept = async {
                    self.hear_standing(seat, &beat.standing).await?;
                    self.hear_sibling(&beat).await
                };
                kept.await.map_err(|error| io::Error::other(error.text(contract::Lang::En)))?;
                talk.goes_on(&beat.standing);
                self.heard(seat, who, None);
                asked.send_replace(Some(beat.after));
                if let Some(last) = beat.generations.last() {
                    after.send_replace(last.number);
                }
            }
        };
        let ended: io::Result<()> = tokio::select! {
            ended = beats => ended,
            ended = hears => ended,
            _ = conversations.changed() => return Ok(()),
            _ = pair.changed() => return Ok(()),
        };
        if let Err(error) = &ended {
            self.lost(seat, error, None);
        }
        Ok(())
    }

    async fn sibling_beat(&self, asked: Option<u64>, after: u64) -> SiblingBeat {
        // First: who says that it serves gives, from that moment on, what it serves with.
        let standing = self.standing(Seat::Second).await;
        let serves = self.serves_site() == Some(true);
        let datasets = if serves { self.datasets().await.ok() } else { None };
        let generations = match asked {
            Some(above) => self.given_above(above).await.unwrap_or_default(),
            None => Vec::new(),
        };
        let last = if serves { self.given_last().await.unwrap_or_default() } else { Vec::new() };
        SiblingBeat { standing, datasets, after, generations, last }
    }

    /// Keeps what the sibling tells: first what is declared, because what was given belongs to it.
    async fn hear_sibling(self: &Arc<Self>, beat: &SiblingBeat) -> Result<(), contract::Denied> {
        if let Some(datasets) = &beat.datasets
            && self.serves_site() != Some(true)
        {
            self.declare_as(datasets).await?;
        }
        self.keep_generations(&beat.generations).await?;
        self.keep_generations(&beat.last).await?;
        self.home.given_beside.hear(&beat.standing, &beat.last);
        Ok(())
    }
}
