//! The `dialops` command.

fn main() {}
