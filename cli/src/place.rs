//! Where a stream comes from or goes to, as the command line names it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use crate::ts::PACKET_SIZE;

mod program;
mod socket;
mod socket_file;

pub(crate) use program::Program;
pub(crate) use socket::{Socket, connect, is_socket, listen, receive_at, send_to};
pub(crate) use socket_file::SocketFile;

/// An input of `publish` or an output of `play`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// `-`: standard input or output.
    Standard,
    /// A file, a named pipe or a device.
    File(PathBuf),
    /// `udp://HOST:PORT`: datagrams.
    Udp(Udp),
    /// `tcp://HOST:PORT`: one connection, or one after the other.
    Tcp {
        /// Host and port.
        host: Host,
        /// Who calls whom.
        role: Role,
    },
    /// `unix:PATH`: the same over a socket file.
    Unix {
        /// The socket file.
        path: PathBuf,
        /// Who calls whom.
        role: Role,
    },
    /// `exec:COMMAND`: the standard output or input of a program.
    Exec(String),
}

/// Who opens a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// We do.
    Connect,
    /// The other side does: `?listen`.
    Listen,
}

/// A machine and a port; no name at all is every address of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    /// Name or address, perhaps empty.
    pub(crate) name: String,
    /// The port.
    pub(crate) port: u16,
}

/// Datagrams with packets in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Udp {
    /// Where to listen, or where to send; perhaps a multicast address.
    pub(crate) host: Host,
    /// `interface=ADDR`: the address of the interface for multicast.
    pub(crate) interface: Option<IpAddr>,
    /// `source=ADDR`: who may send; datagrams of others are dropped.
    pub(crate) source: Option<IpAddr>,
    /// `ttl=N`: how many routers a multicast datagram may pass.
    pub(crate) ttl: Option<u32>,
    /// `pkt_size=BYTES`: most bytes in a datagram that we send.
    pub(crate) packet_size: usize,
}

impl Udp {
    /// Seven packets in a datagram, as everybody sends them; it fits every Ethernet.
    const PACKET_SIZE: usize = 7 * PACKET_SIZE;
    /// What a datagram can hold.
    const MOST_PACKET_SIZE: usize = 65_507;
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = scheme(text) else {
            return match text {
                "" => Err("a file, an address, or - is wanted".into()),
                "-" => Ok(Self::Standard),
                path => Ok(Self::File(path.into())),
            };
        };
        let (rest, query) = rest.split_once('?').filter(|_| scheme != "exec").unwrap_or((rest, ""));
        let authority = || rest.strip_prefix("//").ok_or_else(|| format!("{scheme}://HOST:PORT is wanted"));
        match scheme {
            "udp" => Ok(Self::Udp(udp(authority()?, query)?)),
            "tcp" => Ok(Self::Tcp { host: authority()?.parse()?, role: role(query)? }),
            "unix" => match rest.strip_prefix("//").unwrap_or(rest) {
                "" => Err("unix:PATH is wanted".into()),
                path => Ok(Self::Unix { path: path.into(), role: role(query)? }),
            },
            "exec" if rest.trim().is_empty() => {
                Err("exec:COMMAND is wanted, in quotes if it has spaces".into())
            }
            "exec" => Ok(Self::Exec(rest.trim().into())),
            other => Err(format!(
                "there is no {other}:// here; what there is: udp://, tcp://, unix:, exec: and files"
            )),
        }
    }
}

/// What stands before the colon, if that makes it an address and not the name of a file. The aliases that name the
/// container mean the same.
fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let known = scheme.strip_suffix("+mpegts").unwrap_or(scheme);
    let is_word = !known.is_empty() && known.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_scheme = matches!(known, "udp" | "tcp" | "unix" | "exec") || is_word && rest.starts_with("//");
    is_scheme.then_some((known, rest))
}

fn udp(authority: &str, query: &str) -> Result<Udp, String> {
    // Players and VLC write an at sign before an address that is listened to.
    let host = authority.strip_prefix('@').unwrap_or(authority).parse()?;
    let mut udp = Udp { host, interface: None, source: None, ttl: None, packet_size: Udp::PACKET_SIZE };
    for (key, value) in options(query) {
        let wrong = |wanted: &str| format!("{key}={value}: {wanted} is wanted");
        match key {
            "interface" => udp.interface = Some(value.parse().map_err(|_| wrong("an interface's address"))?),
            "source" => udp.source = Some(value.parse().map_err(|_| wrong("a sender's address"))?),
            "ttl" => udp.ttl = Some(value.parse::<u8>().map_err(|_| wrong("0 to 255"))?.into()),
            "pkt_size" => {
                let size =
                    value.parse().ok().filter(|size| (PACKET_SIZE..=Udp::MOST_PACKET_SIZE).contains(size));
                udp.packet_size = size.ok_or_else(|| wrong("188 to 65507 bytes"))?;
            }
            other => return Err(unknown(other, "interface, source, ttl, pkt_size")),
        }
    }
    Ok(udp)
}

fn role(query: &str) -> Result<Role, String> {
    let mut role = Role::Connect;
    for (key, value) in options(query) {
        role = match (key, value) {
            ("listen", "" | "1") => Role::Listen,
            ("listen", "0") => Role::Connect,
            ("listen", other) => return Err(format!("listen={other}: 1 or 0 is wanted")),
            (other, _) => return Err(unknown(other, "listen")),
        };
    }
    Ok(role)
}

fn options(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').unwrap_or((part, "")))
}

fn unknown(option: &str, known: &str) -> String {
    format!("the option \"{option}\" is not known; what there is: {known}")
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("HOST:PORT is wanted, not \"{text}\"");
        let (name, port) = text.rsplit_once(':').ok_or_else(wanted)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wanted)?;
        let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        Ok(Self { name: name.into(), port })
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, port) = (&self.name, self.port);
        if name.contains(':') { write!(f, "[{name}]:{port}") } else { write!(f, "{name}:{port}") }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Standard => f.write_str("-"),
            Self::File(path) => path.display().fmt(f),
            Self::Udp(udp) => write!(f, "udp://{}", udp.host),
            Self::Tcp { host, .. } => write!(f, "tcp://{host}"),
            Self::Unix { path, .. } => write!(f, "unix:{}", path.display()),
            // Arguments may hold what is nobody's business; the program's name does not.
            Self::Exec(command) => write!(f, "exec:{}", command.split_whitespace().next().unwrap_or("")),
        }
    }
}

#[cfg(test)]
mod tests;
