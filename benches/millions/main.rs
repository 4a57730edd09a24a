//! The store at millions of contacts: import, picking, a changed filter and sort, intents, memory at rest.
//!
//! ```text
//! cargo bench --bench millions                    # 1,000,000 contacts, a few minutes, 2 GB of disk
//! cargo bench --bench millions -- 10000000        # the full size, 20 GB
//! cargo bench --bench millions -- 10000000 ./m10  # keeps the store in m10, and goes on with one that is there
//! ```
//!
//! One campaign has that many contacts, 99 others a thousandth of it each. It needs `sqlite3` and `git`. The store
//! lies under `target/` and is deleted at the end, unless a folder is named. Times of the world are a manual clock's, which goes with the real
//! one, so that hours are open however late it is. Absolute figures are this machine's; read them beside the same
//! run's `sqlite3` and fsync.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    reason = "a benchmark"
)]

mod dialling;
#[expect(dead_code, reason = "the bench of exports uses more of it")]
mod machine;
mod reference;
#[path = "../../tests/it/repository.rs"]
#[expect(dead_code, reason = "the integration tests use more of it")]
mod repository;
mod resident;
mod world;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use dialops::store::Store;

use dialling::{Load, Loaded};
use world::{Definition, World};

/// Contacts of the large campaign.
const CONTACTS: u64 = 1_000_000;
/// Intents a second while a definition is applied, and before it.
const BESIDE: u32 = 300;
/// Intents a second, and for how long, to see that as many as are wanted are sustained: some more are offered, since a
/// customer who is in a hopper twice is refused.
const SUSTAINED: (u32, Duration) = (1_020, Duration::from_secs(20));
/// How many are wanted.
const WANTED: f64 = 1_000.0;
/// Pages of one kind.
const PAGES: usize = 300;

fn main() {
    let contacts = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(CONTACTS).max(100_000);
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    let folder = tempfile::Builder::new().prefix("millions-").tempdir_in(target).unwrap();
    let kept = std::env::args().skip(1).find(|argument| argument.contains('/')).map(PathBuf::from);
    kept.iter().for_each(|kept| std::fs::create_dir_all(kept).unwrap());
    let folder = kept.as_deref().unwrap_or(folder.path());
    let is_new = !folder.join("dialops.db").exists();
    println!("{contacts} contacts in {}", folder.display());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let world = runtime.block_on(World::new(folder, contacts));
    if is_new {
        runtime.block_on(import(&world));
    }
    runtime.block_on(picking(&world, "no filter, no sort"));
    runtime.block_on(sustained(&world));
    runtime.block_on(changes(&world));
    runtime.block_on(world.store.close()).unwrap();
    drop(runtime);
    resident::at_rest(&world);
}

fn met(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

/// p50, p99 and the longest, in milliseconds.
fn quantiles(took: &mut [Duration]) -> (f64, f64, f64) {
    took.sort();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    (at(50), at(99), at(100))
}

fn row(name: &str, took: &mut [Duration]) -> f64 {
    let (p50, p99, most) = quantiles(took);
    println!("  {name:<62} n {:>6}  p50 {p50:>7.2}  p99 {p99:>7.2}  max {most:>8.2} ms", took.len());
    p99
}

async fn import(world: &World) {
    let before = machine::resident_mb();
    machine::forget_peak();
    let begun = Instant::now();
    world.import_all().await;
    let (took, peak) = (begun.elapsed().as_secs_f64(), machine::peak_mb());
    let contacts = world.contacts as f64;
    println!(
        "import of {} contacts: {took:.1} s, {:.1} us a contact; {peak:.0} MB at most ({before:.0} MB before)",
        world.contacts,
        took * 1e6 / contacts
    );
    println!("  wanted: at most 200 MB: {}", met(peak <= 200.0));
    world.import_others().await;
    let bytes = machine::bytes_of(&world.database()) as f64;
    let all = world.all_contacts() as f64;
    println!("  {:.0} bytes a contact on disk, {all:.0} contacts", bytes / all);
    let reference = reference::import(world);
    println!(
        "sqlite3 .import of the same tables {:.1} s, their indexes {:.1} s: ours took {:.2} times as long",
        reference.import,
        reference.indexes,
        took / reference.all()
    );
    println!("  wanted: at most 3 times: {}", met(took <= 3.0 * reference.all()));
}

async fn picking(world: &World, what: &str) {
    println!("pages of 100 of {} contacts, {what}, in ms:", world.contacts);
    let mut took = dialling::pages(world, 1, PAGES).await;
    let p99 = row("one campaign", &mut took);
    println!("  wanted: p99 at most 20 ms: {}", met(p99 <= 20.0));
    let begun = Instant::now();
    let mut took = dialling::pages(world, 10, PAGES / 3).await;
    let p99 = row("ten campaigns at once", &mut took);
    let claims = took.len() as f64 * 100.0 / begun.elapsed().as_secs_f64();
    println!("  wanted: p99 at most 20 ms: {}", met(p99 <= 20.0));
    println!("  {claims:.0} claims a second in pages of 100; wanted: at least 5,000: {}", met(claims >= 5_000.0));
}

async fn sustained(world: &World) {
    let (rate, length) = SUSTAINED;
    let mut fsyncs = machine::fsyncs(world.folder(), 300);
    let load = Load::begin(world, rate);
    tokio::time::sleep(length).await;
    let mut loaded = load.end().await;
    fsyncs.extend(machine::fsyncs(world.folder(), 300));
    println!("{rate} intents and as many outcomes a second for {length:?}, in ms:");
    let fsync = row("bare append and fdatasync of 4 KiB", &mut fsyncs);
    let p99 = row("intent, handed in to durable", &mut loaded.intents);
    row("outcome, likewise", &mut loaded.outcomes);
    let reached = loaded.rate();
    println!("  {reached:.0} a second; wanted: at least 1,000: {}", met(reached >= WANTED));
    let most = 2.0 * fsync + 10.0;
    println!("  wanted: intents' p99 at most 2 x fsync's p99 + 10 ms = {most:.1} ms: {}", met(p99 <= most));
}

/// A filter that keeps 1 %, then none and a sort, then hours of contacts' own zones.
async fn changes(world: &World) {
    for definition in [Definition::Filtered, Definition::Sorted, Definition::Zoned] {
        change(world, definition).await;
        picking(world, definition.about()).await;
    }
}

async fn change(world: &World, definition: Definition) {
    let load = Load::begin(world, BESIDE);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let mut before: Loaded = load.end().await;
    let load = Load::begin(world, BESIDE);
    let begun = Instant::now();
    world.apply(definition).await;
    let pieces = evaluate(&world.store).await;
    let took = begun.elapsed().as_secs_f64();
    let mut during = load.end().await;
    println!("changed to {}: {took:.1} s in {pieces} pieces", definition.about());
    println!("  wanted: at most 60 s at 10,000,000: {}", met(took <= 60.0 * world.contacts as f64 / 1e7));
    let quiet = row("intents before, 300 a second", &mut before.intents);
    let busy = row("intents meanwhile", &mut during.intents);
    println!("  wanted: p99 at most twice: {} ({:.2})", met(busy <= 2.0 * quiet), busy / quiet);
}

/// As the dialler does it.
async fn evaluate(store: &Arc<dyn Store>) -> usize {
    let mut pieces = 0;
    while store.evaluate().await.unwrap().is_some() {
        pieces += 1;
    }
    pieces
}
