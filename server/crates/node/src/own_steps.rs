//! The customer's own steps: declared here, taken by a run (`runs/own.rs`). What each kind does to the world lies in a file
//! of its own and knows nothing of runs.

pub(crate) mod command;
pub(crate) mod dns;
mod groups;
pub(crate) mod http;
mod order;
mod preview;
mod store;
pub(crate) mod wait;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use contract::command::Secret;
use contract::own_step::OwnStep;
use serde::{Deserialize, Serialize};

use crate::data_dir::DataDir;
use crate::delivery::seal;

/// Which way a step is taken: towards the service, or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    There,
    Back,
}

/// A step as it was declared, with what only the machine itself can read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Declared {
    #[serde(flatten)]
    pub(crate) step: OwnStep,
    /// Its secret as [`seal`] made it, in Base64.
    #[serde(default)]
    sealed: Option<String>,
}

/// What is sealed: a secret opens for its own step only.
fn what(name: &str) -> String {
    format!("secret of the own step {name}")
}

impl Declared {
    pub(crate) fn new(step: OwnStep, sealed: Option<&[u8]>) -> Self {
        let sealed = sealed.map(|bytes| BASE64_STANDARD.encode(bytes));
        Self { step: OwnStep { has_secret: sealed.is_some(), ..step }, sealed }
    }

    /// The secret, where there is one.
    ///
    /// # Errors
    /// When it does not open: in words.
    pub(crate) fn secret(&self, dir: &DataDir) -> Result<Option<Secret>, String> {
        let Some(sealed) = &self.sealed else { return Ok(None) };
        let bytes = BASE64_STANDARD.decode(sealed).map_err(|error| error.to_string())?;
        seal::open(dir, &what(&self.step.name), &bytes).map(Some).map_err(|error| error.to_string())
    }
}
