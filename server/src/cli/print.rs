//! What the command line prints for people, from the same JSON that scripts get. The one place that writes to stdout.
#![expect(clippy::print_stdout, reason = "printing is what this file is for")]

use serde_json::Value;

/// One JSON object on one line.
pub fn json(value: &Value) {
    println!("{value}");
}

/// One line.
pub fn line(text: &str) {
    println!("{text}");
}

/// A value in words: what is unknown is a dash.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.clone(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.into(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// The elements of a list, none where there is no list.
pub fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Columns as wide as what stands in them.
pub fn table(heads: &[&str], rows: &[Vec<String>]) {
    let width = |at: usize| {
        rows.iter().map(|row| row[at].chars().count()).chain([heads[at].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let show = |cells: Vec<&str>| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        println!("{}", padded.join("  ").trim_end());
    };
    show(heads.to_vec());
    for row in rows {
        show(row.iter().map(String::as_str).collect());
    }
}

/// Those values of each object of a list.
pub fn rows(items: &Value, keys: &[&str]) -> Vec<Vec<String>> {
    list(items).map(|item| keys.iter().map(|key| text(&item[*key])).collect()).collect()
}

/// Some values of one object.
pub fn cells(item: &Value, keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| text(&item[*key])).collect()
}

/// What `init` tells, once.
pub fn initialised(told: &Value) {
    println!("The node {} is ready. Start it with: tvox-dr serve", text(&told["name"]));
    println!("Panel:        {}", text(&told["panel"]));
    println!("User:         {}", text(&told["user"]));
    println!("Password:     {}   (the first login asks for another)", text(&told["password"]));
    println!("Fingerprint:  {}   (SHA-256 of its certificate)", text(&told["fingerprint"]));
    println!("Machine code: {}", text(&told["node_id"]));
}

/// The whole node.
pub fn status(status: &Value) {
    let node = &status["node"];
    println!(
        "{} ({}), tvox-dr {}: {}",
        text(&node["name"]),
        text(&node["role"]),
        text(&node["version"]),
        text(&status["state"])
    );
    let mandate = &status["mandate"];
    if !mandate.is_null() {
        println!(
            "Mandate:    epoch {}, holder {}, {}",
            mandate["epoch"],
            text(&mandate["holder"]),
            text(&mandate["kind"])
        );
        list(&mandate["findings"]).for_each(|finding| println!("            FINDING: {}", text(finding)));
        println!("Gate:       {}", text(&status["gate"]["answer"]));
    }
    let run = &status["run"];
    if !run.is_null() {
        println!(
            "Run:        {} {}: {} {}",
            text(&run["id"]),
            text(&run["kind"]),
            text(&run["state"]),
            text(&run["step"])
        );
    }
    for service in list(&status["services"]) {
        println!(
            "Service:    {} is {}, should be {}",
            text(&service["name"]),
            text(&service["observed"]),
            text(&service["desired"])
        );
    }
    println!("Licence:    {}", text(&status["licence"]["state"]));
    let peer = &status["pair"]["peer"];
    let associated = if status["pair"]["associated"] == true { "associated" } else { "not associated" };
    println!("Pair:       {associated}, other machine: {}", text(&peer["name"]));
    list(&peer["machines"]).for_each(machine);
    if !status["pair"]["cluster"].is_null() {
        cluster(&status["pair"]["cluster"]);
    }
    println!("Generation: {}", text(&status["generation"]));
    println!("Sync:       database {}, files {}", text(&status["sync"]["database"]), text(&status["sync"]["files"]));
    if list(&status["datasets"]).next().is_some() {
        table(
            &["DATASET", "KIND", "STATE", "LAG s", "GENERATION"],
            &rows(&status["datasets"], &["name", "kind", "state", "lag_seconds", "generation"]),
        );
    }
}

/// The replicas.
pub fn sync(report: &Value) {
    let keys = ["name", "group", "switch", "state", "generation", "lag_seconds", "files", "bytes", "target"];
    table(
        &["DATASET", "GROUP", "SWITCH", "STATE", "GENERATION", "LAG s", "FILES", "BYTES", "TARGET"],
        &rows(&report["datasets"], &keys),
    );
    for dataset in list(&report["datasets"]).filter(|dataset| !dataset["switch_until"].is_null()) {
        println!("{}: stopped until {}", text(&dataset["name"]), text(&dataset["switch_until"]));
    }
    for dataset in list(&report["datasets"]).filter(|dataset| !dataset["last_error"].is_null()) {
        let error = &dataset["last_error"];
        let code = text(&error["code"]);
        println!(
            "{}: {} ({code}: {})",
            text(&dataset["name"]),
            contract::sync::error_sentence(&code, contract::Lang::En),
            text(&error["message"])
        );
    }
}

/// The console of a task from the line `from` on; how many lines there are now.
pub fn task_log(task: &Value, from: usize) -> usize {
    for entry in list(&task["log"]).skip(from) {
        println!("{}", text(&entry["text"]["en"]));
    }
    task["log"].as_array().map_or(0, Vec::len)
}

/// The users.
pub fn users(report: &Value) {
    table(
        &["USER", "ROLE", "MUST CHANGE", "LAST LOGIN"],
        &rows(&report["users"], &["name", "role", "must_change", "last_login"]),
    );
}

/// The recipients.
pub fn recipients(report: &Value) {
    table(&["CHANNEL", "RECIPIENT"], &rows(&report["recipients"], &["channel", "value"]));
}

/// The datasets.
pub fn datasets(report: &Value) {
    let keys = ["name", "kind", "class", "source", "target", "owners", "files", "bytes", "problem"];
    table(
        &["DATASET", "KIND", "CLASS", "SOURCE", "TARGET", "OWNERS", "FILES", "BYTES", "PROBLEM"],
        &rows(&report["datasets"], &keys),
    );
}

/// The licence.
pub fn licence(report: &Value) {
    println!("State:        {}", text(&report["state"]));
    println!("Serial:       {}", text(&report["serial"]));
    println!("Company:      {}", text(&report["company"]));
    println!("Modules:      {}", text(&report["modules"]));
    println!(
        "Needed:       {} ({})",
        text(&report["needed"]),
        if report["granted"] == true { "granted" } else { "not granted" }
    );
    println!("Expires:      {}", text(&report["expires"]));
    println!("Machine code: {}", text(&report["machine"]));
}

fn machine(machine: &Value) {
    let reach = if machine["reachable"] == true { "answers" } else { "does not answer" };
    let serves = if machine["serves"] == true { ", the node IP is on it" } else { "" };
    let name = machine["name"].as_str().map(|name| format!("{name} ")).unwrap_or_default();
    let (ip, port, since) = (text(&machine["ip"]), &machine["port"], text(&machine["since"]));
    println!("            {name}{ip}:{port} {reach} since {since}{serves}");
}

/// A Master site of two machines.
pub fn cluster(cluster: &Value) {
    println!("Node IP:    {}", text(&cluster["node_ip"]));
    if let Some(serves) = cluster["serves"].as_bool() {
        println!("            {}", if serves { "on this machine" } else { "not on this machine" });
        println!("            known by {}", cluster["check"].as_str().unwrap_or("the machine's interfaces"));
    }
    if cluster["source"].is_string() {
        println!("            content comes from {}", text(&cluster["source"]));
    }
    if !cluster["sibling"].is_null() {
        machine(&cluster["sibling"]);
    }
}

/// The other machine.
pub fn peer(report: &Value) {
    println!("Address:          {}", text(&report["address"]));
    println!("Associated:       {}", text(&report["pair"]["associated"]));
    println!("Name:             {}", text(&report["pair"]["peer"]["name"]));
    println!("Version:          {}", text(&report["pair"]["peer"]["version"]));
    println!("Own fingerprint:  {}", text(&report["fingerprint"]));
    println!("Peer fingerprint: {}", text(&report["peer_fingerprint"]));
}

/// The audit log.
pub fn audit(report: &Value) {
    let rows: Vec<Vec<String>> = list(&report["entries"])
        .map(|entry| {
            let keys = ["seq", "at", "from", "action", "subject", "outcome", "rule"];
            let mut row: Vec<String> = keys.iter().map(|key| text(&entry[*key])).collect();
            row.insert(2, text(&entry["actor"]["name"]));
            row
        })
        .collect();
    table(&["SEQ", "AT", "WHO", "FROM", "ACTION", "SUBJECT", "OUTCOME", "RULE"], &rows);
}

/// The verdict on the audit log.
pub fn audit_verdict(verdict: &Value) {
    if verdict["valid"] == true {
        println!("valid: {} entries, head {}", verdict["entries"], text(&verdict["head"]["hash"]));
    } else {
        println!("BROKEN at entry {}", text(&verdict["first_bad"]));
    }
}
