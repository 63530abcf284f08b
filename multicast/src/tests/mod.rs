mod group;
mod hostile;
mod joining;
mod live;
mod window;

pub(crate) use group::Group;
