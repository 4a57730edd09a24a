//! One host: how much it is given at once, and how long it is left alone when it takes nothing.

use std::{sync::Arc, time::Duration};

use crate::{
    delivery::post::Post,
    domain::backoff::{self, Bounds},
};

/// Failures in a row after which a host is left alone.
const FAILURES_MAX: u32 = 5;

/// For how long.
const ALONE: Bounds = Bounds { first: Duration::from_secs(5), most: Duration::from_secs(5 * 60) };

/// A host.
#[derive(Default)]
pub(super) struct Host {
    /// The client, once there is one; its connections are kept.
    pub(super) post: Option<Arc<Post>>,
    /// Requests under way.
    busy: u32,
    /// How often in a row it was not there, or said that it is not well.
    failures: u32,
    /// Until when it is left alone.
    alone_until: Option<Duration>,
}

/// What an end of a request says of its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// It answers.
    Well,
    /// It is not there, or says that it is not well.
    Unwell,
    /// Nothing: it was not asked.
    Unknown,
}

impl Host {
    /// How many more requests it may be given; one at a time once it was left alone.
    pub(super) fn room(&self, most: u32, now: Duration) -> u32 {
        match self.alone_until {
            Some(until) if now < until => 0,
            Some(_) => 1_u32.saturating_sub(self.busy),
            None => most.saturating_sub(self.busy),
        }
    }

    /// When it may be given something again although nothing of what it has ends.
    pub(super) fn opens_at(&self) -> Option<Duration> {
        self.alone_until
    }

    /// Whether it may be forgotten.
    pub(super) fn is_idle(&self) -> bool {
        self.busy == 0 && self.alone_until.is_none()
    }

    /// It is given a request.
    pub(super) fn begin(&mut self) {
        self.busy += 1;
    }

    /// A request has ended; tells for how long the host is left alone, if that is new.
    pub(super) fn end(&mut self, health: Health, now: Duration, name: &str) -> Change {
        self.busy = self.busy.saturating_sub(1);
        let was_alone = self.alone_until.is_some();
        match health {
            Health::Unknown => Change::None,
            Health::Well => {
                (self.failures, self.alone_until) = (0, None);
                if was_alone { Change::Back } else { Change::None }
            }
            Health::Unwell => {
                self.post = None;
                self.failures = self.failures.saturating_add(1);
                if self.failures < FAILURES_MAX {
                    return Change::None;
                }
                let wait = backoff::wait(ALONE, self.failures - FAILURES_MAX + 1, 0, name);
                self.alone_until = Some(now.saturating_add(wait));
                if was_alone { Change::None } else { Change::Gone(wait) }
            }
        }
    }
}

/// What has become of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// It is left alone for this long.
    Gone(Duration),
    /// It is there again.
    Back,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_host_is_given_so_much_at_once_and_no_more() {
        let mut host = Host::default();
        assert_eq!(host.room(2, seconds(0)), 2);
        host.begin();
        host.begin();
        assert_eq!(host.room(2, seconds(0)), 0);
        assert_eq!(host.end(Health::Well, seconds(0), "a"), Change::None);
        assert_eq!(host.room(2, seconds(0)), 1);
    }

    #[test]
    fn one_that_takes_nothing_is_left_alone_and_tried_by_one_request() {
        let mut host = Host::default();
        let fail = |host: &mut Host, now| {
            host.begin();
            host.end(Health::Unwell, now, "a")
        };
        for _ in 1..FAILURES_MAX {
            assert_eq!(fail(&mut host, seconds(0)), Change::None);
        }
        assert!(matches!(fail(&mut host, seconds(0)), Change::Gone(wait) if wait <= seconds(7)));
        assert_eq!((host.room(4, seconds(1)), host.is_idle()), (0, false));
        let later = host.opens_at().unwrap();
        assert_eq!(host.room(4, later), 1);
        assert_eq!(fail(&mut host, later), Change::None);
        assert_eq!(host.room(4, later), 0, "longer than before");
        assert!(host.opens_at().unwrap() > later + seconds(7));
        let later = host.opens_at().unwrap();
        host.begin();
        assert_eq!(host.room(4, later), 0, "one at a time");
        assert_eq!(host.end(Health::Well, later, "a"), Change::Back);
        assert_eq!((host.room(4, later), host.is_idle()), (4, true));
    }

    #[test]
    fn what_never_asked_says_nothing() {
        let mut host = Host::default();
        for _ in 0..9 {
            host.begin();
            assert_eq!(host.end(Health::Unknown, seconds(0), "a"), Change::None);
        }
        assert!(host.is_idle());
    }
}
