//! `table!`: declares a table once, for the reader and the schema.

/// The name of a key; one that is a keyword of Rust is written `r#as`.
pub(crate) const fn key_name(token: &'static str) -> &'static str {
    match token.as_bytes() {
        [b'r', b'#', ..] => token.split_at(2).1,
        _ => token,
    }
}

/// Declares a table: a struct, its reader and its JSON Schema.
///
/// Each key has its documentation, how it may be left out, its [`Kind`](super::read::Kind) and an
/// example; one that Rust cannot read as a token is given as text behind `toml`:
///
/// ```text
/// table! {
///     /// When customers may be called.
///     pub(crate) struct CallingHours "`calling_hours`" {
///         /// IANA zone of the windows.
///         required timezone: Zone => "Asia/Shanghai",
///         /// Free text.
///         optional since: Instant => toml "2031-03-01T09:00:00+08:00",
///         /// 1 to 5, 1 first.
///         default(Priority::DEFAULT) priority: Rank => 2,
///         /// A table whose keys all have defaults.
///         table strategy: Strategy,
///     }
/// }
/// ```
///
/// `show` and `settings` go through the keys in their order, those that are there or have a default.
///
/// `required` and `optional` keys become `Option<At<_>>`; the others are always there.
macro_rules! table {
    (
        $(#[doc = $about:literal])+
        $vis:vis struct $name:ident $what:literal {
            $(
                $(#[doc = $doc:literal])+
                $mode:ident $(($default:expr))? $key:ident: $kind:ty $(=> $example:tt $($toml:literal)?)?
            ),+ $(,)?
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone)]
        $vis struct $name {
            $($(#[doc = $doc])+ pub(crate) $key: $crate::config::table::field_type!($mode $kind),)+
            /// Keys of which nobody knows what they say.
            #[allow(dead_code, reason = "not every table is asked for them")]
            pub(crate) unclear: $crate::config::unclear::Unclear,
        }

        impl $name {
            $(
                #[expect(non_upper_case_globals, reason = "named as the key is")]
                const $key: $crate::config::read::Key = $crate::config::read::Key {
                    name: $crate::config::table::key_name(stringify!($key)),
                    about: $crate::config::table::text!($($doc)+),
                    example: $crate::config::table::example!($($example $($toml)?)?),
                };
            )+

            /// The table as it is when none of its keys is written.
            #[allow(dead_code, reason = "not every table can be left out")]
            pub(crate) fn absent() -> Self {
                Self {
                    $($key: $crate::config::table::absent!([$mode $($default)?] $kind),)+
                    unclear: $crate::config::unclear::Unclear::default(),
                }
            }
        }

        impl $crate::config::read::Table for $name {
            const WHAT: &'static str = $what;
            const KEYS: &'static [&'static str] = &[$($crate::config::table::key_name(stringify!($key))),+];

            fn read_table(
                mut table: $crate::config::read::TableReader<'_, '_>,
                reader: &mut $crate::config::read::Reader<'_>,
            ) -> Self {
                let read = Self {
                    $($key: $crate::config::table::read!(
                        [$mode $($default)?] $kind, table.field::<$kind>(&Self::$key, reader)
                    ),)+
                    unclear: std::mem::take(&mut table.unclear),
                };
                $($crate::config::table::require!($mode table.require(&Self::$key, reader));)+
                read
            }
        }

        impl $crate::config::read::Kind for $name {
            type Value = Self;

            fn read(
                node: &$crate::config::syntax::Node<'_>,
                reader: &mut $crate::config::read::Reader<'_>,
            ) -> Option<Self> {
                let table = $crate::config::read::TableReader::of::<Self>(node, reader)?;
                Some(<Self as $crate::config::read::Table>::read_table(table, reader))
            }

            fn schema() -> serde_json::Value {
                let mut schema = $crate::config::schema::Object::new($crate::config::table::text!($($about)+));
                $({
                    let kind = <$kind as $crate::config::read::Kind>::schema();
                    let required = $crate::config::table::is_required!($mode);
                    let default = $crate::config::table::shown_default!([$mode $($default)?] $kind);
                    schema.key(&Self::$key, kind, required, default);
                })+
                schema.finish()
            }

            fn show(value: &Self) -> serde_json::Value {
                let mut shown = serde_json::Map::new();
                $($crate::config::table::each!($mode &value.$key, |at| {
                    let name = $crate::config::table::key_name(stringify!($key)).to_owned();
                    shown.insert(name, <$kind as $crate::config::read::Kind>::show(&at.value));
                });)+
                serde_json::Value::Object(shown)
            }

            fn settings(
                key: &str,
                table: &$crate::config::read::At<Self>,
                settings: &mut Vec<$crate::config::effective::Setting>,
            ) {
                $($crate::config::table::each!($mode &table.value.$key, |at| {
                    let key = $crate::config::effective::below(key, $crate::config::table::key_name(stringify!($key)));
                    <$kind as $crate::config::read::Kind>::settings(&key, at, settings);
                });)+
            }
        }
    };
}

macro_rules! field_type {
    (required $kind:ty) => { Option<$crate::config::read::At<<$kind as $crate::config::read::Kind>::Value>> };
    (optional $kind:ty) => { Option<$crate::config::read::At<<$kind as $crate::config::read::Kind>::Value>> };
    (default $kind:ty) => { $crate::config::read::At<<$kind as $crate::config::read::Kind>::Value> };
    (table $kind:ty) => { $crate::config::read::At<$kind> };
}

macro_rules! absent {
    ([required] $kind:ty) => {
        None
    };
    ([optional] $kind:ty) => {
        None
    };
    ([default $default:expr] $kind:ty) => {
        $crate::config::read::At::default($default)
    };
    ([table] $kind:ty) => {
        $crate::config::read::At::default(<$kind>::absent())
    };
}

macro_rules! read {
    ([required] $kind:ty, $field:expr) => { $field };
    ([optional] $kind:ty, $field:expr) => { $field };
    ([$($mode:tt)+] $kind:ty, $field:expr) => {
        $field.unwrap_or_else(|| $crate::config::table::absent!([$($mode)+] $kind))
    };
}

macro_rules! require {
    (required $check:expr) => {
        $check
    };
    ($mode:ident $check:expr) => {};
}

/// Runs a block for a key's value, if it has one.
macro_rules! each {
    (required $field:expr, |$at:ident| $block:block) => {
        if let Some($at) = $field $block
    };
    (optional $field:expr, |$at:ident| $block:block) => {
        if let Some($at) = $field $block
    };
    ($mode:ident $field:expr, |$at:ident| $block:block) => {{
        let $at = $field;
        $block
    }};
}

macro_rules! is_required {
    (required) => {
        true
    };
    ($mode:ident) => {
        false
    };
}

macro_rules! shown_default {
    ([default $default:expr] $kind:ty) => {
        <$kind as $crate::config::read::Kind>::show(&$default)
    };
    ([table] $kind:ty) => {
        serde_json::json!({})
    };
    ([$mode:ident] $kind:ty) => {
        serde_json::Value::Null
    };
}

macro_rules! example {
    () => {
        None
    };
    (toml $text:literal) => {
        Some($text)
    };
    ($value:tt) => {
        Some(stringify!($value))
    };
}

/// Joins the lines of a doc comment, which each start with a space.
macro_rules! text {
    ($($line:literal)+) => { concat!($($line),+).trim_ascii() };
}

pub(crate) use {absent, each, example, field_type, is_required, read, require, shown_default, table, text};
