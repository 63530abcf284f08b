//! The stratus command.

mod ts;
fn main() {}
