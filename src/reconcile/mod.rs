//! Loop 1: brings the store to what the newest good commit asks for.
