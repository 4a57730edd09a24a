//! What drifts again and again: somebody else puts it back. It is told, and mended less and less often.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use super::{Drift, Kind};
use crate::domain::backoff::{self, Bounds};

/// What drifts so many times…
pub const TIMES: usize = 3;

/// …within this time is a fight.
pub const WITHIN: Duration = Duration::from_secs(10 * 60);

/// How long a fight is left alone before it is mended once more.
const WAITS: Bounds = Bounds { first: Duration::from_secs(60), most: Duration::from_secs(60 * 60) };

/// What is to become of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// It is mended.
    Mend,
    /// It is a fight, and mended: it was left alone for long enough.
    MendInFight,
    /// It is a fight, and left alone until then.
    Wait {
        /// By the monotonic clock.
        until: Duration,
    },
}

impl Course {
    /// Whether it is mended now.
    #[must_use]
    pub fn mends(self) -> bool {
        matches!(self, Self::Mend | Self::MendInFight)
    }

    /// Whether it is a fight.
    #[must_use]
    pub fn is_fight(self) -> bool {
        matches!(self, Self::MendInFight | Self::Wait { .. })
    }
}

/// One thing that drifts.
#[derive(Debug, Clone, Default)]
struct Bout {
    /// When it was found to have drifted, after it had been in order; the newest [`TIMES`].
    drifted: VecDeque<Duration>,
    /// It was mended since the last of these.
    mended: bool,
    /// How often it was left alone.
    waits: u32,
    /// Until when.
    until: Option<Duration>,
}

impl Bout {
    /// When there is peace unless it drifts again.
    fn over_at(&self) -> Duration {
        let last = self.drifted.back().copied().unwrap_or_default().max(self.until.unwrap_or_default());
        last.saturating_add(WITHIN)
    }
}

/// Everything that drifted of late.
#[derive(Debug, Clone, Default)]
pub struct Fights(BTreeMap<(Kind, String), Bout>);

impl Fights {
    /// What to do about a difference that is there at `now`; `seed` tells daemons apart that wait.
    pub fn judge(&mut self, now: Duration, drift: &Drift, seed: u64) -> Course {
        let key = (drift.kind(), drift.subject());
        let bout = self.0.entry(key.clone()).or_default();
        if bout.drifted.is_empty() || bout.mended {
            bout.drifted.push_back(now);
            bout.mended = false;
            if bout.drifted.len() > TIMES {
                bout.drifted.pop_front();
            }
            let times = bout.drifted.iter().filter(|at| now.saturating_sub(**at) <= WITHIN).count();
            if bout.waits > 0 || times >= TIMES {
                bout.waits = bout.waits.saturating_add(1);
                let wait = backoff::wait(WAITS, bout.waits, seed, &key.1);
                bout.until = Some(now.saturating_add(wait));
            }
        }
        match bout.until {
            None => Course::Mend,
            Some(until) if until <= now => Course::MendInFight,
            Some(until) => Course::Wait { until },
        }
    }

    /// A difference was mended: the next time it is there it has drifted again.
    pub fn mended(&mut self, drift: &Drift) {
        if let Some(bout) = self.0.get_mut(&(drift.kind(), drift.subject())) {
            bout.mended = true;
        }
    }

    /// Forgets what has stayed in order for long enough, but for what is still there.
    pub fn forget(&mut self, now: Duration) {
        self.0.retain(|_, bout| !bout.mended || now < bout.over_at());
    }

    /// Forgets a difference that is gone without having been mended.
    pub fn gone(&mut self, still_there: &[Drift]) {
        let there: Vec<_> = still_there.iter().map(|drift| (drift.kind(), drift.subject())).collect();
        for (key, bout) in &mut self.0 {
            bout.mended |= !there.contains(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::ids::CampaignId;

    fn drift() -> Drift {
        Drift::OrphanCampaign { id: CampaignId::parse("spring").unwrap() }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_comes_back_a_third_time_is_a_fight_and_mended_less_and_less_often() {
        let mut fights = Fights::default();
        for now in [0, 30] {
            assert_eq!(fights.judge(at(now), &drift(), 1), Course::Mend);
            fights.mended(&drift());
        }
        let Course::Wait { until } = fights.judge(at(60), &drift(), 1) else { panic!("it is a fight") };
        assert!((at(60 + 45)..=at(60 + 75)).contains(&until), "{until:?}");
        assert_eq!(fights.judge(at(90), &drift(), 1), Course::Wait { until }, "it was not mended meanwhile");
        assert_eq!(fights.judge(until, &drift(), 1), Course::MendInFight);
        fights.mended(&drift());
        let Course::Wait { until: later } = fights.judge(until + at(1), &drift(), 1) else { panic!("still a fight") };
        assert!(later - until > at(89), "{:?}", later - until);
        fights.judge(later, &drift(), 1);
        fights.mended(&drift());
        fights.forget(later + WITHIN);
        assert_eq!(fights.judge(later + WITHIN, &drift(), 1), Course::Mend, "peace was kept");
    }

    #[test]
    fn slow_drift_is_no_fight() {
        let mut fights = Fights::default();
        for now in [0, 301, 602, 903] {
            assert_eq!(fights.judge(at(now), &drift(), 1), Course::Mend, "{now}");
            fights.mended(&drift());
        }
        assert!(fights.judge(at(904), &drift(), 1).is_fight());
    }

    #[test]
    fn what_is_only_told_does_not_come_back() {
        let mut fights = Fights::default();
        for now in 0..100 {
            assert_eq!(fights.judge(at(now), &drift(), 1), Course::Mend);
            fights.gone(&[drift()]);
        }
    }

    proptest! {
        /// However often it drifts, it is mended at most twice before the first wait, and from then on each wait is
        /// as long as the bounds say.
        #[test]
        fn mending_is_bounded(gaps in prop::collection::vec(1u64..120, 1..200), seed: u64) {
            let (mut fights, mut now, mut mends) = (Fights::default(), Duration::ZERO, Vec::new());
            for gap in gaps {
                now += at(gap);
                fights.forget(now);
                if fights.judge(now, &drift(), seed).mends() {
                    mends.push(now);
                    fights.mended(&drift());
                }
            }
            for ten in mends.windows(8) {
                prop_assert!(ten[7] - ten[0] > WITHIN, "{mends:?}");
            }
        }
    }
}
