//! The testing kit: a made-up network for any machine, and the laws that every layer keeps.
