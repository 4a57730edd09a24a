//! Files as they are written, one per kind, before references are followed.

pub(crate) mod agents;
pub(crate) mod campaign;
pub(crate) mod queues;
pub(crate) mod settings;
pub(crate) mod template;
pub(crate) mod tenant;
