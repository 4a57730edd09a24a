//! Many random worlds, each kind of them with what may go wrong in it.

use proptest::prelude::*;

use super::*;

const CALM: Faults = Faults {
    agent_misses: 0,
    agent_drops: 0,
    store_fails: 0,
    bridge_fails: 0,
    ends_lost: 0,
    unsent: 0,
    meddling: false,
    suppressing: false,
    overriding: false,
    crashes: false,
};

const ROUGH: Faults = Faults {
    agent_misses: 15,
    agent_drops: 10,
    store_fails: 3,
    bridge_fails: 10,
    ends_lost: 0,
    unsent: 5,
    meddling: true,
    suppressing: false,
    overriding: false,
    crashes: false,
};

/// Seeds that once failed, with what they found.
const KEPT: &[u64] = &[];

/// What proptest runs when `PROPTEST_CASES`, which it reads itself, is not set.
const UNASKED: u32 = 256;

/// Few unless `PROPTEST_CASES` says otherwise, as `tests/nightly` does.
fn cases() -> u32 {
    match ProptestConfig::default().cases {
        UNASKED => 60,
        asked => asked,
    }
}

fn run(seed: u64, faults: Faults) -> World {
    let mut world = World::new(seed, faults);
    world.run(40);
    world.judge();
    world
}

#[test]
fn kept_seeds_hold() {
    for &seed in KEPT {
        run(seed, CALM);
        run(seed, ROUGH);
        run(seed, Faults { crashes: true, ..ROUGH });
        run(seed, Faults { suppressing: true, ..ROUGH });
    }
}

#[test]
fn a_calm_world_ends_every_contact() {
    let (mut connects, mut business) = (0, 0);
    for seed in 0..60 {
        let world = run(seed, CALM);
        assert_eq!(world.left_open(), 0, "seed {seed} left contacts open");
        connects += world.connects();
        business += world.business_calls();
    }
    assert!(connects > 100, "worlds in which nobody talks prove little");
    assert!(business > 100, "worlds in which no rule calls prove little");
}

#[test]
fn a_lost_end_holds_nobody_for_ever() {
    for seed in 0..30 {
        let mut world = run(seed, Faults { agent_drops: 40, ends_lost: 100, ..CALM });
        world.run(41);
        assert_eq!(world.left_open(), 0, "seed {seed} left contacts open");
    }
}

/// Entries that expire or go hold nobody for ever.
#[test]
fn who_is_let_go_is_called_in_the_end() {
    let mut held = 0;
    for seed in 0..30 {
        let world = run(seed, Faults { suppressing: true, ..CALM });
        assert_eq!(world.left_open(), 0, "seed {seed} left contacts open");
        held += world.held();
    }
    assert!(held > 100, "worlds in which nobody is held prove little: {held}");
}

/// What was paused goes on by itself.
#[test]
fn overrides_hold_nobody_for_ever() {
    let mut made = 0;
    for seed in 0..30 {
        let world = run(seed, Faults { overriding: true, ..CALM });
        assert_eq!(world.left_open(), 0, "seed {seed} left contacts open");
        made += world.made;
    }
    assert!(made > 1000, "worlds in which nothing is decided prove little: {made}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    assert_eq!(run(7, ROUGH).log(), run(7, ROUGH).log());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_rough_world_breaks_no_rule(seed in any::<u64>()) {
        run(seed, ROUGH);
    }

    #[test]
    fn nobody_on_a_list_is_called(seed in any::<u64>(), crashes in any::<bool>()) {
        run(seed, Faults { suppressing: true, crashes, ..ROUGH });
    }

    #[test]
    fn nobody_is_called_against_an_override(seed in any::<u64>(), crashes in any::<bool>()) {
        run(seed, Faults { overriding: true, crashes, ..ROUGH });
    }

    #[test]
    fn crashes_break_no_rule(seed in any::<u64>()) {
        run(seed, Faults { crashes: true, ..ROUGH });
    }
}
