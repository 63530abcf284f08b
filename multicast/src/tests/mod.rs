mod classes;
mod grants;
mod group;
mod history;
mod hostile;
mod joining;
mod laws;
mod limits;
mod live;
mod maps;
mod names;
mod roles;
mod vectors;
mod window;

pub(crate) use group::Group;
