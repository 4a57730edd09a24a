//! Where an export goes: into a file, hashed as it is written, and encrypted before that if somebody is to read it alone.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    iter,
};

use age::{Encryptor, stream::StreamWriter, x25519::Recipient};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

/// Bytes that are gathered before they go on.
const BUFFER_BYTES: usize = 256 * 1024;

/// Why a text names nobody to encrypt to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is no recipient of age: one is written age1… and comes from `age-keygen`, whose secret key stays at home"
)]
pub struct RecipientError;

/// Whether a text names somebody to encrypt to.
pub fn check_recipient(text: &str) -> Result<(), RecipientError> {
    parse(text).map(drop)
}

fn parse(text: &str) -> Result<Recipient, RecipientError> {
    text.parse().map_err(|_| RecipientError)
}

/// The file, with what is known of what went into it.
pub(super) struct Hashed {
    file: File,
    hash: Sha256,
    bytes: u64,
    stop: CancellationToken,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.stop.is_cancelled() {
            return Err(io::Error::other("the export is not wanted any more"));
        }
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    /// Length of the file.
    pub(super) bytes: u64,
    /// SHA-256 of it, as hexadecimal digits.
    pub(super) sha256: String,
}

/// Where rows go.
pub(super) enum Sink {
    Plain(BufWriter<Hashed>),
    Sealed(BufWriter<StreamWriter<Hashed>>),
}

impl Sink {
    /// Into a file, encrypted to `recipient` if there is one; it takes no more once `stop` is cancelled.
    pub(super) fn new(file: File, recipient: Option<&str>, stop: CancellationToken) -> io::Result<Self> {
        let hashed = Hashed { file, hash: Sha256::new(), bytes: 0, stop };
        let Some(recipient) = recipient else {
            return Ok(Self::Plain(BufWriter::with_capacity(BUFFER_BYTES, hashed)));
        };
        let recipient = parse(recipient).map_err(io::Error::other)?;
        let encryptor = Encryptor::with_recipients(iter::once(&recipient as _)).map_err(io::Error::other)?;
        Ok(Self::Sealed(BufWriter::with_capacity(BUFFER_BYTES, encryptor.wrap_output(hashed)?)))
    }

    /// Ends it; returns once everything is on the disk.
    pub(super) fn finish(self) -> io::Result<Written> {
        let hashed = match self {
            Self::Plain(buffer) => buffer.into_inner()?,
            Self::Sealed(buffer) => buffer.into_inner()?.finish()?,
        };
        hashed.file.sync_all()?;
        let sha256 = hashed.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Written { bytes: hashed.bytes, sha256 })
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(buffer) => buffer.write(bytes),
            Self::Sealed(buffer) => buffer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(buffer) => buffer.flush(),
            Self::Sealed(buffer) => buffer.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use age::{Decryptor, x25519::Identity};

    use super::*;

    #[test]
    fn only_who_has_the_key_reads_what_is_sealed() {
        let (identity, other) = (Identity::generate(), Identity::generate());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.age");
        let text = "customer_id,number\n".repeat(10_000);
        let recipient = identity.to_public().to_string();
        let file = File::create(&path).unwrap();
        let mut sink = Sink::new(file, Some(&recipient), CancellationToken::new()).unwrap();
        sink.write_all(text.as_bytes()).unwrap();
        let written = sink.finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(written.bytes, bytes.len() as u64);
        let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(written.sha256, digest);
        assert!(!bytes.windows(8).any(|window| window == b"customer"));
        let decrypt = |key: &Identity| {
            let mut read = String::new();
            let mut reader = Decryptor::new(&bytes[..]).unwrap().decrypt(iter::once(key as _)).ok()?;
            reader.read_to_string(&mut read).ok()?;
            Some(read)
        };
        assert_eq!(decrypt(&identity), Some(text));
        assert_eq!(decrypt(&other), None);
    }

    #[test]
    fn who_is_no_recipient_is_told_so() {
        let good = Identity::generate().to_public().to_string();
        assert_eq!(check_recipient(&good), Ok(()));
        for bad in ["", "age1", "age1xyz", &good[..good.len() - 1], "ssh-ed25519 AAAA", &format!("{good} ")] {
            assert_eq!(check_recipient(bad), Err(RecipientError), "{bad:?}");
        }
    }

    #[test]
    fn nothing_more_goes_into_what_is_not_wanted() {
        let stop = CancellationToken::new();
        let mut sink = Sink::new(tempfile::tempfile().unwrap(), None, stop.clone()).unwrap();
        sink.write_all(b"x").unwrap();
        stop.cancel();
        assert!(sink.flush().is_err());
    }
}
