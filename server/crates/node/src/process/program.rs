//! Whether a program that a command needs is there at all, found out without running anything.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::PATH;

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
