//! The copies of configuration files beside the files that are in force.

use std::collections::BTreeMap;

use super::Drift;
use crate::domain::campaign::KeptFile;

/// The commit and the folder of campaigns, by source.
pub type Of = BTreeMap<String, (String, String)>;

/// What the store keeps of the files in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copies {
    /// Of each source the commit that they are in force by, as it stands there, and the folder of campaigns; nothing
    /// while they are being written.
    pub of: Of,
    /// Digests of what they say, by path.
    pub digests: BTreeMap<String, String>,
    /// Files that are in force as earlier commits have them; nothing for one that can't be read.
    pub kept: BTreeMap<String, Option<KeptFile>>,
}

/// Where the copies differ from the files in force, of which these are the digests.
#[must_use]
pub fn of_files(of: &Of, in_force: &BTreeMap<String, String>, stored: &Copies) -> Vec<Drift> {
    let mut found = Vec::new();
    if *of != stored.of {
        let differs = "the store has them as those of another commit, or as not complete";
        found.push(Drift::File { path: None, differs });
    }
    let differences = differences(in_force, &stored.digests, |digest, stored| digest == stored);
    found.extend(differences.map(|(path, differs)| Drift::File { path: Some(path.clone()), differs }));
    found
}

/// Where the rows of files that stay as earlier commits have them differ from those that do.
#[must_use]
pub fn of_kept(in_force: &BTreeMap<String, KeptFile>, stored: &BTreeMap<String, Option<KeptFile>>) -> Vec<Drift> {
    let differences = differences(in_force, stored, |file, stored| Some(file) == stored.as_ref());
    differences.map(|(path, differs)| Drift::KeptFile { path: path.clone(), differs }).collect()
}

fn differences<'a, W, S>(
    wanted: &'a BTreeMap<String, W>,
    stored: &'a BTreeMap<String, S>,
    is_same: impl Fn(&W, &S) -> bool + 'a,
) -> impl Iterator<Item = (&'a String, &'static str)> {
    let wrong = wanted.iter().filter_map(move |(path, wanted)| match stored.get(path) {
        None => Some((path, "the store has none")),
        Some(stored) if is_same(wanted, stored) => None,
        Some(_) => Some((path, "the store has other content")),
    });
    let more = stored.keys().filter(|path| !wanted.contains_key(*path));
    wrong.chain(more.map(|path| (path, "the store has it, and it is not in force")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::ids::Revision;

    fn of(digit: char, folder: &str) -> Of {
        Of::from([("main".to_owned(), (revision(digit).to_string(), folder.to_owned()))])
    }

    fn revision(digit: char) -> Revision {
        Revision::parse(&digit.to_string().repeat(40)).unwrap()
    }

    fn in_order(digests: &BTreeMap<String, String>) -> Copies {
        Copies { of: of('a', "campaigns"), digests: digests.clone(), kept: BTreeMap::new() }
    }

    fn found(digests: &BTreeMap<String, String>, stored: &Copies) -> Vec<String> {
        of_files(&of('a', "campaigns"), digests, stored).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn copies_of_another_commit_or_that_are_not_complete_differ() {
        let digests = BTreeMap::from([("campaigns/a.toml".to_owned(), "1".to_owned())]);
        let right = in_order(&digests);
        assert_eq!(found(&digests, &right), [""; 0]);
        for of in [Of::new(), of('b', "campaigns"), of('a', "")] {
            let told = found(&digests, &Copies { of, ..right.clone() });
            assert_eq!(told, ["files in force: the store has them as those of another commit, or as not complete"]);
        }
    }

    #[test]
    fn a_kept_file_is_that_of_its_commit() {
        let of = |digit, text: &[u8]| KeptFile::Of { revision: revision(digit), bytes: text.into() };
        let path = || "a.toml".to_owned();
        let wanted = BTreeMap::from([(path(), of('a', b"id"))]);
        let told = |stored: BTreeMap<String, Option<KeptFile>>| {
            of_kept(&wanted, &stored).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(told(BTreeMap::from([(path(), Some(of('a', b"id")))])), [""; 0]);
        for other in [Some(of('b', b"id")), Some(of('a', b"di")), Some(KeptFile::LeftOut), None] {
            let other = BTreeMap::from([(path(), other)]);
            assert_eq!(told(other), ["kept file \"a.toml\": the store has other content"]);
        }
    }

    proptest! {
        /// Each file that was changed, added or taken away is told once, and no other.
        #[test]
        fn exactly_what_differs_is_found(
            digests in prop::collection::btree_map("[a-d]{1,2}", "[0-3]", 0..8),
            stored in prop::collection::btree_map("[a-d]{1,2}", "[0-3]", 0..8),
        ) {
            let told = of_files(&of('a', "campaigns"), &digests, &in_order(&stored));
            let mut paths: Vec<String> = told.iter().filter_map(|drift| match drift {
                Drift::File { path, .. } => path.clone(),
                _ => None,
            }).collect();
            paths.sort();
            let all = digests.keys().chain(stored.keys()).collect::<std::collections::BTreeSet<_>>();
            let wrong: Vec<String> =
                all.into_iter().filter(|path| digests.get(*path) != stored.get(*path)).cloned().collect();
            prop_assert_eq!(paths, wrong);
        }
    }
}
