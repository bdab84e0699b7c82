//! Runs: long operations as append-only logs that replay.

use std::sync::{Arc, Mutex, PoisonError};

use contract::isolation::Attestation;
use contract::preflight::{Release, Take};
use contract::run::{RunBrief, RunReport, RunsReport};
use contract::{Denied, Outcome, SCHEMA};

use crate::door::Act;
use crate::node::Node;

/// The run that is not over, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    open: Mutex<Option<RunBrief>>,
}

impl Runs {
    /// The run that is not over: running or stuck.
    pub(crate) fn open(&self) -> Option<RunBrief> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Node {
    pub(crate) async fn activate(self: &Arc<Self>, _act: Act<'_>, _take: &Take) -> Result<Outcome, Denied> {
        Err(Denied::failed("activate", "not built yet"))
    }

    pub(crate) async fn takeover(self: &Arc<Self>, _act: Act<'_>, _take: &Take) -> Result<Outcome, Denied> {
        Err(Denied::failed("take over", "not built yet"))
    }

    pub(crate) async fn deactivate(self: &Arc<Self>, _act: Act<'_>, _release: &Release) -> Result<Outcome, Denied> {
        Err(Denied::failed("roll back", "not built yet"))
    }

    pub(crate) async fn suspend(self: &Arc<Self>, _act: Act<'_>, _release: &Release) -> Result<Outcome, Denied> {
        Err(Denied::failed("suspend", "not built yet"))
    }

    pub(crate) async fn run_resume(
        self: &Arc<Self>,
        _act: Act<'_>,
        _attest: &[Attestation],
    ) -> Result<Outcome, Denied> {
        Err(Denied::failed("resume a run", "not built yet"))
    }

    pub(crate) async fn run_abort(self: &Arc<Self>, _act: Act<'_>) -> Result<Outcome, Denied> {
        Err(Denied::failed("abort a run", "not built yet"))
    }

    pub(crate) async fn run_ack(
        self: &Arc<Self>,
        _act: Act<'_>,
        _step: &str,
        _note: Option<&str>,
    ) -> Result<Outcome, Denied> {
        Err(Denied::failed("acknowledge a step", "not built yet"))
    }

    pub(crate) async fn runs_report(&self) -> Result<RunsReport, Denied> {
        Ok(RunsReport { schema: SCHEMA, runs: Vec::new() })
    }

    pub(crate) async fn run_report(&self, _id: Option<&str>) -> Result<Option<RunReport>, Denied> {
        Ok(None)
    }

    /// The run in progress, or the last one.
    pub(crate) async fn run_brief(&self) -> Result<Option<RunBrief>, Denied> {
        Ok(None)
    }
}
