//! Hosts on a bridge, each in a namespace of its own, each with the path that was asked for.

use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use crate::forwarder::{Forwarder, Lane, Tally};
use crate::namespace::{Namespace, sweep};
use crate::path::Path;
use crate::trouble::Trouble;

/// The interface of a host; what comes in by it has crossed the network.
const WIRE: &str = "eth0";
/// The interface by which the forwarder takes what the host sends.
const DETOUR: &str = "detour0";
/// Packets that may wait for the forwarder: 2 s of everything that the lab sends.
const DETOUR_QUEUE: usize = 20_000;
/// The kernel drops what is sent by a tun device in the first milliseconds after it was opened.
const CARRIER: Duration = Duration::from_millis(100);
/// Bytes that a limited host may send at once: two packets, or the limit would not be one.
const RATE_BURST: u64 = 3_100;

/// How a host is connected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HostPlan {
    /// What happens to what it sends.
    pub path: Path,
    /// So many of 1,000 packets that come to it are dropped, each by itself.
    pub loss_per_mille: u64,
    /// Bits a second that leave it at most, IP headers included.
    pub upload: Option<u64>,
}

/// A host.
#[derive(Debug)]
pub struct Host {
    namespace: Namespace,
    address: Ipv4Addr,
}

/// Hosts that reach each other. Everything is taken away on drop.
#[derive(Debug)]
pub struct Network {
    forwarder: Forwarder,
    hosts: Vec<Host>,
    _hub: Namespace,
}

/// Packets that a host's rules saw.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counted {
    /// UDP packets that came to it.
    pub arrived: u64,
    /// Those that were dropped by chance.
    pub lost: u64,
    /// Those that were dropped because they were too long.
    pub too_long: u64,
}

impl Network {
    /// Builds what is planned, after sweeping away what earlier labs have left.
    pub fn new(plans: &[HostPlan]) -> Result<Self, Trouble> {
        sweep()?;
        let hub = Namespace::new("hub")?;
        hub.set("ipv6/conf/all/disable_ipv6", "1")?;
        hub.ip("link add bridge0 type bridge mcast_snooping 0\nlink set bridge0 up\n")?;
        let hosts = plans.iter().enumerate().map(|(n, plan)| Host::new(&hub, n, plan));
        let hosts = hosts.collect::<Result<Vec<_>, _>>()?;
        let lanes = hosts.iter().zip(plans).enumerate().filter(|(_, (_, plan))| !plan.path.is_plain());
        let lanes = lanes.map(|(n, (host, plan))| Lane {
            host: n,
            namespace: &host.namespace,
            interface: DETOUR,
            path: plan.path,
        });
        let forwarder = Forwarder::start(lanes.collect(), hosts.len())?;
        std::thread::sleep(CARRIER);
        Ok(Self { forwarder, hosts, _hub: hub })
    }

    /// A host, by its place in the plan.
    pub fn host(&self, n: usize) -> &Host {
        &self.hosts[n]
    }

    /// What the forwarder did to what this host sent.
    pub fn tally(&self, n: usize) -> Tally {
        self.forwarder.tally(n)
    }
}

impl Host {
    fn new(hub: &Namespace, n: usize, plan: &HostPlan) -> Result<Self, Trouble> {
        let host = Self { namespace: Namespace::new(&n.to_string())?, address: address(n) };
        host.wire(hub, n)?;
        if !plan.path.is_plain() {
            host.detour()?;
        }
        host.rules(plan.loss_per_mille)?;
        if let Some(rate) = plan.upload {
            let burst = RATE_BURST;
            host.namespace
                .tc(&format!("qdisc add dev {WIRE} root tbf rate {rate}bit burst {burst} latency 200ms\n"))?;
        }
        Ok(host)
    }

    /// A cable to the bridge.
    fn wire(&self, hub: &Namespace, n: usize) -> Result<(), Trouble> {
        let (namespace, address) = (&self.namespace, self.address);
        namespace.set("ipv6/conf/all/disable_ipv6", "1")?;
        hub.ip(&format!(
            "link add port{n} type veth peer name {WIRE} netns {}\nlink set port{n} master bridge0 up\n",
            namespace.name()
        ))?;
        // Unless segments are single, a whole train is one packet to what drops packets.
        namespace.ip(&format!(
            "link set lo up\nlink set {WIRE} gso_max_segs 1 up\naddr add {address}/24 dev {WIRE}\n"
        ))
    }

    /// What the host itself sends goes by the forwarder, and from there to the wire.
    fn detour(&self) -> Result<(), Trouble> {
        let (namespace, address) = (&self.namespace, self.address);
        namespace.ip(&format!(
            "tuntap add mode tun name {DETOUR}\n\
             link set {DETOUR} txqueuelen {DETOUR_QUEUE} up\n\
             route replace 10.77.0.0/24 dev {DETOUR} src {address} proto kernel scope link\n\
             route add 10.77.0.0/24 dev {WIRE} table 77\n\
             rule add iif {DETOUR} lookup 77\n"
        ))?;
        namespace.set("ipv4/ip_forward", "1")?;
        // The packets that come back from the forwarder bear the host's own address.
        for interface in ["all", WIRE, DETOUR] {
            namespace.set(&format!("ipv4/conf/{interface}/rp_filter"), "0")?;
        }
        namespace.set(&format!("ipv4/conf/{DETOUR}/accept_local"), "1")
    }

    fn rules(&self, loss_per_mille: u64) -> Result<(), Trouble> {
        self.namespace.nft(&format!(
            "table inet lab {{\n counter arrived {{}}\n counter lost {{}}\n counter too_long {{}}\n \
             chain length {{}}\n \
             chain input {{ type filter hook input priority 0; policy accept;\n \
             iifname != \"{WIRE}\" accept\n meta l4proto != udp accept\n \
             counter name arrived jump length\n \
             numgen random mod 1000 < {loss_per_mille} counter name lost drop\n }}\n}}\n"
        ))
    }

    /// Its address.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// From now on packets over so many bytes, IP header included, do not come to it, and nobody is told.
    pub fn swallow_longer_than(&self, bytes: u64) -> Result<(), Trouble> {
        self.namespace
            .nft(&format!("add rule inet lab length ip length > {bytes} counter name too_long drop\n"))
    }

    /// What its rules saw so far.
    pub fn counted(&self) -> Result<Counted, Trouble> {
        let listed = self.inside(|| Command::new("nft").args(["list", "counters"]).output())?;
        let output = listed.map_err(Trouble::of("cannot run nft"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let packets = |name: &str| {
            let after = text.split_once(&format!("counter {name} ")).map(|(_, after)| after);
            let number =
                after.and_then(|after| after.split_once("packets ")?.1.split(' ').next()?.parse().ok());
            number.ok_or_else(|| Trouble::new(format!("nft shows no counter {name}")).tried(&text))
        };
        Ok(Counted { arrived: packets("arrived")?, lost: packets("lost")?, too_long: packets("too_long")? })
    }

    /// Runs `act` on a thread inside: sockets it opens and processes it starts belong here.
    pub fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> Result<T, Trouble> {
        self.namespace.inside(act)
    }
}

/// Where the n-th host is.
fn address(n: usize) -> Ipv4Addr {
    let last = u8::try_from(n + 1).expect("a lab has at most 254 hosts");
    Ipv4Addr::new(10, 77, 0, last)
}
