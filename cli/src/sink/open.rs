use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::datagrams::Datagrams;
use super::players::Players;
use super::{Output, Sink};
use crate::console::{self, Console};
use crate::place::{self, Place, Program, Role, Socket, SocketFile};
use crate::stop::{Code, Failure, lower_first};

/// Opens an output.
///
/// A file that exists is emptied only when the first bytes are there.
pub(crate) fn open(place: &Place, console: Console) -> Result<Sink, Failure> {
    match place {
        Place::Standard if console::stdout_is_terminal() => {
            Err(Failure::new(Code::Usage, "standard output is a terminal, and this is binary data")
                .hint("name a file, or pipe it into a player: stratus play … | mpv -"))
        }
        Place::Standard => Ok(Sink::start("standard output", Box::new(io::stdout()))),
        Place::File(path) => {
            let file = open_file(path)?;
            Ok(Sink::start(path.display().to_string(), Box::new(Replaced { file, is_empty: false })))
        }
        Place::Udp(udp) => {
            let (socket, to) = place::send_to(udp)?;
            Ok(start(place, Datagrams::new(socket, to, udp.packet_size)))
        }
        Place::Tcp { role: Role::Connect, .. } | Place::Unix { role: Role::Connect, .. } => {
            Ok(start(place, Connected(place::connect(place)?)))
        }
        Place::Tcp { role: Role::Listen, .. } | Place::Unix { role: Role::Listen, .. } => {
            let socket = place::listen(place)?;
            let _socket_file = match place {
                Place::Unix { path, .. } => Some(SocketFile(path.clone())),
                _ => None,
            };
            Ok(Sink { _socket_file, ..start(place, Players::serve(socket, place, console)) })
        }
        Place::Exec(command) => {
            let (program, writer) = Program::writer(command)?;
            Ok(Sink { program: Some(program), ..start(place, writer) })
        }
    }
}

fn start(place: &Place, output: impl Output + 'static) -> Sink {
    Sink::start(place.to_string(), Box::new(output))
}

fn open_file(path: &Path) -> Result<File, Failure> {
    let opened = OpenOptions::new().create(true).write(true).truncate(false).open(path);
    opened.map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::IsADirectory => "name a file in it",
            _ if place::is_socket(path) => "it is a socket file: write unix: before its name",
            _ => "check that the folder exists and may be written",
        };
        Failure::new(Code::Usage, format!("cannot open the output: {}", path.display()))
            .tried(lower_first(&error.to_string()))
            .hint(hint)
    })
}

/// A file whose old content gives way to the first bytes.
struct Replaced {
    file: File,
    is_empty: bool,
}

impl Write for Replaced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_empty && !bytes.is_empty() {
            if self.file.metadata()?.is_file() {
                self.file.set_len(0)?;
            }
            self.is_empty = true;
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The other end of a connection that we opened.
struct Connected(Socket);

impl Write for Connected {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A reader who hangs up is no failure, however it does so.
        self.0.write(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
                io::ErrorKind::BrokenPipe.into()
            }
            _ => error,
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
