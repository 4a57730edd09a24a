//! Random cases: small worlds in which the rules meet each other as no worked case has them.
//!
//! A seed gives one case, always the same. How a call goes is drawn from the seed, the number and the try alone, so
//! that a case can be shrunk or played by another program without another script.

mod campaign;
mod contacts;
pub(crate) mod dice;
mod world;

use std::{collections::BTreeMap, path::Path};

use self::{campaign::Draft, contacts::Contacts, dice::Dice, world::World};
use super::{
    case::{Case, Scripted},
    simulation::Simulation,
};

/// Calls in the script of each number beyond those that the oracle makes.
const SPARE_CALLS: usize = 3;

/// Writes the case of `seed` to `folder`, which must exist.
pub(crate) fn write(seed: u64, folder: &Path) {
    let mut dice = Dice::new(seed, "case");
    let world = World::draw(&mut dice);
    let campaigns = if dice.chance(40) { 2 } else { 1 };
    let save = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("the folder takes files");
    let mut drafts = Vec::new();
    let mut contacts = Contacts::default();
    for place in 0..campaigns {
        let suffix = ["", "-b"][place];
        let draft = Draft::draw(&mut dice, place, &world);
        save(&format!("campaign{suffix}.toml"), &draft.text());
        save(&format!("contacts{suffix}.csv"), &contacts.draw(&mut dice, place, &world));
        drafts.push(draft);
    }
    let mut events = world.contact_events(&mut dice, &contacts);
    for commit in 2..2 + dice.below(3) {
        let file = format!("campaign-{commit}.toml");
        let place = dice.below(drafts.len());
        drafts[place].change(&mut dice, &world);
        save(&file, &drafts[place].text());
        events.push(world.apply_event(&mut dice, &file));
    }
    // Commits are drawn one on top of the other, so they must also come in that order.
    world::put_commits_in_order(&mut events);
    save("script.csv", "number,try,result,ring_s,talk_s\n");
    settle_business_results(seed, folder, &world, &events);
}

/// Adds business results after conversations. Each may lead to more conversations, so the case is played until all of
/// them have their results: what happens later never changes what went before.
fn settle_business_results(seed: u64, folder: &Path, world: &World, events: &[world::Event]) {
    let mut results = Vec::new();
    loop {
        let text = world.text(events, &results);
        std::fs::write(folder.join("world.toml"), text).expect("the folder takes files");
        let mut case = Case::read(folder, &shared());
        case.script = Box::new(move |number, tries| Some(how_it_goes(seed, number, tries)));
        let played = Simulation::new(case).run();
        let due = business_results(seed, world, &played);
        if due == results {
            return write_script(seed, folder, &played);
        }
        results = due;
    }
}

/// The shared folder that random cases refer to.
fn shared() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cases/shared")
}

/// What is set after the conversations of a case that was played.
fn business_results(seed: u64, world: &World, played: &Simulation) -> Vec<world::Event> {
    let mut tries = BTreeMap::<&str, usize>::new();
    let mut results = Vec::new();
    for call in &played.calls {
        let tries = tries.entry(&call.number).or_default();
        *tries += 1;
        let mut dice = Dice::new(seed, &format!("business {} {tries}", call.number));
        if call.is_conversation() && dice.chance(60) {
            results.extend(world.business_event(&mut dice, call));
        }
    }
    results
}

/// How the nth call to a number goes.
fn how_it_goes(seed: u64, number: &str, tries: usize) -> Scripted {
    let faulty = Dice::new(seed, number).chance(10);
    let mut dice = Dice::new(seed, &format!("{number} {tries}"));
    let faults = ["network_failure", "carrier_congestion", "agent_lost"];
    let others = ["unknown", "customer_hung_up", "abandoned", "answering_machine", "rejected", "fax_or_modem"];
    let result = match dice.below(100) {
        _ if faulty && dice.chance(85) => *dice.pick(&faults),
        0..35 => "no_answer",
        35..50 => "busy",
        50..75 => "answered",
        75..80 => "powered_off",
        80..84 => "unreachable",
        84..87 => "vacant",
        87..94 => *dice.pick(&faults),
        _ => *dice.pick(&others),
    };
    let talk = if result == "answered" { dice.between(1, 120) } else { 0 };
    Scripted { result: result.to_owned(), ring: dice.between(1, 45), talk }
}

/// Writes the calls that were made to each number, and a few more.
fn write_script(seed: u64, folder: &Path, played: &Simulation) {
    let numbers = played.campaigns.iter().flat_map(|campaign| &campaign.contacts).flat_map(|contact| &contact.numbers);
    let calls: BTreeMap<_, _> = numbers
        .map(|number| (&number.number, played.calls.iter().filter(|call| call.number == number.number).count()))
        .collect();
    let mut text = "number,try,result,ring_s,talk_s\n".to_owned();
    for (number, made) in calls {
        for tries in 1..=made + SPARE_CALLS {
            let call = how_it_goes(seed, number, tries);
            text += &format!("{number},{tries},{},{},{}\n", call.result, call.ring, call.talk);
        }
    }
    std::fs::write(folder.join("script.csv"), text).expect("the folder takes files");
}
