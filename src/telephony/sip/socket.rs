//! The one actor per UDP socket: reads in bursts, keeps one timer, sends, and hands events on. It is
//! the only file of the gateway with IO in it.

use std::{
    io,
    net::{SocketAddr, UdpSocket as StdUdpSocket},
    sync::Arc,
    time::Duration,
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::{net::UdpSocket, sync::mpsc};

use super::{
    dialog::Dialog,
    endpoint::{Endpoint, In, Out},
    notice::Notices,
    settings::{Shared, SipSettings},
    table::Packet,
};
use crate::{
    clock::Clock,
    domain::{
        call::{CallCommand, CallEvent, Destination, LegIdentity},
        ids::LegId,
    },
    telephony::{CallEvents, CallGateway, SubmitError},
};

/// Most commands waiting for the actor; beyond that `submit` says that it is full.
pub const COMMANDS_MAX: usize = 8192;

/// Most events waiting for their reader; beyond that the actor waits, and peers repeat themselves.
pub const EVENTS_MAX: usize = 4096;

/// Most datagrams, and most commands, taken before the timers are looked at again.
const BURST: usize = 256;

/// Under load a wake-up costs more than what it brings, so turns are counted in slots of this length…
const SLOT: Duration = Duration::from_millis(10);

/// …and past this many in a slot the actor lets messages gather…
const TURNS_PER_SLOT: u32 = 8;

/// …for this long before the next one. Below 800 turns a second nothing waits.
const GATHER: Duration = Duration::from_millis(1);

/// Longest UDP datagram.
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// Tries for an even discard port, as RTP would have (RFC 3550 §11).
const EVEN_PORT_TRIES: usize = 16;

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another socket has the port.
    #[error("udp {listen} is in use by another program; stop it, or set another `[sip] listen` in dialops.toml")]
    InUse {
        /// The address.
        listen: SocketAddr,
    },
    /// The address can't be used.
    #[error("udp {listen} can't be opened; set `[sip] listen` in dialops.toml to an address of this machine")]
    Bind {
        /// The address.
        listen: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Peers can't be told `0.0.0.0`.
    #[error("sip listen {listen} is no address that phones can be told; set `[sip] listen` to one that they can reach")]
    NoAdvertised {
        /// The address.
        listen: SocketAddr,
    },
}

/// The gateway: hands commands to its actor, which stops when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct SipGateway {
    shared: Arc<Shared>,
    commands: mpsc::Sender<CallCommand>,
    local: SocketAddr,
    receive_buffer: usize,
}

impl SipGateway {
    /// Address of the socket.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.local
    }

    /// Receive buffer as the kernel gave it, in bytes.
    #[must_use]
    pub fn receive_buffer(&self) -> usize {
        self.receive_buffer
    }
}

impl CallGateway for SipGateway {
    fn identity(&self, leg: LegId, destination: &Destination) -> LegIdentity {
        let names = self.shared.key.leg(leg);
        match Dialog::to(&self.shared, &names, destination) {
            Ok(mut dialog) => dialog.first_identity(),
            // Such a leg ends before anything is sent, so there is nothing to know of it.
            Err(_) => LegIdentity {
                call_id: names.call_id.to_string(),
                local_uri: String::new(),
                local_tag: names.tag.into(),
                remote_uri: String::new(),
                remote_tag: None,
                target_uri: String::new(),
                routes: Vec::new(),
                cseq: 0,
                branch: String::new(),
                peer: String::new(),
            },
        }
    }

    fn submit(&self, command: CallCommand) -> Result<(), SubmitError> {
        self.commands.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SubmitError::Full,
            mpsc::error::TrySendError::Closed(_) => SubmitError::Stopped,
        })
    }
}

/// Opens the sockets and starts the actor on the current tokio runtime. `dialog_key` has to be the
/// same in every life of the daemon: by it a life knows the calls of an earlier one.
pub fn spawn(
    settings: &SipSettings,
    dialog_key: [u8; 32],
    clock: Clock,
) -> Result<(SipGateway, CallEvents), OpenError> {
    let listen = settings.listen;
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => OpenError::InUse { listen },
        _ => OpenError::Bind { listen, source },
    };
    let (socket, receive_buffer) = open(listen, settings.receive_buffer).map_err(failed)?;
    let local = socket.local_addr().map_err(failed)?;
    let mut advertised = settings.advertised.unwrap_or(local);
    if advertised.ip().is_unspecified() {
        return Err(OpenError::NoAdvertised { listen });
    }
    if advertised.port() == 0 {
        advertised.set_port(local.port());
    }
    let discard = open_discard(listen).map_err(failed)?;
    let discard_port = discard.local_addr().map_err(failed)?.port();
    let shared = Shared::new(settings, dialog_key, advertised, discard_port);
    let (commands, command_queue) = mpsc::channel(COMMANDS_MAX);
    let (events, call_events) = mpsc::channel(EVENTS_MAX);
    let actor = Actor {
        socket,
        _discard: discard,
        endpoint: Endpoint::new(shared.clone()),
        commands: command_queue,
        events,
        clock,
        buffer: vec![0; DATAGRAM_BYTES_MAX].into(),
        out: Out::default(),
        notices: Notices::default(),
        pace: Pace::default(),
    };
    tokio::spawn(actor.run());
    Ok((SipGateway { shared, commands, local, receive_buffer }, call_events))
}

