//! `dialops demo`: the whole thing on this machine, with made-up customers and agents.
//!
//! Whatever happens, the daemon is drained and the folder is gone at the end, unless `--keep`.

mod customers;
mod files;
mod story;
mod summary;
mod view;
mod world;

use std::{future::Future, pin::pin};

use tokio::signal::unix::{SignalKind, signal};

use self::world::{Daemon, World};
use super::output::{Exit, Failure, note};
use crate::clock::Clock;

/// Arguments of `dialops demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Let the daemon go on at the end, until Ctrl-C, and leave the directory
    #[arg(long)]
    keep: bool,
}

/// Runs the demo.
pub(super) fn run(args: Args) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("no runtime: {error}"), "free some memory or descriptors"))?;
    runtime.block_on(demo(args.keep))
}

async fn demo(keep: bool) -> Result<Exit, Failure> {
    let mut interrupted = pin!(interruption()?);
    let world = World::build(Clock::system()).await?;
    let mut daemon = Daemon::start(&world)?;
    let mut played = tokio::select! {
        biased;
        () = &mut interrupted => Err(Failure::failed("interrupted", "")),
        failure = daemon.ended() => Err(failure),
        played = story::play(&world, keep) => played,
    };
    if keep && played.is_ok() {
        played = tokio::select! {
            biased;
            () = &mut interrupted => played,
            failure = daemon.ended() => Err(failure),
        };
    }
    let stopped = daemon.stop().await;
    let quiet = world.is_quiet().await;
    let left = if keep {
        note(format_args!("left as it is: {}", world.keep().display()));
        Ok(())
    } else {
        world.remove()
    };
    played.and(stopped).and(quiet).and(left).map(|()| Exit::Ok)
}

/// Comes with Ctrl-C, a request to end, or the end of the terminal.
fn interruption() -> Result<impl Future<Output = ()>, Failure> {
    let failed = |error| Failure::failed(format!("signals can't be received: {error}"), "");
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut hang_up = signal(SignalKind::hangup()).map_err(failed)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    })
}
