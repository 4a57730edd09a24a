//! Forms of texts that are taken, as regular expressions for the API's description.

/// An id of campaigns, agents and the like.
pub(in crate::http) const SLUG: &str = "^[a-z0-9-]{1,64}$";

/// An id of business results and the like.
pub(in crate::http) const NAME: &str = "^[a-z0-9_-]{1,50}$";

/// A customer or a batch: characters that can be shown, without a space at an end, 64 at most.
pub(in crate::http) const PRINTABLE: &str =
    r"^[^\s\u0000-\u001f\u007f-\u009f]([^\u0000-\u001f\u007f-\u009f]{0,62}[^\s\u0000-\u001f\u007f-\u009f])?$";

/// An attempt.
pub(in crate::http) const ATTEMPT: &str = "^a[0-9]{1,9}-[0-9]{1,9}$";

/// How long something lasts.
pub(in crate::http) const DURATION: &str = "^(0|[1-9][0-9]{0,8})[smhd]$";

/// A date and a time, with an offset or without.
pub(in crate::http) const TIME: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}";
