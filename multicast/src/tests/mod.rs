mod grants;
mod group;
mod hostile;
mod joining;
mod laws;
mod live;
mod roles;
mod names;
mod vectors;
mod window;

pub(crate) use group::Group;
