use std::fs::File;
use std::io;
use std::path::Path;

use super::datagrams::Datagrams;
use super::listener::Listener;
use super::{Format, Input};
use crate::console::{self, Console};
use crate::place::{self, Place, Program, Role, SocketFile};
use crate::stop::{Code, Failure, lower_first};

/// An open input, and what has to be put away when it is no longer read.
pub(crate) struct Source {
    /// To be read on a thread of its own.
    pub(crate) input: Box<dyn Input>,
    /// The program whose output it is.
    pub(crate) program: Option<Program>,
    /// The file of the socket we listen at.
    pub(crate) socket_file: Option<SocketFile>,
}

impl Source {
    fn of(input: impl Input + 'static) -> Self {
        Self { input: Box::new(input), program: None, socket_file: None }
    }
}

/// Opens an input.
pub(crate) fn open(place: &Place, format: Format, console: Console) -> Result<Source, Failure> {
    match place {
        Place::Standard if console::stdin_is_terminal() => {
            Err(Failure::new(Code::Usage, "standard input is a terminal")
                .hint("name a file, or pipe a stream in: ffmpeg … -f mpegts - | stratus publish …"))
        }
        Place::Standard => Ok(Source::of(io::stdin())),
        Place::File(path) => open_file(path).map(Source::of),
        Place::Udp(udp) => {
            let socket = place::receive_at(udp)?;
            Datagrams::new(socket, place, udp.source, !matches!(format, Format::Raw), console).map(Source::of)
        }
        Place::Tcp { role: Role::Connect, .. } | Place::Unix { role: Role::Connect, .. } => {
            place::connect(place).map(Source::of)
        }
        Place::Tcp { role: Role::Listen, .. } | Place::Unix { role: Role::Listen, .. } => {
            let listener = Listener::new(place::listen(place)?, place, console);
            let socket_file = match place {
                Place::Unix { path, .. } => Some(SocketFile(path.clone())),
                _ => None,
            };
            Ok(Source { socket_file, ..Source::of(listener) })
        }
        Place::Exec(command) => {
            let (program, reader) = Program::reader(command)?;
            Ok(Source { program: Some(program), ..Source::of(reader) })
        }
    }
}

fn open_file(path: &Path) -> Result<File, Failure> {
    let failed = |tried: String, hint: &str| {
        let what = format!("cannot open the input: {}", path.display());
        Err(Failure::new(Code::Usage, what).tried(tried).hint(hint))
    };
    match File::open(path) {
        Ok(file) if file.metadata().is_ok_and(|metadata| metadata.is_dir()) => {
            failed("it is a folder".into(), "name a file in it")
        }
        Ok(file) => Ok(file),
        Err(error) if place::is_socket(path) => {
            failed(lower_first(&error.to_string()), "it is a socket file: write unix: before its name")
        }
        Err(error) => {
            failed(lower_first(&error.to_string()), "check the file's name and that it may be read")
        }
    }
}
