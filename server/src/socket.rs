//! The control socket: how the command line talks to the running node. One line of JSON each way, then the end.
//!
//! Only the owner can connect to it (0600), and the uid of who does is checked again: the owner's or root. It is bound and dialled through `/proc/self/fd`, so that a long path does not hit the limit of 107 bytes.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use contract::query::{Answer, Query};
use contract::{Actor, Command, Denied, Outcome};
use node::{DataDir, Node};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

/// Longest request, in bytes. The longest honest one carries a licence.
const MAX_REQUEST: u64 = 1 << 20;

/// What the command line sends.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Do this.
    Tell(Box<Command>),
    /// Answer this.
    Ask(Box<Query>),
}

/// What comes back.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Response {
    Done(Outcome),
    Answer(Answer),
    Denied(Denied),
}

/// What comes back, as the command line reads it: an answer keeps the shape the node gave it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// A command was carried out.
    Done(Outcome),
    /// A question was answered.
    Answer(serde_json::Value),
    /// It was not.
    Denied(Denied),
}

/// A path to the socket that is short whatever the directory's is; it holds as long as the directory is open.
fn through(dir: &File) -> PathBuf {
    Path::new("/proc/self/fd").join(dir.as_raw_fd().to_string()).join(DataDir::SOCKET)
}

/// Binds the socket of a node that this process holds; a socket left by a killed one is replaced.
///
/// # Errors
/// What the system says.
pub fn bind(dir: &DataDir) -> io::Result<UnixListener> {
    match fs::remove_file(dir.root().join(DataDir::SOCKET)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let open = File::open(dir.root())?;
    let listener = UnixListener::bind(through(&open))?;
    fs::set_permissions(dir.root().join(DataDir::SOCKET), fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves the socket until the node stops.
pub async fn serve(node: Arc<Node>, listener: UnixListener, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let node = Arc::clone(&node);
        tokio::spawn(async move {
            if let Err(error) = answer(&node, stream).await {
                tracing::debug!(%error, "a command line went away");
            }
        });
    }
}

async fn answer(node: &Arc<Node>, stream: UnixStream) -> io::Result<()> {
    let caller = stream.peer_cred()?;
    let own = rustix::process::geteuid().as_raw();
    if caller.uid() != 0 && caller.uid() != own {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let login = caller.pid().and_then(|pid| fs::read_to_string(format!("/proc/{pid}/loginuid")).ok());
    let login = login.and_then(|text| text.trim().parse().ok()).filter(|uid| *uid != u32::MAX);
    let actor = Actor::root(login);
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    (&mut stream).take(MAX_REQUEST).read_line(&mut line).await?;
    let response = match serde_json::from_str(&line) {
        Ok(Request::Tell(command)) => node.tell(&actor, *command).await.map_or_else(Response::Denied, Response::Done),
        Ok(Request::Ask(query)) => node.answer(&actor, *query).await.map_or_else(Response::Denied, Response::Answer),
        Err(error) => Response::Denied(Denied::failed("read the request", error)),
    };
    let mut text = serde_json::to_vec(&response)?;
    text.push(b'\n');
    stream.get_mut().write_all(&text).await?;
    stream.get_mut().shutdown().await
}

/// Sends one request to the node of a data directory.
///
/// # Errors
/// `NotFound` or `ConnectionRefused` when no node runs there; else what the system says.
pub async fn send(root: &Path, request: &Request) -> io::Result<Told> {
    let dir = File::open(root)?;
    let mut stream = UnixStream::connect(through(&dir)).await?;
    let mut text = serde_json::to_vec(request)?;
    text.push(b'\n');
    stream.write_all(&text).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    if answer.is_empty() {
        return Err(io::Error::new(io::ErrorKind::ConnectionReset, "the node went away before it answered"));
    }
    serde_json::from_slice(&answer).map_err(io::Error::other)
}
