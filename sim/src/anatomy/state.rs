use std::fmt;

use stratus_multicast::StreamInfo;

/// What the subscribers of a stream have got at one moment.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct State {
    /// Subscribers that know the stream.
    pub(crate) members: u64,
    slices: u64,
    with_parent: u64,
    without_any: u64,
    with_all: u64,
    children: u64,
    most_children: usize,
    holes: u64,
    neighbors: u64,
}

impl State {
    /// Adds up what each subscriber says.
    pub(crate) fn of(infos: impl Iterator<Item = StreamInfo>, slices: u32) -> Self {
        let mut state = Self { slices: u64::from(slices), ..Self::default() };
        for info in infos {
            state.members += 1;
            state.with_parent += info.slices_with_parent as u64;
            state.without_any += u64::from(info.slices_with_parent == 0);
            state.with_all += u64::from(info.slices_with_parent == slices as usize);
            state.children += info.children as u64;
            state.most_children = state.most_children.max(info.children);
            state.holes += info.holes as u64;
            state.neighbors += info.subscribed_neighbors as u64;
        }
        state
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mean = |sum: u64| sum as f64 / self.members.max(1) as f64;
        write!(
            f,
            "slices with a parent {:>6.2}% (all: {:>5.1}% of members, none: {:>5.1}%)  children {:>5.2} (most {})  \
             holes {:>6.1}  subscribed neighbors {:>5.1}",
            mean(self.with_parent) * 100.0 / self.slices as f64,
            mean(self.with_all) * 100.0,
            mean(self.without_any) * 100.0,
            mean(self.children),
            self.most_children,
            mean(self.holes),
            mean(self.neighbors),
        )
    }
}
