//! What makes a machine itself: its identity, its network, and how `tvox-dr` is set up on it. It never travels, in either
//! direction, whatever a dataset says: a DR with the Master's addresses, or a Master with the DR's, is worse than none.

use std::fs;
use std::path::{Path, PathBuf};

use contract::dataset::{Dataset, DatasetKind};

/// Paths of a machine's own, with everything below them.
const PATHS: &[&str] = &[
    "/etc/machine-id",
    "/var/lib/dbus/machine-id",
    "/etc/hostname",
    "/etc/network",
    "/etc/netplan",
    "/etc/systemd/network",
    "/etc/NetworkManager",
    "/etc/sysconfig/network",
    "/etc/sysconfig/network-scripts",
    "/etc/resolv.conf",
    "/etc/systemd/system/tvox-dr.service",
    "/etc/systemd/system/multi-user.target.wants/tvox-dr.service",
    "/var/lib/tvox-dr",
];

/// The drop-in by which a unit of the customer's asks the return gate, wherever it lies.
const GATE_DROP_IN: &str = "tvox-dr-gate.conf";

/// Which of a machine's own paths lie in a dataset.
pub(crate) fn within(dataset: &Dataset) -> impl Iterator<Item = &'static str> {
    let is_tree = dataset.kind == DatasetKind::Files;
    let source = source(dataset);
    PATHS.iter().copied().filter(move |path| is_tree && Path::new(path).starts_with(&source))
}

/// Whether a path is nothing but a part of what is a machine's own.
pub(crate) fn is_own(path: &Path) -> bool {
    PATHS.iter().any(|own| path.starts_with(own))
}

/// What is left out of a dataset's tree: what the administrator says, and what is a machine's own.
pub(crate) fn excludes(dataset: &Dataset) -> Vec<String> {
    let mut globs = dataset.excludes.clone();
    if dataset.kind == DatasetKind::Files {
        let source = source(dataset);
        let below = |path| Path::new(path).strip_prefix(&source).ok().map(|below| format!("/{}", below.display()));
        globs.extend(within(dataset).filter_map(below));
        globs.push(GATE_DROP_IN.to_owned());
    }
    globs
}

/// Where a dataset really lies, as far as it is on this machine.
fn source(dataset: &Dataset) -> PathBuf {
    fs::canonicalize(&dataset.source).unwrap_or_else(|_| PathBuf::from(&dataset.source))
}

#[cfg(test)]
mod tests {
    use contract::dataset::DatasetClass;

    use super::*;

    fn tree(source: &str) -> Dataset {
        Dataset {
            name: "conf".into(),
            kind: DatasetKind::Files,
            class: DatasetClass::Configuration,
            source: source.into(),
            target: "/srv/replica".into(),
            excludes: vec!["*.tmp".into()],
            owners: contract::dataset::Owners::Numbers,
        }
    }

    #[test]
    fn what_makes_a_machine_itself_is_left_out_of_every_tree_around_it() {
        for (source, left_out) in [("/", "/etc/machine-id"), ("/etc", "/machine-id"), ("/etc/", "/network")] {
            let globs = excludes(&tree(source));
            assert!(globs.iter().any(|glob| glob == left_out), "{source}: {globs:?}");
            assert_eq!(globs[0], "*.tmp");
        }
        assert_eq!(excludes(&tree("/etc/kamailio")), ["*.tmp", GATE_DROP_IN]);
        assert_eq!(excludes(&tree("/etc/net")), ["*.tmp", GATE_DROP_IN]);
    }

    #[test]
    fn a_path_of_nothing_else_is_known() {
        let own = |path: &str| is_own(Path::new(path));
        assert!(own("/etc/network") && own("/etc/netplan/sub"));
        assert!(!own("/etc") && !own("/etc/networks"));
    }
}
