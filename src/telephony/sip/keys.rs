//! Our identifiers, all derived from one key, so that another life of the daemon knows them again
//! and nobody else can make them.

use std::{fmt, fmt::Write, sync::Arc};

use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::domain::ids::LegId;

/// The magic cookie that opens every branch of RFC 3261 (§8.1.1.7).
pub const COOKIE: &str = "z9hG4bK";

/// Derives identifiers by HMAC-SHA256.
#[derive(Clone)]
pub struct DialogKey(Hmac<Sha256>);

impl fmt::Debug for DialogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DialogKey")
    }
}

/// Identifiers of one dialog, or of the dialogs one INVITE makes.
#[derive(Debug, Clone)]
pub struct Names {
    /// `Call-ID`.
    pub call_id: Arc<str>,
    /// Our tag.
    pub tag: Box<str>,
    /// What our branches begin with.
    pub root: u64,
    /// Number of our SDP session.
    pub session: u64,
}

impl DialogKey {
    /// Wraps the key.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        // HMAC takes keys of any length, so this can't fail.
        Self(Hmac::new_from_slice(&key).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length")))
    }

    fn derive(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(purpose.as_bytes());
        for part in parts {
            mac.update(&[0]);
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// The identifiers of `leg`; `salt` tells its branches from those of earlier lives or of forks.
    #[must_use]
    pub fn leg(&self, leg: LegId) -> Names {
        let call_id = hex(&self.derive("call", &[&leg.to_i64().to_be_bytes()])[..12]);
        self.names(call_id.into(), "")
    }

    /// The identifiers that belong to `call_id`; `salt` keeps branches of different dialogs apart.
    #[must_use]
    pub fn names(&self, call_id: Arc<str>, salt: &str) -> Names {
        let tag = hex(&self.derive("tag", &[call_id.as_bytes()])[..8]).into();
        let derived = self.derive("root", &[call_id.as_bytes(), salt.as_bytes()]);
        let number = |at: usize| derived[at..at + 8].iter().fold(0_u64, |n, &byte| n << 8 | u64::from(byte));
        // Half of 64 bits, so that every reader of SDP takes it (RFC 4566 §5.2 has it numeric only).
        Names { call_id, tag, root: number(0), session: number(8) >> 1 }
    }

    /// Whether `tag` is the one we gave with `call_id`.
    #[must_use]
    pub fn is_ours(&self, call_id: &str, tag: &str) -> bool {
        let ours = hex(&self.derive("tag", &[call_id.as_bytes()])[..8]);
        ours.as_bytes().ct_eq(tag.as_bytes()).into()
    }

    /// A tag for answers to requests outside of dialogs: the same for repeats, so no state is kept.
    #[must_use]
    pub fn answer_tag(&self, call_id: &str, branch: &str) -> String {
        hex(&self.derive("answer", &[call_id.as_bytes(), branch.as_bytes()])[..6])
    }

    /// A client nonce.
    #[must_use]
    pub fn cnonce(&self, call_id: &str, cseq: u32) -> String {
        hex(&self.derive("cnonce", &[call_id.as_bytes(), &cseq.to_be_bytes()])[..8])
    }

    /// A number below `limit` that looks random.
    #[must_use]
    pub fn jitter(&self, call_id: &str, cseq: u32, limit: u32) -> u32 {
        let derived = self.derive("jitter", &[call_id.as_bytes(), &cseq.to_be_bytes()]);
        u32::from_be_bytes([derived[0], derived[1], derived[2], derived[3]]) % limit.max(1)
    }
}

/// The `serial`th branch from `root`.
#[must_use]
pub fn branch(root: u64, serial: u32) -> String {
    format!("{COOKIE}{root:016x}.{serial}")
}

/// The branch that followed `branch` in the life that made it.
#[must_use]
pub fn successor(branch: &str) -> Option<String> {
    let (root, serial) = branch.rsplit_once('.')?;
    Some(format!("{root}.{}", serial.parse::<u32>().ok()?.checked_add(1)?))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String can't fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Epoch;

    #[test]
    fn branches_follow_each_other() {
        assert_eq!(successor(&branch(9, 1)), Some(branch(9, 2)));
        assert_eq!(successor("z9hG4bKx"), None);
    }

    #[test]
    fn names_are_known_again_and_differ() {
        let key = DialogKey::new([7; 32]);
        let leg = |serial| LegId { epoch: Epoch(1), serial };
        let (one, again, two) = (key.leg(leg(1)), DialogKey::new([7; 32]).leg(leg(1)), key.leg(leg(2)));
        assert_eq!((&one.call_id, &one.tag, one.root), (&again.call_id, &again.tag, again.root));
        assert_ne!(one.call_id, two.call_id);
        assert!(key.is_ours(&one.call_id, &one.tag));
        assert!(!key.is_ours(&one.call_id, &two.tag));
        assert!(!DialogKey::new([8; 32]).is_ours(&one.call_id, &one.tag));
        assert_ne!(key.names(one.call_id.clone(), "fork").root, one.root);
        assert_eq!(key.names(one.call_id.clone(), "fork").tag, one.tag);
    }
}
