use std::io::{self, Write};
use std::num::NonZeroU64;

use clap::Args;
use stratus_sim::Swarm;

use super::{Failure, clock};

/// One set from one member to all others.
#[derive(Args)]
pub(super) struct SwarmArguments {
    /// Members, the source among them.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    members: u32,
    /// Objects of the set.
    #[arg(long, default_value_t = 1_024, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    objects: u64,
    /// Bytes of each.
    #[arg(long, default_value_t = 65_536, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    object_bytes: u32,
    /// Wire bytes a second of an uplink.
    #[arg(long, default_value_t = NonZeroU64::new(2_500_000).expect("not zero"))]
    uplink: NonZeroU64,
    /// Three kinds of members: 30 of 100 with a quarter of the uplink, 20 with twice as much.
    #[arg(long)]
    classes: bool,
    /// From which everything is drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Plays it and prints a line of JSON; false if not everybody got everything.
pub(super) fn swarm(arguments: &SwarmArguments) -> Result<bool, Failure> {
    let swarm = Swarm {
        objects: arguments.objects,
        object_bytes: arguments.object_bytes as usize,
        uplink: arguments.uplink,
        has_classes: arguments.classes,
        ..Swarm::new(arguments.members, arguments.seed)
    };
    let began = clock();
    let results = swarm.run();
    let line = serde_json::to_string(&results).map_err(io::Error::from)?;
    writeln!(io::stdout(), "{line}")?;
    writeln!(io::stderr(), "took {:.1} s", began.elapsed().as_secs_f64())?;
    Ok(results.complete == arguments.members - 1)
}
