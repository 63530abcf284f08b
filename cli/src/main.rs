//! The `stratus` command: groups, publishing, playing, and a demonstration of all three.

mod args;
mod console;
mod signals;
mod sink;
mod source;
mod stop;
mod ts;
#[allow(unused)]
fn main() {}
