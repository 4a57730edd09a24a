//! A SIP message: ordered headers over one buffer, built or parsed (RFC 3261 §7).
//!
//! Values are kept as bytes, so nothing of a peer's message is lost or refused for its encoding.
//! Both sides of a call use it: `dialops` itself and the demo's carrier and phones.

use std::{fmt, io::Write, net::SocketAddr};

use super::{
    header::{CSeq, Name, NameAddr, Via, split, text},
    uri::split_host,
};

/// A request's method; any token is one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "their names say it")]
pub enum Method {
    Invite,
    Ack,
    Bye,
    Cancel,
    Options,
    Update,
    Register,
    Prack,
    Info,
    Message,
    Notify,
    Publish,
    Refer,
    Subscribe,
    /// A method this crate doesn't know.
    Other(Box<str>),
}

const METHODS: [(Method, &str); 14] = [
    (Method::Invite, "INVITE"),
    (Method::Ack, "ACK"),
    (Method::Bye, "BYE"),
    (Method::Cancel, "CANCEL"),
    (Method::Options, "OPTIONS"),
    (Method::Update, "UPDATE"),
    (Method::Register, "REGISTER"),
    (Method::Prack, "PRACK"),
    (Method::Info, "INFO"),
    (Method::Message, "MESSAGE"),
    (Method::Notify, "NOTIFY"),
    (Method::Publish, "PUBLISH"),
    (Method::Refer, "REFER"),
    (Method::Subscribe, "SUBSCRIBE"),
];

impl Method {
    /// The method of that name, case counting; `None` when it isn't a token.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        if let Some((method, _)) = METHODS.iter().find(|(_, known)| known.as_bytes() == name) {
            return Some(method.clone());
        }
        super::header::is_token(name).then(|| text(name).map(|name| Self::Other(name.into())))?
    }

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        if let Self::Other(name) = self {
            return name;
        }
        METHODS.iter().find(|(method, _)| method == self).map_or("", |(_, name)| name)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A part of a message's buffer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Span {
    /// Spans `start..end`; messages are far below 4 GB.
    pub(super) fn new(start: usize, end: usize) -> Self {
        let clip = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: clip(start), end: clip(end) }
    }
}

/// A header line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name: Name,
    /// The name as it stood, for [`Name::Other`].
    pub(super) written: Span,
    pub(super) value: Span,
}

/// First line of a message.
#[derive(Debug, Clone)]
pub(super) enum Start {
    Request { method: Method, uri: Span },
    Response { status: u16, reason: Span },
}

/// A request or a response.
#[derive(Clone)]
pub struct Message {
    pub(super) buffer: Vec<u8>,
    pub(super) start: Start,
    pub(super) fields: Vec<Field>,
    pub(super) body: Span,
}

impl Message {
    /// A request without headers.
    #[must_use]
    pub fn request(method: Method, uri: &str) -> Self {
        let mut message = Self::empty(Start::Request { method, uri: Span::default() });
        message.buffer.extend_from_slice(uri.as_bytes());
        let uri = Span::new(0, message.buffer.len());
        if let Start::Request { uri: place, .. } = &mut message.start {
            *place = uri;
        }
        message
    }

    /// A response without headers.
    #[must_use]
    pub fn response(status: u16, reason: &str) -> Self {
        let mut message = Self::empty(Start::Response { status, reason: Span::default() });
        message.buffer.extend_from_slice(reason.as_bytes());
        let reason = Span::new(0, message.buffer.len());
        if let Start::Response { reason: place, .. } = &mut message.start {
            *place = reason;
        }
        message
    }

    /// A response to `request` with what §8.2.6 copies: every `Via`, `From`, `To`, `Call-ID` and
    /// `CSeq`; `to_tag` is added when `To` has none.
    #[must_use]
    pub fn respond_to(request: &Self, status: u16, to_tag: Option<&str>) -> Self {
        let mut response = Self::response(status, reason_phrase(status));
        for field in &request.fields {
            match field.name {
                Name::Via | Name::From | Name::CallId | Name::CSeq => {
                    response.push_bytes(field.name, request.bytes(field.value));
                }
                Name::Timestamp if status == 100 => response.push_bytes(Name::Timestamp, request.bytes(field.value)),
                Name::To => {
                    let value = request.bytes(field.value);
                    let tag = to_tag.filter(|_| NameAddr::parse(value).is_none_or(|to| to.tag().is_none()));
                    response.push_bytes(Name::To, value);
                    if let (Some(tag), Some(last)) = (tag, response.fields.last_mut()) {
                        response.buffer.extend_from_slice(b";tag=");
                        response.buffer.extend_from_slice(tag.as_bytes());
                        last.value.end = Span::new(0, response.buffer.len()).end;
                    }
                }
                _ => {}
            }
        }
        response
    }

