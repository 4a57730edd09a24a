//! What an operator should hear of the other sides, in one sentence each: what, where, what to do.
//!
//! A fault of a carrier comes with every call, so each kind is told once a minute, with how often it
//! came meanwhile.

use std::{fmt, net::SocketAddr, time::Duration};

/// How long a kind is not told again.
const QUIET_FOR: Duration = Duration::from_secs(60);

/// Something that another side does, and that somebody should look into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// A datagram that is no SIP message.
    Unusable {
        /// Who sent it.
        from: SocketAddr,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An INVITE that nobody answered at all.
    Silent {
        /// Where it went.
        to: SocketAddr,
    },
    /// A call that was answered twice.
    SecondAnswer {
        /// Who sent the second answer.
        from: SocketAddr,
    },
}

impl Notice {
    fn kind(self) -> usize {
        match self {
            Self::Unusable { .. } => 0,
            Self::Silent { .. } => 1,
            Self::SecondAnswer { .. } => 2,
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unusable { from, why } => write!(
                f,
                "{from} sent a datagram that is no usable SIP ({why}) and was not heeded; \
                 if that is the trunk or a phone, look at what it sends"
            ),
            Self::Silent { to } => write!(
                f,
                "{to} answers no INVITE, not even with 100 Trying; check that address (`[[trunks]]` in the \
                 settings, `sip` in agents.toml), whether it is up, and the firewall on the way"
            ),
            Self::SecondAnswer { from } => write!(
                f,
                "{from} answered one call twice; the second answer was ended at once, the first goes on; \
                 if that is often so, have the carrier fork to one phone only"
            ),
        }
    }
}

/// Tells each kind once in a while.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// By kind: until when it is quiet, and how many came meanwhile.
    kinds: [Option<(Duration, u64)>; 3],
}

impl Notices {
    /// How many of that kind came untold before it, if it is to be told now.
    pub(super) fn tell(&mut self, now: Duration, notice: Notice) -> Option<u64> {
        let kind = &mut self.kinds[notice.kind()];
        match kind {
            Some((until, untold)) if now < *until => {
                *untold += 1;
                None
            }
            _ => {
                let untold = kind.map_or(0, |(_, untold)| untold);
                *kind = Some((now + QUIET_FOR, 0));
                Some(untold)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_told_once_a_minute() {
        let at = "192.0.2.1:5060".parse().unwrap();
        let (silent, second) = (Notice::Silent { to: at }, Notice::SecondAnswer { from: at });
        let mut notices = Notices::default();
        let now = Duration::from_secs(7);
        assert_eq!(notices.tell(now, silent), Some(0));
        assert_eq!(notices.tell(now, silent), None);
        assert_eq!(notices.tell(now + QUIET_FOR / 2, silent), None);
        assert_eq!(notices.tell(now, second), Some(0));
        assert_eq!(notices.tell(now + QUIET_FOR, silent), Some(2));
        assert_eq!(notices.tell(now + QUIET_FOR * 3, silent), Some(0));
    }
}
