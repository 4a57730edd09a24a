//! What came of today's calls, read from the store as often as somebody looks and no oftener than that changes.

use std::{sync::Arc, time::Duration};

use tokio::sync::Mutex;

use super::state::ServerState;
use crate::store::Today;

/// For how long it is good.
const GOOD_FOR: Duration = Duration::from_secs(2);

/// The newest that was read, and when on the monotonic clock.
#[derive(Debug, Default)]
pub struct NewestToday(Mutex<Option<(Duration, Arc<Today>)>>);

/// What came of today's calls; what was read last if the store fails.
pub(super) async fn today(state: &ServerState) -> Arc<Today> {
    let mut newest = state.today.0.lock().await;
    let now = state.clock.now();
    if let Some((_, today)) = newest.as_ref().filter(|(read_at, _)| now.mono.saturating_sub(*read_at) < GOOD_FOR) {
        return Arc::clone(today);
    }
    match state.store.today(now.wall).await {
        Ok(today) => {
            let today = Arc::new(today);
            *newest = Some((now.mono, Arc::clone(&today)));
            today
        }
        Err(error) => {
            tracing::warn!(%error, "what came of today's calls could not be read");
            newest.as_ref().map(|(_, today)| Arc::clone(today)).unwrap_or_default()
        }
    }
}
