//! Keys of a table of which nobody knows what they say.

/// Keys whose value, or something in it, could not be read, and absent ones that may stand elsewhere. That has been
/// told, so nothing that would follow from it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unclear(Vec<&'static str>);

impl Unclear {
    /// Adds a key.
    pub(crate) fn add(&mut self, key: &'static str) {
        self.0.push(key);
    }

    /// Whether it is this key.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.contains(&key)
    }

    /// Whether it is one of these keys.
    pub(crate) fn has_any(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.has(key))
    }

    /// Whether all that the table says is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
