//! TOML text to domain values, or every diagnostic at once.
