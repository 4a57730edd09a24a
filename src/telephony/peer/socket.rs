//! The one task of a socket.

use std::{io, net::SocketAddr, time::Duration};

use tokio::net::UdpSocket;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::station::{Behaving, Counts, Outgoing, Shared, Station, counts};
use crate::clock::Clock;

/// Largest datagram.
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// Pause after a failed receive, so that the loop does not spin.
const RECEIVE_PAUSE: Duration = Duration::from_millis(10);

/// A station with a socket on loopback; it is gone when this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    address: SocketAddr,
    counts: Shared,
    _stop: DropGuard,
}

impl Running {
    /// Binds a free port and starts the task.
    pub(super) async fn start(behaving: Behaving, clock: Clock) -> io::Result<Self> {
        let socket = UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let address = socket.local_addr()?;
        let counts = Shared::default();
        let stop = CancellationToken::new();
        let station = Station::new(address, behaving, Shared::clone(&counts));
        let task = serve(socket, station, clock);
        let stopped = stop.clone();
        tokio::spawn(async move { stopped.run_until_cancelled(task).await });
        Ok(Self { address, counts, _stop: stop.drop_guard() })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn counts(&self) -> Counts {
        counts(&self.counts)
    }
}

async fn serve(socket: UdpSocket, mut station: Station, clock: Clock) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    let mut out = Outgoing::new();
    loop {
        let due = station.deadline();
        let wait = async {
            match due {
                Some(at) => tokio::time::sleep(at.saturating_sub(clock.now().mono)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            received = socket.recv_from(&mut buffer) => match received {
                Ok((length, from)) => {
                    let datagram = buffer.get(..length).unwrap_or_default().to_vec();
                    station.receive(clock.now().mono, from, datagram, &mut out);
                }
                Err(error) => {
                    tracing::debug!(%error, "the peer's socket could not receive");
                    tokio::time::sleep(RECEIVE_PAUSE).await;
                }
            },
            () = wait => {}
        }
        station.timeout(clock.now().mono, &mut out);
        for (to, datagram) in out.drain(..) {
            if let Err(error) = socket.send_to(&datagram, to).await {
                tracing::debug!(%error, "the peer's socket could not send");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::behaviour::Behaviour, *};

    #[tokio::test]
    async fn it_answers_on_the_wire_and_is_gone_when_dropped() {
        let running = Running::start(Box::new(|_, _| Behaviour::RingOut), Clock::system()).await.unwrap();
        let caller = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = running.address();
        let options = format!(
            "OPTIONS sip:x@{address} SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:x@{address}>\r\nCall-ID: i\r\nCSeq: 1 OPTIONS\r\n\r\n",
            caller.local_addr().unwrap()
        );
        caller.send_to(options.as_bytes(), address).await.unwrap();
        let mut buffer = [0; 2000];
        let length = tokio::time::timeout(Duration::from_secs(5), caller.recv(&mut buffer)).await.unwrap().unwrap();
        assert!(buffer[..length].starts_with(b"SIP/2.0 200 OK\r\n"));
        drop(running);
        let freed = async {
            while UdpSocket::bind(address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), freed).await.unwrap();
    }
}
