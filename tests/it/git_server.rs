//! A real Git server on loopback: Git's own `http-backend` behind a small CGI server that can be told to
//! misbehave.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::stage::pause;

/// How the server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As it should.
    Serves,
    /// Only who brings this user and token, and then perhaps half of the pack only.
    Asks { user: &'static str, token: String, stalls: bool },
    /// Sends every request on to this address.
    Redirects(String),
    /// Sends half a pack and then nothing, for as long as the client waits.
    Stalls,
    /// Sends objects without end.
    Endless,
    /// Sends refs without end.
    EndlessRefs,
    /// Changes a byte in the middle of a pack.
    Corrupts,
    /// Refuses with what it was told, the secret included.
    Repeats,
}

/// The server; dropped, it takes no more connections.
pub(crate) struct GitServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    root: PathBuf,
    manner: Mutex<Manner>,
    /// First lines of the requests.
    requests: Mutex<Vec<String>>,
    ended: AtomicBool,
}

impl GitServer {
    /// Serves the repositories of a folder.
    pub(crate) fn serve(root: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        Self::on(listener, address, root)
    }

    /// Serves again where a server was.
    pub(crate) fn again(address: SocketAddr, root: &Path) -> Self {
        Self::on(TcpListener::bind(address).unwrap(), address, root)
    }

    fn on(listener: TcpListener, address: SocketAddr, root: &Path) -> Self {
        let shared = Arc::new(Shared {
            root: root.to_owned(),
            manner: Mutex::new(Manner::Serves),
            requests: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let served = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if served.ended.load(Ordering::Acquire) {
                    return;
                }
                let served = Arc::clone(&served);
                // A client that is killed breaks its connection.
                std::thread::spawn(move || served.answer(stream.unwrap()).ok());
            }
        });
        Self { address, shared }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Address of a repository.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    pub(crate) fn behave(&self, manner: Manner) {
        *self.shared.manner.lock().unwrap() = manner;
    }

    /// How often a pack was asked for.
    pub(crate) fn fetches(&self) -> usize {
        self.shared.requests.lock().unwrap().iter().filter(|line| line.ends_with("command=fetch")).count()
    }

    /// How often anything was asked for.
    pub(crate) fn requests(&self) -> usize {
        self.shared.requests.lock().unwrap().len()
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        // Wakes the listener, which then goes.
        let _ = TcpStream::connect(self.address);
    }
}

struct Request {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn read(stream: &TcpStream) -> Option<Self> {
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
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let mut request = Self { method, path: path.to_owned(), query: query.to_owned(), headers, body: Vec::new() };
        let length = request.header("content-length").parse().unwrap_or(0);
        request.body.resize(length, 0);
        reader.read_exact(&mut request.body).ok()?;
        Some(request)
    }

    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// Whether it asks for a pack.
    fn is_fetch(&self) -> bool {
        self.body.windows(13).any(|bytes| bytes == b"command=fetch")
    }
}

