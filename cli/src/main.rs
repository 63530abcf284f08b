//! The stratus command.
fn main() {}
