//! Real groups with a stream on loopback, and whoever attacks them, one after the other.

mod frames;
mod members;
mod scene;
