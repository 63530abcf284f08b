mod group;
mod hostile;
mod late;
mod laws;
mod life;
mod limits;
mod owner;
mod vectors;

pub(crate) use group::{GROUP, Group};
