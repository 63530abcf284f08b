//! A stream as people make it, by ffmpeg, through a group that loses members and its server.

mod common;

use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use common::{Stage, until_written, wait};

/// Runs a program of ffmpeg's. `None` (with a printed reason) when it is not there, unless CI is set.
fn run(program: &str, arguments: &[&str]) -> Option<(ExitStatus, String)> {
    match Command::new(program).args(arguments).output() {
        Ok(output) => Some((output.status, String::from_utf8_lossy(&output.stderr).into_owned())),
        Err(_) if std::env::var_os("CI").is_none() => {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "skipped: {program} is not installed");
            None
        }
        Err(error) => panic!("CI must have {program}: {error}"),
    }
}

/// Six seconds of H.264 and AAC at 2 Mbit/s, a key picture each second.
fn encode(path: &Path) -> Option<()> {
    let inputs = "-v error -y -f lavfi -i testsrc2=size=640x360:rate=25 -f lavfi -i sine -t 6";
    let video = "-c:v libx264 -preset ultrafast -g 25 -b:v 1800k -maxrate 2M -bufsize 1M -pix_fmt yuv420p";
    let output = path.display().to_string();
    let words = [inputs, video, "-c:a aac -f mpegts"].into_iter().flat_map(|part| part.split(' '));
    let arguments: Vec<&str> = words.chain([output.as_str()]).collect();
    let (status, errors) = run("ffmpeg", &arguments)?;
    assert!(status.success(), "{errors}");
    Some(())
}

#[test]
fn viewers_lose_nothing_when_others_are_killed_and_the_server_goes() {
    let (mut stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let source = folder.path().join("source.ts");
    if encode(&source).is_none() {
        return;
    }
    let bytes = std::fs::read(&source).expect("ffmpeg has written it");
    let paths: Vec<_> = (0..8).map(|index| folder.path().join(format!("viewer{index}.ts"))).collect();
    let mut viewers: Vec<_> = paths.iter().map(|path| stage.play(path)).collect();
    let publisher = stage.publish(&source.display().to_string(), &["--realtime"]);
    paths.iter().for_each(|path| until_written(path, 300_000));
    for mut killed in viewers.drain(..3) {
        killed.kill().expect("our own child");
        killed.wait().expect("killed");
    }
    std::thread::sleep(Duration::from_millis(500));
    stage.stop_server();
    let publisher = wait(publisher);
    assert_eq!(publisher.code, Some(0), "{}", publisher.stderr);
    for (viewer, path) in viewers.into_iter().zip(&paths[3..]) {
        let viewer = wait(viewer);
        assert_eq!(viewer.code, Some(0), "{}", viewer.stderr);
        let written = std::fs::read(path).expect("written");
        assert!(written.len() > bytes.len() / 2 && bytes.ends_with(&written), "{}", viewer.stderr);
        let Some((status, errors)) = run("ffprobe", &["-v", "error", &path.display().to_string()]) else {
            return;
        };
        assert!(status.success() && errors.is_empty(), "{errors}");
    }
}
