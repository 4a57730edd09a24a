//! `--fix`: what is sure is written, everything else stays as it was, byte for byte.

use std::{fs, path::Path};

use super::{cases, dialops, ended, faults, overlay, repository};
use crate::config_fixtures::{FIXTURES, files, write};

fn fix(root: &Path) -> (i32, String, String) {
    ended(dialops().current_dir(root).args(["check", ".", "--settings", "dialops.toml", "--fix"]))
}

/// In every fixture: where each fault has a safe edit, the folder is good afterwards; elsewhere what is left has none.
#[test]
fn what_has_a_safe_edit_is_mended() {
    let mut mended = 0;
    for case in cases() {
        let all = overlay(&case);
        let safe = |found: &[dialops::config::Diagnostic]| {
            let in_folder = found.iter().filter(|fault| fault.location.file.starts_with("campaigns/"));
            in_folder.filter(|fault| fault.suggestion.as_ref().is_some_and(|edit| edit.safe)).count()
        };
        let before = faults(&all);
        if safe(&before) == 0 {
            continue;
        }
        let root = tempfile::tempdir().unwrap();
        write(root.path(), &all);
        let (_, out, err) = fix(root.path());
        let after = faults(&files(root.path()));
        assert_eq!(safe(&after), 0, "{}: {out}", case.display());
        assert!(after.len() < before.len(), "{}: {out}", case.display());
        assert!(err.starts_with("applied "), "{err}");
        mended += 1;
    }
    assert!(mended >= 10, "{mended}");
}

#[test]
fn nothing_but_the_edits_is_changed() {
    let root = tempfile::tempdir().unwrap();
    let good = String::from_utf8(files(&Path::new(FIXTURES).join("base"))["campaigns/spring.toml"].clone()).unwrap();
    // A byte-order mark, both line ends, a wide character before a fault, and no line end behind the last line.
    let good = "\u{feff}".to_owned() + &good.replacen('\n', "\r\n", 4).replace("Trade-in", "以旧换新");
    let good = good.trim_end().to_owned() + " # 完";
    let bad = good
        .replace("state = \"running\"", "state = runing")
        .replace("priority = 2", "prioritty = \"2\"")
        .replace("max_ring", "max_rnig");
    write(root.path(), &files(&Path::new(FIXTURES).join("base")));
    let file = root.path().join("campaigns/spring.toml");
    fs::write(&file, bad).unwrap();
    let (exit, out, err) = fix(root.path());
    assert_eq!((exit, out.as_str()), (0, ""));
    assert!(err.contains("applied 5 edits in 1 file\n"), "{err}");
    assert_eq!(fs::read_to_string(&file).unwrap(), good);
    let left: Vec<_> = fs::read_dir(root.path().join("campaigns")).unwrap().collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(fix(root.path()).2.starts_with("applied 0 edits in 0 files\n"));
}

#[test]
fn what_is_not_sure_is_left_to_people() {
    let root = repository("over-ceiling-ring");
    let before = files(root.path());
    let (exit, out, err) = fix(root.path());
    assert_eq!(exit, 2);
    assert!(out.contains("help: use the ceiling") && err.contains("applied 0 edits"), "{out}{err}");
    assert_eq!(files(root.path()), before);
}

/// What would be written may be there already.
#[test]
fn no_second_key_or_item_is_made() {
    for case in ["many-keys-for-one", "window-form-of-a-repeated-one", "unknown-word-of-a-repeated-rule"] {
        let root = repository(case);
        let before = files(root.path());
        let (exit, out, err) = fix(root.path());
        assert_eq!(exit, 2);
        assert!(out.contains("help: ") && err.contains("applied 0 edits"), "{out}{err}");
        assert_eq!(files(root.path()), before);
    }
}

#[test]
fn settings_and_other_files_outside_the_folder_are_never_written() {
    let root = repository("settings-secret-in-the-open");
    let settings = fs::read_to_string(root.path().join("dialops.toml")).unwrap() + "[log]\nlevel = \"wran\"\n";
    fs::write(root.path().join("dialops.toml"), &settings).unwrap();
    let (exit, out, err) = fix(root.path());
    assert_eq!(exit, 2);
    assert!(out.contains("did you mean \"warn\"?") && !err.contains("mends"), "{out}{err}");
    assert_eq!(fs::read_to_string(root.path().join("dialops.toml")).unwrap(), settings);
}

#[cfg(unix)]
#[test]
fn a_file_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt as _;

    let root = repository("unknown-word-case");
    let file = root.path().join("campaigns/spring.toml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    fix(root.path());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
}
