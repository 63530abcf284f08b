use super::*;

fn pieces(parts: &[&'static [u8]]) -> Vec<Bytes> {
    parts.iter().map(|part| Bytes::from_static(part)).collect()
}

#[tokio::test]
async fn messages_are_written_in_order_and_the_file_is_replaced() {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let path = folder.path().join("out.ts");
    std::fs::write(&path, b"an earlier and longer recording").expect("writable");
    let mut sink = Sink::open(&path).expect("writable");
    assert_eq!(std::fs::read(&path).expect("readable"), b"an earlier and longer recording");
    sink.write(pieces(&[b"one ", b"two "])).await.expect("writable");
    sink.write(pieces(&[b"three"])).await.expect("writable");
    sink.finish().await.expect("written");
    assert_eq!(std::fs::read(&path).expect("readable"), b"one two three");
}

#[tokio::test]
async fn a_full_disk_is_told_with_the_way_out() {
    let mut sink = Sink::open(Path::new("/dev/full")).expect("it can be opened");
    sink.write(pieces(&[b"too much"])).await.expect("taken");
    let Stop::Failed(failure) = sink.failed().await else { panic!("a full disk is a failure") };
    assert_eq!(
        failure.to_string(),
        "error: cannot write to /dev/full\n  \
         tried: no space left on device (os error 28)\n  \
         hint: make room there, or choose another place"
    );
}

#[tokio::test]
async fn a_folder_that_does_not_exist_is_told_before_anything_else() {
    let Err(failure) = Sink::open(Path::new("/nowhere/out.ts")) else { panic!("there is no such folder") };
    assert!(failure.to_string().starts_with("error: cannot open the output: /nowhere/out.ts\n"));
}
