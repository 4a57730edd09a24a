//! Identifiers: who and what a value is about.
//!
//! Operators choose slugs in files; the daemon makes attempt and leg ids from the store's epoch, so
//! no two lives of the daemon ever make the same one.

use std::{fmt, sync::Arc};

use super::phone::mask_within;

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is empty or too long.
    #[error("must have 1 to {max} characters, has {length}")]
    Length {
        /// How many it has.
        length: usize,
        /// How many it may have.
        max: usize,
    },
    /// The text has a character outside `a-z0-9-`.
    #[error("may only have a-z, 0-9 and '-', not {0:?}")]
    SlugCharacter(char),
    /// The text has a character outside `a-z0-9-_`.
    #[error("may only have a-z, 0-9, '-' and '_', not {0:?}")]
    NameCharacter(char),
}

/// Longest slug, in characters (SPEC §1.2).
pub const SLUG_LENGTH_MAX: usize = 64;

fn check(text: &str, max: usize, refused: impl Fn(char) -> Option<IdError>) -> Result<(), IdError> {
    let length = text.chars().count();
    if length == 0 || length > max {
        return Err(IdError::Length { length, max });
    }
    text.chars().find_map(refused).map_or(Ok(()), Err)
}

fn check_slug(text: &str) -> Result<(), IdError> {
    check(text, SLUG_LENGTH_MAX, |c| (!matches!(c, 'a'..='z' | '0'..='9' | '-')).then_some(IdError::SlugCharacter(c)))
}

fn check_name(text: &str, max: usize) -> Result<(), IdError> {
    check(text, max, |c| (!matches!(c, 'a'..='z' | '0'..='9' | '-' | '_')).then_some(IdError::NameCharacter(c)))
}

/// A type of ids: a text of a fixed form.
pub trait Id: Sized + Clone + Ord + fmt::Display {
    /// Most characters.
    const LENGTH_MAX: usize;

    /// Whether `_` may stand in it, besides `a-z0-9-`.
    const UNDERSCORE: bool;

    /// Parses one.
    fn parse(text: &str) -> Result<Self, IdError>;

    /// The id as text.
    fn as_str(&self) -> &str;
}

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident $max:expr, $underscore:literal, $check:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses one; see the type for its form.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                $check(text)?;
                Ok(Self(text.into()))
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Id for $name {
            const LENGTH_MAX: usize = $max;
            const UNDERSCORE: bool = $underscore;

            fn parse(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }

            fn as_str(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    )+};
}

