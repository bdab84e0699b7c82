//! What is worth knowing about the steps before the day on which they are needed. It warns and never stands in the way:
//! a step that cannot be taken is stuck when its turn comes, and an operator can answer for it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use contract::own_step::{CommandWork, Work};
use contract::{Denied, Refused, Rule};
use futures_util::future::join_all;

use super::{Declared, dns};
use crate::node::Node;
use crate::process::PATH;

impl Node {
    /// Looks at every declared step.
    pub(crate) async fn preview_own_steps(&self) -> Result<Vec<Refused>, Denied> {
        let declared = self.declared_own_steps().await?;
        // At once: servers that are down, each waited for, must not add up on the day.
        Ok(join_all(declared.iter().map(|step| self.preview(step))).await.concat())
    }

    async fn preview(&self, declared: &Declared) -> Vec<Refused> {
        let name = &declared.step.name;
        match &declared.step.work {
            Work::Command(work) => commands(name, work),
            Work::Dns(work) => {
                let switch = declared.secret(&self.dir).map(|secret| dns::Switch::of(work, secret.as_ref()));
                match switch {
                    Ok(Ok(switch)) => switch.preview(name, dns::seconds(self.clock.now())).await,
                    Ok(Err(_)) => Vec::new(),
                    Err(why) => vec![Refused::new(Rule::StepRefused, name, why)],
                }
            }
            // Whoever is waited for or called may well not be there yet; a call cannot be tried without making it.
            Work::Manual(_) | Work::Http(_) | Work::Wait(_) => Vec::new(),
        }
    }
}

fn commands(name: &str, work: &CommandWork) -> Vec<Refused> {
    let texts = [Some(&work.run), work.undo.as_ref(), work.check.as_ref()];
    let mut wrong: Vec<String> = texts.into_iter().flatten().filter_map(|text| missing(text)).collect();
    wrong.dedup();
    wrong.into_iter().map(|why| Refused::new(Rule::StepCommand, name, why)).collect()
}

/// Why the program that a shell text begins with cannot be run, where that can be seen without running it.
pub(crate) fn missing(text: &str) -> Option<String> {
    let word = text.split_whitespace().next()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./+-".contains(c);
    // Quotes, variables, assignments, groups: only the shell knows what it would run.
    if !word.chars().all(plain) || BUILT_IN.contains(&word) {
        return None;
    }
    let places: Vec<PathBuf> = if word.contains('/') {
        vec![Path::new("/").join(word)]
    } else {
        PATH.split(':').map(|dir| Path::new(dir).join(word)).collect()
    };
    let files: Vec<_> =
        places.iter().filter_map(|path| fs::metadata(path).ok()).filter(fs::Metadata::is_file).collect();
    let executable = files.iter().any(|file| file.permissions().mode() & 0o111 != 0);
    match (executable, files.is_empty()) {
        (true, _) => None,
        (false, true) => Some(format!("missing={word}")),
        (false, false) => Some(format!("not_executable={word}")),
    }
}

/// What the shell does itself (dash(1)).
const BUILT_IN: [&str; 46] = [
    ".", ":", "alias", "bg", "break", "case", "cd", "chdir", "command", "continue", "do", "echo", "eval", "exec",
    "exit", "export", "false", "fc", "fg", "for", "getopts", "hash", "if", "jobs", "kill", "local", "printf", "pwd",
    "read", "readonly", "return", "set", "shift", "test", "times", "trap", "true", "type", "ulimit", "umask",
    "unalias", "unset", "until", "wait", "while", "then",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_there_or_not_executable_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("switch.sh");
        assert_eq!(missing(&format!("{} dr", script.display())), Some(format!("missing={}", script.display())));
        fs::write(&script, "#!/bin/sh\n").unwrap();
        let why = missing(&script.display().to_string());
        assert_eq!(why, Some(format!("not_executable={}", script.display())));
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(missing(&script.display().to_string()), None);
        assert_eq!(missing("no-such-program --now"), Some("missing=no-such-program".into()));
    }

    #[test]
    fn what_only_the_shell_can_judge_is_left_to_it() {
        for text in ["cd /tmp && ./x", "A=1 x", "\"$HOME\"/x", "(x)", "sh -c x", "if x; then y; fi", ""] {
            assert_eq!(missing(text), None, "{text}");
        }
    }
}