    fn empty(start: Start) -> Self {
        Self { buffer: Vec::with_capacity(1024), start, fields: Vec::with_capacity(14), body: Span::default() }
    }

    fn append(&mut self, value: impl fmt::Display) -> Span {
        let start = self.buffer.len();
        // Writing to a Vec can't fail.
        let _ = write!(self.buffer, "{value}");
        Span::new(start, self.buffer.len())
    }

    /// Adds a header at the end. The value must not have a line break.
    pub fn push(&mut self, name: Name, value: impl fmt::Display) {
        let value = self.append(value);
        debug_assert!(!self.bytes(value).iter().any(|b| matches!(b, b'\r' | b'\n')), "a line break in a value");
        self.fields.push(Field { name, written: Span::default(), value });
    }

    /// Adds a header at the end from bytes.
    pub fn push_bytes(&mut self, name: Name, value: &[u8]) {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(value);
        let value = Span::new(start, self.buffer.len());
        self.fields.push(Field { name, written: Span::default(), value });
    }

    /// Adds a header at the end from parts that together are its value.
    pub fn push_parts(&mut self, name: Name, parts: &[&str]) {
        let start = self.buffer.len();
        parts.iter().for_each(|part| self.buffer.extend_from_slice(part.as_bytes()));
        let value = Span::new(start, self.buffer.len());
        self.fields.push(Field { name, written: Span::default(), value });
    }

    /// Adds a header with a name of its own.
    pub fn push_other(&mut self, name: &str, value: impl fmt::Display) {
        let written = self.append(name);
        let value = self.append(value);
        self.fields.push(Field { name: Name::Other, written, value });
    }

    /// Removes every header of that name.
    pub fn remove(&mut self, name: Name) {
        self.fields.retain(|field| field.name != name);
    }

    /// Notes in the topmost `Via` where the request came from (§18.2.1, RFC 3581 §4) and returns where
    /// its responses go; `None` when it has no readable `Via`.
    pub fn stamp(&mut self, from: SocketAddr) -> Option<SocketAddr> {
        let first = self.fields.iter().position(|field| field.name == Name::Via)?;
        let line = self.bytes(self.fields[first].value);
        let top = split(line, b',').next()?;
        let via = Via::parse(top)?;
        let (host, port) = split_host(via.sent_by)?;
        let symmetric = via.params.value("rport").is_some();
        let back = if symmetric { from } else { SocketAddr::new(from.ip(), port.unwrap_or(5060)) };
        if !symmetric && host.parse() == Ok(from.ip()) {
            return Some(back);
        }
        let mut stamped = format!("SIP/2.0/{} {}", via.transport, via.sent_by).into_bytes();
        for (name, value) in via.params.iter() {
            if name.eq_ignore_ascii_case(b"rport") || name.eq_ignore_ascii_case(b"received") {
                continue;
            }
            stamped.push(b';');
            stamped.extend_from_slice(name);
            if let Some(value) = value {
                stamped.push(b'=');
                stamped.extend_from_slice(value);
            }
        }
        stamped.extend_from_slice(format!(";received={}", from.ip()).as_bytes());
        if symmetric {
            stamped.extend_from_slice(format!(";rport={}", from.port()).as_bytes());
        }
        let behind = line.iter().skip(top.len()).skip_while(|&&b| b != b',').copied().collect::<Vec<u8>>();
        stamped.extend_from_slice(&behind);
        self.push_bytes(Name::Via, &stamped);
        let moved = self.fields.pop()?;
        self.fields[first] = moved;
        Some(back)
    }

    /// Sets body and `Content-Type`.
    pub fn set_body(&mut self, content_type: &str, body: &[u8]) {
        self.remove(Name::ContentType);
        self.push_parts(Name::ContentType, &[content_type]);
        let start = self.buffer.len();
        self.buffer.extend_from_slice(body);
        self.body = Span::new(start, self.buffer.len());
    }

