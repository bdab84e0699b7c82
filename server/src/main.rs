//! `tvox-dr`: one binary for both machines of a disaster-recovery pair. What it can do is in [`cli`]; here it only begins.

mod cli;
mod http;
mod serve;
mod socket;

use std::process::ExitCode;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let exit = match runtime {
        Ok(runtime) => {
            let exit = runtime.block_on(cli::run());
            // A thread blocked in a transfer must not hold the exit: what it did is on disk or will be done again.
            runtime.shutdown_timeout(std::time::Duration::from_millis(500));
            exit
        }
        Err(error) => cli::Exit::failed(format_args!("no threads to run on: {error}")),
    };
    exit.into()
}
