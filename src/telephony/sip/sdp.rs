//! The few things done to session descriptions (RFC 4566, RFC 3264): media goes phone to phone, so
//! they are passed on, given our own origin line, compared and answered, and hardly ever made.

use std::net::IpAddr;

/// Our origin in a description: the session and its version (RFC 3264 §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Number of the session, fixed for a leg.
    pub session: u64,
    /// Grows by one with each description that differs.
    pub version: u32,
    /// Our address.
    pub address: IpAddr,
}

impl Origin {
    fn line(self) -> String {
        let Self { session, version, address } = self;
        format!("o=dialops {session} {version} IN {} {address}", family(address))
    }
}

fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "IP4" } else { "IP6" }
}

/// An offer to send to and receive from `port`, where everything is thrown away: G.711 both ways and
/// telephone events. It is `sendrecv` because some phones never start sending after `inactive`.
#[must_use]
pub fn discard_offer(origin: Origin, port: u16) -> Vec<u8> {
    let address = origin.address;
    format!(
        "v=0\r\n{}\r\ns=-\r\nc=IN {} {address}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 0 101\r\n\
         a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
         a=sendrecv\r\n",
        origin.line(),
        family(address),
    )
    .into_bytes()
}

/// `description` as ours: the same but for the origin line.
#[must_use]
pub fn with_origin(description: &[u8], origin: Origin) -> Vec<u8> {
    let mut out = Vec::with_capacity(description.len() + 32);
    for line in lines(description) {
        if line.starts_with(b"o=") {
            out.extend_from_slice(origin.line().as_bytes());
        } else {
            out.extend_from_slice(line);
        }
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// The lines of a description, however they end.
fn lines(description: &[u8]) -> impl Iterator<Item = &[u8]> {
    description
        .split(|&b| b == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.is_empty())
}

/// Which way media flows, from the describing side's view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// It only sends.
    SendOnly,
    /// It only receives.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    fn of(line: &[u8]) -> Option<Self> {
        match line {
            b"a=sendrecv" => Some(Self::SendRecv),
            b"a=sendonly" => Some(Self::SendOnly),
            b"a=recvonly" => Some(Self::RecvOnly),
            b"a=inactive" => Some(Self::Inactive),
            _ => None,
        }
    }

    fn line(self) -> &'static str {
        match self {
            Self::SendRecv => "a=sendrecv",
            Self::SendOnly => "a=sendonly",
            Self::RecvOnly => "a=recvonly",
            Self::Inactive => "a=inactive",
        }
    }

    /// What may be answered to an offer of `self` by a side that would like `wanted` (RFC 3264 §6.1).
    #[must_use]
    pub fn answered_by(self, wanted: Self) -> Self {
        let sends =
            matches!(wanted, Self::SendRecv | Self::SendOnly) && matches!(self, Self::SendRecv | Self::RecvOnly);
        let receives =
            matches!(wanted, Self::SendRecv | Self::RecvOnly) && matches!(self, Self::SendRecv | Self::SendOnly);
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }
}

/// Where and how a side takes audio, for comparing descriptions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audio<'a> {
    /// Value of the `c=` line that holds for it.
    connection: &'a [u8],
    /// Port as written.
    port: &'a [u8],
    /// Transport profile.
    profile: &'a [u8],
    /// Payload types, in order.
    formats: &'a [u8],
    /// `a=rtpmap` and `a=fmtp` lines, in order.
    maps: Vec<&'a [u8]>,
    /// Which way.
    pub direction: Direction,
}

