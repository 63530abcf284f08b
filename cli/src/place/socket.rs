//! Sockets for the places that are addresses, with errors that say what to do.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

pub(crate) use socket2::Socket;
use socket2::{Domain, Protocol, SockAddr, Type};

use super::{Host, Place, Udp};
use crate::stop::{Code, Failure, lower_first};

/// How long the other side may take to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Those who wait while one is served; more are refused by the system.
const BACKLOG: i32 = 16;
/// What a burst of key pictures needs while we are busy; the system may grant less.
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;

/// Opens a connection to a TCP or Unix place.
pub(crate) fn connect(place: &Place) -> Result<Socket, Failure> {
    let failed = |error: &io::Error| of_connect(place, error);
    let addresses = addresses(place)?;
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in &addresses {
        let attempt = Socket::new(address.domain(), Type::STREAM, None).and_then(|socket| {
            match address.is_unix() {
                true => socket.connect(address)?,
                false => socket.connect_timeout(address, CONNECT_TIMEOUT)?,
            }
            Ok(socket)
        });
        match attempt {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(failed(&last))
}

/// Waits for connections at a TCP or Unix place.
pub(crate) fn listen(place: &Place) -> Result<Socket, Failure> {
    if let Place::Unix { path, .. } = place {
        remove_stale(path);
    }
    let bind = |address: &SockAddr| {
        let socket = Socket::new(address.domain(), Type::STREAM, None)?;
        if !address.is_unix() {
            // A listener that was just ended must not keep its successor waiting for a minute.
            socket.set_reuse_address(true)?;
        }
        socket.bind(address)?;
        socket.listen(BACKLOG)?;
        Ok(socket)
    };
    let address = addresses(place)?.into_iter().next().expect("a resolved name has an address");
    bind(&address).map_err(|error| of_bind(place, &error))
}

/// Receives datagrams; joins the group if the address is a multicast one.
pub(crate) fn receive_at(udp: &Udp) -> Result<UdpSocket, Failure> {
    let address = resolve(&udp.host)?;
    let bind = || {
        let socket = datagram_socket(address)?;
        // More is asked for than is needed in the middle of a stream; less is no reason to refuse.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
        if address.ip().is_multicast() {
            // Several programs may listen to one group.
            socket.set_reuse_address(true)?;
        }
        socket.bind(&address.into())?;
        join(&socket, address.ip(), udp.interface)?;
        Ok(socket.into())
    };
    bind().map_err(|error| of_bind(&Place::Udp(udp.clone()), &error))
}

/// Sends datagrams to one address.
pub(crate) fn send_to(udp: &Udp) -> Result<(UdpSocket, SocketAddr), Failure> {
    let address = resolve(&udp.host)?;
    let open = || {
        let socket = datagram_socket(address)?;
        match (address.ip(), udp.interface) {
            (IpAddr::V4(ip), Some(IpAddr::V4(interface))) if ip.is_multicast() => {
                socket.set_multicast_if_v4(&interface)?;
            }
            _ => {}
        }
        if let Some(ttl) = udp.ttl {
            match address {
                SocketAddr::V4(_) => socket.set_multicast_ttl_v4(ttl)?,
                SocketAddr::V6(_) => socket.set_multicast_hops_v6(ttl)?,
            }
        }
        Ok(socket.into())
    };
    let opened = open().map_err(|error| of_connect(&Place::Udp(udp.clone()), &error));
    opened.map(|socket| (socket, address))
}

fn datagram_socket(address: SocketAddr) -> io::Result<Socket> {
    Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))
}

fn join(socket: &Socket, group: IpAddr, interface: Option<IpAddr>) -> io::Result<()> {
    match (group, interface) {
        (IpAddr::V4(group), Some(IpAddr::V4(interface))) if group.is_multicast() => {
            socket.join_multicast_v4(&group, &interface)
        }
        (IpAddr::V4(group), _) if group.is_multicast() => {
            socket.join_multicast_v4(&group, &Ipv4Addr::UNSPECIFIED)
        }
        (IpAddr::V6(group), _) if group.is_multicast() => socket.join_multicast_v6(&group, 0),
        _ => Ok(()),
    }
}

