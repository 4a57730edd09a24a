//! Files that mean harm, through the program itself: an answer, in little time and little memory.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, Stdio},
};

use crate::config_fixtures::{FIXTURES, files, write};

/// Most memory that a check may need, as the kernel counts it.
const PEAK_KB_MAX: u64 = 64 * 1024;

/// Seconds of processor time that a check may need, even unoptimised.
const CPU_SECONDS_MAX: u64 = 5;

/// Files of about `size` bytes, each with its name.
fn hostile(size: usize) -> Vec<(&'static str, String)> {
    let repeat = |unit: &str| unit.repeat(size / unit.len());
    vec![
        ("open lists", format!("a = {}", repeat("["))),
        ("open tables", format!("a = {}", repeat("{a="))),
        ("open headers", repeat("[")),
        ("a long key", format!("{} = 1\n", repeat("k"))),
        ("a long quoted key", format!("\"{}\" = 1\n", repeat("é"))),
        ("a deep key", format!("{}b = 1\n", repeat("a."))),
        ("a deep key and a repeated one", format!("{}b = 1\nx = 1\nx = 2\n", repeat("a."))),
        ("a deep header", format!("[{}b]\n", repeat("a."))),
        ("a long text", format!("name = \"{}\"\n", repeat("x"))),
        ("an open text", format!("name = \"\"\"{}", repeat("x\n"))),
        ("quotes", repeat("\"")),
        ("empty lines", repeat("\n")),
        ("one key many times", repeat("a = 1\n")),
        ("many tables of a list", repeat("[[agents]]\n")),
        ("a long list", format!("windows = [{}]\n", repeat("1,"))),
        ("a list of what is no number", format!("windows = [{}]\n", repeat("0x,"))),
        ("a list of bare words", format!("windows = [{}]\n", repeat("x,"))),
        ("bad lines", repeat("a b\n")),
        ("lines without a value", repeat("k = x\n")),
        ("zero bytes", repeat("\0")),
        ("many unknown keys", (0..size / 12).map(|n| format!("k{n} = 1\n")).collect()),
    ]
}

/// Checks a folder; its exit code, what it says at the end, and the most memory it had, in kB.
fn check(root: &Path, arguments: &[&Path]) -> (Option<i32>, String, u64) {
    // The shell's limit ends what takes too long; GNU time tells what the kernel counted.
    let script = format!("ulimit -t {CPU_SECONDS_MAX}; exec \"$@\"");
    let done = Command::new("bash")
        .args(["-c", &script, "check", "python3", "-c", MEASURE, env!("CARGO_BIN_EXE_dialops"), "check"])
        .arg(root)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(done.status.signal(), None, "ended by a signal");
    let err = String::from_utf8_lossy(&done.stderr).into_owned();
    let peak = err.lines().next_back().and_then(|line| line.strip_prefix("peak ")?.parse().ok());
    (done.status.code(), err.clone(), peak.unwrap_or_else(|| panic!("no peak in {err}")))
}

/// Runs a command without its output and tells its peak.
const MEASURE: &str = "
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
print(f'peak {usage.ru_maxrss}', file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status) % 256)
";

fn judge(name: &str, (exit, said, peak): (Option<i32>, String, u64)) {
    assert_eq!(exit, Some(2), "{name}: {said}");
    assert!(peak <= PEAK_KB_MAX, "{name} takes {peak} kB");
    assert!(said.contains("error"), "{name}: {said}");
}

#[test]
fn hostile_campaigns_are_refused_in_little_memory() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &files(&Path::new(FIXTURES).join("exhaustive")));
    // A little below the largest file that is read.
    for (name, text) in hostile(255 * 1024) {
        fs::write(root.path().join("campaigns/spring.toml"), text).unwrap();
        judge(name, check(root.path(), &[]));
    }
}

#[test]
fn hostile_files_of_a_megabyte_are_refused_in_little_memory() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &files(&Path::new(FIXTURES).join("exhaustive")));
    let (campaign, settings) = (root.path().join("campaigns/spring.toml"), root.path().join("dialops.toml"));
    for (name, text) in hostile(1024 * 1024) {
        fs::write(&campaign, &text).unwrap();
        fs::write(&settings, &text).unwrap();
        judge(name, check(root.path(), &[Path::new("--settings"), &settings]));
    }
}

#[test]
fn a_campaign_named_like_a_path_is_an_id_that_is_refused() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &files(&Path::new(FIXTURES).join("exhaustive")));
    let path = root.path().join("campaigns/spring.toml");
    let text = fs::read_to_string(&path).unwrap();
    for id in ["../../etc/passwd", "/etc/passwd", "a/b", "..", "C:\\\\x", "\\u0000"] {
        fs::write(&path, text.replacen("id = \"spring\"", &format!("id = \"{id}\""), 1)).unwrap();
        judge(id, check(root.path(), &[]));
    }
}

/// The same fault, with each kind of line end and a byte-order mark, is found at the same place.
#[test]
fn places_are_right_with_any_line_end_and_after_wide_characters() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &files(&Path::new(FIXTURES).join("exhaustive")));
    let path = root.path().join("campaigns/spring.toml");
    let text = fs::read_to_string(&path).unwrap().replacen("Spring offer", "春季优惠👩‍👩‍👧", 1);
    let text = text.replacen("priority = 2", "priority = 9", 1);
    let fault = text.lines().position(|line| line.starts_with("priority")).unwrap() + 1;
    let mixed: String = text.lines().enumerate().map(|(n, line)| line.to_owned() + ["\n", "\r\n"][n % 2]).collect();
    for text in [text.clone(), text.replace('\n', "\r\n"), mixed, format!("\u{feff}{text}")] {
        fs::write(&path, text).unwrap();
        let done = Command::new(env!("CARGO_BIN_EXE_dialops")).arg("check").arg(root.path()).output().unwrap();
        let shown = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(shown.contains(&format!("campaigns/spring.toml:{fault}:12")), "{shown}");
    }
}
