//! What `zdump`, the C library's reader of the tz database, says of zones.

use std::{collections::BTreeMap, path::Path, process::Command};

use jiff::{civil::DateTime, fmt::strtime, tz::Offset};

use super::plain::{Course, Second};

/// How zdump writes a time.
pub(super) const TIME: &str = "%a %b %e %H:%M:%S %Y";

/// The years that are looked at: the first of them, and the first that is not.
const YEARS: &str = "2000,2038";

/// A zone as zdump has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dumped {
    /// What its clocks are set to.
    pub(super) course: Course,
    /// Local times, as zdump writes them: the second before each transition and its own.
    pub(super) local: Vec<(Second, String)>,
}

/// Every zone of these names, read from `folder`.
pub(super) fn dump(folder: &Path, names: &[&str]) -> BTreeMap<String, Dumped> {
    let mut zones: BTreeMap<String, Dumped> = BTreeMap::new();
    if names.is_empty() {
        return zones;
    }
    for (name, offset) in first_offsets(folder, names) {
        zones.insert(name, Dumped { course: Course::new(offset), local: Vec::new() });
    }
    for line in run(folder, "-v", YEARS, names).lines() {
        let Some(told) = Told::read(line) else { continue };
        let zone = zones.get_mut(told.zone).unwrap_or_else(|| panic!("nobody asked for it: {line}"));
        zone.local.push((told.at, told.local.to_owned()));
        // The first of two lines says what was until then.
        let (from_now, is_first) = (zone.course.offset_at(told.at), zone.local.len() % 2 == 1);
        assert!(!is_first || from_now == told.offset, "{line}: not what went before, {from_now}");
        // Some changes are of the name alone.
        if !is_first && from_now != told.offset {
            zone.course.change(told.at, told.offset);
        }
    }
    assert_eq!(zones.len(), names.len(), "zdump tells of every zone");
    zones
}

/// One line of `zdump -v`.
struct Told<'a> {
    zone: &'a str,
    at: Second,
    local: &'a str,
    offset: Second,
}

impl<'a> Told<'a> {
    /// Reads `Europe/Berlin  Sun Mar 26 01:00:00 2000 UT = Sun Mar 26 03:00:00 2000 CEST isdst=1 gmtoff=7200`;
    /// nothing where the C library's time ends.
    fn read(line: &'a str) -> Option<Self> {
        let (zone, rest) = line.split_once(' ')?;
        let (universal, rest) = rest.trim_start().split_once(" UT = ")?;
        let (rest, offset) = rest.rsplit_once(" gmtoff=")?;
        let (rest, _is_dst) = rest.rsplit_once(' ')?;
        let (local, _abbreviation) = rest.rsplit_once(' ')?;
        let at: DateTime = strtime::parse(TIME, universal).and_then(|time| time.to_datetime()).ok()?;
        let at = Offset::UTC.to_timestamp(at).ok()?.as_second();
        Some(Self { zone, at, local, offset: offset.parse().ok()? })
    }
}

/// What the clocks were set to at the beginning, from `zdump -i`.
fn first_offsets(folder: &Path, names: &[&str]) -> Vec<(String, Second)> {
    let text = run(folder, "-i", "2000,2000", names);
    let zones = text.split("TZ=\"").skip(1).map(|part| {
        let (name, rest) = part.split_once('"').unwrap();
        let first = rest.lines().find_map(|line| line.strip_prefix("-\t-\t")).unwrap();
        (name.to_owned(), offset(first.split('\t').next().unwrap()))
    });
    zones.collect()
}

/// Seconds of `+08`, `-0330` or `+002730`.
fn offset(text: &str) -> Second {
    let part = |at: usize| text.get(at..at + 2).map_or(0, |digits| digits.parse::<Second>().unwrap());
    let size = part(1) * 3600 + part(3) * 60 + part(5);
    if text.starts_with('-') { -size } else { size }
}

fn run(folder: &Path, how: &str, years: &str, names: &[&str]) -> String {
    let mut command = Command::new("zdump");
    command.env("TZDIR", folder).env("LC_ALL", "C").args([how, "-c", years]).args(names);
    let done = command.output().expect("zdump runs (Debian package libc-bin)");
    assert!(done.status.success(), "zdump {how}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}