impl Shared {
    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let Some(request) = Request::read(&stream) else { return Ok(()) };
        let fetch = if request.is_fetch() { " command=fetch" } else { "" };
        let line = format!("{} {}?{}{fetch}", request.method, request.path, request.query);
        self.requests.lock().unwrap().push(line);
        let manner = self.manner.lock().unwrap().clone();
        match manner {
            Manner::Asks { user, token, .. } if !authorized(&request, user, &token) => write!(
                stream,
                "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\nContent-Length: 0\r\n\
                 Connection: close\r\n\r\n"
            ),
            Manner::Redirects(to) => {
                let target = format!("{to}{}?{}", request.path, request.query);
                write!(stream, "HTTP/1.1 301 Moved\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n")
            }
            Manner::Repeats if request.header("authorization").is_empty() => {
                write!(stream, "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"git\"\r\nContent-Length: 0\r\n\r\n")
            }
            Manner::Repeats => {
                let told = format!("you sent {}", decoded(request.header("authorization")));
                let length = told.len();
                write!(stream, "HTTP/1.1 500 No\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{told}")
            }
            Manner::Endless if request.is_fetch() => endless(&mut stream),
            Manner::EndlessRefs if request.method == "POST" => endless_refs(&mut stream),
            manner => self.pass(&request, &manner, &mut stream),
        }
    }

    /// Has Git answer it.
    fn pass(&self, request: &Request, manner: &Manner, stream: &mut TcpStream) -> std::io::Result<()> {
        let mut child = Command::new("git")
            .arg("http-backend")
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_PROJECT_ROOT", &self.root)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("REQUEST_METHOD", &request.method)
            .env("PATH_INFO", &request.path)
            .env("QUERY_STRING", &request.query)
            .env("CONTENT_TYPE", request.header("content-type"))
            .env("CONTENT_LENGTH", request.body.len().to_string())
            .env("HTTP_CONTENT_ENCODING", request.header("content-encoding"))
            .env("GIT_PROTOCOL", request.header("git-protocol"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        child.stdin.take().unwrap().write_all(&request.body)?;
        let mut output = child.wait_with_output()?.stdout;
        let head = output.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap_or(0);
        let mut body = output.split_off((head + 4).min(output.len()));
        let head = String::from_utf8_lossy(&output).trim_end().to_owned();
        let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
        write!(stream, "HTTP/1.1 {status}\r\n{head}\r\nConnection: close\r\n\r\n")?;
        if request.is_fetch() && *manner == Manner::Corrupts {
            let middle = body.len() / 2;
            body[middle] ^= 0x55;
        }
        let stalls = matches!(manner, Manner::Stalls | Manner::Asks { stalls: true, .. });
        if request.is_fetch() && stalls {
            body.truncate(body.len() / 2);
            stream.write_all(&body)?;
            stream.flush()?;
            while !self.ended.load(Ordering::Acquire) {
                pause(std::time::Duration::from_millis(50));
            }
            return Ok(());
        }
        stream.write_all(&body)
    }
}

fn authorized(request: &Request, user: &str, token: &str) -> bool {
    decoded(request.header("authorization")) == format!("{user}:{token}")
}

/// What basic authentication says.
fn decoded(header: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = header.strip_prefix("Basic ").unwrap_or_default().trim_end_matches('=');
    let mut bytes = Vec::new();
    let (mut bits, mut length) = (0_u32, 0);
    for byte in text.bytes() {
        let value = ALPHABET.iter().position(|&known| known == byte).unwrap();
        bits = bits << 6 | u32::try_from(value).unwrap();
        length += 6;
        if length >= 8 {
            length -= 8;
            bytes.push(u8::try_from(bits >> length & 0xff).unwrap());
        }
    }
    String::from_utf8(bytes).unwrap()
}

const ANSWER: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-result\r\nConnection: close\r\n\r\n";

/// A pack of 100,000 objects, each 60,000 bytes that are not compressed: longer than anybody waits.
fn endless(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(ANSWER.as_bytes())?;
    stream.write_all(b"0014acknowledgments\n000aready\n0001000dpackfile\n")?;
    packet(stream, b"\x01PACK\0\0\0\x02\0\x01\x86\xa0")?;
    for number in 0_u32.. {
        let mut content = vec![b'x'; 60_000];
        content[..4].copy_from_slice(&number.to_be_bytes());
        let mut object = vec![1, 0xb0 | 0x80, 0, 0, 0x78, 0x01, 1];
        let size = content.len();
        // Type 3 and the size, four bits and then seven at a time.
        object[1] = 0x80 | 3 << 4 | u8::try_from(size & 15).unwrap();
        object[2] = 0x80 | u8::try_from(size >> 4 & 127).unwrap();
        object[3] = u8::try_from(size >> 11 & 127).unwrap();
        let length = u16::try_from(size).unwrap();
        object.extend(length.to_le_bytes());
        object.extend((!length).to_le_bytes());
        object.extend(&content);
        let (mut a, mut b) = (1_u32, 0_u32);
        for &byte in &content {
            a = (a + u32::from(byte)) % 65_521;
            b = (b + a) % 65_521;
        }
        object.extend((b << 16 | a).to_be_bytes());
        packet(stream, &object)?;
    }
    Ok(())
}

fn endless_refs(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(ANSWER.as_bytes())?;
    for number in 0_u32.. {
        packet(stream, format!("{number:040x} refs/heads/branch-{number}\n").as_bytes())?;
    }
    Ok(())
}

fn packet(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    write!(stream, "{:04x}", bytes.len() + 4)?;
    stream.write_all(bytes)
}