    /// The message as it goes on the wire; `Content-Length` is always that of the body.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.buffer.len() + self.fields.len() * 16 + 64);
        // Writing to a Vec can't fail.
        match &self.start {
            Start::Request { method, uri } => {
                out.extend_from_slice(method.as_str().as_bytes());
                out.push(b' ');
                out.extend_from_slice(self.bytes(*uri));
                out.extend_from_slice(b" SIP/2.0");
            }
            Start::Response { status, reason } => {
                let _ = write!(out, "SIP/2.0 {status} ");
                out.extend_from_slice(self.bytes(*reason));
            }
        }
        out.extend_from_slice(b"\r\n");
        for field in self.fields.iter().filter(|field| field.name != Name::ContentLength) {
            let name =
                if field.name == Name::Other { self.bytes(field.written) } else { field.name.as_str().as_bytes() };
            out.extend_from_slice(name);
            out.extend_from_slice(b": ");
            out.extend_from_slice(self.bytes(field.value));
            out.extend_from_slice(b"\r\n");
        }
        let _ = write!(out, "Content-Length: {}\r\n\r\n", self.body().len());
        out.extend_from_slice(self.body());
        out
    }

    pub(super) fn bytes(&self, span: Span) -> &[u8] {
        self.buffer.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// The method; `None` for a response.
    #[must_use]
    pub fn method(&self) -> Option<&Method> {
        match &self.start {
            Start::Request { method, .. } => Some(method),
            Start::Response { .. } => None,
        }
    }

    /// The Request-URI; empty for a response or when it isn't text.
    #[must_use]
    pub fn uri(&self) -> &str {
        match &self.start {
            Start::Request { uri, .. } => text(self.bytes(*uri)).unwrap_or_default(),
            Start::Response { .. } => "",
        }
    }

    /// The status; `None` for a request.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match &self.start {
            Start::Request { .. } => None,
            Start::Response { status, .. } => Some(*status),
        }
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.bytes(self.body)
    }

    /// The values of every header line of that name, in order.
    pub fn values(&self, name: Name) -> impl Iterator<Item = &[u8]> {
        self.fields.iter().filter(move |field| field.name == name).map(|field| self.bytes(field.value))
    }

    /// The value of the first header of that name.
    #[must_use]
    pub fn value(&self, name: Name) -> Option<&[u8]> {
        self.values(name).next()
    }

    /// The value of the first header with a name of its own.
    #[must_use]
    pub fn other(&self, name: &str) -> Option<&[u8]> {
        let same = |field: &&Field| {
            field.name == Name::Other && self.bytes(field.written).eq_ignore_ascii_case(name.as_bytes())
        };
        self.fields.iter().find(same).map(|field| self.bytes(field.value))
    }

    /// The elements of a header that is a comma-separated list, over all its lines.
    pub fn list(&self, name: Name) -> impl Iterator<Item = &[u8]> {
        self.values(name).flat_map(|line| split(line, b',')).filter(|element| !element.is_empty())
    }

    /// The topmost `Via`.
    #[must_use]
    pub fn via(&self) -> Option<Via<'_>> {
        Via::parse(self.list(Name::Via).next()?)
    }

    /// `From`.
    #[must_use]
    pub fn from(&self) -> Option<NameAddr<'_>> {
        NameAddr::parse(self.value(Name::From)?)
    }

    /// `To`.
    #[must_use]
    pub fn to(&self) -> Option<NameAddr<'_>> {
        NameAddr::parse(self.value(Name::To)?)
    }

    /// The tag of `From`, empty when there is none.
    #[must_use]
    pub fn from_tag(&self) -> &str {
        self.from().and_then(|from| from.tag()).unwrap_or_default()
    }

    /// The tag of `To`, empty when there is none.
    #[must_use]
    pub fn to_tag(&self) -> &str {
        self.to().and_then(|to| to.tag()).unwrap_or_default()
    }

    /// The URI of the first `Contact`, when it is a SIP URI.
    #[must_use]
    pub fn contact(&self) -> Option<&str> {
        let uri = NameAddr::parse(self.list(Name::Contact).next()?)?.uri;
        super::uri::Uri::parse(uri).map(|_| uri)
    }

    /// `Call-ID`; empty when missing or not text.
    #[must_use]
    pub fn call_id(&self) -> &str {
        self.value(Name::CallId).and_then(text).unwrap_or_default()
    }

    /// `CSeq`.
    #[must_use]
    pub fn cseq(&self) -> Option<CSeq> {
        CSeq::parse(self.value(Name::CSeq)?)
    }

    /// The body, when it is SDP; empty bodies are none.
    #[must_use]
    pub fn sdp(&self) -> Option<&[u8]> {
        let kind = self.value(Name::ContentType)?;
        let kind = split(kind, b';').next().unwrap_or_default();
        (kind.eq_ignore_ascii_case(b"application/sdp") && !self.body().is_empty()).then(|| self.body())
    }
}

