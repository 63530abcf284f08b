//! What `post`, `listen` and `chat` have in common: rights, what comes, what is said.

mod hearing;
mod line;
mod listen;
mod post;
mod rights;
mod saying;

pub(crate) use hearing::{Heard, Hearing};
pub(crate) use line::{Line, body, tame_name};
pub(crate) use saying::Saying;

pub(crate) use listen::{run as listen, write};
pub(crate) use post::{lines_of_stdin, run as post};
pub(crate) use rights::{authorized, check_posts};
