//! `tvox-dr gate install|remove|list`: drop-ins by which systemd asks the gate before it starts a unit, whoever wants it
//! started: the boot, somebody at a terminal, another unit.
//!
//! A start that the gate refuses is skipped (`ExecCondition=`), which is no failure: nothing counts as failed, nothing is
//! tried in a loop, no time limit runs while a machine waits for its confirmation. When the gate opens, `tvox-dr` starts
//! what is declared to it, and it stops that when the machine is fenced. The drop-in does neither.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;

use contract::gate::GateUnits;
use contract::{Command, Denied, FieldError, Problem, SCHEMA, query};
use node::rescue::journal;
use node::{SystemClock, write_durably};
use serde_json::{Value, json};

use super::remote::Line;
use super::{Exit, print};
use crate::socket::{self, Request, Told};

/// What it is called in the directory of each unit.
const NAME: &str = "tvox-dr-gate.conf";
/// Where an administrator's units are.
const UNITS: &str = "etc/systemd/system";

/// Writes a drop-in for each unit.
pub async fn install(line: &Line, root: &Path, units: &[String]) -> Result<Exit, Exit> {
    let units = named(line, units)?;
    let text = drop_in(line)?;
    let mut written = Vec::new();
    for (done, unit) in units.iter().enumerate() {
        let file = file_of(root, unit);
        let made = fs::create_dir_all(file.parent().unwrap_or(root));
        if let Err(error) = made.and_then(|()| write_durably(&file, text.as_bytes(), 0o644)) {
            // What is done so far is done.
            note(line, root, &units[..done], true).await?;
            return Err(cannot("write", &file, &error));
        }
        written.push(json!({ "unit": unit, "file": file }));
    }
    let reloaded = reload(root)?;
    note(line, root, &units, true).await?;
    if line.json {
        print::json(&json!({ "schema": SCHEMA, "installed": written, "reloaded": reloaded }));
    } else {
        written.iter().for_each(|one| print::line(&format!("written {}", print::text(&one["file"]))));
    }
    for unit in undeclared(line, &units).await {
        eprintln!(
            "warning: {unit} is not declared to this node: nobody starts it when the gate opens, nor stops it when the \
             machine is fenced. Remedy: tvox-dr service add NAME --unit {unit}"
        );
    }
    Ok(Exit::Done)
}

/// Takes the drop-ins away, and the directories that held nothing else.
pub async fn remove(line: &Line, root: &Path, units: &[String]) -> Result<Exit, Exit> {
    let units = named(line, units)?;
    let mut removed = Vec::new();
    for unit in &units {
        let file = file_of(root, unit);
        if let Err(error) = fs::remove_file(&file) {
            // What is done so far is done.
            note(line, root, &removed, false).await?;
            return Err(match error.kind() {
                io::ErrorKind::NotFound => {
                    Exit::Usage.saying(format_args!("{unit} does not ask the gate: there is no {}", file.display()))
                }
                _ => cannot("remove", &file, &error),
            });
        }
        removed.push(unit.clone());
        // It may hold drop-ins of somebody else.
        let _ = fs::remove_dir(file.parent().unwrap_or(root));
    }
    let reloaded = reload(root)?;
    note(line, root, &removed, false).await?;
    if line.json {
        print::json(&json!({ "schema": SCHEMA, "removed": units, "reloaded": reloaded }));
    }
    Ok(Exit::Done)
}

