//! The gate as the mandate's files tell it, while no node runs: never open unless they allow it in this boot.

use std::path::Path;

use contract::SCHEMA;
use contract::gate::{CheckedBy, GATE_WAIT, GateCheck, GatePolicy, GateReport};

use super::reasons;
use crate::mandate::boot_id;
use crate::mandate::file::Files;

/// What the files in a data directory say; `None` where neither of them can be read: nothing may be started then.
#[must_use]
pub fn gate_on_disk(root: &Path) -> Option<GateCheck> {
    let record = Files::of(root).read()?;
    let boot = boot_id();
    let gate = GateReport {
        // Policy and questions are the running node's: without one nobody asks, and nothing opens by itself.
        policy: GatePolicy::Strict,
        wait_seconds: GATE_WAIT,
        chosen: None,
        answer: reasons::answer(&record, &boot),
        unverified: false,
        since: record.opened.as_ref().filter(|opened| opened.boot == boot).map(|opened| opened.at),
        opens_at: None,
        asked: Vec::new(),
        because: reasons::because(&record, &boot),
        held_by: record.held_by.clone(),
        declared_lost: record.declared_lost.clone(),
    };
    let open = reasons::may_start(&record, &boot);
    Some(GateCheck { schema: SCHEMA, open, name: record.name, role: record.site, by: CheckedBy::Files, gate })
}