impl fmt::Debug for Message {
    /// First line only: headers may hold numbers and credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.start {
            Start::Request { method, .. } => write!(f, "Message({method})"),
            Start::Response { status, .. } => write!(f, "Message({status})"),
        }
    }
}

/// The usual words for a status.
#[must_use]
pub fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        183 => "Session Progress",
        200 => "OK",
        202 => "Accepted",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        491 => "Request Pending",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "Version Not Supported",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        _ => "-",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_and_answers() {
        let mut request = Message::request(Method::Options, "sip:a@b");
        request.push(Name::Via, "SIP/2.0/UDP h;branch=z9hG4bK1, SIP/2.0/UDP g;branch=z9hG4bK0");
        request.push(Name::From, "<sip:x@y>;tag=f");
        request.push(Name::To, "<sip:a@b>");
        request.push(Name::CallId, "c");
        request.push(Name::CSeq, CSeq { number: 7, method: Method::Options });
        request.push_other("X-Own", 1);
        request.set_body("application/sdp", b"v=0\r\n");
        let wire = String::from_utf8(request.to_bytes()).unwrap();
        assert!(wire.starts_with("OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1, "), "{wire}");
        assert!(wire.ends_with("X-Own: 1\r\nContent-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n"));
        let response = Message::respond_to(&request, 200, Some("t"));
        let wire = String::from_utf8(response.to_bytes()).unwrap();
        let wanted = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1, SIP/2.0/UDP g;branch=z9hG4bK0\r\n\
            From: <sip:x@y>;tag=f\r\nTo: <sip:a@b>;tag=t\r\nCall-ID: c\r\nCSeq: 7 OPTIONS\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(wire, wanted);
        assert_eq!((response.to_tag(), response.from_tag(), response.call_id()), ("t", "f", "c"));
        let again = Message::respond_to(&request, 400, None);
        assert_eq!(again.to_tag(), "");
    }

    #[test]
    fn responses_go_where_the_request_came_from() {
        let stamped = |via: &str, from: &str| {
            let mut request = Message::request(Method::Bye, "sip:a@b");
            request.push(Name::Via, via);
            request.push(Name::Via, "SIP/2.0/UDP last");
            let back = request.stamp(from.parse().unwrap()).unwrap().to_string();
            let vias: Vec<_> = request.list(Name::Via).map(|via| text(via).unwrap().to_owned()).collect();
            (back, vias.join(" / "))
        };
        let (back, vias) = stamped("SIP/2.0/UDP 10.0.0.1;branch=x;rport , SIP/2.0/UDP p", "10.0.0.2:7000");
        let wanted = "SIP/2.0/UDP 10.0.0.1;branch=x;received=10.0.0.2;rport=7000 / SIP/2.0/UDP p / SIP/2.0/UDP last";
        assert_eq!((back.as_str(), vias.as_str()), ("10.0.0.2:7000", wanted));
        let (back, vias) = stamped("SIP/2.0/UDP 10.0.0.2:5070;branch=x", "10.0.0.2:7000");
        assert_eq!(
            (back.as_str(), vias.as_str()),
            ("10.0.0.2:5070", "SIP/2.0/UDP 10.0.0.2:5070;branch=x / SIP/2.0/UDP last")
        );
        let (back, vias) = stamped("SIP/2.0/UDP phone.test;branch=x", "10.0.0.2:7000");
        assert_eq!(back, "10.0.0.2:5060");
        assert!(vias.starts_with("SIP/2.0/UDP phone.test;branch=x;received=10.0.0.2 /"), "{vias}");
    }

    #[test]
    fn methods_are_open() {
        assert_eq!(Method::parse(b"INVITE"), Some(Method::Invite));
        assert_eq!(Method::parse(b"invite"), Some(Method::Other("invite".into())));
        assert_eq!(Method::parse(b"!a.b"), Some(Method::Other("!a.b".into())));
        assert_eq!(Method::parse(b"a b"), None);
        assert_eq!(Method::parse(b""), None);
        assert!(METHODS.iter().all(|(method, name)| method.as_str() == *name));
    }
}
