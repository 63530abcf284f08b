//! Tests over the source tree itself. Each name says what must be so.

mod arrows;
mod bounds;
mod code;
mod dependencies;
mod fuzz;
mod purity;
mod readme;
mod scan;
mod spec_ids;
mod tree;
