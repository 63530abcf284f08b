use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HOST};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use stratus_terminal::stop::{Code, Failure, lower_first};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::metrics::TEXT_FORMAT;
use crate::report::{Ask, Report};

/// Connections at once; more wait in the kernel.
const CONNECTIONS: usize = 16;
/// Scrapes at once: two Prometheus servers watch one target where one is spare.
const SCRAPES: usize = 2;
/// Request line and headers together.
const HEAD_BYTES: usize = 16 << 10;
/// Headers of a request.
const HEADERS: usize = 64;
/// How long a request's head may take to come.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the program may take to report.
const REPORT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long one connection may last, all together.
const LIFE: Duration = Duration::from_secs(10);

/// Where the listener listens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AdminConfig {
    /// The TCP address. Port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Whether it may be one that other machines reach. The pages name no secret, but tell strangers how busy the
    /// program is, and cost it something.
    pub allow_remote: bool,
}

impl AdminConfig {
    /// Whether that is allowed at all.
    pub fn check(&self) -> Result<(), AdminError> {
        if !self.listen.ip().to_canonical().is_loopback() && !self.allow_remote {
            return Err(AdminError::Remote(self.listen));
        }
        Ok(())
    }
}

/// Where a listener is to be, as people write it: an address, or `off`.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq, Debug)]
#[serde(try_from = "String")]
pub struct AdminListen(pub Option<SocketAddr>);

impl TryFrom<String> for AdminListen {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for AdminListen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self(None));
        }
        let address = text.parse().map_err(|_| "expected IP:PORT, [IPV6]:PORT or off")?;
        Ok(Self(Some(address)))
    }
}

/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Other machines could reach it, and that was not allowed.
    #[error("other machines could reach the admin listener: {0}")]
    Remote(SocketAddr),
    /// The port could not be opened.
    #[error("cannot bind tcp port: {address}")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}

impl From<&AdminError> for Failure {
    fn from(error: &AdminError) -> Self {
        match error {
            AdminError::Remote(_) => Self::new(Code::Usage, error.to_string())
                .tried("nothing, the address was checked first")
                .hint("choose one on 127.0.0.1, or allow it with --admin-remote"),
            AdminError::Bind { source, .. } => Self::new(Code::Failed, error.to_string())
                .tried(lower_first(&source.to_string()))
                .hint("choose another with --admin"),
        }
    }
}

/// A running listener. Dropping it ends it.
#[derive(Debug)]
pub struct Admin {
    local_addr: SocketAddr,
    task: JoinHandle<()>,
}

impl Admin {
    /// Opens the port. Must be called inside a tokio runtime.
    pub async fn start(config: AdminConfig, ask: Ask) -> Result<Self, AdminError> {
        config.check()?;
        let address = config.listen;
        let failed = |source| AdminError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let local_addr = listener.local_addr().map_err(failed)?;
        let door = Door {
            ask,
            scrapes: Arc::new(Semaphore::new(SCRAPES)),
            is_local: local_addr.ip().to_canonical().is_loopback(),
        };
        Ok(Self { local_addr, task: tokio::spawn(accept(listener, door)) })
    }

    /// Where it listens; the port is the real one if port 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What each connection needs.
#[derive(Clone)]
struct Door {
    ask: Ask,
    scrapes: Arc<Semaphore>,
    is_local: bool,
}

async fn accept(listener: TcpListener, door: Door) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = places.clone().acquire_owned().await.expect("never closed");
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Too many open files, mostly: trying again at once would only be busy.
                tracing::warn!(%error, "cannot accept on the admin listener");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let door = door.clone();
        tokio::spawn(async move {
            // Whoever is too slow is cut off.
            let _ = timeout(LIFE, serve(stream, door)).await;
            drop(place);
        });
    }
}

/// One request on one connection.
async fn serve(stream: TcpStream, door: Door) {
    let service = service_fn(|request| {
        let door = door.clone();
        async move { Ok::<_, Infallible>(answer(&door, &request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "admin request");
    }
}

type Page = Response<Full<Bytes>>;

async fn answer(door: &Door, request: &Request<Incoming>) -> Page {
    if door.is_local && !is_for_this_machine(request) {
        // A page of another site whose name was made to point here.
        return text(
            StatusCode::MISDIRECTED_REQUEST,
            "this listener answers to its address, not to a name\n",
        );
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "these pages are only read\n");
        refused.headers_mut().insert(ALLOW, "GET, HEAD".parse().expect("plain ASCII"));
        return refused;
    }
    match request.uri().path() {
        "/livez" => page(door, |_| text(StatusCode::OK, "ok\n")).await,
        "/readyz" => {
            let is_verbose =
                request.uri().query().is_some_and(|query| query.split('&').any(|word| word == "verbose"));
            page(door, |report| ready(&report, is_verbose)).await
        }
        "/metrics" => {
            let Ok(_scrape) = door.scrapes.try_acquire() else {
                return text(StatusCode::SERVICE_UNAVAILABLE, "two scrapes are under way\n");
            };
            page(door, metrics).await
        }
        "/status" => page(door, |report| typed("application/json", format!("{}\n", report.status))).await,
        _ => text(StatusCode::NOT_FOUND, "pages: /livez /readyz /metrics /status\n"),
    }
}

/// What a report says, or that none came.
async fn page(door: &Door, show: impl FnOnce(Report) -> Page) -> Page {
    match timeout(REPORT_TIMEOUT, (door.ask)()).await {
        Ok(report) => show(report),
        Err(_) => text(StatusCode::SERVICE_UNAVAILABLE, "no answer from the program\n"),
    }
}

fn ready(report: &Report, is_verbose: bool) -> Page {
    let status = if report.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    if is_verbose || !report.is_ready() {
        return text(status, report.lines());
    }
    text(status, "ok\n")
}

fn metrics(report: Report) -> Page {
    match report.samples.encode() {
        Ok(text) => typed(TEXT_FORMAT, text),
        Err(why) => {
            tracing::error!(why, "metrics cannot be written");
            text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n")
        }
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Page {
    let mut page = typed("text/plain; charset=utf-8", body);
    *page.status_mut() = status;
    page
}

fn typed(kind: &'static str, body: impl Into<Bytes>) -> Page {
    let mut page = Response::new(Full::new(body.into()));
    page.headers_mut().insert(CONTENT_TYPE, kind.parse().expect("plain ASCII"));
    page
}

/// Whether the request names this machine by address or as localhost.
fn is_for_this_machine(request: &Request<Incoming>) -> bool {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    host.is_none_or(is_local_name)
}

fn is_local_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || bare.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests;
