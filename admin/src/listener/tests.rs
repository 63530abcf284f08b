use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::metrics::{PACKETS_LOST, Samples};
use crate::report::Check;

fn report(trouble: Option<&str>) -> Report {
    let mut samples = Samples::default();
    samples.count(PACKETS_LOST, &[], 7);
    let checks = vec![Check::new("socket", None), Check::new("joined", trouble.map(str::to_owned))];
    Report { checks, samples, status: serde_json::json!({ "version": 3 }) }
}

fn asks(trouble: Option<&'static str>) -> Ask {
    Arc::new(move || Box::pin(async move { report(trouble) }))
}

async fn start(ask: Ask) -> Admin {
    let listen = (Ipv4Addr::LOCALHOST, 0).into();
    Admin::start(AdminConfig { listen, allow_remote: false }, ask).await.unwrap()
}

/// Says `request` and gives back all that is answered.
async fn say(admin: &Admin, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(admin.local_addr()).await.unwrap();
    // A listener that has had enough closes before it has read all.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

async fn get(admin: &Admin, path: &str) -> (u16, String) {
    let answer =
        say(admin, format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", admin.local_addr()).as_bytes()).await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    (head[9..12].parse().unwrap(), body.to_owned())
}

#[tokio::test]
async fn the_pages_say_what_the_report_says() {
    let admin = start(asks(None)).await;
    assert_eq!(get(&admin, "/livez").await, (200, "ok\n".to_owned()));
    assert_eq!(get(&admin, "/readyz").await, (200, "ok\n".to_owned()));
    assert_eq!(get(&admin, "/readyz?verbose").await, (200, "[+]socket ok\n[+]joined ok\n".to_owned()));
    assert_eq!(get(&admin, "/status").await, (200, "{\"version\":3}\n".to_owned()));
    let (status, text) = get(&admin, "/metrics").await;
    assert!(status == 200 && text.contains("\nstratus_packets_lost_total 7\n"), "{text}");
    assert_eq!(get(&admin, "/").await.0, 404);
}

#[tokio::test]
async fn what_is_not_ready_says_why() {
    let admin = start(asks(Some("nobody there yet"))).await;
    assert_eq!(get(&admin, "/livez").await.0, 200);
    let told = "[+]socket ok\n[-]joined failed: nobody there yet\n".to_owned();
    assert_eq!(get(&admin, "/readyz").await, (503, told));
}

#[tokio::test]
async fn a_program_that_does_not_answer_is_not_alive_and_two_scrapes_are_all() {
    let admin = start(Arc::new(|| Box::pin(std::future::pending()))).await;
    let (first, second, third) = tokio::join!(get(&admin, "/metrics"), get(&admin, "/metrics"), async {
        sleep(Duration::from_millis(500)).await;
        get(&admin, "/metrics").await
    });
    let no_answer = (503, "no answer from the program\n".to_owned());
    assert_eq!((first, second), (no_answer.clone(), no_answer.clone()));
    assert_eq!(third, (503, "two scrapes are under way\n".to_owned()));
    assert_eq!(get(&admin, "/livez").await, no_answer);
}

#[tokio::test]
async fn only_this_machine_is_served_and_only_reading() {
    let admin = start(asks(None)).await;
    let rebound = say(&admin, b"GET /metrics HTTP/1.1\r\nHost: evil.example:9935\r\n\r\n").await;
    assert!(rebound.starts_with("HTTP/1.1 421 "), "{rebound}");
    let posted =
        say(&admin, b"POST /metrics HTTP/1.1\r\nHost: localhost:9935\r\nContent-Length: 0\r\n\r\n").await;
    assert!(posted.starts_with("HTTP/1.1 405 ") && posted.contains("allow: GET, HEAD"), "{posted}");
    let everywhere = "0.0.0.0:0".parse().unwrap();
    let refused = Admin::start(AdminConfig { listen: everywhere, allow_remote: false }, asks(None)).await;
    assert!(matches!(refused, Err(AdminError::Remote(address)) if address == everywhere));
    let allowed = AdminConfig { listen: everywhere, allow_remote: true };
    assert!(Admin::start(allowed, asks(None)).await.is_ok());
    let taken = AdminConfig { listen: admin.local_addr(), allow_remote: false };
    assert!(matches!(Admin::start(taken, asks(None)).await, Err(AdminError::Bind { .. })));
}

#[tokio::test]
async fn a_head_is_refused_beyond_its_bounds_and_at_them_is_served() {
    let admin = start(asks(None)).await;
    let with_headers = |count| {
        let headers: String = (0..count).map(|number| format!("X-{number}: 1\r\n")).collect();
        format!("GET /livez HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
    };
    assert!(say(&admin, with_headers(HEADERS - 1).as_bytes()).await.starts_with("HTTP/1.1 200 "));
    assert!(say(&admin, with_headers(HEADERS).as_bytes()).await.starts_with("HTTP/1.1 431 "));
    let long = |bytes| format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(bytes));
    assert!(say(&admin, long(HEAD_BYTES / 2).as_bytes()).await.starts_with("HTTP/1.1 200 "));
    assert!(say(&admin, long(HEAD_BYTES).as_bytes()).await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn whoever_says_nothing_is_cut_off() {
    let admin = start(asks(None)).await;
    let began = std::time::Instant::now();
    assert_eq!(say(&admin, b"GET /livez HTTP/1.1\r\nHo").await, "");
    assert!(began.elapsed() < HEAD_TIMEOUT + Duration::from_secs(2), "took {:?}", began.elapsed());
}

#[test]
fn names_of_other_sites_are_not_ours() {
    for host in ["localhost", "localhost:9935", "127.0.0.1:9935", "[::1]:9935", "127.0.0.1", "[::1]"] {
        assert!(is_local_name(host), "{host}");
    }
    for host in ["evil.example", "localhost.evil.example:9935", "", "127.0.0.1.evil.example"] {
        assert!(!is_local_name(host), "{host}");
    }
}