/// Lists the units that have one.
pub fn list(line: &Line, root: &Path) -> Result<Exit, Exit> {
    let now = drop_in(line)?;
    let dir = root.join(UNITS);
    let mut units: Vec<String> = match fs::read_dir(&dir) {
        Ok(entries) => entries.flatten().filter_map(|entry| unit_of(&entry.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(cannot("read", &dir, &error)),
    };
    units.sort();
    let told = |unit: &String| {
        let file = file_of(root, unit);
        let current = fs::read_to_string(&file).is_ok_and(|text| text == now);
        json!({ "unit": unit, "file": file, "current": current })
    };
    let report = json!({ "schema": SCHEMA, "units": units.iter().map(told).collect::<Vec<_>>() });
    Ok(line.show(&report, |report| {
        print::table(&["UNIT", "FILE", "CURRENT"], &print::rows(&report["units"], &["unit", "file", "current"]));
    }))
}

/// The unit whose directory of drop-ins this is, if it has ours.
fn unit_of(dir: &Path) -> Option<String> {
    let unit = dir.file_name()?.to_str()?.strip_suffix(".d")?;
    dir.join(NAME).exists().then(|| unit.to_owned())
}

fn file_of(root: &Path, unit: &str) -> PathBuf {
    root.join(UNITS).join(format!("{unit}.d")).join(NAME)
}

fn cannot(what: &str, file: &Path, error: &io::Error) -> Exit {
    Exit::failed(format_args!("could not {what} {}: {error}", file.display()))
}

/// The services by their full names.
fn named(line: &Line, units: &[String]) -> Result<Vec<String>, Exit> {
    let full = |typed: &String| {
        let typed = typed.trim();
        let name = if typed.contains('.') { typed.to_owned() } else { format!("{typed}.service") };
        // Only a service has a start that can be asked for.
        let good = contract::service::is_unit(&name) && name.len() > ".service".len() && name.ends_with(".service");
        let wrong = Problem::Value { value: typed.to_owned(), problem: Box::new(Problem::NotAUnit) };
        if good { Ok(name) } else { Err(FieldError::new("unit", wrong)) }
    };
    let (names, errors): (Vec<_>, Vec<_>) = units.iter().map(full).partition(Result::is_ok);
    let errors: Vec<FieldError> = errors.into_iter().filter_map(Result::err).collect();
    if errors.is_empty() { Ok(names.into_iter().flatten().collect()) } else { Err(line.deny(&Denied::Invalid(errors))) }
}

/// The text of a drop-in: this very program, about this very node.
fn drop_in(line: &Line) -> Result<String, Exit> {
    let unfit = |what: &str, why: &dyn std::fmt::Display| Exit::failed(format_args!("cannot name {what}: {why}"));
    let program = std::env::current_exe().map_err(|error| unfit("this program", &error))?;
    let data = fs::canonicalize(&line.data)
        .map_err(|error| Exit::Data.saying(format_args!("{} cannot be opened: {error}", line.data.display())))?;
    let program = word(&program).ok_or_else(|| unfit("this program", &"its path is no text"))?;
    let data = word(&data).ok_or_else(|| unfit("the data directory", &"its path is no text"))?;
    Ok(format!(
        "# Written by `tvox-dr gate install`: this unit starts only while the gate of this machine is open, whoever wants it\n\
         # started. A start that is refused is skipped and not a failure; `tvox-dr` starts the unit when the gate opens and\n\
         # stops it when the machine is fenced (`tvox-dr service add NAME --unit UNIT`). Taken away by `tvox-dr gate remove`.\n\
         [Unit]\n\
         After=tvox-dr.service\n\
         # What was refused often must start at once when the gate opens.\n\
         StartLimitIntervalSec=0\n\
         \n\
         [Service]\n\
         # With full privileges, whatever User= says: the mandate is root's to read.\n\
         ExecCondition=+{program} gate check --data {data}\n\
         # For a systemd before 243, which does not know ExecCondition=: there a refused start fails.\n\
         ExecStartPre=+{program} gate check --data {data}\n"
    ))
}

/// One word of a command line as systemd reads it (systemd.service(5), systemd.unit(5)): quoted, with `%` and `$` doubled.
fn word(path: &Path) -> Option<String> {
    let text = path.to_str().filter(|text| !text.chars().any(char::is_control))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@,".contains(c);
    if text.chars().all(plain) {
        return Some(text.to_owned());
    }
    let escaped = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        '%' | '$' => format!("{c}{c}"),
        _ => c.to_string(),
    };
    Some(format!("\"{}\"", text.chars().map(escaped).collect::<String>()))
}

/// Tells a systemd that runs on this very root.
fn reload(root: &Path) -> Result<bool, Exit> {
    if root != Path::new("/") || !Path::new("/run/systemd/system").exists() {
        return Ok(false);
    }
    let ran = process::Command::new("systemctl").args(["--no-ask-password", "daemon-reload"]).status();
    match ran {
        Ok(status) if status.success() => Ok(true),
        Ok(status) => {
            Err(Exit::failed(format_args!("the files are there, and `systemctl daemon-reload` failed: {status}")))
        }
        Err(error) => Err(Exit::failed(format_args!("the files are there, and systemctl cannot be run: {error}"))),
    }
}

/// Leaves an audit row: by the node, or, where it does not run, in the file that its next start takes over.
async fn note(line: &Line, root: &Path, units: &[String], ask: bool) -> Result<(), Exit> {
    if units.is_empty() {
        return Ok(());
    }
    let told = GateUnits { units: units.to_vec(), root: root.display().to_string(), ask };
    let (action, words) = (told.action(), told.units.join(", "));
    match socket::send(&line.data, &Request::Tell(Box::new(Command::GateUnits(told)))).await {
        Ok(Told::Denied(denied)) => Err(line.deny(&denied)),
        Ok(_) => Ok(()),
        Err(_) => journal::write_down(&line.data, action, &words, None, &SystemClock).map_err(|failure| {
            Exit::failed(format_args!("the files are as they should be, and the audit log is not: {}", failure.cause))
        }),
    }
}

/// Those that this node neither starts nor stops. Where it does not run, nobody can say.
async fn undeclared(line: &Line, units: &[String]) -> Vec<String> {
    let Ok(Told::Answer(answer)) = socket::send(&line.data, &Request::Ask(Box::new(query::Services {}.into()))).await
    else {
        return Vec::new();
    };
    let declared: Vec<&Value> = print::list(&answer["services"]).map(|service| &service["handling"]["unit"]).collect();
    let full = |value: &&Value| value.as_str().map(|unit| unit.strip_suffix(".service").unwrap_or(unit).to_owned());
    let declared: Vec<String> = declared.iter().filter_map(full).collect();
    let known = |unit: &&String| !declared.iter().any(|name| Some(name.as_str()) == unit.strip_suffix(".service"));
    units.iter().filter(known).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_to_systemd_whatever_it_is_made_of() {
        for (path, read) in [
            ("/var/lib/tvox-dr", Some("/var/lib/tvox-dr")),
            ("/srv/my data", Some("\"/srv/my data\"")),
            ("/srv/50%$x\"\\", Some("\"/srv/50%%$$x\\\"\\\\\"")),
            ("/srv/a\nExecStart=/bin/true", None),
        ] {
            assert_eq!(word(Path::new(path)).as_deref(), read, "{path}");
        }
    }

    #[test]
    fn only_services_have_a_start_to_ask_for() {
        let line = Line { data: "/".into(), json: false };
        let names = |units: &[&str]| named(&line, &units.iter().map(|unit| (*unit).to_owned()).collect::<Vec<_>>());
        assert_eq!(names(&["kamailio", "asterisk@1.service"]).unwrap(), ["kamailio.service", "asterisk@1.service"]);
        for wrong in ["", ".service", "kamailio.socket", "../../etc/passwd", "-x.service", "a b.service"] {
            assert_eq!(names(&["good", wrong]).unwrap_err(), Exit::Usage, "{wrong}");
        }
    }

    #[test]
    fn the_directory_of_a_drop_in_names_its_unit() {
        let root = tempfile::tempdir().unwrap();
        let file = file_of(root.path(), "kamailio.service");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        assert_eq!(unit_of(file.parent().unwrap()), None, "somebody else's");
        fs::write(&file, "").unwrap();
        assert_eq!(unit_of(file.parent().unwrap()).as_deref(), Some("kamailio.service"));
    }
}
