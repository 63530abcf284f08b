use bytes::Bytes;
use quinn::Connection;

use super::manifest::{Checker, SIGNATURE_BYTES, Signer};
use crate::bench::load::Load;
use crate::bench::stage::{Arrival, Log, Source};

/// Opens a stream for each message at each viewer.
pub(crate) async fn publish(connections: &[Connection], signer: Option<Signer>, mut source: Source) {
    while let Some((_, payload)) = source.next().await {
        let signature = signer.as_ref().map(|signer| signer.sign(&payload));
        for connection in connections {
            let chunks = signature.iter().chain([&payload]).cloned();
            // Whoever has gone misses what follows, which its log will show.
            let _ = send(connection, chunks.collect()).await;
        }
    }
}

async fn send(connection: &Connection, mut chunks: Vec<Bytes>) -> Result<(), quinn::WriteError> {
    let mut stream = connection.open_uni().await?;
    stream.write_all_chunks(&mut chunks).await?;
    // A stream that was just opened is not finished yet.
    let _ = stream.finish();
    Ok(())
}

/// One viewer, until the publisher closes.
pub(crate) async fn view(
    connection: &Connection,
    mut log: Log,
    checker: Option<Checker>,
    load: Load,
) -> Vec<Arrival> {
    while let Ok(mut stream) = connection.accept_uni().await {
        let Ok(whole) = stream.read_to_end(SIGNATURE_BYTES + load.size).await else { continue };
        if let Some(message) = genuine(whole.into(), checker.as_ref()) {
            log.note(&message);
        }
    }
    log.finish()
}

/// The message of a stream; none if it is to be signed and is not.
fn genuine(whole: Bytes, checker: Option<&Checker>) -> Option<Bytes> {
    let Some(checker) = checker else { return Some(whole) };
    let signature = whole.first_chunk::<SIGNATURE_BYTES>()?;
    let message = whole.slice(SIGNATURE_BYTES..);
    checker.is_genuine(&message, signature).then_some(message)
}
