//! Whether data may flow, as far as mandates decide: what the source refuses, and what the receiver does not ask for.

use contract::Rule;

use super::file::Record;
use super::rules::Standing;

/// Whether data may flow from the node of `source` to the node of `receiver`, as far as mandates decide; the first reason
/// why not.
#[must_use]
pub fn refusal(source: &Record, receiver: &Standing) -> Option<Rule> {
    let ours = source.mandate.as_ref().map(|mandate| &mandate.id);
    if !source.findings().is_empty() || !receiver.findings.is_empty() {
        Some(Rule::MandateFinding)
    } else if ours.is_none() || ours != receiver.mandate.as_ref().map(|mandate| &mandate.id) {
        Some(Rule::SyncMandate)
    } else if !source.is_holder() {
        Some(Rule::SyncNotHolder)
    } else if receiver.serving || receiver.taking {
        Some(Rule::SyncReceiverServing)
    } else {
        None
    }
}

/// Whether data may come to this node: somebody else holds the mandate, and nothing speaks against what it knows.
#[must_use]
pub fn is_receiver(record: &Record) -> bool {
    let elsewhere = record.mandate.as_ref().is_some_and(|mandate| mandate.holder != record.site);
    elsewhere && record.declared_lost.is_none() && record.findings().is_empty()
}
