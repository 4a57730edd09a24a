//! `--explain`: every code is explained, and every example is what it says it is.

use std::{fs, path::Path};

use dialops::config::{code::Code, explain::Example};

use super::{run, shown};
use crate::config_fixtures::{FIXTURES, faults, files};

#[test]
fn every_example_has_the_fault_that_it_explains_and_no_other() {
    let (mut messages, mut wrongly) = (String::new(), Vec::new());
    let good = files(&Path::new(FIXTURES).join("exhaustive"));
    for code in Code::ALL {
        let explanation = code.explanation().unwrap_or_else(|| panic!("{code} has no explanation in explain.rs"));
        assert!(explanation.more.len() > 20, "{code}");
        match explanation.example {
            Example::Told(example) => assert!(example.len() > 20, "{code}"),
            Example::Edit { file, wrong, right } => {
                // The settings of the fixture name another folder than the files stand in; nobody minds.
                let text = String::from_utf8(good[file].clone()).unwrap();
                assert_eq!(text.matches(right).count(), 1, "{code}: {right:?} is not once in {file}");
                let mut all = good.clone();
                all.insert(file.to_owned(), text.replace(right, wrong).into_bytes());
                let faults = faults(&all);
                let found: Vec<Code> = faults.iter().map(|fault| fault.code).collect();
                if found != [*code] {
                    wrongly.push(format!("{code} {wrong}: {found:?}"));
                }
                messages += &shown(&faults, &all);
            }
        }
    }
    assert!(wrongly.is_empty(), "{wrongly:#?}");
    let golden = Path::new(FIXTURES).join("explained.txt");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&golden, &messages).unwrap();
    }
    let committed = fs::read_to_string(&golden).unwrap_or_default();
    assert!(committed == messages, "other messages than committed (UPDATE=1 writes them):\n{messages}");
}

#[test]
fn a_code_is_explained_on_request() {
    let (exit, out, _) = run(&["--explain", "e0104"]);
    let expected = "E0104: The text is not one of the words that the key takes.\n\n\
                    For example, in campaigns/spring.toml:\n\n    state = \"runing\"\n\nRight:\n\n    state = \"running\"\n";
    assert!(exit == 0 && out.starts_with(expected), "{out}");
    let (exit, out, err) = run(&["--explain", "E9999"]);
    assert_eq!((exit, out.as_str()), (64, ""));
    assert!(err.contains("no such code; they run from E0001 to "), "{err}");
}
