//! `tvox-dr serve`: opens the node, binds everything it listens on, runs until it is told to stop, and stops in time.

use std::path::Path;
use std::sync::Arc;

use node::{Node, OpenError, SystemClock};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::cli::Exit;
use crate::socket;

/// Runs the node until SIGTERM or SIGINT.
pub async fn run(root: &Path) -> Exit {
    let filter = EnvFilter::try_from_env("TVOX_DR_LOG").unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    log.init();
    match start(root).await {
        Ok(()) => Exit::Done,
        Err(error) => Exit::from(error),
    }
}

async fn start(root: &Path) -> Result<(), OpenError> {
    let node = Node::open(root, Arc::new(SystemClock)).await?;
    let listen = |what, address: &dyn std::fmt::Display, error: std::io::Error| OpenError::Listen {
        address: address.to_string(),
        what,
        why: error.to_string(),
    };
    let panel = node.config().panel;
    let bound = std::net::TcpListener::bind(panel).map_err(|error| listen("the panel", &panel, error))?;
    let control = socket::bind(node.dir())
        .map_err(|error| listen("the command line", &node.dir().root().join(node::DataDir::SOCKET).display(), error))?;
    node.run().await?;
    let stop = CancellationToken::new();
    let commands = tokio::spawn(socket::serve(Arc::clone(&node), control, stop.clone()));
    let pages = tokio::spawn(crate::http::serve(Arc::clone(&node), bound, stop.clone()));
    let info = node.info();
    tracing::info!(name = info.name, role = %info.role, version = info.version, %panel, peer = %node.config().peer, "running");
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    let ended = until_told(pages).await;
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    tracing::info!("stopping");
    stop.cancel();
    node.shut_down().await;
    let _ = commands.await;
    ended
}

/// Waits for a signal, or for the panel to fail: a node without its panel would be one that nobody can press.
async fn until_told<E: std::error::Error>(pages: tokio::task::JoinHandle<Result<(), E>>) -> Result<(), OpenError> {
    let failed = |why: String| OpenError::Listen { address: "the panel's address".into(), what: "the panel", why };
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| failed(error.to_string()))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| failed(error.to_string()))?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        ended = pages => match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(error) => Err(failed(error.to_string())),
        },
    }
}
