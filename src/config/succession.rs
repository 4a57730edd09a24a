//! Ids that changed: a campaign is known by its id, never by its path, so what people still see as one
//! campaign is two once its id is another: one that is retired and one that begins.

use std::collections::{BTreeMap, BTreeSet};

/// A campaign as one of two sides has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stands<'a> {
    pub(crate) id: &'a str,
    /// Unique on its side; `None` if it can't be read.
    pub(crate) name: Option<&'a str>,
    pub(crate) path: &'a str,
}

/// A campaign of the older side whose id another one took the place of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Predecessor<'a> {
    pub(crate) was: Stands<'a>,
    /// Whether no campaign has its id any more; else it stands elsewhere.
    pub(crate) is_gone: bool,
}

/// The campaigns of `after`, by id, that took another one's place: they were there already and have its name and its
/// file, or they are new, it is gone, and they have its name or its file. A name says more than a path.
pub(crate) fn successions<'a>(before: &[Stands<'a>], after: &[Stands<'a>]) -> BTreeMap<&'a str, Predecessor<'a>> {
    let ids = |side: &[Stands<'a>]| side.iter().map(|campaign| campaign.id).collect::<BTreeSet<_>>();
    let (known, left) = (ids(before), ids(after));
    let by_path: BTreeMap<&str, Stands<'a>> = before.iter().map(|was| (was.path, *was)).collect();
    let by_name: BTreeMap<&str, Stands<'a>> = before.iter().filter_map(|was| Some((was.name?, *was))).collect();
    let of_path = |is: &Stands<'a>| by_path.get(is.path).copied();
    let of_name = |is: &Stands<'a>| by_name.get(is.name?).copied();
    let swapped = |is: &Stands<'a>| of_path(is).filter(|was| was.id != is.id && of_name(is) == Some(*was));
    let is_gone = |was: &Stands<'a>| !left.contains(was.id);
    let is_known = |is: &Stands<'a>| known.contains(is.id);
    let ways: [Predecessors<'_, 'a>; 3] = [
        &|is| swapped(is).filter(|_| is_known(is)),
        &|is| of_name(is).filter(|was| is_gone(was) && !is_known(is)),
        &|is| of_path(is).filter(|was| is_gone(was) && !is_known(is)),
    ];
    let (mut found, mut taken) = (BTreeMap::new(), BTreeSet::new());
    for predecessor in ways {
        for is in after {
            let was = predecessor(is).filter(|was| !found.contains_key(is.id) && !taken.contains(was.id));
            if let Some(was) = was {
                taken.insert(was.id);
                found.insert(is.id, Predecessor { was, is_gone: is_gone(&was) });
            }
        }
    }
    found
}

/// A way to find the campaign whose place one took.
type Predecessors<'f, 'a> = &'f dyn Fn(&Stands<'a>) -> Option<Stands<'a>>;

#[cfg(test)]
mod tests {
    use super::*;

    fn stands(text: &'static str) -> Stands<'static> {
        let mut parts = text.split(' ');
        let mut next = || parts.next().unwrap();
        Stands { id: next(), name: Some(next()), path: next() }
    }

    fn found(before: &[&'static str], after: &[&'static str]) -> Vec<(&'static str, &'static str)> {
        let side = |side: &[&'static str]| side.iter().map(|text| stands(text)).collect::<Vec<_>>();
        successions(&side(before), &side(after)).into_iter().map(|(new, old)| (old.was.id, new)).collect()
    }

    #[test]
    fn an_id_changed_if_the_name_or_the_file_stayed() {
        assert_eq!(found(&["a A a.toml"], &["b A a.toml"]), [("a", "b")]);
        assert_eq!(found(&["a A a.toml"], &["b A b.toml"]), [("a", "b")], "renamed at the same time");
        assert_eq!(found(&["a A a.toml"], &["b B a.toml"]), [("a", "b")], "another name in the same file");
        assert_eq!(found(&["a A a.toml"], &["b B a.toml", "c A c.toml"]), [("a", "c")], "the name goes first");
        assert_eq!(found(&["a A a.toml", "c C c.toml"], &["c A a.toml"]), [("a", "c")], "the id of another one");
        let swapped = ["b A a.toml", "a B b.toml"];
        assert_eq!(found(&["a A a.toml", "b B b.toml"], &swapped), [("b", "a"), ("a", "b")], "nothing else changed");
        assert_eq!(found(&["a A a.toml", "b B b.toml"], &["b A a.toml", "c B b.toml"]), [("a", "b")]);
    }

    #[test]
    fn what_is_moved_renamed_swapped_or_retired_is_no_change_of_id() {
        assert!(found(&["a A a.toml"], &["a B b.toml"]).is_empty());
        assert!(found(&["a A a.toml", "b B b.toml"], &["a A b.toml", "b B a.toml"]).is_empty());
        assert!(found(&["a A a.toml", "b B b.toml"], &["a B a.toml", "b A b.toml"]).is_empty());
        assert!(found(&["a A a.toml", "c C c.toml"], &["c C a.toml"]).is_empty(), "moved over one that is retired");
        assert!(found(&["a A a.toml", "c C c.toml"], &["c A c.toml"]).is_empty(), "took the name of one that is");
        assert!(found(&["a A a.toml"], &["b B b.toml"]).is_empty());
        assert!(found(&["a A a.toml"], &["b A a.toml", "a A-old a-old.toml"]).is_empty(), "it goes on elsewhere");
        assert!(found(&[], &["b B b.toml"]).is_empty());
        let unread = Stands { name: None, ..stands("a A a.toml") };
        assert!(successions(&[unread], &[Stands { id: "b", path: "b.toml", ..unread }]).is_empty());
    }
}
