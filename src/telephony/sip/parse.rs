//! From a datagram to a [`Message`] (RFC 3261 §7, §18.3), or to the reason why not.
//!
//! What isn't needed may be malformed and is skipped; what is needed must be sound. A request that
//! can't be used, but whose headers are readable, comes back with the status to answer it with.

use super::{
    header::{Name, number, trim},
    message::{Field, Message, Method, Span, Start},
};

/// Most header lines of a message.
pub const FIELDS_MAX: usize = 200;

/// Most bytes before the body; real messages have a tenth of it.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Empty lines keep a NAT's mapping alive (RFC 5626 §3.5.1).
const KEEP_ALIVE: &str = "empty: a keep-alive";

/// Why a datagram is not a usable message.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct Unusable {
    /// What is wrong.
    pub why: &'static str,
    /// The status to answer with and the request as far as it was read; `None` when no answer is
    /// due or possible.
    pub answer: Option<(u16, Box<Message>)>,
}

impl Unusable {
    /// Whether it was never meant to be one.
    #[must_use]
    pub fn is_keep_alive(&self) -> bool {
        self.why == KEEP_ALIVE
    }

    fn silent(why: &'static str) -> Self {
        Self { why, answer: None }
    }

    /// Answered if it is a request that takes an answer.
    fn of(why: &'static str, status: u16, message: Message) -> Self {
        let answered = message.method().is_some_and(|method| *method != Method::Ack) && message.via().is_some();
        Self { why, answer: answered.then(|| (status, Box::new(message))) }
    }
}

impl Message {
    /// Parses one datagram.
    pub fn parse(mut datagram: Vec<u8>) -> Result<Self, Unusable> {
        let mut at = datagram.iter().position(|b| !matches!(b, b'\r' | b'\n')).unwrap_or(datagram.len());
        if at == datagram.len() {
            return Err(Unusable::silent(KEEP_ALIVE));
        }
        let line = next_line(&datagram, &mut at).ok_or_else(|| Unusable::silent("no end of the first line"))?;
        let (start, fault) = start_line(&datagram, line).ok_or_else(|| Unusable::silent("not SIP"))?;
        let mut message = Self { buffer: Vec::new(), start, fields: Vec::with_capacity(16), body: Span::default() };
        let complete = head(&mut datagram, &mut at, &mut message.fields)?;
        message.body = Span::new(at, datagram.len());
        message.buffer = datagram;
        if let Some((why, status)) = fault {
            return Err(Unusable::of(why, status, message));
        }
        if !complete {
            return Err(Unusable::of("no empty line after the headers", 400, message));
        }
        match check(&message).and_then(|()| frame(&mut message)) {
            Ok(()) => Ok(message),
            Err(why) => Err(Unusable::of(why, 400, message)),
        }
    }
}

/// The next line without its end; moves `at` behind it.
fn next_line(text: &[u8], at: &mut usize) -> Option<Span> {
    let start = *at;
    let end = start + text[start..].iter().position(|&b| b == b'\n')?;
    *at = end + 1;
    let end = if end > start && text[end - 1] == b'\r' { end - 1 } else { end };
    Some(Span::new(start, end))
}

