//! `stratus status`: asks a running publish, play or server how it stands.

use std::io::{self, Write as _};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::args::Status;
use crate::console::{self, Console};
use crate::stop::{Code, Failure, Stop, lower_first};

/// How long an answer may take: the listener itself gives up after as long.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often `--watch` asks.
const PERIOD: Duration = Duration::from_secs(2);
/// Longest answer that is read: thousands of neighbors would fit.
const MOST_BYTES: usize = 4 << 20;
/// Moves to the top left and empties a terminal.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

/// Runs `stratus status …`.
pub(crate) async fn run(options: &Status, console: Console) -> Result<(), Stop> {
    loop {
        let status = ask(&options.admin).await?;
        let text = if options.json { status.to_string() } else { table(&status) };
        if options.watch && !options.json && console::stdout_is_terminal() {
            // What cannot be cleared is written below the last.
            let _ = io::stdout().write_all(CLEAR.as_bytes());
        }
        console.data(text)?;
        if !options.watch {
            return Ok(());
        }
        sleep(PERIOD).await;
    }
}

async fn ask(admin: &str) -> Result<Value, Failure> {
    let failed = |why: String| {
        Failure::new(Code::Unreachable, format!("nothing that runs can be asked at {admin}"))
            .tried(why)
            .hint("start it with --admin 127.0.0.1:9936, or name the address that it was given: stratus status --admin ADDR")
    };
    let answer = timeout(PATIENCE, get(admin)).await.map_err(|_| failed("no answer in time".into()))?;
    let (code, body) = answer.map_err(failed)?;
    let status = serde_json::from_slice(&body).ok().filter(|_| code == StatusCode::OK);
    status.ok_or_else(|| failed(format!("it answers {code}, and no status")))
}

/// One request; the answer, or why there is none.
async fn get(admin: &str) -> Result<(StatusCode, Bytes), String> {
    let stream = TcpStream::connect(admin).await.map_err(|error| lower_first(&error.to_string()))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    // It ends with the answer, or is dropped with the runtime.
    tokio::spawn(connection);
    let request = Request::get("/status").header(HOST, admin).body(Empty::<Bytes>::new());
    let request = request.map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let code = answer.status();
    let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
    Ok((code, body.map_err(|error| error.to_string())?.to_bytes()))
}

/// Lines for people: what is single first, then what there are several of, one on each line.
fn table(status: &Value) -> String {
    let mut lines = Vec::new();
    describe(status, 0, &mut lines);
    lines.join("\n")
}

fn describe(value: &Value, depth: usize, lines: &mut Vec<String>) {
    let Value::Object(fields) = value else {
        lines.push(format!("{}{}", indent(depth), plain(value)));
        return;
    };
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_array()) {
        lines.push(format!("{}{}: {}", indent(depth), words(name), inline(value)));
    }
    for (name, value) in fields {
        let Value::Array(items) = value else { continue };
        lines.push(format!("{}{}: {}", indent(depth), words(name), items.len()));
        for item in items {
            match item {
                Value::Object(fields) if fields.values().any(Value::is_array) => {
                    describe(item, depth + 1, lines)
                }
                item => lines.push(format!("{}{}", indent(depth + 1), inline(item))),
            }
        }
    }
}

/// A value on one line.
fn inline(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let parts = fields.iter().map(|(name, value)| format!("{} {}", words(name), inline(value)));
            parts.collect::<Vec<_>>().join(", ")
        }
        Value::Array(items) => items.iter().map(inline).collect::<Vec<_>>().join(" "),
        value => plain(value),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => format!("{:.3}", number.as_f64().unwrap_or_default()),
        value => value.to_string(),
    }
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth)
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_status_is_told_in_lines() {
        let status = json!({
            "kind": "play",
            "connection": { "open": 3, "sent_bytes": 700 },
            "groups": [{
                "alias": "show",
                "joined_after_seconds": null,
                "neighbors": [{ "peer": "ab", "rtt_seconds": 0.0305 }, { "peer": "cd", "rtt_seconds": null }],
            }],
        });
        assert_eq!(
            table(&status),
            "connection: open 3, sent bytes 700\n\
             kind: play\n\
             groups: 1\n  \
               alias: show\n  \
               joined after seconds: -\n  \
               neighbors: 2\n    \
                 peer ab, rtt seconds 0.030\n    \
                 peer cd, rtt seconds -"
        );
    }
}
