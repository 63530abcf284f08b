use std::path::PathBuf;

/// A socket file of ours, which goes when we do.
#[derive(Debug)]
pub(crate) struct SocketFile(pub(crate) PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Whoever removed it before us was right.
        let _ = std::fs::remove_file(&self.0);
    }
}
