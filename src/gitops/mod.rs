//! The source: one commit of a branch, read whole from the object database.