/// What is wrong with a first line that can still be answered.
type Fault = Option<(&'static str, u16)>;

fn start_line(text: &[u8], line: Span) -> Option<(Start, Fault)> {
    let start = line.start as usize;
    let bytes = &text[start..line.end as usize];
    if let Some(rest) = strip_version(bytes) {
        let status = number(rest.get(..3)?).filter(|s| (100..700).contains(s))?;
        let reason = match rest.get(3) {
            None => line.end as usize,
            Some(b' ') => start + (bytes.len() - rest.len()) + 4,
            Some(_) => return None,
        };
        let status = u16::try_from(status).ok()?;
        return Some((Start::Response { status, reason: Span::new(reason, line.end as usize) }, None));
    }
    let first = bytes.iter().position(|&b| b == b' ')?;
    let last = bytes.iter().rposition(|&b| b == b' ')?;
    let method = Method::parse(&bytes[..first])?;
    let version = trim(&bytes[last..]);
    let uri = bytes.get(first + 1..last).unwrap_or_default();
    let fault = if !version.is_empty() && !version.eq_ignore_ascii_case(b"SIP/2.0") && version.starts_with(b"SIP/") {
        Some(("another version of SIP", 505))
    } else if !version.eq_ignore_ascii_case(b"SIP/2.0") {
        Some(("no version at the end of the first line", 400))
    } else if uri.is_empty() || uri.iter().any(|b| *b <= b' ' || matches!(b, b'<' | b'>' | b'"')) || !uri.is_ascii() {
        Some(("malformed Request-URI", 400))
    } else {
        None
    };
    let uri = Span::new(start + first + 1, start + last.max(first + 1));
    Some((Start::Request { method, uri }, fault))
}

fn strip_version(line: &[u8]) -> Option<&[u8]> {
    let (version, rest) = line.split_at_checked(8)?;
    if version.eq_ignore_ascii_case(b"SIP/2.0 ") { Some(rest) } else { None }
}

/// Reads header lines up to the empty one, whose presence it returns; folded lines are joined in place.
fn head(text: &mut [u8], at: &mut usize, fields: &mut Vec<Field>) -> Result<bool, Unusable> {
    let begin = *at;
    while let Some(line) = next_line(text, at) {
        if line.start == line.end {
            return Ok(true);
        }
        if fields.len() == FIELDS_MAX || *at - begin > HEAD_BYTES_MAX {
            return Err(Unusable::silent("too many or too long headers"));
        }
        let (start, mut end) = (line.start as usize, line.end as usize);
        if matches!(text[start], b' ' | b'\t') {
            // A fold of nothing: the line before was not a header.
            continue;
        }
        while matches!(text.get(*at), Some(b' ' | b'\t')) {
            let from = end;
            let Some(more) = next_line(text, at) else { break };
            text[from..more.start as usize].fill(b' ');
            end = more.end as usize;
        }
        fields.extend(field(text, start, end));
    }
    *at = text.len();
    Ok(false)
}

/// One header line; `None` when it isn't one.
fn field(text: &mut [u8], start: usize, end: usize) -> Option<Field> {
    for byte in &mut text[start..end] {
        if matches!(byte, b'\r' | 0) {
            *byte = b' ';
        }
    }
    let colon = start + text[start..end].iter().position(|&b| b == b':')?;
    let written = trimmed(text, start, colon);
    let name = &text[written.start as usize..written.end as usize];
    super::header::is_token(name).then(|| Field { name: Name::of(name), written, value: trimmed(text, colon + 1, end) })
}

/// `start..end` without the blanks at both ends.
fn trimmed(text: &[u8], mut start: usize, mut end: usize) -> Span {
    let blank = |at: usize| matches!(text[at], b' ' | b'\t');
    while start < end && blank(start) {
        start += 1;
    }
    while end > start && blank(end - 1) {
        end -= 1;
    }
    Span::new(start, end)
}

/// Whether everything that answering and routing needs is there, once, and sound.
fn check(message: &Message) -> Result<(), &'static str> {
    for (name, why) in [
        (Name::From, "From missing or repeated"),
        (Name::To, "To missing or repeated"),
        (Name::CallId, "Call-ID missing or repeated"),
        (Name::CSeq, "CSeq missing or repeated"),
    ] {
        if message.values(name).count() != 1 {
            return Err(why);
        }
    }
    message.via().ok_or("Via missing or malformed")?;
    message.from().ok_or("malformed From")?;
    message.to().ok_or("malformed To")?;
    if message.call_id().is_empty() || message.call_id().bytes().any(|b| b <= b' ') {
        return Err("malformed Call-ID");
    }
    let cseq = message.cseq().ok_or("malformed CSeq")?;
    if message.method().is_some_and(|method| *method != cseq.method) {
        return Err("the CSeq's method is not the request's");
    }
    Ok(())
}

