//! The accept loops: one for TCP, one for the Unix socket, over one router.
//!
//! `axum::serve` has no limit on connections and no time limit for a request's head; this has both.

use std::{future::Future, io, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper::{Request, body::Incoming, server::conn::http1, service::Service};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, UnixStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{access::Peer, listen::UnixSocket, router, state::ServerState};

/// Most connections of one listener; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 256;
/// Longest time for a request's head, and for a connection without a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest head of a request.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// How long requests under way may go on after the shutdown began.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause after a failed accept (out of descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where to serve; opened by [`super::listen`].
#[derive(Debug)]
pub struct Listeners {
    /// `[http] listen`.
    pub tcp: Option<TcpListener>,
    /// `[http] socket`.
    pub unix: Option<UnixSocket>,
}

/// Serves until `shutdown`, then lets requests under way finish for a moment.
pub async fn serve(state: Arc<ServerState>, listeners: Listeners, shutdown: CancellationToken) {
    let router = router(state);
    let tcp = async {
        if let Some(listener) = listeners.tcp {
            accept_loop(listener, router.clone(), &shutdown).await;
        }
    };
    let unix = async {
        if let Some(socket) = listeners.unix {
            accept_loop(socket, router.clone(), &shutdown).await;
        }
    };
    tokio::join!(tcp, unix);
}

/// A listener whose connections know their peer.
trait Accept {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    fn next(&self) -> impl Future<Output = io::Result<(Self::Stream, Peer)>> + Send;
}

impl Accept for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<(TcpStream, Peer)> {
        let (stream, _address) = self.accept().await?;
        stream.set_nodelay(true)?;
        Ok((stream, Peer::Tcp))
    }
}

impl Accept for UnixSocket {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<(UnixStream, Peer)> {
        let (stream, _address) = self.listener.accept().await?;
        let uid = stream.peer_cred()?.uid();
        Ok((stream, Peer::Unix { uid }))
    }
}

async fn accept_loop<L: Accept>(listener: L, router: Router, shutdown: &CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept_one(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, peer, place)) => {
                let served = serve_connection(stream, peer, router.clone(), shutdown.clone());
                connections.spawn(async move {
                    served.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_TIMEOUT, drained).await.is_err() {
        tracing::warn!("connections that did not finish are cut");
    }
}

async fn accept_one<L: Accept>(
    listener: &L,
    places: &Arc<Semaphore>,
) -> io::Result<(L::Stream, Peer, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.next().await?;
    Ok((stream, peer, place))
}

async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    router: Router,
    shutdown: CancellationToken,
) {
    let service = TowerToHyperService::new(router);
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        service.call(request)
    });
    let mut protocol = http1::Builder::new();
    protocol.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_BYTES_MAX);
    let mut connection = pin!(protocol.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}
