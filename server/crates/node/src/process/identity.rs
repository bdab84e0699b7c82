//! One process of one boot of the machine, told from every other one.

use std::fs;

use serde::{Deserialize, Serialize};

/// A process. A number alone would be somebody else's sooner or later.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    boot: String,
    pub(crate) pid: i32,
    /// In clock ticks since the boot.
    began: u64,
}

impl Process {
    /// The process that has this number now, unless it has ended.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // proc_pid_stat(5): behind the name, which may hold anything, come the fields from the third on.
        let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ended = matches!(*fields.first()?, "Z" | "X");
        let began = fields.get(19)?.parse().ok()?;
        (!ended).then_some(Self { boot, pid, began })
    }

    /// Whether it is still there.
    pub(crate) fn lives(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }
}