impl<'a> Audio<'a> {
    /// The first audio that `description` accepts; `None` when there is none or it is malformed.
    #[must_use]
    pub fn of(description: &'a [u8]) -> Option<Self> {
        let (session, media) = sections(description);
        let section = media.into_iter().find(|section| section[0].starts_with(b"m=audio "))?;
        let mut words = section[0][8..].splitn(3, |&b| b == b' ');
        let (port, profile, formats) = (words.next()?, words.next()?, words.next()?);
        let number = super::header::number(port.split(|&b| b == b'/').next()?)?;
        if number == 0 || number > u32::from(u16::MAX) {
            return None;
        }
        let connection = |lines: &[&'a [u8]]| lines.iter().find_map(|line| line.strip_prefix(b"c="));
        let direction = |lines: &[&'a [u8]]| lines.iter().find_map(|line| Direction::of(line));
        Some(Self {
            connection: connection(&section).or_else(|| connection(&session))?,
            port,
            profile,
            formats,
            maps: section
                .iter()
                .copied()
                .filter(|l| l.starts_with(b"a=rtpmap:") || l.starts_with(b"a=fmtp:"))
                .collect(),
            direction: direction(&section).or_else(|| direction(&session)).unwrap_or(Direction::SendRecv),
        })
    }

    /// Whether both are the same but for the direction: address, port and formats.
    #[must_use]
    pub fn same_place(&self, other: &Self) -> bool {
        let Self { connection, port, profile, formats, maps, direction: _ } = self;
        *connection == other.connection
            && *port == other.port
            && *profile == other.profile
            && *formats == other.formats
            && *maps == other.maps
    }
}

/// The session's lines, and each media section's.
fn sections(description: &[u8]) -> (Vec<&[u8]>, Vec<Vec<&[u8]>>) {
    let (mut session, mut media) = (Vec::new(), Vec::<Vec<&[u8]>>::new());
    for line in lines(description) {
        if line.starts_with(b"m=") {
            media.push(vec![line]);
        } else {
            media.last_mut().unwrap_or(&mut session).push(line);
        }
    }
    (session, media)
}

/// Whether both describe the same audio, direction included.
#[must_use]
pub fn same_audio(a: &[u8], b: &[u8]) -> bool {
    matches!((Audio::of(a), Audio::of(b)), (Some(a), Some(b)) if a == b)
}

/// Whether both describe the same audio but for the direction.
#[must_use]
pub fn same_place(a: &[u8], b: &[u8]) -> bool {
    matches!((Audio::of(a), Audio::of(b)), (Some(a), Some(b)) if a.same_place(&b))
}

/// Most media sections of an offer that is answered.
const SECTIONS_MAX: usize = 16;

/// The answer to `offer` that keeps what `local` describes: its audio answers the first audio, other
/// media are refused with port 0, and the direction is `wanted` as far as the offer allows. `None` when
/// the offer has no audio we could answer.
#[must_use]
pub fn answer(offer: &[u8], local: &[u8], wanted: Direction, origin: Origin) -> Option<Vec<u8>> {
    let direction = Audio::of(offer)?.direction.answered_by(wanted);
    Audio::of(local)?;
    let (_, offered_media) = sections(offer);
    if offered_media.len() > SECTIONS_MAX {
        return None;
    }
    let (session, media) = sections(local);
    let audio = media.iter().find(|section| section[0].starts_with(b"m=audio "))?;
    let mut out = Vec::with_capacity(local.len() + 32);
    let mut put = |line: &[u8]| {
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    };
    for line in session.into_iter().filter(|line| Direction::of(line).is_none()) {
        if line.starts_with(b"o=") { put(origin.line().as_bytes()) } else { put(line) }
    }
    let mut answered = false;
    for section in offered_media {
        let accepts = section[0].starts_with(b"m=audio ") && !section[0].starts_with(b"m=audio 0 ");
        if accepts && !answered {
            answered = true;
            audio.iter().filter(|line| Direction::of(line).is_none()).for_each(|line| put(line));
            put(direction.line().as_bytes());
        } else {
            put(&refused(section[0])?);
        }
    }
    Some(out)
}

/// `m=` line of a refused medium: the same with port 0.
fn refused(line: &[u8]) -> Option<Vec<u8>> {
    let mut words = line.splitn(3, |&b| b == b' ');
    let (kind, _port, rest) = (words.next()?, words.next()?, words.next()?);
    Some([kind, b" 0 ", rest].concat())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn origin(version: u32) -> Origin {
        Origin { session: 7, version, address: "127.0.0.1".parse().unwrap() }
    }

    const PHONE: &[u8] = b"v=0\r\no=x 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n\
        m=audio 4000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=sendrecv\r\n";

    fn text(description: Vec<u8>) -> String {
        String::from_utf8(description).unwrap()
    }

    #[test]
    fn a_discard_offer_is_audio_both_ways() {
        let offer = discard_offer(origin(1), 4002);
        let audio = Audio::of(&offer).unwrap();
        assert_eq!((audio.port, audio.formats, audio.direction), (&b"4002"[..], &b"8 0 101"[..], Direction::SendRecv));
        assert!(text(offer).contains("o=dialops 7 1 IN IP4 127.0.0.1\r\n"));
    }

    #[test]
    fn the_origin_is_ours_and_nothing_else_changes() {
        let passed = with_origin(PHONE, origin(2));
        assert!(same_audio(PHONE, &passed));
        let wanted = text(PHONE.to_vec()).replace("o=x 1 1 IN IP4 10.0.0.1", "o=dialops 7 2 IN IP4 127.0.0.1");
        assert_eq!(text(passed), wanted);
    }

    #[test]
    fn compares_place_and_direction_apart() {
        let held = text(PHONE.to_vec()).replace("sendrecv", "sendonly").into_bytes();
        let moved = text(PHONE.to_vec()).replace("4000", "4002").into_bytes();
        let other = text(PHONE.to_vec()).replace("AVP 8", "AVP 8 0").into_bytes();
        assert!(same_place(PHONE, &held) && !same_audio(PHONE, &held));
        assert!(!same_place(PHONE, &moved) && !same_place(PHONE, &other));
        assert!(!same_audio(PHONE, b"garbage") && !same_audio(b"", b""));
    }

    #[test]
    fn refused_audio_is_none() {
        for bad in ["m=audio 0 RTP/AVP 8", "m=audio x RTP/AVP 8", "m=audio 70000 RTP/AVP 8", "m=audio", "m=video 1 x 2"]
        {
            let description = format!("v=0\nc=IN IP4 1.2.3.4\n{bad}\n");
            assert_eq!(Audio::of(description.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn hold_is_answered_in_kind_and_video_refused() {
        let offer = b"v=0\r\no=y 1 2 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=video 9 RTP/AVP 99\r\n\
            m=audio 5000 RTP/AVP 8 0\r\na=sendonly\r\nm=audio 5002 RTP/AVP 8\r\n";
        let answer = answer(offer, PHONE, Direction::SendRecv, origin(3)).unwrap();
        let audio = Audio::of(&answer).unwrap();
        assert_eq!((audio.port, audio.direction), (&b"4000"[..], Direction::RecvOnly));
        let answer = text(answer);
        assert!(answer.contains("m=video 0 RTP/AVP 99\r\nm=audio 4000"), "{answer}");
        assert!(answer.ends_with("a=recvonly\r\nm=audio 0 RTP/AVP 8\r\n"), "{answer}");
        assert!(super::answer(b"v=0\r\n", PHONE, Direction::SendRecv, origin(3)).is_none());
    }

    #[test]
    fn directions_follow_rfc_3264() {
        use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
        assert_eq!(SendRecv.answered_by(SendRecv), SendRecv);
        assert_eq!(SendOnly.answered_by(SendRecv), RecvOnly);
        assert_eq!(RecvOnly.answered_by(SendRecv), SendOnly);
        assert_eq!(SendOnly.answered_by(SendOnly), Inactive);
        assert_eq!(Inactive.answered_by(SendRecv), Inactive);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(prop::sample::select(b"vomca=audio 0189/\r\n:x".to_vec()), 0..120)) {
            let _ = (Audio::of(&bytes), with_origin(&bytes, origin(1)), answer(&bytes, PHONE, Direction::SendRecv, origin(1)));
            let _ = answer(PHONE, &bytes, Direction::SendRecv, origin(1));
        }
    }
}
