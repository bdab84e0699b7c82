//! What the sibling that serves has given under the mandate of now, as it told it since the two talk: whoever has one of
//! these contents has what the site handed on. Lost with the process, and told again with the next beat.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use super::Given;
use crate::mandate::rules::Standing;

/// Contents of one dataset that are kept to compare with.
const MOST: usize = 1000;

/// The contents by dataset, and the mandate under which they were given.
#[derive(Debug, Default)]
pub(crate) struct SiblingContents(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    mandate: String,
    contents: BTreeMap<String, BTreeSet<String>>,
}

impl SiblingContents {
    /// Hears what the sibling has given. It counts only from one that serves: that has what its mandate names.
    pub(super) fn hear(&self, told: &Standing, given: &[Given]) {
        let serves = told.serves_site == Some(true) && told.serving && !told.recovering && told.receiving.is_none();
        let Some(mandate) = told.mandate.as_ref().filter(|_| serves) else { return };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.mandate != mandate.id {
            *known = Known { mandate: mandate.id.clone(), contents: BTreeMap::new() };
        }
        for one in given {
            let contents = known.contents.entry(one.dataset.clone()).or_default();
            if contents.len() >= MOST && !contents.contains(&one.content) {
                contents.clear();
            }
            contents.insert(one.content.clone());
        }
    }

    /// Whether the sibling that serves was heard under that mandate: what it declares is declared here by then.
    pub(crate) fn was_heard(&self, mandate: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).mandate == mandate
    }

    /// Whether the sibling has given this content under that mandate.
    pub(crate) fn has_given(&self, mandate: &str, dataset: &str, content: &str) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.mandate == mandate && known.contents.get(dataset).is_some_and(|all| all.contains(content))
    }
}

#[cfg(test)]
mod tests {
    use contract::mandate::{Mandate, MandateKind};
    use contract::{NodeRole, Timestamp};

    use super::*;
    use crate::mandate::file::Record;
    use crate::mandate::rules;

    fn standing(id: &str, serves: bool) -> Standing {
        let mandate = Mandate {
            pair: "p".into(),
            epoch: 1,
            id: id.into(),
            parents: Vec::new(),
            ancestors: Vec::new(),
            holder: NodeRole::Master,
            issuer: "n".into(),
            base: None,
            kind: MandateKind::Failback,
            operator: String::new(),
            reason: String::new(),
            evidence: Vec::new(),
            at: Timestamp::UNIX_EPOCH,
            retired: Vec::new(),
        };
        let record = Record { mandate: Some(mandate), ..Record::new("m1", "m1", NodeRole::Master) };
        Standing { serving: serves, serves_site: Some(serves), ..rules::standing(&record, "b", true, false) }
    }

    fn given(content: &str) -> Given {
        Given { number: 1, dataset: "conf".into(), content: content.into(), captured_at: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn only_what_a_member_gives_while_it_serves_counts_and_only_under_that_mandate() {
        let known = SiblingContents::default();
        known.hear(&standing("1", false), &[given("a")]);
        assert!(!known.has_given("1", "conf", "a"), "it may have given that before");
        known.hear(&standing("1", true), &[given("b")]);
        assert!(known.has_given("1", "conf", "b") && !known.has_given("1", "other", "b"));
        assert!(!known.has_given("2", "conf", "b"));
        known.hear(&standing("2", true), &[given("c")]);
        assert!(known.has_given("2", "conf", "c") && !known.has_given("1", "conf", "b"));
    }
}
