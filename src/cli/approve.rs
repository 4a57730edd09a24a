//! `dialops approve`: lets one commit in that waits since it takes away campaigns.

use serde_json::json;

use super::{
    client::Client,
    output::{Exit, Failure, Format},
    reconcile::show,
    target::Target,
};
use crate::http::wire::Reconciled;

/// Arguments of `dialops approve`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The commit that waits, at least seven digits of it; `dialops status` shows it and its whole plan
    commit: String,
    /// How to write it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Approves, and prints what the daemon found then.
pub(super) async fn run(args: Args, target: &Target) -> Result<Exit, Failure> {
    let body = json!({ "revision": args.commit });
    let found: Reconciled = Client::new(target)?.post_json(&["approvals"], &body).await?;
    show(&found, args.format)
}
