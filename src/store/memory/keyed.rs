//! Writes that came with an idempotency key, in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{MemoryStore, limit_of};
use crate::store::{
    StoreError,
    keyed::{Admitted, FORGOTTEN_AT_ONCE, KeptAnswer, KeyedId, KeyedRequest, KeyedRequests},
};

/// One of them.
#[derive(Debug)]
struct Kept {
    request: KeyedRequest,
    epoch: u32,
    done: bool,
    answer: Option<KeptAnswer>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Keyed(BTreeMap<KeyedId, Kept>);

impl Keyed {
    /// Notes that the change of a request was made.
    pub(super) fn done(&mut self, id: &KeyedId) {
        if let Some(kept) = self.0.get_mut(id) {
            kept.done = true;
        }
    }

    /// Forgets what was answered, since somebody is erased whom it may name.
    pub(super) fn forget_answers(&mut self) {
        self.0.values_mut().filter_map(|kept| kept.answer.as_mut()).for_each(|answer| answer.sealed = None);
    }
}

#[async_trait]
impl KeyedRequests for MemoryStore {
    async fn admit_keyed(&self, request: KeyedRequest) -> Result<Admitted, StoreError> {
        let now = self.clock.now().wall;
        let mut state = self.state()?;
        let epoch = state.epoch;
        let all = &mut state.keyed.0;
        let mut old: Vec<_> = all.iter().map(|(id, kept)| (kept.request.expires_at, *id)).collect();
        old.retain(|(expires_at, _)| *expires_at <= now);
        old.sort();
        old.iter().take(limit_of(FORGOTTEN_AT_ONCE)).for_each(|(_, id)| {
            all.remove(id);
        });
        if let Some(kept) = all.get(&request.id).filter(|kept| kept.request.expires_at > now) {
            if kept.request.request != request.request {
                return Ok(Admitted::Other);
            }
            match (&kept.answer, kept.epoch == epoch, kept.done) {
                (Some(answer), ..) => return Ok(Admitted::Answered(answer.clone())),
                (None, true, _) => return Ok(Admitted::UnderWay),
                (None, false, true) => return Ok(Admitted::Lost),
                (None, false, false) => {}
            }
        }
        all.insert(request.id, Kept { request, epoch, done: false, answer: None });
        Ok(Admitted::New)
    }

    async fn answer_keyed(&self, id: &KeyedId, answer: KeptAnswer) -> Result<(), StoreError> {
        if let Some(kept) = self.state()?.keyed.0.get_mut(id) {
            kept.answer = Some(answer);
        }
        Ok(())
    }

    async fn release_keyed(&self, id: &KeyedId) -> Result<bool, StoreError> {
        let mut state = self.state()?;
        let released = state.keyed.0.get(id).is_some_and(|kept| !kept.done);
        if released {
            state.keyed.0.remove(id);
        }
        Ok(released)
    }
}