macro_rules! slug {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        id! { $($(#[$doc])* #[doc = ""] #[doc = "1 to 64 characters of `a-z0-9-`."] $name SLUG_LENGTH_MAX, false, check_slug;)+ }
    };
}

macro_rules! name {
    ($($(#[$doc:meta])* $name:ident $max:literal),+ $(,)?) => {
        id! { $($(#[$doc])* $name $max, true, |text| check_name(text, $max);)+ }
    };
}

slug! {
    /// A campaign's identity: unique among the files of a commit, never changed.
    CampaignId,
    /// A skill queue's identity.
    QueueId,
    /// An agent's identity.
    AgentId,
    /// The tenant's identity.
    TenantId,
    /// A trunk's identity, from the settings.
    TrunkId,
    /// A webhook's identity, from the settings; part of its address.
    WebhookId,
    /// A source's identity, from the settings; `main` where there is one that has no name.
    SourceId,
    /// A notification's identity, from the settings.
    NotificationId,
    /// A number category such as `mobile`.
    CategoryId,
    /// A template's identity.
    TemplateId,
    /// Somebody with an account; an agent's is the one of `agents.toml`.
    PersonId,
    /// A calendar of special days.
    CalendarId,
    /// A template of a text message.
    SmsId,
    /// A questionnaire's identity.
    SurveyId,
    /// A do-not-call list's identity.
    DoNotCallId,
}

impl SourceId {
    /// The one source that has no name of its own in the settings.
    #[must_use]
    pub fn main() -> Self {
        Self("main".into())
    }
}

name! {
    /// An attribute of contacts: 1 to 30 characters of `a-z0-9-_`.
    AttributeId 30,
    /// What a conversation achieved: 1 to 50 characters of `a-z0-9-_`.
    BusinessResultId 50,
    /// A shade of a business result: 1 to 50 characters of `a-z0-9-_`.
    SubResultId 50,
    /// A question of a survey: 1 to 50 characters of `a-z0-9-_`.
    QuestionId 50,
}

/// The customer's identity in a campaign: 1 to 64 printable characters, as the import gives it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomerId(Arc<str>);

/// Why a text is not a customer id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to 64 printable characters without surrounding spaces")]
pub struct CustomerIdError;

/// 1 to 64 characters that can be shown, none of them a space at an end.
fn is_printable(text: &str) -> bool {
    let printable = text.chars().all(|c| !c.is_control()) && text.trim() == text;
    (1..=64).contains(&text.chars().count()) && printable
}

/// Why a text is no id for anything new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("may not be `.` or `..`: clients leave these out of addresses, so it could not be asked for")]
pub struct StepError;

/// Refuses `.` and `..`, which no client sends in a path, escaped or not (RFC 3986 §5.2.4). Ids that are there
/// already may be so.
pub fn not_a_step(id: &str) -> Result<(), StepError> {
    if matches!(id, "." | "..") { Err(StepError) } else { Ok(()) }
}

impl CustomerId {
    /// Parses a customer id.
    pub fn parse(text: &str) -> Result<Self, CustomerIdError> {
        if is_printable(text) { Ok(Self(text.into())) } else { Err(CustomerIdError) }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CustomerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CustomerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CustomerId({})", self.0)
    }
}

/// The name of a batch of contacts, unique in its campaign: 1 to 64 printable characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(Arc<str>);

/// Why a text is not the name of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to 64 printable characters without surrounding spaces")]
pub struct BatchIdError;

impl BatchId {
    /// Parses the name of a batch.
    pub fn parse(text: &str) -> Result<Self, BatchIdError> {
        if is_printable(text) { Ok(Self(text.into())) } else { Err(BatchIdError) }
    }

    /// The name for logs, without what could be a telephone number: it may be that of a file.
    #[must_use]
    pub fn masked(&self) -> String {
        mask_within(&self.0)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BatchId({})", self.0)
    }
}

/// A commit's object id, in lower-case hex.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(Arc<str>);

impl Revision {
    /// Wraps a commit id as Git prints it (40 or 64 hex digits); anything else gives `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        (hex && matches!(text.len(), 40 | 64)).then(|| Self(text.into()))
    }

    /// What stands for a commit that can't be told: no commit has this id.
    #[must_use]
    pub fn unknown() -> Self {
        Self("0".repeat(40).into())
    }

    /// The whole id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Revision({})", self.short())
    }
}

/// One life of a daemon on its store; each start takes the next number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u32);

macro_rules! serial {
    ($($(#[$doc:meta])* $name:ident $prefix:literal),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            /// The daemon's life that made it.
            pub epoch: Epoch,
            /// Counts from 1 in that life.
            pub serial: u32,
        }

        impl $name {
            /// One integer that sorts as the id does, for stores.
            #[must_use]
            pub fn to_i64(self) -> i64 {
                (i64::from(self.epoch.0) << 32) | i64::from(self.serial)
            }

            /// The id behind [`Self::to_i64`]; `None` for a number no id has.
            #[must_use]
            pub fn from_i64(number: i64) -> Option<Self> {
                let epoch = u32::try_from(number >> 32).ok()?;
                let serial = u32::try_from(number & 0xffff_ffff).ok()?;
                Some(Self { epoch: Epoch(epoch), serial })
            }

            /// Parses what `Display` writes.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let (epoch, serial) = text.strip_prefix($prefix)?.split_once('-')?;
                Some(Self { epoch: Epoch(epoch.parse().ok()?), serial: serial.parse().ok()? })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}-{}"), self.epoch.0, self.serial)
            }
        }
    )+};
}

serial! {
    /// One call to one number; it exists from the moment its intent is durable. Written `a3-17`.
    AttemptId "a",
    /// One SIP leg, to an agent's phone or to a customer. Written `l3-17`.
    LegId "l",
}

/// A contact's row in the store; an opaque handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContactRef(pub i64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_hold_to_their_alphabet() {
        assert!(CampaignId::parse("spring-2031").is_ok());
        assert_eq!(CampaignId::parse(""), Err(IdError::Length { length: 0, max: 64 }));
        assert_eq!(CampaignId::parse("Spring"), Err(IdError::SlugCharacter('S')));
        assert_eq!(CampaignId::parse(&"a".repeat(65)), Err(IdError::Length { length: 65, max: 64 }));
    }

    #[test]
    fn nothing_new_is_a_step_of_a_path() {
        for (id, good) in [(".", false), ("..", false), ("...", true), (".c1", true), ("c1", true)] {
            assert_eq!(not_a_step(id).is_ok(), good, "{id}");
            assert!(CustomerId::parse(id).is_ok() && BatchId::parse(id).is_ok(), "an old one is read");
        }
    }

    #[test]
    fn serial_ids_round_trip() {
        let id = AttemptId { epoch: Epoch(7), serial: u32::MAX };
        assert_eq!(AttemptId::from_i64(id.to_i64()), Some(id));
        assert_eq!(AttemptId::parse(&id.to_string()), Some(id));
        assert_eq!(AttemptId::from_i64(-1), None);
    }
}
