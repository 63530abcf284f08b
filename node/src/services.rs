use stratus_core::wire_settings;

/// Which services the group has, besides live streams: what its groupspec allows. A layer that the group does not use
/// costs a member one empty `Option`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Services {
    /// Posting.
    pub posting: bool,
    /// Object replication.
    pub replication: bool,
    /// Directed routing.
    pub routing: bool,
}

wire_settings!(Services { posting, replication, routing });
