//! A carrier and a phone that note when things happen on the wire: as little SIP as that takes.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver},
    },
    thread,
    time::{Duration, Instant},
};

const SDP: &str =
    "v=0\r\no=u 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8 0\r\n";

/// Something that was sent or came, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Invite,
    Refused,
    Answered,
    Connected,
}

fn header<'a>(message: &'a str, name: &str) -> &'a str {
    message.lines().find(|line| line.starts_with(name)).unwrap_or_default()
}

fn response(request: &str, status: &str, port: u16, sdp: bool) -> String {
    let vias: Vec<&str> = request.lines().filter(|line| line.starts_with("Via:")).collect();
    let mut to = header(request, "To:").to_owned();
    if !to.contains("tag=") {
        to.push_str(";tag=peer");
    }
    let body = if sdp { SDP } else { "" };
    let kind = if sdp { "Content-Type: application/sdp\r\n" } else { "" };
    format!(
        "SIP/2.0 {status}\r\n{}\r\n{}\r\n{to}\r\n{}\r\n{}\r\nContact: <sip:peer@127.0.0.1:{port}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        vias.join("\r\n"),
        header(request, "From:"),
        header(request, "Call-ID:"),
        header(request, "CSeq:"),
        body.len(),
    )
}

/// A BYE from the called side of `invite`.
fn bye(invite: &str, port: u16, serial: u32) -> String {
    let contact = header(invite, "Contact:").trim_start_matches("Contact:").trim();
    let target = contact.trim_start_matches('<').split('>').next().unwrap();
    let swapped =
        |name: &str, to: &str, tag: &str| format!("{to}{}{tag}", header(invite, name).trim_start_matches(name));
    format!(
        "BYE {target} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKbench{serial}\r\nMax-Forwards: 70\r\n{}\r\n{}\r\n{}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
        swapped("To:", "From:", ";tag=peer"),
        swapped("From:", "To:", ""),
        header(invite, "Call-ID:"),
    )
}

/// Refuses every call as busy, or answers it and hangs up a moment later.
pub(crate) struct Carrier {
    pub(crate) port: u16,
    answers: Arc<AtomicBool>,
    marks: Mutex<Receiver<(Mark, Instant)>>,
}

impl Carrier {
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let answers = Arc::new(AtomicBool::new(false));
        let (out, marks) = mpsc::channel();
        let flag = Arc::clone(&answers);
        thread::spawn(move || serve_carrier(&socket, port, &flag, &out));
        Self { port, answers, marks: Mutex::new(marks) }
    }

    pub(crate) fn answers(&self, answers: bool) {
        self.answers.store(answers, Ordering::Relaxed);
    }

    /// From a refusal, which frees the agent, to the next INVITE.
    pub(crate) fn refusal_to_next_invite(&self, calls: usize) -> Vec<Duration> {
        let marks = self.marks.lock().unwrap();
        while marks.try_recv().is_ok() {}
        let mut took = Vec::new();
        let mut refused = None;
        while took.len() < calls {
            match marks.recv_timeout(Duration::from_secs(20)).expect("a call within 20 s") {
                (Mark::Invite, at) => took.extend(refused.take().map(|since: Instant| at - since)),
                (Mark::Refused, at) => refused = Some(at),
                _ => {}
            }
        }
        took
    }

    /// From the answer to the moment the phone's re-INVITE is acknowledged.
    pub(crate) fn answer_to_connected(&self, phone: &Phone, calls: usize) -> Vec<Duration> {
        let marks = self.marks.lock().unwrap();
        let connects = phone.marks.lock().unwrap();
        while connects.try_recv().is_ok() {}
        let mut took = Vec::new();
        while took.len() < calls {
            let (mark, answered) = marks.recv_timeout(Duration::from_secs(20)).expect("a call within 20 s");
            if mark != Mark::Answered {
                continue;
            }
            let connected = connects.recv_timeout(Duration::from_secs(5)).map(|(_, at)| at);
            took.push(connected.expect("connected") - answered);
        }
        took
    }
}

fn serve_carrier(socket: &UdpSocket, port: u16, answers: &AtomicBool, out: &mpsc::Sender<(Mark, Instant)>) {
    let mut buffer = [0; 8192];
    let mut last_call = String::new();
    let mut serial = 0;
    let mut hang_up: Option<(Instant, String, SocketAddr)> = None;
    socket.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
    loop {
        if hang_up.as_ref().is_some_and(|(at, ..)| *at <= Instant::now())
            && let Some((_, invite, to)) = hang_up.take()
        {
            serial += 1;
            socket.send_to(bye(&invite, port, serial).as_bytes(), to).unwrap();
        }
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        let now = Instant::now();
        let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let send = |text: String| socket.send_to(text.as_bytes(), from).unwrap();
        if message.starts_with("INVITE") && header(&message, "Call-ID:") != last_call {
            header(&message, "Call-ID:").clone_into(&mut last_call);
            let _ = out.send((Mark::Invite, now));
            if answers.load(Ordering::Relaxed) {
                send(response(&message, "200 OK", port, true));
                let _ = out.send((Mark::Answered, Instant::now()));
                hang_up = Some((Instant::now() + Duration::from_millis(30), message, from));
            } else {
                send(response(&message, "486 Busy Here", port, false));
                let _ = out.send((Mark::Refused, Instant::now()));
            }
        } else if message.starts_with("BYE") || message.starts_with("CANCEL") {
            send(response(&message, "200 OK", port, false));
        }
    }
}

/// Takes every call, and notes when a re-INVITE is acknowledged.
pub(crate) struct Phone {
    pub(crate) port: u16,
    marks: Mutex<Receiver<(Mark, Instant)>>,
}

impl Phone {
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let (out, marks) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            let mut again = false;
            loop {
                let (length, from) = socket.recv_from(&mut buffer).unwrap();
                let now = Instant::now();
                let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
                let send = |text: String| socket.send_to(text.as_bytes(), from).unwrap();
                if message.starts_with("INVITE") {
                    again = header(&message, "To:").contains("tag=");
                    send(response(&message, "200 OK", port, true));
                } else if message.starts_with("ACK") && again {
                    again = false;
                    let _ = out.send((Mark::Connected, now));
                } else if message.starts_with("BYE") || message.starts_with("CANCEL") {
                    send(response(&message, "200 OK", port, false));
                }
            }
        });
        Self { port, marks: Mutex::new(marks) }
    }
}
