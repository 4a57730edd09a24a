//! A server that others are told at: it writes down what comes, and answers as it is told to, or not at all.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use dialops::clock::Clock;
use jiff::Timestamp;
use serde_json::Value;

use crate::stage::pause;

/// Answers a request by those that came before it, with the status of each: a status and a body.
pub(crate) type Judge = fn(&[(Request, u16)], &Request) -> (u16, String);

/// How it answers.
#[derive(Debug, Clone)]
pub(crate) enum Manner {
    /// With this status, these further lines of its head, and this body.
    Answers(u16, &'static str, &'static str),
    /// By what came so far, the newest last, and with what status each was answered: a status and a body.
    Judges(Judge),
    /// Never, for as long as anybody waits.
    Stalls,
    /// The beginning of an answer, and then nothing more.
    CutsOff,
    /// That it takes it, and as much behind that as anybody reads, a gigabyte.
    Floods,
}

/// That it takes everything.
pub(crate) const TAKES: Manner = Manner::Answers(201, "", "{}");

/// What came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    pub(crate) text: String,
    /// When it had come.
    pub(crate) at: Timestamp,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

/// The server; dropped, it takes no more connections.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    manner: Mutex<Manner>,
    requests: Mutex<Vec<Request>>,
    /// Those that were judged.
    judged: Mutex<Vec<(Request, u16)>>,
    ended: AtomicBool,
}

impl Receiver {
    pub(crate) fn new(manner: Manner) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), manner)
    }

    pub(crate) fn at(address: SocketAddr, manner: Manner) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Shared {
            manner: Mutex::new(manner),
            requests: Mutex::default(),
            judged: Mutex::default(),
            ended: AtomicBool::new(false),
        };
        let shared = Arc::new(shared);
        let served = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if served.ended.load(Ordering::Acquire) {
                    return;
                }
                let served = Arc::clone(&served);
                // A client that is gone breaks its connection.
                std::thread::spawn(move || served.serve(stream.unwrap()).ok());
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn behave(&self, manner: Manner) {
        *self.shared.manner.lock().unwrap() = manner;
    }

    /// What was judged so far, and with what status each was answered.
    pub(crate) fn judged(&self) -> Vec<(Request, u16)> {
        self.shared.judged.lock().unwrap().clone()
    }

    /// What came so far, also what was refused.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        // Wakes the listener, which then goes.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let Some(request) = read(&stream) else { return Ok(()) };
        self.requests.lock().unwrap().push(request.clone());
        let manner = self.manner.lock().unwrap().clone();
        match manner {
            Manner::Answers(status, head, body) => {
                let length = body.len();
                write!(
                    stream,
                    "HTTP/1.1 {status} So\r\n{head}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                )
            }
            Manner::Judges(judge) => {
                let mut judged = self.judged.lock().unwrap();
                let (status, body) = judge(&judged, &request);
                judged.push((request, status));
                drop(judged);
                let length = body.len();
                write!(stream, "HTTP/1.1 {status} So\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
            }
            Manner::CutsOff => write!(stream, "HTTP/1.1 200 O"),
            Manner::Floods => {
                let (piece, pieces) = (vec![b'x'; 1 << 20], 1 << 10);
                write!(stream, "HTTP/1.1 200 So\r\nContent-Length: {}\r\n\r\n", piece.len() * pieces)?;
                (0..pieces).try_for_each(|_| stream.write_all(&piece))
            }
            Manner::Stalls => {
                while !self.ended.load(Ordering::Acquire) {
                    pause(Duration::from_millis(50));
                }
                Ok(())
            }
        }
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut lines = std::iter::from_fn(|| {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        Some(line.trim_end().to_owned()).filter(|line| !line.is_empty())
    });
    let first = lines.next()?;
    let headers: Vec<_> =
        lines.filter_map(|line| line.split_once(": ").map(|(k, v)| (k.to_lowercase(), v.to_owned()))).collect();
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let at = Timestamp::UNIX_EPOCH;
    let mut request = Request { method, path, headers, text: String::new(), at };
    let mut body = vec![0; request.header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    request.text = String::from_utf8(body).ok()?;
    request.at = Clock::system().now().wall;
    Some(request)
}
