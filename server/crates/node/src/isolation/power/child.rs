//! A program that is asked something and must end: in a process group of its own, with a clean environment, killed with
//! everything it started when nobody waits for it any more. Secrets reach it by its environment, never by its arguments,
//! which every user of the machine can read.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use contract::power::PowerFault;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

/// Where a program finds others, whatever `tvox-dr` was started with.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What is read of its words.
const LONGEST: u64 = 4096;
/// How long its words may come after its end: something that it left running may keep the pipe open.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How it ended, and what it said.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) status: ExitStatus,
    pub(super) out: String,
    pub(super) err: String,
}

impl Said {
    /// The last line that says anything: errors before answers.
    pub(super) fn last_words(&self) -> String {
        let last = |text: &str| text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned);
        let words = last(&self.err).or_else(|| last(&self.out)).unwrap_or_else(|| self.status.to_string());
        words.chars().filter(|c| !c.is_control()).take(200).collect()
    }
}

/// Runs a program to its end. The caller sets the limit by dropping the future.
pub(super) async fn ask(program: &str, args: &[&str], env: &[(&str, &str)]) -> Result<Said, PowerFault> {
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", "/")
        .env("LANG", "C.UTF-8")
        .envs(env.iter().copied())
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => PowerFault::NoProgram(program.to_owned()),
        _ => PowerFault::Failed(format!("{program}: {error}")),
    })?;
    let mut group = Group { child };
    let (out, err) = (group.child.stdout.take(), group.child.stderr.take());
    let (mut said, mut complained) = (Vec::new(), Vec::new());
    let status = {
        let words = async { tokio::join!(read(out, &mut said), read(err, &mut complained)) };
        tokio::pin!(words);
        let mut heard = false;
        let status = tokio::select! {
            status = group.child.wait() => status,
            _ = &mut words => {
                heard = true;
                group.child.wait().await
            }
        };
        if !heard {
            let _ = tokio::time::timeout(LAST_WORDS, &mut words).await;
        }
        status
    };
    let status = status.map_err(|error| PowerFault::Failed(format!("{program}: {error}")))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Said { status, out: text(&said), err: text(&complained) })
}

/// Reads what is worth reading, and goes on emptying the pipe so that whoever writes is not held up.
async fn read(pipe: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) {
    let Some(mut pipe) = pipe else { return };
    let _ = (&mut pipe).take(LONGEST).read_to_end(into).await;
    let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
}

/// The program and everything that it started and that stayed in its group.
#[derive(Debug)]
struct Group {
    child: Child,
}

impl Drop for Group {
    fn drop(&mut self) {
        // Without an id it was reaped, and its number may be somebody else's by now.
        let group = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_it_says_is_read_and_what_it_leaves_running_is_not_waited_for() {
        let said = ask("/bin/sh", &["-c", "echo on; echo oops >&2; sleep 30 & exit 3"], &[]).await.unwrap();
        assert_eq!((said.status.code(), said.out.as_str(), said.last_words().as_str()), (Some(3), "on\n", "oops"));
    }

    #[tokio::test]
    async fn whoever_says_too_much_is_heard_to_its_end_and_remembered_in_part() {
        let said = ask("/bin/sh", &["-c", "yes on | head -c 1000000; exit 0"], &[]).await.unwrap();
        assert_eq!((said.status.code(), said.out.len()), (Some(0), 4096));
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        assert_eq!(ask("no-such-tool", &[], &[]).await.unwrap_err(), PowerFault::NoProgram("no-such-tool".into()));
    }

    #[tokio::test]
    async fn nothing_of_it_outlives_the_patience() {
        let dir = tempfile::tempdir().unwrap();
        let (begun, pid) = (dir.path().join("begun"), dir.path().join("pid"));
        let script = format!("sleep 600 & echo $! > {}; touch {}; wait", pid.display(), begun.display());
        let until_begun = async {
            while !begun.exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let args = ["-c", script.as_str()];
        tokio::select! {
            _ = ask("/bin/sh", &args, &[]) => panic!("it does not end by itself"),
            () = until_begun => {}
        }
        let pid: i32 = std::fs::read_to_string(pid).unwrap().trim().parse().unwrap();
        let stat = format!("/proc/{pid}/stat");
        // Gone, or a zombie that nobody has reaped yet.
        let lives = || std::fs::read_to_string(&stat).is_ok_and(|text| !text.contains(") Z "));
        let gone = async {
            while lives() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), gone).await.unwrap();
    }

    #[tokio::test]
    async fn it_sees_the_secret_in_its_environment_and_nothing_of_ours() {
        let said = ask("/bin/sh", &["-c", "env"], &[("SECRET", "x y")]).await.unwrap();
        let names: Vec<_> = said.out.lines().filter_map(|line| line.split('=').next()).collect();
        assert!(said.out.contains("SECRET=x y\n"), "{}", said.out);
        assert!(!names.contains(&"CARGO_MANIFEST_DIR"), "{names:?}");
    }
}
