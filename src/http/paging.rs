//! Lists in pages: `limit` says how long one may be, `cursor` where it begins, `next` where the next one does.

use std::str::FromStr;

use super::{error::ApiError, wire::cursor};

/// Entries of a page unless asked otherwise, and the most of one.
pub(super) const LIMIT: u32 = 100;
pub(super) const LIMIT_MAX: u32 = 1_000;

/// How long a page may be.
pub(super) fn limit(asked: Option<u32>, usual: u32, most: u32) -> Result<u32, ApiError> {
    let limit = asked.unwrap_or(usual);
    if (1..=most).contains(&limit) {
        return Ok(limit);
    }
    Err(ApiError::bad_request(format!("limit: {limit} is not 1 to {most}"), "ask for less, and go on with `next`"))
}

/// The position in a list that a cursor says.
pub(super) fn after<T: FromStr>(list: &str, given: Option<&str>) -> Result<Option<T>, ApiError> {
    let Some(given) = given else { return Ok(None) };
    let position = cursor::position(list, given).and_then(|position| position.parse().ok());
    position.map(Some).ok_or_else(no_cursor)
}

/// That a cursor is none of the list.
pub(super) fn no_cursor() -> ApiError {
    ApiError::bad_request("cursor: this is no cursor of this list", "give what `next` of its page before said")
}

/// The page of a whole list whose entries have ids: those behind one of them, and the id behind which more are.
pub(super) fn cut<T>(
    all: Vec<T>,
    after: Option<&str>,
    limit: u32,
    id: impl Fn(&T) -> &str,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let begin = match after {
        Some(after) => all.iter().position(|one| id(one) == after).ok_or_else(no_cursor)? + 1,
        None => 0,
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = all.len() - begin > limit;
    let page: Vec<T> = all.into_iter().skip(begin).take(limit).collect();
    let next = page.last().filter(|_| more).map(|last| id(last).to_owned());
    Ok((page, next))
}

/// Whether a page is as long as it may be, so that others may follow.
pub(super) fn is_full<T>(page: &[T], limit: u32) -> bool {
    u32::try_from(page.len()).is_ok_and(|length| length >= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cut_into_pages_without_a_gap() {
        let all = || ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        let page = |after, limit| cut(all(), after, limit, String::as_str).unwrap();
        assert_eq!(page(None, 4), (all(), None));
        let (first, next) = page(None, 3);
        assert_eq!((first.len(), next.as_deref()), (3, Some("c")));
        assert_eq!(page(Some("c"), 3), (vec!["d".to_owned()], None));
        assert_eq!(page(Some("d"), 3), (vec![], None));
        assert!(cut(all(), Some("x"), 3, String::as_str).is_err());
    }

    #[test]
    fn a_limit_is_kept_within_bounds() {
        assert_eq!(limit(None, LIMIT, LIMIT_MAX).unwrap(), LIMIT);
        assert_eq!(limit(Some(LIMIT_MAX), LIMIT, LIMIT_MAX).unwrap(), LIMIT_MAX);
        assert!(limit(Some(0), LIMIT, LIMIT_MAX).is_err() && limit(Some(LIMIT_MAX + 1), LIMIT, LIMIT_MAX).is_err());
    }
}
