//! What two nodes say to each other: a greeting with versions first, then the purpose of the connection. Frames are a
//! 32-bit big-endian length and JSON; a frame longer than [`MAX_FRAME`] ends the connection.

use std::io;

use contract::bandwidth::Kbits;
use contract::command::Secret;
use contract::dataset::Dataset;
use contract::mandate::Mandate;
use contract::status::DatasetBrief;
use contract::{NodeRole, Refused, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::errand::Errand;
use crate::cluster::Given;
use crate::mandate::rules::Standing;

/// Longest frame, in bytes. The longest honest one lists the datasets of a pair.
pub const MAX_FRAME: u32 = 1 << 20;

/// Who speaks. Versions stand in the first frame, before anything else is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// Version of this conversation.
    pub protocol: u32,
    /// Product version.
    pub version: String,
    /// The node's id.
    pub node_id: String,
    /// Its name.
    pub name: String,
    /// Its side.
    pub role: NodeRole,
}

/// The first frame of the side that dials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Who dials.
    pub who: Who,
    /// The pair it believes to be in.
    pub pair: Option<String>,
    /// What it wants.
    pub purpose: Purpose,
    /// What it says of the mandate; only to the pinned machine.
    pub standing: Option<Standing>,
}

/// What a connection is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To see who is there.
    Greet,
    /// To become its pair.
    Join {
        /// The token's secret.
        secret: Secret,
        /// The one who asks is associated with another machine of this site already: both must be of one pair.
        #[serde(default)]
        member: bool,
        /// The mandate that the one who asks has of a pair whose other machine was lost: whoever joins inherits it.
        #[serde(default)]
        mandate: Option<Box<Mandate>>,
    },
    /// To exchange [`Pulse`] and [`Echo`] as long as both live.
    Control,
    /// To receive one dataset.
    Pull {
        /// Its name.
        dataset: String,
        /// Read and hash everything again instead of trusting what was read before.
        rehash: bool,
        /// The content that the one who asks has; `None` for nothing. Whoever gives data knows it, or gives none.
        content: Option<String>,
        /// An operator there lets that content go although whoever gives data does not know it: the highest generation
        /// there, of which what comes must be newer.
        given_up: Option<u64>,
    },
    /// To ask, as a gate does, whether the one who asks may serve: the standing in the reply is the answer.
    Ask,
    /// To make the other one stop serving; its standing follows again and again until its services are down.
    Yield,
    /// The DR's content travels home: what the DR asks of the Master.
    Home(Errand),
    /// To exchange beats as long as both live: the two members of a site.
    Sibling,
    /// To write down what this member of the site has just given, before it offers it.
    Given {
        /// What was given.
        generations: Vec<Given>,
        /// Everything that this member declares.
        #[serde(default)]
        datasets: Option<Vec<Dataset>>,
    },
    /// To receive the list of one dataset's content as it is now, without the content.
    Manifest {
        /// Its name.
        dataset: String,
    },
}

/// The first frame of the side that listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Go on.
    Welcome {
        /// Who listens.
        who: Who,
        /// The pair both are in; after a join the new one.
        pair: Option<String>,
        /// What it says of the mandate; only to the pinned machine.
        standing: Option<Standing>,
    },
    /// No, and why. The answer itself is never refused: who is there is always said.
    Refused {
        /// Who listens.
        who: Who,
        /// Every reason.
        refused: Vec<Refused>,
        /// What it says of the mandate, all the same; only to the pinned machine.
        standing: Option<Standing>,
    },
}

impl Reply {
    /// Who listens.
    #[must_use]
    pub const fn who(&self) -> &Who {
        match self {
            Self::Welcome { who, .. } | Self::Refused { who, .. } => who,
        }
    }

    /// What it says of the mandate.
    #[must_use]
    pub const fn standing(&self) -> Option<&Standing> {
        match self {
            Self::Welcome { standing, .. } | Self::Refused { standing, .. } => standing.as_ref(),
        }
    }
}

/// Master to Client, each second and at once when something changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pulse {
    /// The Master's clock.
    pub now: Timestamp,
    /// The highest generation it ever gave; `None` for a Master that never captured anything.
    pub generation: Option<u64>,
    /// Every declared dataset.
    pub datasets: Vec<Beat>,
    /// What it says of the mandate.
    pub standing: Standing,
}

/// How one dataset stands on the Master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// The declaration.
    pub dataset: Dataset,
    /// Whether something may have changed since the last capture.
    pub dirty: bool,
    /// Whether it is being read at this moment: until that ends nothing is known to be equal.
    pub reading: bool,
    /// The generation of the last capture.
    pub generation: Option<u64>,
    /// What the last capture left out: path and reason, the first hundred.
    pub skipped: Vec<(String, String)>,
}

/// Client to Master, in answer to each pulse.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Echo {
    /// How fast content may travel at this moment; `None` for no limit.
    pub bandwidth: Option<Kbits>,
    /// How the replicas stand.
    pub datasets: Vec<DatasetBrief>,
    /// What it says of the mandate.
    pub standing: Standing,
}

/// Master to Client on a connection that pulls, before the engine's own bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capture {
    /// The source is being read.
    Reading {
        /// Files read.
        files: u64,
        /// Bytes read.
        bytes: u64,
    },
    /// It has been read; the engine takes the connection over.
    Ready {
        /// The generation.
        generation: u64,
        /// When reading began, by the Master's clock.
        captured_at: Timestamp,
    },
    /// It cannot be read.
    Failed {
        /// The engine's code.
        code: String,
        /// The fact.
        message: String,
    },
}

/// Client to Master on a connection that pulls, after each round: the answer is [`Capture`] again, as soon as there is
/// something new, and now and then although there is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Next {
    /// The content that the one who asks has by now.
    pub content: Option<String>,
    /// What it says of the mandate by now.
    pub standing: Standing,
    /// The request of its engine, where that can be made before there is an answer: it saves a round trip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asks: Option<Vec<u8>>,
}

/// Writes one frame.
///
/// # Errors
/// What the connection says.
pub async fn write<T: Serialize>(stream: &mut (impl AsyncWrite + Unpin), message: &T) -> io::Result<()> {
    let body = serde_json::to_vec(message)?;
    let length = u32::try_from(body.len()).ok().filter(|length| *length <= MAX_FRAME);
    let length = length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a frame too long to be sent"))?;
    // In one piece: each write is a packet of its own.
    let mut frame = length.to_be_bytes().to_vec();
    frame.extend_from_slice(&body);
    stream.write_all(&frame).await?;
    stream.flush().await
}

/// Reads one frame.
///
/// # Errors
/// `InvalidData` for a frame that is too long or not what was expected; else what the connection says.
pub async fn read<T: DeserializeOwned>(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<T> {
    let length = stream.read_u32().await?;
    if length > MAX_FRAME {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes is too long")));
    }
    let mut body = vec![0; length as usize];
    stream.read_exact(&mut body).await?;
    serde_json::from_slice(&body).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
