//! `stratus-server healthcheck`: for containers and timers without curl.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use stratus_terminal::console::Console;
use stratus_terminal::stop::{Code, Failure, lower_first};

/// How long each step may take; the listener itself gives up after two seconds.
const PATIENCE: Duration = Duration::from_secs(3);
/// Far more than the page has.
const MOST_BYTES: u64 = 64 << 10;

/// Asks the listener at `address` whether all is well.
pub(crate) fn run(address: Option<SocketAddr>, console: Console) -> Result<(), Failure> {
    let Some(mut address) = address else {
        return Err(Failure::new(Code::Usage, "there is no admin listener to ask")
            .tried("the settings say that it is off")
            .hint("give the server one with --admin, and the same here"));
    };
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            [127, 0, 0, 1].into()
        } else {
            [0, 0, 0, 0, 0, 0, 0, 1].into()
        });
    }
    let answer = ask(address).map_err(|error| {
        Failure::new(Code::Unreachable, format!("nobody answers at the admin listener: {address}"))
            .tried(lower_first(&error.to_string()))
            .hint("is the server running, and with these settings?")
    })?;
    if answer.starts_with("HTTP/1.1 200 ") {
        console.note("ready");
        return Ok(());
    }
    let why = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let troubles: Vec<&str> = why.lines().filter(|line| line.starts_with("[-]")).collect();
    Err(Failure::new(Code::Check, "the server is not ready").tried(troubles.join(", ")))
}

fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(MOST_BYTES).read_to_string(&mut answer)?;
    Ok(answer)
}
