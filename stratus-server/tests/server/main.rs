//! The rendezvous server on real sockets: the library, and the program.

mod binary;
mod member;
mod serving;
