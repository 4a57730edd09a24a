//! Passwords: how they are kept, and how fast they may be guessed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, SaltString},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::secret;
use crate::store::people::PasswordHash;

/// Fewest and most characters of a password.
pub(super) const LENGTH_MIN: usize = 12;
pub(super) const LENGTH_MAX: usize = 200;

/// Wrong passwords in a row of one name that cost nothing.
const FREE: u32 = 5;
/// The wait after the next one, which doubles with each.
const WAIT: Duration = Duration::from_secs(2);
const WAIT_MAX: Duration = Duration::from_secs(300);
/// After so long without another they are forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);
/// Names of which failures are remembered.
const NAMES_MAX: usize = 10_000;

/// Sign-ins that wait for their turn at most.
const WAITING_MAX: usize = 64;

/// Why a password was not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Busy {
    /// Too many were wrong.
    #[error("too many wrong passwords for this name")]
    Wait(Duration),
    /// Too many at once.
    #[error("too many people sign in at once")]
    Crowded,
    /// Nothing can be hashed.
    #[error("the password could not be looked at")]
    Broken,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Duration,
}

impl Failures {
    /// Until when the next try waits.
    fn until(self) -> Duration {
        let over = self.count.checked_sub(FREE);
        let wait = over.map(|over| WAIT.saturating_mul(1 << over.min(16)).min(WAIT_MAX));
        self.last + wait.unwrap_or_default()
    }
}

/// The door: one password is looked at at a time, since each takes memory and time on purpose.
#[derive(Debug)]
pub struct SignIns {
    failures: Mutex<BTreeMap<String, Failures>>,
    turn: Semaphore,
    waiting: Arc<Semaphore>,
}

impl Default for SignIns {
    fn default() -> Self {
        let (turn, waiting) = (Semaphore::new(1), Arc::new(Semaphore::new(WAITING_MAX)));
        Self { failures: Mutex::default(), turn, waiting }
    }
}

impl SignIns {
    /// Whether a password is the one of this name, whose hash is `known`; for who has none it is never right, and takes
    /// as long.
    pub(super) async fn check(
        &self,
        name: &str,
        given: SecretString,
        known: Option<PasswordHash>,
        now: Duration,
    ) -> Result<bool, Busy> {
        self.may_try(name, now)?;
        let _waiting = self.waiting.clone().try_acquire_owned().map_err(|_| Busy::Crowded)?;
        let _turn = self.turn.acquire().await.map_err(|_| Busy::Crowded)?;
        // Others of the same name may have had their turn meanwhile.
        self.may_try(name, now)?;
        let right = tokio::task::spawn_blocking(move || is_right(&given, known.as_ref()));
        let right = right.await.map_err(|_| Busy::Broken)?;
        self.tried(name, right, now);
        Ok(right)
    }

    fn failures(&self) -> MutexGuard<'_, BTreeMap<String, Failures>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn may_try(&self, name: &str, now: Duration) -> Result<(), Busy> {
        let until = self.failures().get(name).map(|failures| failures.until()).unwrap_or_default();
        let wait = until.saturating_sub(now);
        if wait.is_zero() { Ok(()) } else { Err(Busy::Wait(wait)) }
    }

    /// Notes what came of a try.
    pub(super) fn tried(&self, name: &str, right: bool, now: Duration) {
        let mut all = self.failures();
        if right {
            all.remove(name);
            return;
        }
        all.retain(|_, failures| failures.last + FORGOTTEN_AFTER > now);
        if all.len() >= NAMES_MAX
            && let Some(oldest) = all.iter().min_by_key(|(_, failures)| failures.last).map(|(name, _)| name.clone())
        {
            all.remove(&oldest);
        }
        let failures = all.entry(name.to_owned()).or_insert(Failures { count: 0, last: now });
        *failures = Failures { count: failures.count.saturating_add(1), last: now };
    }
}

/// Hashes a password: argon2id with the parameters that OWASP names (19 MiB, 2 passes).
pub(super) fn hash(password: &SecretString) -> Option<PasswordHash> {
    let salt = SaltString::encode_b64(&secret::random::<16>().ok()?).ok()?;
    let hash = Argon2::default().hash_password(password.expose_secret().as_bytes(), &salt).ok()?;
    Some(PasswordHash(hash.to_string()))
}

fn is_right(given: &SecretString, known: Option<&PasswordHash>) -> bool {
    static NOBODYS: OnceLock<Option<PasswordHash>> = OnceLock::new();
    let nobodys = || NOBODYS.get_or_init(|| hash(&"nobody has this password".to_owned().into())).as_ref();
    let Some(hash) = known.or_else(nobodys) else { return false };
    let Ok(parsed) = argon2::PasswordHash::new(&hash.0) else { return false };
    let same = Argon2::default().verify_password(given.expose_secret().as_bytes(), &parsed).is_ok();
    same && known.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test]
    async fn a_password_is_right_or_not() {
        let (doors, password) = (SignIns::default(), SecretString::from("correct horse battery"));
        let known = hash(&password).unwrap();
        assert!(known.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", known.0);
        assert_ne!(hash(&password).unwrap(), known, "each has its own salt");
        let check = |given: &str, known| doors.check("eve", given.to_owned().into(), known, at(0));
        assert_eq!(check("correct horse battery", Some(known.clone())).await, Ok(true));
        assert_eq!(check("correct horse batter", Some(known)).await, Ok(false));
        assert_eq!(check("nobody has this password", None).await, Ok(false));
    }

    #[tokio::test]
    async fn guessing_gets_slow_and_others_are_not_held_up() {
        let doors = SignIns::default();
        for _ in 0..FREE {
            doors.may_try("eve", at(0)).unwrap();
            doors.tried("eve", false, at(0));
        }
        assert_eq!(doors.may_try("eve", at(0)), Err(Busy::Wait(at(2))));
        assert_eq!(doors.may_try("bob", at(0)), Ok(()));
        doors.may_try("eve", at(2)).unwrap();
        doors.tried("eve", false, at(2));
        assert_eq!(doors.may_try("eve", at(2)), Err(Busy::Wait(at(4))));
        for _ in 0..40 {
            doors.tried("eve", false, at(2));
        }
        assert_eq!(doors.may_try("eve", at(2)), Err(Busy::Wait(WAIT_MAX)));
        // Right or wrong: who waits is not looked at.
        let known = hash(&"correct horse battery".to_owned().into());
        let given = "correct horse battery".to_owned().into();
        assert!(doors.check("eve", given, known, at(3)).await.is_err());
        doors.tried("eve", true, at(400));
        assert_eq!(doors.may_try("eve", at(400)), Ok(()));
    }

    #[test]
    fn names_that_were_tried_are_not_kept_without_end() {
        let doors = SignIns::default();
        for number in 0..NAMES_MAX + 10 {
            doors.tried(&number.to_string(), false, at(1));
        }
        assert_eq!(doors.failures().len(), NAMES_MAX);
        doors.tried("eve", false, at(2) + FORGOTTEN_AFTER);
        assert_eq!(doors.failures().len(), 1);
    }
}
