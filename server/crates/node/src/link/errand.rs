//! What the two nodes say to each other while the DR's content travels home: the DR asks, the Master answers.

use std::collections::BTreeMap;

use contract::Refused;
use serde::{Deserialize, Serialize};

use crate::cluster::Given;

/// What the DR asks of the Master when its content travels home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Errand {
    /// Whether it could take these datasets in, and what it would cost.
    Survey {
        /// By name.
        datasets: BTreeMap<String, Carried>,
    },
    /// To keep its services down and take in what this run brings.
    Receive {
        /// The run.
        run: String,
        /// What the DR had of the Master last, of each dataset that travels: to a machine in the place of one that was lost
        /// it is the past, once the content that comes is in its place.
        #[serde(default)]
        past: Vec<Given>,
        /// The mandate by which it is to put that in its place: one that names it for another run is another machine's.
        #[serde(default)]
        mandate: String,
    },
    /// To take in one dataset: the engine has the connection after [`Word::Ready`], with the DR as the source.
    Bring {
        /// The run.
        run: String,
        /// The dataset's name.
        dataset: String,
    },
    /// Whether it has exactly this content, and room to put it in its place.
    Compare {
        /// The run.
        run: String,
        /// The content of each dataset.
        contents: BTreeMap<String, String>,
    },
    /// How it stands with putting the content in its place.
    Look,
}

/// One dataset that is to travel home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// The content that the DR's copy was made from.
    pub base: String,
    /// The newest content of the Master that the DR has: where the service went back to an older one, this is what the
    /// Master had and the DR knows of.
    #[serde(default)]
    pub newest: Option<String>,
    /// Bytes it holds now.
    pub bytes: u64,
}

/// What the Master says to an errand: signs of work, then one answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// It is at work; the next word comes within seconds.
    Working,
    /// What was found.
    Surveyed(Survey),
    /// The engine takes the connection over.
    Ready {
        /// The number that the content gets.
        generation: u64,
    },
    /// Done, or so it is.
    Done,
    /// No, and why.
    Refused {
        /// Every reason.
        refused: Vec<Refused>,
    },
    /// It did not work.
    Failed {
        /// The fact.
        message: String,
    },
}

/// What the Master knows of datasets that are to travel home.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Survey {
    /// Whether it wrote something last that the DR's copy was not made from; `None` where that cannot be told.
    pub tails: BTreeMap<String, Option<bool>>,
    /// Bytes that its disk must take.
    pub needed_bytes: u64,
    /// Bytes free there.
    pub free_bytes: u64,
    /// What speaks against it.
    pub refused: Vec<Refused>,
}