/// Cuts the body to `Content-Length`; without one it is the rest of the datagram.
fn frame(message: &mut Message) -> Result<(), &'static str> {
    let Some(first) = message.value(Name::ContentLength).map(number) else { return Ok(()) };
    let length = first.ok_or("malformed Content-Length")?;
    if message.values(Name::ContentLength).any(|other| number(other) != first) {
        return Err("several Content-Lengths");
    }
    let available = message.body.end - message.body.start;
    if length > available {
        return Err("shorter than its Content-Length");
    }
    message.body.end = message.body.start + length;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Message, Unusable> {
        Message::parse(text.as_bytes().to_vec())
    }

    /// The status that `text` is answered with; 0 for silence.
    fn refused(text: &str) -> u16 {
        parse(text).unwrap_err().answer.map_or(0, |(status, _)| status)
    }

    const HEADERS: &str =
        "Via: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: i\r\n";

    fn options(more: &str) -> String {
        format!("OPTIONS sip:c@d SIP/2.0\r\n{HEADERS}CSeq: 1 OPTIONS\r\n{more}\r\n")
    }

    #[test]
    fn compact_names_folds_and_blanks() {
        let text = "INVITE sip:c@d SIP/2.0\r\nTO :\r\n sip:c@d ;  tag    = 1918181833n\r\n\
            f: \"J \\\\\\\"\" <sip:j@x>\r\n  ;\r\n  tag = 98asjd8\r\nMax-Forwards: 0068\r\nCall-ID: w\r\n\
            cseq: 0009\r\n  INVITE\r\nv:  SIP  / 2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw\r\ns :\r\n\
            Unknown:\r\n  new\r\n  folded\r\nc: application/sdp\r\nl: 3\r\n\r\nv=0 and more";
        let message = parse(text).unwrap();
        assert_eq!((message.to_tag(), message.from_tag(), message.call_id()), ("1918181833n", "98asjd8", "w"));
        assert_eq!(message.cseq().unwrap().number, 9);
        let via = message.via().unwrap();
        assert_eq!((via.transport, via.sent_by, via.branch()), ("UDP", "192.0.2.2", "390skdjuw"));
        assert_eq!(message.other("unknown"), Some(&b"new    folded"[..]));
        assert_eq!(message.sdp(), Some(&b"v=0"[..]));
    }

    #[test]
    fn body_length_rules() {
        assert_eq!(parse(&(options("") + "rest")).unwrap().body(), b"rest");
        assert_eq!(parse(&(options("Content-Length: 2\r\n") + "rest")).unwrap().body(), b"re");
        assert_eq!(refused(&options("Content-Length: 1\r\n")), 400);
        assert_eq!(refused(&options("Content-Length: x\r\n")), 400);
        assert_eq!(refused(&options("Content-Length: -1\r\n")), 400);
        assert_eq!(refused(&options("Content-Length: 0\r\nl: 1\r\n")), 400);
    }

    #[test]
    fn a_response_with_a_bad_length_is_dropped() {
        let text = format!("SIP/2.0 200 OK\r\n{HEADERS}CSeq: 1 INVITE\r\nContent-Length: 9\r\n\r\n");
        assert_eq!(refused(&text), 0);
    }

    #[test]
    fn stray_bytes_in_headers_harm_nobody() {
        let mut text = options("X-Name: ").into_bytes();
        text.truncate(text.len() - 2);
        text.extend_from_slice(b"\xff\x80\r\nSubject: \xc3\x28\r\nUser-Agent: after\r\n\r\n");
        let message = Message::parse(text).unwrap();
        assert_eq!(message.value(Name::UserAgent), Some(&b"after"[..]));
        assert_eq!(message.other("x-name"), Some(&b"\xff\x80"[..]));
        assert!(message.to_bytes().windows(2).any(|w| w == b"\xff\x80"));
    }

    /// Written after the cases of RFC 4475; the messages are ours.
    #[test]
    fn torture() {
        let line = |first: &str, cseq: &str| format!("{first}\r\n{HEADERS}CSeq: {cseq}\r\n\r\n");
        // §3.1.1.2: a method of any token; §3.1.1.7: long values.
        assert!(parse(&line("!int%Meth.*_+`'~ sip:x@y SIP/2.0", "1 !int%Meth.*_+`'~")).is_ok());
        assert!(parse(&options(&format!("X-Long: {}\r\n", "a".repeat(4000)))).is_ok());
        // §3.1.1.11: status words of any kind; §3.1.1.13: none.
        assert!(parse(&line("SIP/2.0 200 = 2**3 * 5**2 \u{43d}\u{43e}", "1 INVITE")).is_ok());
        assert!(parse(&line("SIP/2.0 100 ", "1 INVITE")).is_ok());
        // §3.1.2.3 to .6: lengths, scalars.
        assert_eq!(refused(&line("OPTIONS sip:x@y SIP/2.0", "36893488147419103232 OPTIONS")), 400);
        assert_eq!(refused(&line("SIP/2.0 200 OK", "9292394834772304023312 OPTIONS")), 0);
        // §3.1.2.9 to .12: angles, blanks inside and behind the first line.
        assert_eq!(refused(&line("OPTIONS <sip:x@y> SIP/2.0", "1 OPTIONS")), 400);
        assert_eq!(refused(&line("OPTIONS sip:x@y; lr SIP/2.0", "1 OPTIONS")), 400);
        assert_eq!(refused(&line("OPTIONS  sip:x@y  SIP/2.0", "1 OPTIONS")), 400);
        assert_eq!(refused(&line("OPTIONS sip:x@y SIP/2.0  ", "1 OPTIONS")), 400);
        // §3.1.2.16 and .17: another version, two methods.
        assert_eq!(refused(&line("OPTIONS sip:x@y SIP/7.0", "1 OPTIONS")), 505);
        assert_eq!(refused(&line("OPTIONS sip:x@y SIP/2.0", "1 INVITE")), 400);
        // §3.1.2.19: a status beyond all.
        assert_eq!(refused(&line("SIP/2.0 4294967301 better", "1 INVITE")), 0);
        // §3.3.1: missing headers; §3.3.8: repeated ones.
        assert_eq!(refused("OPTIONS sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nCSeq: 1 OPTIONS\r\n\r\n"), 400);
        assert_eq!(refused(&options("Call-ID: two\r\n")), 400);
        // No answer to an ACK, nor without a readable Via.
        assert_eq!(refused(&line("ACK sip:x@y SIP/2.0", "1 OPTIONS")), 0);
        assert_eq!(refused("OPTIONS sip:x@y SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n"), 0);
        // Lines that aren't headers are skipped.
        assert!(parse(&options("no colon here\r\n : nameless\r\n")).is_ok());
    }

    #[test]
    fn limits() {
        assert_eq!(refused(&options(&"A: b\r\n".repeat(300))), 0);
        assert_eq!(refused(&options(&format!("A: {}\r\n", "b".repeat(HEAD_BYTES_MAX)))), 0);
        assert_eq!(refused("\r\n\r\n"), 0);
        assert_eq!(refused(&options("")[..40]), 0);
        let cut = options("");
        assert_eq!(refused(&cut[..cut.len() - 2]), 400);
    }

    fn exercise(message: &Message) {
        let _ = (message.via(), message.contact(), message.cseq(), message.sdp(), message.uri());
        let _ = (message.from_tag(), message.to_tag(), message.list(Name::Route).count());
        let _ = Message::respond_to(message, 400, Some("t")).to_bytes();
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Message::parse(bytes);
        }

        #[test]
        fn mutated_messages_never_panic(
            edits in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"\r\n \t:;,<>\"=/@\0\xffx9".to_vec()), any::<bool>()), 1..12),
        ) {
            let mut bytes = (options("Contact: \"q\" <sip:x@127.0.0.1:1;lr>;q=1\r\nl: 4\r\n") + "v=0\n").into_bytes();
            for (place, byte, insert) in edits {
                let at = place.index(bytes.len());
                if insert { bytes.insert(at, byte) } else { bytes[at] = byte }
            }
            match Message::parse(bytes) {
                Ok(message) => exercise(&message),
                Err(unusable) => if let Some((_, message)) = unusable.answer { exercise(&message) },
            }
        }

        #[test]
        fn what_is_written_reads_the_same(
            values in prop::collection::vec("[ -~]{0,30}", 0..6), body in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut message = parse(&options("")).unwrap();
            for value in &values {
                message.push_other("X-Value", value.trim());
            }
            message.set_body("application/sdp", &body);
            let again = Message::parse(message.to_bytes()).unwrap();
            prop_assert_eq!(again.to_bytes(), message.to_bytes());
            prop_assert_eq!(again.body(), &body[..]);
        }
    }
}
