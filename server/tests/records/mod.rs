//! What the engine writes down beside each tree, changed as a clock or a bad disk would change it.
#![allow(clippy::unwrap_used, missing_docs, reason = "test code")]

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Changes every record in a directory of a replica (`generations`, `serving`). The node is down.
pub fn rewrite(dir: &Path, change: impl Fn(&mut Value)) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path().join("record");
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let mut record: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        change(&mut record);
        let json = record.to_string();
        fs::write(&path, format!("{json}\n{}\n", blake3::hash(json.as_bytes()).to_hex())).unwrap();
    }
}

/// So much earlier.
pub fn earlier(at: &Value, seconds: i64) -> Value {
    let at: contract::Timestamp = at.as_str().unwrap().parse().unwrap();
    contract::Timestamp::from_second(at.as_second() - seconds).unwrap().to_string().into()
}
