//! Chance, the same on every machine: what happens in a made-up world follows from a seed and from
//! what it happens to.

/// splitmix64, seeded by whatever tells one draw from another.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Dice that roll one after the other what follows from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Dice for one thing: the seed of the world, what it is about, and how many there were before.
    #[must_use]
    pub fn of(seed: u64, about: &str, nth: u64) -> Self {
        // FNV-1a over the text, so that neighbours differ in every bit after the mixing below.
        let hash = about.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let seed = Self(seed).roll();
        let seed = Self(seed ^ hash).roll();
        Self(seed ^ nth)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to `n`, which it never is; `n` is not 0.
    pub fn below(&mut self, n: u64) -> u64 {
        self.roll() % n
    }

    /// Whether something that happens so many times in a thousand happens.
    pub fn per_mille(&mut self, share: u16) -> bool {
        self.below(1000) < u64::from(share)
    }

    /// From 0 up to 1, which it never is.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub fn unit(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_come_out() {
        let hits = (0..100_000).filter(|nth| Dice::of(1, "+8613800000001", *nth).per_mille(200)).count();
        assert!((19_500..20_500).contains(&hits), "{hits}");
        let mean = (0..100_000).map(|nth| Dice::of(7, "a1", nth).unit()).sum::<f64>() / 100_000.0;
        assert!((0.495..0.505).contains(&mean), "{mean}");
    }

    #[test]
    fn the_same_seed_is_the_same_chance() {
        assert_eq!(Dice::of(1, "a", 2).roll(), Dice::of(1, "a", 2).roll());
        assert_ne!(Dice::of(1, "a", 2).roll(), Dice::of(2, "a", 2).roll());
        assert_ne!(Dice::of(1, "a", 2).roll(), Dice::of(1, "b", 2).roll());
    }
}