/// Where to connect to or to listen at.
fn addresses(place: &Place) -> Result<Vec<SockAddr>, Failure> {
    match place {
        Place::Tcp { host, .. } => Ok(resolve_all(host)?.into_iter().map(SockAddr::from).collect()),
        Place::Unix { path, .. } => SockAddr::unix(path).map(|address| vec![address]).map_err(|error| {
            Failure::new(Code::Usage, format!("this cannot be a socket file: {}", path.display()))
                .tried(lower_first(&error.to_string()))
                .hint("socket files need paths of at most 107 bytes")
        }),
        _ => Ok(Vec::new()),
    }
}

fn resolve(host: &Host) -> Result<SocketAddr, Failure> {
    Ok(resolve_all(host)?[0])
}

/// At least one address.
fn resolve_all(host: &Host) -> Result<Vec<SocketAddr>, Failure> {
    if host.name.is_empty() {
        return Ok(vec![(Ipv4Addr::UNSPECIFIED, host.port).into()]);
    }
    if let Ok(ip) = host.name.parse::<Ipv6Addr>() {
        return Ok(vec![(ip, host.port).into()]);
    }
    let failed = |tried: String| {
        Failure::new(Code::Usage, format!("this name has no address: {}", host.name))
            .tried(tried)
            .hint("check its spelling, or give the address itself")
    };
    match (host.name.as_str(), host.port).to_socket_addrs() {
        Ok(found) => Some(found.collect::<Vec<_>>()).filter(|found| !found.is_empty()),
        Err(error) => return Err(failed(lower_first(&error.to_string()))),
    }
    .ok_or_else(|| failed("the name is known and has none".into()))
}

/// Whether there is a socket file of this name.
pub(crate) fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    path.symlink_metadata().is_ok_and(|metadata| metadata.file_type().is_socket())
}

/// A socket file at which nobody listens any more is in the way of the next listener.
fn remove_stale(path: &Path) {
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    if is_socket(path) && UnixStream::connect(path).is_err_and(refused) {
        // If it cannot be removed, binding says why.
        let _ = std::fs::remove_file(path);
    }
}

fn of_connect(place: &Place, error: &io::Error) -> Failure {
    let failure = Failure::new(Code::Failed, format!("cannot connect to {place}"));
    let hint = match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound | io::ErrorKind::TimedOut => {
            "nobody listens there: start the other side first, or let it come to us with ?listen"
        }
        io::ErrorKind::PermissionDenied => "the system does not permit it to this user",
        _ => "check the address and the network",
    };
    failure.tried(lower_first(&error.to_string())).hint(hint)
}

fn of_bind(place: &Place, error: &io::Error) -> Failure {
    let failure = Failure::new(Code::Failed, format!("cannot listen at {place}"));
    match error.kind() {
        io::ErrorKind::AddrInUse if matches!(place, Place::Unix { path, .. } if !is_socket(path)) => failure
            .tried("there is a file of that name, and it is no socket")
            .hint("choose another path, or remove the file"),
        io::ErrorKind::AddrInUse => failure
            .tried("another program has that address")
            .hint("end the other program, or choose another port or path"),
        io::ErrorKind::AddrNotAvailable => failure
            .tried("no interface of this machine has that address")
            .hint("leave the host out to listen at every address: udp://@:PORT, tcp://:PORT?listen"),
        io::ErrorKind::PermissionDenied => failure
            .tried("the system does not permit it to this user")
            .hint("ports below 1024 and other people's folders are taken; choose another"),
        io::ErrorKind::NotFound => {
            failure.tried("there is no such folder").hint("make the folder of the socket file first")
        }
        _ => failure.tried(lower_first(&error.to_string())).hint("check the address and the interface"),
    }
}
