//! Contacts in: streams of rows to the store.
