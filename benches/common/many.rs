//! A repository of many campaigns.

use std::{fs, path::Path};

use crate::repository::Repository;

/// The example's shared files, and its smaller campaign many times.
pub(crate) fn repository_of(campaigns: usize) -> Repository {
    let repository = Repository::new();
    // Git would pack thousands of files by itself, beside what is measured and in the way of our own packing.
    repository.git(["config", "gc.auto", "0"]);
    let example = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["campaigns/shared", "campaigns/shared/surveys"] {
        for entry in fs::read_dir(example.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                repository.write(path.strip_prefix(example).unwrap(), fs::read(&path).unwrap());
            }
        }
    }
    for n in 0..campaigns {
        let (path, text) = campaign(n, "new");
        repository.write(format!("campaigns/{path}"), text);
    }
    repository.commit("many campaigns");
    repository
}

/// A campaign's path in its folder and its text.
pub(crate) fn campaign(n: usize, description: &str) -> (String, String) {
    let id = format!("id = \"campaign-{n}\"\ndescription = \"{description}\"");
    let text = include_str!("../../campaigns/service-survey.toml")
        .replace("id = \"service-survey\"", &id)
        .replace("name = \"Service survey\"", &format!("name = \"Campaign {n}\""));
    (format!("campaign-{n}.toml"), text)
}
