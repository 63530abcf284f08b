//! What people see on a terminal: the line that is written anew, and the one question.

mod common;

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use common::{CLIP, Stage, until, wait};

/// The command on a terminal of its own, which `script` makes.
struct Screen {
    child: Option<Child>,
    keyboard: Option<ChildStdin>,
    shown: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Drop for Screen {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What was seen says why.
            let _ = std::io::stderr().write_all(self.shown().as_bytes());
        }
    }
}

impl Screen {
    fn open(arguments: &[&str], home: &Path) -> Self {
        let quoted: Vec<String> = arguments.iter().map(|word| format!("'{word}'")).collect();
        // A new terminal has no size; one without columns has no room for a line.
        let line =
            format!("stty cols 200 rows 40; exec '{}' {}", env!("CARGO_BIN_EXE_stratus"), quoted.join(" "));
        let mut script = Command::new("script");
        script.args(["-qefc", &line, "/dev/null"]).env("XDG_STATE_HOME", home).env("TERM", "xterm");
        script.env_remove("STRATUS_RELAY").env_remove("NO_COLOR");
        script.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = script.spawn().expect("every Linux has script");
        let (keyboard, mut output) =
            (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let shown = Arc::new(Mutex::new(String::new()));
        let reader = std::thread::spawn({
            let shown = Arc::clone(&shown);
            move || {
                let mut buffer = [0; 4_096];
                while let Ok(count @ 1..) = output.read(&mut buffer) {
                    shown.lock().expect("no panic").push_str(&String::from_utf8_lossy(&buffer[..count]));
                }
            }
        });
        Self { child: Some(child), keyboard: Some(keyboard), shown, reader: Some(reader) }
    }

    fn shown(&self) -> String {
        self.shown.lock().expect("no panic").clone()
    }

    fn until(&self, text: &str) {
        until(text, || self.shown().contains(text));
    }

    fn type_line(&mut self, text: &str) {
        let keyboard = self.keyboard.as_mut().expect("until the end");
        keyboard.write_all(text.as_bytes()).and_then(|()| keyboard.flush()).expect("it reads");
    }

    /// Waits for its end; gives its exit code and everything that was shown.
    fn end(mut self) -> (Option<i32>, String) {
        // Without a keyboard `script` would press the end of file: it is let go last.
        let code = wait(self.child.take().expect("it ends once")).code;
        self.reader.take().expect("it ends once").join().expect("it ends with its screen");
        (code, self.shown())
    }
}

fn play<'a>(stage: &'a Stage, output: &'a str) -> [&'a str; 6] {
    ["play", &stage.viewer, "cam", output, "--listen", "127.0.0.1:0"]
}

/// Publishes five bytes until they are in this file.
fn publish_into(stage: &Stage, path: &Path) {
    let is_seen = || std::fs::read(path).is_ok_and(|bytes| bytes == b"hello");
    let publisher = stage.publish_a_word(&[], is_seen);
    assert_eq!(publisher.code, Some(0), "{}", publisher.stderr);
}

#[test]
fn the_question_is_asked_once_and_nothing_is_done_before_the_answer() {
    let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let path = folder.path().join("kept");
    let output = path.display().to_string();
    let mut screen = Screen::open(&play(&stage, &output), folder.path());
    screen.until("[Y/n]");
    // The viewer that still thinks about it is in no group, has no socket, and has made no file.
    let alone = stage.publish_a_word(&[], || true);
    assert!(alone.stderr.contains("knows nobody else yet"), "{}", alone.stderr);
    assert!(!path.exists());
    screen.type_line("perhaps\n");
    until("the question again", || screen.shown().matches("[Y/n]").count() == 2);
    screen.type_line("n\n");
    screen.until("remembered in ");
    screen.until("waiting for stream");
    publish_into(&stage, &path);
    let (code, shown) = screen.end();
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(std::fs::read_to_string(folder.path().join("stratus/relay")).expect("remembered"), "no\n");
    // The second time it is known; and who says it on the command line is never asked.
    for options in [&[][..], &["--relay", "yes"]] {
        std::fs::remove_file(&path).expect("the run before has made it");
        let screen = Screen::open(&[&play(&stage, &output), options].concat(), folder.path());
        screen.until("waiting for stream");
        publish_into(&stage, &path);
        let (code, shown) = screen.end();
        assert_eq!((code, shown.contains("[Y/n]")), (Some(0), false), "{shown}");
    }
}

#[test]
fn in_a_pipe_nobody_is_asked() {
    let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let path = folder.path().join("kept");
    let viewer = stage.play(&path);
    publish_into(&stage, &path);
    let viewer = wait(viewer);
    assert_eq!(viewer.code, Some(0), "{}", viewer.stderr);
    assert!(!viewer.stderr.contains("[Y/n]"), "{}", viewer.stderr);
    let asked = common::stratus(&["play", &stage.viewer, "cam", "-", "--relay", "ask"]);
    assert_eq!(asked.code, Some(2));
    assert!(asked.stderr.contains("there is nobody to ask"), "{}", asked.stderr);
}

#[test]
fn a_terminal_shows_how_the_stream_goes_and_a_pipe_does_not() {
    let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let [source, output] =
        ["source.ts", "kept.ts"].map(|name| folder.path().join(name).display().to_string());
    std::fs::write(&source, &CLIP[..188 * 1_800]).expect("writable");
    let arguments = [&play(&stage, &output)[..], &["--relay", "yes"]].concat();
    let screen = Screen::open(&arguments, folder.path());
    screen.until("waiting for stream");
    let publisher = stage.publish(&source, &["--realtime"]);
    screen.until(" Mbit/s, window ");
    screen.until("members 2, neighbors 1, ");
    let publisher = wait(publisher);
    assert_eq!(publisher.code, Some(0), "{}", publisher.stderr);
    assert!(!publisher.stderr.contains("neighbors "), "no line in a pipe: {}", publisher.stderr);
    let (code, shown) = screen.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.trim_end().ends_with("nothing missing"), "the line is gone in the end: {shown:?}");
}

#[test]
fn ctrl_c_ends_a_viewer_politely_and_before_its_stream_with_130() {
    let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let output = folder.path().join("kept").display().to_string();
    let arguments = [&play(&stage, &output)[..], &["--relay", "yes"]].concat();
    let mut screen = Screen::open(&arguments, folder.path());
    screen.until("waiting for stream");
    screen.type_line("\u{3}");
    assert_eq!(screen.end().0, Some(130));
}

#[test]
fn errors_are_coloured_on_a_terminal_only_unless_it_is_asked_otherwise() {
    let folder = tempfile::tempdir().expect("a folder");
    let words = ["play", "G:10zz", "cam", "out"];
    let shown = |options: &[&str]| Screen::open(&[&words, options].concat(), folder.path()).end().1;
    assert!(shown(&[]).contains("\u{1b}[1m\u{1b}[31merror:\u{1b}[0m the groupspec"), "{:?}", shown(&[]));
    assert!(shown(&["--color", "never"]).contains("error: the groupspec"));
    let piped = common::stratus(&[&words[..], &["--color", "always"]].concat());
    assert!(piped.stderr.contains("\u{1b}[31merror:"), "{}", piped.stderr);
}
