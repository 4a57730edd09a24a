//! When sessions were last used: one that nobody has used for a while is over, however long it might have lasted.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::sign_in::SESSION_LASTS;
use crate::store::people::SecretDigest;

/// When each was last used in this life of the daemon. A restart counts as use, since nobody could use one meanwhile.
#[derive(Debug)]
pub struct Sessions {
    idle: Duration,
    used: Mutex<BTreeMap<SecretDigest, Duration>>,
}

impl Sessions {
    /// Sessions that end once they were not used for `idle`.
    #[must_use]
    pub fn new(idle: Duration) -> Self {
        Self { idle, used: Mutex::default() }
    }

    /// Notes that one is used now; `false` if it had not been used for too long, and is over.
    pub(super) fn is_used(&self, session: &SecretDigest, now: Duration) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = used.get(session).is_some_and(|last| now.saturating_sub(*last) >= self.idle);
        if !is_over && used.insert(*session, now).is_none() {
            // Those have ended by themselves.
            used.retain(|_, last| now.saturating_sub(*last) < SESSION_LASTS.unsigned_abs());
        }
        !is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_goes_on_and_what_is_not_is_over_for_good() {
        let sessions = Sessions::new(Duration::from_secs(60));
        let at = |seconds| Duration::from_secs(seconds);
        let (one, other) = ([1; 32], [2; 32]);
        assert!(sessions.is_used(&one, at(0)) && sessions.is_used(&other, at(0)));
        assert!(sessions.is_used(&one, at(59)) && sessions.is_used(&one, at(118)));
        assert!(!sessions.is_used(&other, at(60)) && !sessions.is_used(&other, at(61)));
        // What ended long ago by itself is forgotten.
        assert!(sessions.is_used(&[3; 32], at(100_000)));
        assert_eq!(sessions.used.lock().unwrap().len(), 1);
    }
}
