//! Codes of diagnostics: what each means, for `problems[].code` and people who look one up.

use std::{fmt, str::FromStr};

macro_rules! codes {
    ($($(#[doc = $about:literal])+ $name:ident = $text:literal),+ $(,)?) => {
        /// What kind of fault a diagnostic is about; the text is stable, so scripts may match it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $about])+ $name),+
        }

        impl Code {
            /// Every code, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The stable text, such as `E0101`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text),+
                }
            }

            /// What it means and what to do.
            #[must_use]
            pub fn about(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($about),+).trim_ascii()),+
                }
            }
        }
    };
}

codes! {
    /// The file is not UTF-8. TOML is; save the file as UTF-8.
    NotUtf8 = "E0001",
    /// The file is not TOML.
    Syntax = "E0002",
    /// A key or a table is defined twice. TOML allows one; remove the other.
    DuplicateKey = "E0003",
    /// No kind of file stands at this path, so nothing would read it.
    UnknownFile = "E0004",
    /// A file that is needed is not there.
    MissingFile = "E0005",
    /// The file cannot be read: a symlink, too large, or refused by the system.
    Unreadable = "E0006",
    /// The file has so many problems that the rest are left out.
    TooManyProblems = "E0007",
    /// The file says that it was written for another version of its form than this program reads.
    SchemaVersion = "E0008",
    /// The file has syntax that came with TOML 1.1. It is read, but many an editor knows 1.0 only.
    NewerSyntax = "E0009",
    /// Two sources have a file of which there can be one.
    FileTwice = "E0010",
    /// The table has no key of this name; often a misspelling, or a key that slid into the table above it.
    UnknownKey = "E0101",
    /// A key without a default is not there.
    MissingKey = "E0102",
    /// The value is of another TOML type than the key takes.
    WrongType = "E0103",
    /// The text is not one of the words that the key takes.
    UnknownWord = "E0104",
    /// The number is too small or too large.
    NumberRange = "E0105",
    /// The text is too short or too long, or has characters that do not belong.
    Text = "E0106",
    /// An id has a fixed form: 1 to 64 characters of `a-z`, `0-9` and `-`; ids of attributes, business results and
    /// questions are shorter and may have `_`.
    Id = "E0107",
    /// A duration is a whole number and a unit: `30s`, `10m`, `2h`, `3d`.
    Duration = "E0108",
    /// The duration is too short or too long.
    DurationRange = "E0109",
    /// A telephone number is written in E.164: `+`, the country code, the number; digits only.
    PhoneNumber = "E0110",
    /// A window is `HH:MM-HH:MM` in local time; the start belongs to it, the end does not.
    Window = "E0111",
    /// A point in time is a TOML date-time with an offset: `2031-03-01T09:00:00+08:00`.
    DateTime = "E0112",
    /// The zone is not in the tz database that this version carries.
    TimeZone = "E0113",
    /// The list has too few items.
    TooFewItems = "E0114",
    /// A region is an ISO 3166-1 code of two letters: `CN`.
    Region = "E0115",
    /// An address does not have its form.
    Address = "E0116",
    /// The table says one thing in two ways, or in none.
    OneOf = "E0117",
    /// A date is `2031-03-04`, a day of every year `10-01`; `/` joins the first and the last of a range.
    Days = "E0118",
    /// A share is a number of per cent with at most one decimal: `3%`, `2.5%`.
    Share = "E0119",
    /// The list has too many items.
    TooManyItems = "E0120",
    /// Nothing fills the gap of a text message: it is misspelt, or a brace that should be written twice.
    UnknownGap = "E0121",
    /// A brace has no partner. For a brace in the text itself, write it twice.
    Brace = "E0122",
    /// A calendar has days: `weekdays`, `dates` or `yearly`.
    NoDays = "E0123",
    /// A question's `options`, `min`, `max` and `goto` by answer each go with some kinds of question only.
    QuestionKeys = "E0124",
    /// `max` is not greater than `min`.
    Bounds = "E0125",
    /// Nobody can give this answer to the question.
    UnknownAnswer = "E0126",
    /// The id is used twice in a commit.
    DuplicateId = "E0201",
    /// The name is used twice in a commit.
    DuplicateName = "E0202",
    /// No queue has this id.
    UnknownQueue = "E0203",
    /// No agent takes calls of this queue, so nobody could be called.
    QueueWithoutAgents = "E0204",
    /// The settings do not list this number as one to call from.
    NotOwned = "E0205",
    /// An item stands twice in a list.
    Repeated = "E0206",
    /// `ends_at` is not after `starts_at`.
    EndsBeforeStart = "E0207",
    /// Two windows share a minute.
    WindowsOverlap = "E0208",
    /// The value is over a ceiling of the settings; a commit can only tighten them.
    OverCeiling = "E0209",
    /// No number category has this id.
    UnknownCategory = "E0210",
    /// No attribute has this id.
    UnknownAttribute = "E0211",
    /// No calendar has this id.
    UnknownCalendar = "E0212",
    /// No business result has this id.
    UnknownBusinessResult = "E0213",
    /// The business result has no sub-result of this id.
    UnknownSubResult = "E0214",
    /// No SMS template has this id.
    UnknownSms = "E0215",
    /// No survey has this id.
    UnknownSurvey = "E0216",
    /// The survey has no version of this number.
    UnknownSurveyVersion = "E0217",
    /// The survey's version is a draft; campaigns use published ones.
    SurveyDraft = "E0218",
    /// No do-not-call list has this id.
    UnknownDoNotCall = "E0219",
    /// The survey's version has no question of this id.
    UnknownQuestion = "E0220",
    /// A question has the id `end`, which is where a survey ends.
    QuestionEnd = "E0221",
    /// The survey's questions lead in a circle, so that it might never end.
    SurveyCycle = "E0222",
    /// No answer leads to the question.
    UnreachableQuestion = "E0223",
    /// Two versions of a survey have the same number.
    DuplicateVersion = "E0224",
    /// Conditions are nested too deep, or there are too many.
    FilterDepth = "E0240",
    /// A condition has `attribute` and `op`, or one of `all`, `any` and `not`.
    Condition = "E0241",
    /// The operator takes no value, one value, a list, or a list of two.
    Operand = "E0242",
    /// The value is of another type than the attribute.
    OperandType = "E0243",
    /// An encrypted attribute is neither filtered nor sorted on, and never leaves the store.
    AttributeEncrypted = "E0244",
    /// The campaign's `strategy.attributes` does not have the attribute.
    AttributeNotUsed = "E0245",
    /// The rounds do not fit the order of numbers.
    Rounds = "E0246",
    /// The result has two rules; which of them would hold?
    RepeatedResult = "E0247",
    /// `no_retry` ends all numbers of a contact, which policies by category never do.
    NoRetryByCategory = "E0248",
    /// Nobody could be called between `starts_at` and `ends_at`.
    WindowsNeverOpen = "E0249",
    /// A special day names a calendar or days of its own, and has windows or is closed.
    SpecialDays = "E0250",
    /// `fallback_timezone` goes with `timezone = "contact"`.
    FallbackZone = "E0251",
    /// A business rule that calls has an `interval`; one that stops has nothing to call by.
    RuleKeys = "E0252",
    /// The settings do not allow callbacks to this host.
    CallbackHost = "E0253",
    /// Dialling needs a trunk.
    NoTrunk = "E0301",
    /// `test_numbers` is what `dial = "listed"` calls: required there, refused elsewhere.
    TestNumbers = "E0302",
    /// This version uses one trunk.
    SeveralTrunks = "E0303",
    /// `previous_attribute_key` is the key before `attribute_key`, so it goes with that one only.
    PreviousKeyAlone = "E0304",
    /// Some keys of `[source]` go with some kinds of repository only: a token with `https://`, keys with `ssh://`.
    SourceKeys = "E0305",
    /// No source has this `id`.
    UnknownSource = "E0306",
    /// What says which project, or which server, does not fit the provider or is not there.
    StatusKeys = "E0320",
    /// Some keys of `[[notifications]]` go with one kind only: a `secret` signs what webhooks are sent.
    NotificationKeys = "E0321",
    /// Keys that may sign commits need a `mode`, and a `mode` that asks for signatures needs keys.
    VerifyKeys = "E0330",
    /// The gateway of `[sms]` can't be used as it is described: its body is not JSON, or says not what is sent to whom.
    SmsGateway = "E0340",
    /// A new campaign starts before the instant that counts as now, so it would dial at once.
    NewInPast = "E0401",
    /// A campaign has another id than before. An id cannot change: one campaign is retired and another begins.
    IdChanged = "E0402",
    /// No template has this id.
    UnknownTemplate = "E0411",
    /// The key belongs to a campaign itself, so a template may not give it.
    NotInTemplate = "E0412",
    /// Running campaigns with the same queue and priority take turns.
    SharedPriority = "N0501",
    /// A text message is so long that it is sent, and paid for, as several.
    SmsLength = "N0502",
    /// The setting is read and nothing looks at it.
    NoEffect = "W0501",
    /// Not all retries fit into the campaign's life or its day, or under a cap.
    BudgetUnspendable = "W0502",
    /// The next try is more than a day away.
    LongInterval = "W0503",
    /// This version knows the setting and does not dial by it yet, so it holds the campaign.
    NotDialledYet = "W0504",
    /// A campaign that has expired shall end later. Expired is final, so it does not dial again.
    StaysExpired = "W0505",
}

/// Text that is no code.
#[derive(Debug, thiserror::Error)]
#[error("no such code; they run from {} to {}, as messages show them", Code::ALL[0], Code::ALL[Code::ALL.len() - 1])]
pub struct NoSuchCode;

impl FromStr for Code {
    type Err = NoSuchCode;

    fn from_str(text: &str) -> Result<Self, NoSuchCode> {
        Self::ALL.iter().find(|code| code.as_str().eq_ignore_ascii_case(text)).copied().ok_or(NoSuchCode)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        assert!(Code::ALL.is_sorted_by(|a, b| a.as_str() < b.as_str()));
    }
}
