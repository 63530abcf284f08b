use super::*;

fn place(text: &str) -> Place {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn host(name: &str, port: u16) -> Host {
    Host { name: name.into(), port }
}

fn plain_udp(name: &str, port: u16) -> Place {
    Place::Udp(Udp { host: host(name, port), interface: None, source: None, ttl: None, packet_size: 1_316 })
}

#[test]
fn what_is_no_address_is_a_file() {
    assert_eq!(place("-"), Place::Standard);
    for name in ["clip.ts", "./-", "/dev/null", "a:b", "C:clip", "12:30.ts", "udp"] {
        assert_eq!(place(name), Place::File(name.into()));
    }
}

#[test]
fn datagrams_are_named_as_ffmpeg_vlc_and_mediamtx_name_them() {
    for text in ["udp://@:5000", "udp://:5000", "udp+mpegts://:5000"] {
        assert_eq!(place(text), plain_udp("", 5_000), "{text}");
    }
    assert_eq!(place("udp://@239.1.2.3:5000"), plain_udp("239.1.2.3", 5_000));
    assert_eq!(place("udp://[ff02::7]:5000"), plain_udp("ff02::7", 5_000));
    assert_eq!(
        place("udp://239.1.2.3:5000?interface=10.0.0.3&source=10.0.0.7&ttl=4&pkt_size=376"),
        Place::Udp(Udp {
            host: host("239.1.2.3", 5_000),
            interface: Some([10, 0, 0, 3].into()),
            source: Some([10, 0, 0, 7].into()),
            ttl: Some(4),
            packet_size: 376,
        })
    );
}

#[test]
fn connections_are_made_or_waited_for() {
    let tcp = |role| Place::Tcp { host: host("obs.example", 9_000), role };
    assert_eq!(place("tcp://obs.example:9000"), tcp(Role::Connect));
    for query in ["listen", "listen=1"] {
        assert_eq!(place(&format!("tcp://obs.example:9000?{query}")), tcp(Role::Listen));
    }
    assert_eq!(place("tcp://obs.example:9000?listen=0"), tcp(Role::Connect));
    let unix = |role| Place::Unix { path: "/run/cam.sock".into(), role };
    assert_eq!(place("unix:/run/cam.sock"), unix(Role::Connect));
    assert_eq!(place("unix+mpegts:///run/cam.sock?listen"), unix(Role::Listen));
}

#[test]
fn a_command_may_hold_anything() {
    assert_eq!(place("exec: mpv - "), Place::Exec("mpv -".into()));
    assert_eq!(place("exec:cat a?b | head"), Place::Exec("cat a?b | head".into()));
    assert_eq!(place("exec:ffmpeg -i rtsp://me:secret@cam/1 -f mpegts -").to_string(), "exec:ffmpeg");
}

#[test]
fn wrong_addresses_are_told_what_is_wanted() {
    for (text, says) in [
        ("", "a file, an address, or - is wanted"),
        ("udp:5000", "udp://HOST:PORT is wanted"),
        ("udp://", "HOST:PORT is wanted, not \"\""),
        ("udp://@:0", "HOST:PORT is wanted, not \":0\""),
        ("udp://@:5000?fifo_size=7", "the option \"fifo_size\" is not known"),
        ("udp://@:5000?ttl=300", "ttl=300: 0 to 255 is wanted"),
        ("udp://@:5000?pkt_size=187", "188 to 65507 bytes is wanted"),
        ("udp://@:5000?pkt_size=65508", "188 to 65507 bytes is wanted"),
        ("tcp://host", "HOST:PORT is wanted, not \"host\""),
        ("tcp://host:70000", "HOST:PORT is wanted"),
        ("tcp://host:7?timeout=3", "what there is: listen"),
        ("tcp://host:7?listen=2", "listen=2: 1 or 0 is wanted"),
        ("unix:", "unix:PATH is wanted"),
        ("exec:  ", "exec:COMMAND is wanted"),
        ("srt://host:7", "there is no srt:// here"),
        ("rtmp://host/app", "there is no rtmp:// here"),
    ] {
        let error = text.parse::<Place>().expect_err(text);
        assert!(error.contains(says), "{text}: {error}");
    }
}
