//! Tests that keep the house honest, and nothing else: see `tests/tidy`.
//!
//! They read the tree as text, need no network and no tool, and take less than a second. That README's `stratus` command lines
//! run is tested in `cli/tests`, where the binary is at hand.
