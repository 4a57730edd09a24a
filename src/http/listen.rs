//! Opening the two sockets, with errors that say what to do.

use std::{
    io,
    net::SocketAddr,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use tokio::net::{TcpListener, UnixListener, UnixStream};

/// Everybody may connect; who may do what is asked of the kernel for each connection, so that
/// `allowed_uids` needs no group. The folder can be closed to keep others away altogether.
const SOCKET_MODE: u32 = 0o666;

/// Why a socket was not opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Something else listens there.
    #[error("port {address} is in use; stop what listens there, or set another `[http] listen` in dialops.toml")]
    PortInUse {
        /// The address.
        address: SocketAddr,
    },
    /// The address can't be opened.
    #[error("can't listen on {address}; check `[http] listen` in dialops.toml")]
    Tcp {
        /// The address.
        address: SocketAddr,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A daemon answers there.
    #[error("another daemon answers on {path}; stop it, or set another `[http] socket` in dialops.toml")]
    SocketInUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something that is not a socket stands there.
    #[error("{path} is there and is not a socket; remove it, or set another `[http] socket` in dialops.toml")]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The path can't be opened.
    #[error("can't listen on {path}; its directory must exist and the daemon's user must be able to write it")]
    Unix {
        /// The path.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// Opens the TCP listener.
pub async fn tcp(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::PortInUse { address },
        _ => ListenError::Tcp { address, source },
    })
}

/// A listening Unix socket; its file goes when this does.
#[derive(Debug)]
pub struct UnixSocket {
    pub(super) listener: UnixListener,
    path: PathBuf,
    inode: Option<u64>,
}

/// Opens the Unix listener. A socket file that nobody listens on any more is replaced.
pub async fn unix(path: &Path) -> Result<UnixSocket, ListenError> {
    clear_stale(path).await?;
    let failed = |source| ListenError::Unix { path: path.to_owned(), source };
    let listener = UnixListener::bind(path).map_err(failed)?;
    let permissions = std::fs::Permissions::from_mode(SOCKET_MODE);
    tokio::fs::set_permissions(path, permissions).await.map_err(failed)?;
    let inode = tokio::fs::symlink_metadata(path).await.ok().map(|found| found.ino());
    Ok(UnixSocket { listener, path: path.to_owned(), inode })
}

async fn clear_stale(path: &Path) -> Result<(), ListenError> {
    let failed = |source| ListenError::Unix { path: path.to_owned(), source };
    let found = match tokio::fs::symlink_metadata(path).await {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    if !found.file_type().is_socket() {
        return Err(ListenError::NotASocket { path: path.to_owned() });
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            tokio::fs::remove_file(path).await.map_err(failed)
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(failed(error)),
        // An answer, or a full queue of a live listener.
        Ok(_) | Err(_) => Err(ListenError::SocketInUse { path: path.to_owned() }),
    }
}

impl Drop for UnixSocket {
    /// Removes the file, unless a later daemon has put its own there.
    fn drop(&mut self) {
        let there = std::fs::symlink_metadata(&self.path).ok().map(|found| found.ino());
        if there.is_some() && there == self.inode {
            let _gone_already = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_is_one_clear_sentence() {
        let first = tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = first.local_addr().unwrap();
        let error = tcp(address).await.unwrap_err();
        assert!(matches!(error, ListenError::PortInUse { .. }), "{error}");
        assert!(error.to_string().starts_with(&format!("port {address} is in use; ")));
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dialops.sock");
        // std's listener leaves its file behind, as a killed daemon does.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let live = unix(&path).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, SOCKET_MODE);
        assert!(matches!(unix(&path).await, Err(ListenError::SocketInUse { .. })));
        assert!(path.exists());
        drop(live);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_is_no_socket_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notes.txt");
        std::fs::write(&path, "keep me").unwrap();
        assert!(matches!(unix(&path).await, Err(ListenError::NotASocket { .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "keep me");
        let missing = dir.path().join("no").join("dialops.sock");
        assert!(matches!(unix(&missing).await, Err(ListenError::Unix { .. })));
    }
}