/// The SIP socket, and the receive buffer it really has. The kernel clamps what is asked in silence
/// and reports the double of what it gave, its own bookkeeping included.
fn open(listen: SocketAddr, wanted: usize) -> io::Result<(UdpSocket, usize)> {
    let socket = Socket::new(Domain::for_address(listen), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_recv_buffer_size(wanted)?;
    let given = socket.recv_buffer_size()? / 2;
    if given < wanted {
        tracing::warn!(
            wanted,
            given,
            "the kernel gave the SIP socket a smaller receive buffer than asked; raise net.core.rmem_max"
        );
    }
    socket.set_nonblocking(true)?;
    socket.bind(&listen.into())?;
    Ok((UdpSocket::from_std(socket.into())?, given))
}

/// The socket behind discard offers: nobody ever reads it, so the kernel throws away what comes, and
/// senders see an open port.
fn open_discard(listen: SocketAddr) -> io::Result<StdUdpSocket> {
    let any_port = SocketAddr::new(listen.ip(), 0);
    let mut socket = StdUdpSocket::bind(any_port)?;
    for _ in 0..EVEN_PORT_TRIES {
        if socket.local_addr()?.port().is_multiple_of(2) {
            break;
        }
        socket = StdUdpSocket::bind(any_port)?;
    }
    SockRef::from(&socket).set_recv_buffer_size(0)?;
    Ok(socket)
}

/// Why the actor stops.
struct Stopped;

struct Actor {
    socket: UdpSocket,
    _discard: StdUdpSocket,
    endpoint: Endpoint,
    commands: mpsc::Receiver<CallCommand>,
    events: mpsc::Sender<CallEvent>,
    clock: Clock,
    buffer: Box<[u8]>,
    out: Out,
    notices: Notices,
    pace: Pace,
}

/// Turns in the current slot.
#[derive(Default)]
struct Pace {
    slot_ends: Duration,
    turns: u32,
}

impl Pace {
    /// Counts a turn; true when there are too many.
    fn is_hurried(&mut self, now: Duration) -> bool {
        if now >= self.slot_ends {
            *self = Self { slot_ends: now + SLOT, turns: 0 };
        }
        self.turns += 1;
        self.turns > TURNS_PER_SLOT
    }
}

impl Actor {
    async fn run(mut self) {
        while let Ok(()) = self.turn().await {
            if self.pace.is_hurried(self.now()) {
                tokio::time::sleep(GATHER).await;
            }
        }
    }

    fn now(&self) -> Duration {
        self.clock.now().mono
    }

    /// Waits for something to do and does it.
    async fn turn(&mut self) -> Result<(), Stopped> {
        let now = self.now();
        let deadline = self.endpoint.deadline();
        let timer = async {
            match deadline {
                Some(deadline) => tokio::time::sleep(deadline.saturating_sub(now)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            command = self.commands.recv() => {
                let command = command.ok_or(Stopped)?;
                self.input(In::Command(command));
            }
            _ = self.socket.readable() => self.datagrams(),
            () = timer => {}
        }
        self.commands();
        if self.endpoint.deadline().is_some_and(|deadline| deadline <= self.now()) {
            self.input(In::Time);
        }
        self.flush().await
    }

    fn input(&mut self, input: In) {
        self.endpoint.input(self.clock.now().mono, input, &mut self.out);
    }

    fn commands(&mut self) {
        for _ in 0..BURST {
            let Ok(command) = self.commands.try_recv() else { return };
            self.input(In::Command(command));
        }
    }

    fn datagrams(&mut self) {
        for _ in 0..BURST {
            match self.socket.try_recv_from(&mut self.buffer) {
                Ok((length, from)) => {
                    let bytes = self.buffer[..length].to_vec();
                    self.input(In::Datagram { from, bytes });
                }
                Err(error) => {
                    if error.kind() != io::ErrorKind::WouldBlock {
                        tracing::debug!(%error, "receiving failed");
                    }
                    return;
                }
            }
        }
    }

    /// Sends what is to be sent, then hands events on; waits where it has to.
    async fn flush(&mut self) -> Result<(), Stopped> {
        while !self.out.packets.is_empty() {
            for packet in std::mem::take(&mut self.out.packets) {
                self.send(packet).await;
            }
        }
        let now = self.now();
        for notice in self.out.notices.drain(..) {
            if let Some(untold) = self.notices.tell(now, notice) {
                tracing::warn!(untold, "{notice}");
            }
        }
        for event in self.out.events.drain(..) {
            self.events.send(event).await.map_err(|_| Stopped)?;
        }
        Ok(())
    }

    async fn send(&mut self, packet: Packet) {
        let Packet { to, bytes, of } = packet;
        let sent = match self.socket.try_send_to(&bytes, to) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.socket.send_to(&bytes, to).await,
            sent => sent,
        };
        if let Err(error) = sent {
            tracing::debug!(%error, %to, "sending failed");
            if let Some(transaction) = of {
                self.input(In::Unsent(transaction));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_is_named() {
        let taken = StdUdpSocket::bind("127.0.0.1:0").unwrap();
        let settings = SipSettings::new(taken.local_addr().unwrap());
        let error = spawn(&settings, [0; 32], Clock::system()).unwrap_err().to_string();
        assert!(error.contains(&taken.local_addr().unwrap().to_string()) && error.contains("in use"), "{error}");
    }

    #[tokio::test]
    async fn an_unspecified_address_needs_an_advertised_one() {
        let mut settings = SipSettings::new("0.0.0.0:0".parse().unwrap());
        let error = spawn(&settings, [0; 32], Clock::system()).unwrap_err();
        assert!(matches!(error, OpenError::NoAdvertised { .. }), "{error}");
        settings.advertised = Some("127.0.0.1:0".parse().unwrap());
        let (gateway, _events) = spawn(&settings, [0; 32], Clock::system()).unwrap();
        assert_eq!(gateway.shared.advertised.port(), gateway.local_address().port());
        assert!(gateway.receive_buffer() > 0);
    }
}
