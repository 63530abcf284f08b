mod group;
mod live;

pub(crate) use group::Group;
