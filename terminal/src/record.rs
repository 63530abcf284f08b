//! Events for other programs: one JSON object on each line.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

pub use serde_json::Value;
use serde_json::json;

/// Events that may wait for a slow reader; more are dropped and counted, since a stream must not wait for them.
const EVENT_LIMIT: usize = 1_024;
/// How long the end may wait for a slow reader.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Where the events go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, where no other data goes there.
    Stdout,
    /// Standard error, in place of all that people read.
    Stderr,
}

/// A writer of events on a thread of its own.
pub struct Record {
    stream: Stream,
    lines: SyncSender<Option<String>>,
    missed: AtomicU64,
    ended: Mutex<Receiver<()>>,
}

impl Record {
    /// Starts to write; a process has one record, which lasts as long as it does.
    pub fn start(stream: Stream) -> &'static Self {
        let (lines, receiver) = sync_channel(EVENT_LIMIT);
        let (end, ended) = sync_channel(1);
        std::thread::spawn(move || {
            write_all(stream, &receiver);
            // Nobody waits for it when the process is being killed.
            let _ = end.send(());
        });
        Box::leak(Box::new(Self { stream, lines, missed: AtomicU64::new(0), ended: Mutex::new(ended) }))
    }

    pub(crate) fn is_on_stderr(&self) -> bool {
        self.stream == Stream::Stderr
    }

    /// Writes an event, unless too many wait.
    pub(crate) fn write(&self, kind: &str, fields: Value) {
        let missed = self.missed.swap(0, Ordering::Relaxed);
        if missed > 0 && self.lines.try_send(Some(line("lagged", json!({ "missed": missed })))).is_err() {
            self.missed.fetch_add(missed, Ordering::Relaxed);
        }
        if self.lines.try_send(Some(line(kind, fields))).is_err() {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until everything is written, but not for ever.
    pub(crate) fn close(&self) {
        if self.lines.try_send(None).is_ok() {
            let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            // A reader that takes longer has its end cut off.
            let _ = ended.recv_timeout(LAST_WORDS);
        }
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("stream", &self.stream).finish_non_exhaustive()
    }
}

/// One event: its type, its time, and then its own fields.
fn line(kind: &str, fields: Value) -> String {
    let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    let mut object = json!({ "type": kind, "time": time });
    if let (Some(object), Value::Object(fields)) = (object.as_object_mut(), fields) {
        object.extend(fields);
    }
    object.to_string()
}

/// Ends with the record, or when nobody reads it any more.
fn write_all(stream: Stream, lines: &Receiver<Option<String>>) {
    while let Ok(Some(line)) = lines.recv() {
        let written = match stream {
            Stream::Stdout => {
                let mut stdout = io::stdout().lock();
                writeln!(stdout, "{line}").and_then(|()| stdout.flush())
            }
            Stream::Stderr => writeln!(io::stderr().lock(), "{line}"),
        };
        if written.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_with_its_type_and_time_first() {
        let text = line("state", json!({ "state": "joined", "group": "two\nlines" }));
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((text.lines().count(), &value["type"]), (1, &json!("state")));
        assert_eq!((&value["state"], &value["group"]), (&json!("joined"), &json!("two\nlines")));
        let time = value["time"].as_str().expect("text");
        assert!(humantime::parse_rfc3339(time).is_ok() && time.ends_with('Z'), "{time}");
    }

    #[test]
    fn what_nobody_reads_is_dropped_and_counted() {
        let (lines, receiver) = sync_channel(3);
        let (_end, ended) = sync_channel(1);
        let record =
            Record { stream: Stream::Stdout, lines, missed: AtomicU64::new(0), ended: Mutex::new(ended) };
        (0..5).for_each(|index| record.write("note", json!({ "index": index })));
        let taken: Vec<String> = receiver.try_iter().flatten().collect();
        assert_eq!(taken.len(), 3);
        record.write("note", json!({ "index": 7 }));
        let taken: Vec<Value> =
            receiver.try_iter().flatten().map(|line| serde_json::from_str(&line).expect("JSON")).collect();
        assert_eq!((&taken[0]["type"], &taken[0]["missed"]), (&json!("lagged"), &json!(2)));
        assert_eq!(taken[1]["index"], 7);
    }
}
