//! Near misses: the known word that someone probably meant.

/// The known word nearest to `found`, if it is near enough that a slip of the fingers explains it.
pub(crate) fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    near(found, known).into_iter().min().map(|(_, word)| word)
}

/// Whether one known word only is near to `found`, by one slip that does not turn its meaning round, so
/// that it must be what was meant.
pub(crate) fn is_sure<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> bool {
    match near(found, known).as_slice() {
        [(0, _)] => true,
        [(1, word)] => !is_turned_round(&found.to_lowercase(), &word.to_lowercase()),
        _ => false,
    }
}

/// What says the opposite when it stands before a word.
const NEGATIONS: [&str; 8] = ["un", "in", "non", "not", "no", "n", "dis", "!"];

/// Whether two texts differ by a negation before one of their words.
fn is_turned_round(found: &str, meant: &str) -> bool {
    let words = |text: &str| text.split(['_', '-', ' ']).map(str::to_owned).collect::<Vec<_>>();
    let (found, meant) = (words(found), words(meant));
    found.len() != meant.len()
        || found.iter().zip(&meant).any(|(a, b)| {
            let negates =
                |long: &str, short: &str| long.strip_suffix(short).is_some_and(|before| NEGATIONS.contains(&before));
            negates(a, b) || negates(b, a)
        })
}

/// Known words that are near, each with how many slips away it is.
fn near<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<(usize, &'a str)> {
    let found = found.to_lowercase();
    let length = found.chars().count();
    let slips_max = match length {
        0..=2 => return Vec::new(),
        3..=5 => 1,
        6..=8 => 2,
        _ => 3,
    };
    known
        .into_iter()
        // One of another length is farther for sure, and comparing with a key of 200 kB takes its time.
        .filter(|word| word.chars().count().abs_diff(length) <= slips_max)
        .map(|word| (strsim::damerau_levenshtein(&found, &word.to_lowercase()), word))
        .filter(|&(slips, _)| slips <= slips_max)
        .collect()
}

/// Joins words for a sentence: `"a", "b" or "c"`.
pub(crate) fn listing(words: &[&str], quote: char, last: &str) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("{quote}{word}{quote}")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        assert_eq!(nearest("runing", ["paused", "running"]), Some("running"));
        assert_eq!(nearest("RUNNING", ["paused", "running"]), Some("running"));
        assert_eq!(nearest("prioritty", ["priority", "name"]), Some("priority"));
        assert_eq!(nearest("stopped", ["paused", "running"]), None);
        assert_eq!(nearest("", ["paused"]), None);
        assert_eq!(nearest(&"p".repeat(10_000_000), ["paused"]), None);
    }

    #[test]
    fn two_near_words_leave_a_doubt() {
        assert!(is_sure("runing", ["paused", "running"]));
        assert!(!is_sure("starts_al", ["starts_at", "starts_all"]));
        assert!(!is_sure("stopped", ["paused", "running"]));
    }

    #[test]
    fn what_may_say_the_opposite_is_never_sure() {
        for (found, meant) in [
            ("nin", "in"),
            ("!in", "in"),
            ("is_unset", "is_set"),
            ("is_nset", "is_set"),
            ("unpaused", "paused"),
            ("reachable", "unreachable"),
            ("on_hook", "off_hook"),
            ("min_days", "max_days"),
        ] {
            assert!(!is_sure(found, [meant]), "{found}");
        }
        assert!(is_sure("Running", ["running"]) && is_sure("prioritty", ["priority"]));
    }

    #[test]
    fn listings_read_as_sentences() {
        assert_eq!(listing(&["a"], '"', "or"), "\"a\"");
        assert_eq!(listing(&["a", "b", "c"], '`', "and"), "`a`, `b` and `c`");
    }
}
