//! Digest authentication, client side (RFC 2617, RFC 7616, RFC 8760).

use std::fmt::{self, Write};

use md5::Md5;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256, Sha512_256};

use super::{
    header::{Name, Params, split, text, trim, unquote},
    message::{Message, Method},
};

/// What we prove ourselves with.
#[derive(Debug, Clone)]
pub struct Credential {
    /// User name.
    pub username: String,
    /// Password.
    pub password: SecretString,
}

/// A hash function, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hash {
    Md5,
    Sha256,
    Sha512_256,
}

impl Hash {
    fn hex(self, input: &[u8]) -> String {
        fn hex(bytes: &[u8]) -> String {
            bytes.iter().fold(String::with_capacity(64), |mut out, byte| {
                // Writing to a String can't fail.
                let _ = write!(out, "{byte:02x}");
                out
            })
        }
        match self {
            Self::Md5 => hex(&Md5::digest(input)),
            Self::Sha256 => hex(&Sha256::digest(input)),
            Self::Sha512_256 => hex(&Sha512_256::digest(input)),
        }
    }
}

/// Whom an answer to a challenge is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Challenger {
    /// The called side (401).
    Server,
    /// A proxy on the way (407).
    Proxy,
}

/// Protection that the challenger asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quality {
    /// None: RFC 2069.
    Plain,
    Auth,
    AuthInt,
}

/// One challenge that we can answer. Texts are as they stood between the quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    from: Challenger,
    hash: Hash,
    session: bool,
    quality: Quality,
    /// The algorithm as written; empty when the challenge named none.
    algorithm: String,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    /// Our earlier answer was right, only its nonce too old.
    stale: bool,
}

impl Challenge {
    fn parse(from: Challenger, parameters: Params<'_>) -> Option<Self> {
        let value = |name| parameters.value(name).map(unquote).and_then(text);
        let algorithm = value("algorithm").unwrap_or_default();
        let (base, session) = match algorithm.len().checked_sub(5).and_then(|at| algorithm.split_at_checked(at)) {
            Some((base, suffix)) if suffix.eq_ignore_ascii_case("-sess") => (base, true),
            _ => (algorithm, false),
        };
        let hash = [("", Hash::Md5), ("MD5", Hash::Md5), ("SHA-256", Hash::Sha256), ("SHA-512-256", Hash::Sha512_256)]
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(base))?
            .1;
        let quality = match value("qop") {
            None => Quality::Plain,
            Some(offered) => {
                let offers = |wanted: &str| offered.split(',').any(|q| q.trim().eq_ignore_ascii_case(wanted));
                if offers("auth") {
                    Quality::Auth
                } else if offers("auth-int") {
                    Quality::AuthInt
                } else {
                    return None;
                }
            }
        };
        Some(Self {
            from,
            hash,
            session,
            quality,
            algorithm: algorithm.to_owned(),
            realm: value("realm")?.to_owned(),
            nonce: value("nonce")?.to_owned(),
            opaque: value("opaque").map(str::to_owned),
            stale: value("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }

    /// The challenges of a 401 or 407 that we can answer: for each realm the one with the best hash.
    #[must_use]
    pub fn all(response: &Message) -> Vec<Self> {
        let mut best: Vec<Self> = Vec::new();
        for (from, name) in [(Challenger::Server, Name::WwwAuthenticate), (Challenger::Proxy, Name::ProxyAuthenticate)]
        {
            for parameters in response.values(name).flat_map(digest_schemes) {
                let Some(new) = Self::parse(from, Params::of(&parameters)) else { continue };
                match best.iter_mut().find(|old| old.same_protection(&new)) {
                    Some(old) if old.hash < new.hash => *old = new,
                    Some(_) => {}
                    None => best.push(new),
                }
            }
        }
        best
    }

    fn same_protection(&self, other: &Self) -> bool {
        self.from == other.from && self.realm == other.realm
    }
}

/// The parameters of each `Digest` challenge of one header line, joined by `;`; other schemes are
/// left out. One line may hold several challenges, and commas separate both these and parameters.
fn digest_schemes(line: &[u8]) -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    let mut in_digest = false;
    for element in split(line, b',') {
        let blank = element.iter().position(|b| matches!(b, b' ' | b'\t'));
        let equals = element.iter().position(|&b| b == b'=').unwrap_or(element.len());
        // `scheme name=value` opens a challenge; `name=value` and `name = value` belong to the last.
        let parameter = match blank {
            Some(gap) if gap < equals && !trim(&element[gap..]).starts_with(b"=") => {
                in_digest = element[..gap].eq_ignore_ascii_case(b"Digest");
                if in_digest {
                    found.push(Vec::new());
                }
                trim(&element[gap..])
            }
            _ => element,
        };
        if let (true, Some(parameters)) = (in_digest, found.last_mut()) {
            parameters.push(b';');
            parameters.extend_from_slice(parameter);
        }
    }
    found
}

/// A challenge taken up: answers requests until the challenger refuses.
#[derive(Debug, Clone)]
struct Session {
    challenge: Challenge,
    /// Requests answered with this nonce.
    count: u32,
    /// Fixed for the session, as `-sess` wants it.
    cnonce: String,
}

/// What authentication needs to know of a request.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Method.
    pub method: &'a Method,
    /// Request-URI.
    pub uri: &'a str,
    /// Body, for `auth-int`.
    pub body: &'a [u8],
}

impl Session {
    /// The value of the (Proxy-)Authorization header for one more request.
    fn answer(&mut self, credential: &Credential, asked: Asked<'_>) -> String {
        self.count += 1;
        let Self { challenge, count, cnonce } = self;
        let Challenge { hash, realm, nonce, quality, .. } = challenge;
        let username = credential.username.replace('\\', "\\\\").replace('"', "\\\"");
        let mut a1 = hash.hex(format!("{username}:{realm}:{}", credential.password.expose_secret()).as_bytes());
        if challenge.session {
            a1 = hash.hex(format!("{a1}:{nonce}:{cnonce}").as_bytes());
        }
        let Asked { method, uri, body } = asked;
        let a2 = match quality {
            Quality::AuthInt => hash.hex(format!("{method}:{uri}:{}", hash.hex(body)).as_bytes()),
            Quality::Plain | Quality::Auth => hash.hex(format!("{method}:{uri}").as_bytes()),
        };
        let qop = if *quality == Quality::AuthInt { "auth-int" } else { "auth" };
        let response = match quality {
            Quality::Plain => hash.hex(format!("{a1}:{nonce}:{a2}").as_bytes()),
            _ => hash.hex(format!("{a1}:{nonce}:{count:08x}:{cnonce}:{qop}:{a2}").as_bytes()),
        };
        let mut out = format!(
            "Digest username=\"{username}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\""
        );
        // Writing to a String can't fail. `algorithm`, `qop` and `nc` stand without quotes.
        if !challenge.algorithm.is_empty() {
            let _ = write!(out, ", algorithm={}", challenge.algorithm);
        }
        if *quality != Quality::Plain || challenge.session {
            let _ = write!(out, ", cnonce=\"{cnonce}\"");
        }
        if *quality != Quality::Plain {
            let _ = write!(out, ", qop={qop}, nc={count:08x}");
        }
        if let Some(opaque) = &challenge.opaque {
            let _ = write!(out, ", opaque=\"{opaque}\"");
        }
        out
    }
}

/// All challenges that one leg has taken up, and whether another one is worth an answer.
#[derive(Clone, Default)]
pub struct Authentication {
    sessions: Vec<Session>,
    /// Headers of the newest INVITE, which its ACK repeats (RFC 3261 §22.1).
    invite: Vec<(Name, Box<str>)>,
}

impl fmt::Debug for Authentication {
    /// Proofs of a password don't belong into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authentication({} realms)", self.sessions.len())
    }
}

/// Most realms answered in one leg: the called side and a few proxies.
const SESSIONS_MAX: usize = 4;

impl Authentication {
    /// Takes up the challenges of `response` to a request that we sent `fresh`ly authenticated or
    /// not. False when there is nothing new to try: no challenge we understand, or the credential
    /// itself was refused.
    pub fn take_up(&mut self, response: &Message, cnonce: &str, fresh: bool) -> bool {
        let mut progress = false;
        for challenge in Challenge::all(response) {
            let known = self.sessions.iter().position(|session| session.challenge.same_protection(&challenge));
            if let Some(old) = known.map(|at| &self.sessions[at].challenge) {
                // This realm was answered for this very request: only an old nonce excuses that.
                if fresh && !(challenge.stale && old.nonce != challenge.nonce) {
                    return false;
                }
            }
            let session = Session { challenge, count: 0, cnonce: cnonce.to_owned() };
            match known {
                Some(at) => self.sessions[at] = session,
                None if self.sessions.len() < SESSIONS_MAX => self.sessions.push(session),
                None => continue,
            }
            progress = true;
        }
        progress
    }

    /// Adds an answer to every challenge taken up so far.
    pub fn sign(&mut self, request: &mut Message, credential: &Credential) {
        let Some(method) = request.method().cloned() else { return };
        let headers: Vec<(Name, Box<str>)> = self
            .sessions
            .iter_mut()
            .map(|session| {
                let asked = Asked { method: &method, uri: request.uri(), body: request.body() };
                let name = match session.challenge.from {
                    Challenger::Server => Name::Authorization,
                    Challenger::Proxy => Name::ProxyAuthorization,
                };
                (name, session.answer(credential, asked).into_boxed_str())
            })
            .collect();
        for (name, value) in &headers {
            request.push(*name, value);
        }
        if method == Method::Invite {
            self.invite = headers;
        }
    }

    /// Adds what the newest INVITE carried, for its ACK.
    pub fn repeat(&self, ack: &mut Message) {
        for (name, value) in &self.invite {
            ack.push(*name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenged(status: u16, name: Name, values: &[&str]) -> Message {
        let mut response = Message::response(status, "x");
        values.iter().for_each(|value| response.push(name, value));
        response
    }

    fn credential(username: &str, password: &str) -> Credential {
        Credential { username: username.to_owned(), password: password.to_owned().into() }
    }

    fn answer(challenge: &str, cnonce: &str, asked: Asked<'_>, credential: &Credential) -> String {
        let challenge = Challenge::all(&challenged(401, Name::WwwAuthenticate, &[challenge])).remove(0);
        Session { challenge, count: 0, cnonce: cnonce.to_owned() }.answer(credential, asked)
    }

    const GET: Asked<'static> = Asked { method: &Method::Options, uri: "/dir/index.html", body: b"" };

    fn get() -> Method {
        Method::Other("GET".into())
    }

    #[test]
    fn rfc_2617_example() {
        let header = answer(
            "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", \
             nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
            "0a4f113b",
            Asked { method: &get(), ..GET },
            &credential("Mufasa", "Circle Of Life"),
        );
        assert!(header.contains("response=\"6629fae49393a05397450978507c4ef1\""), "{header}");
        assert!(header.contains(", qop=auth, nc=00000001"), "{header}");
        assert!(header.contains("opaque=\"5ccc069c403ebaf9f0171e9517f40e41\""), "{header}");
        assert!(!header.contains("algorithm"), "{header}");
    }

    #[test]
    fn rfc_7616_examples() {
        let tail = "realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
            nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let header = answer(
                &format!("Digest {tail}, algorithm={algorithm}"),
                "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
                Asked { method: &get(), ..GET },
                &credential("Mufasa", "Circle of Life"),
            );
            assert!(header.contains(&format!("response=\"{response}\"")), "{header}");
            assert!(header.contains(&format!(", algorithm={algorithm},")), "{header}");
        }
    }

    #[test]
    fn best_algorithm_of_several_challenges_in_one_line_or_many() {
        let md5 = "Digest realm=\"r, s\" , nonce=\"n1\",algorithm=MD5, qop=\"auth\"";
        let sha = "DIGEST realm=\"r, s\", nonce = \"n2\", algorithm=\"SHA-256\", qop=auth";
        let unknown = "Digest realm=\"r, s\", nonce=\"n3\", algorithm=SHA-9";
        let lines = challenged(401, Name::WwwAuthenticate, &["Basic realm=\"r\"", md5, sha, unknown]);
        let joined = challenged(401, Name::WwwAuthenticate, &[&format!("{md5}, Basic realm=\"x\", {sha}, {unknown}")]);
        for response in [lines, joined] {
            let found = Challenge::all(&response);
            assert_eq!(found.len(), 1);
            assert_eq!((found[0].hash, found[0].nonce.as_str()), (Hash::Sha256, "n2"));
        }
    }

    #[test]
    fn server_and_proxy_are_answered_apart() {
        let mut response = challenged(407, Name::ProxyAuthenticate, &["Digest realm=\"p\", nonce=\"1\""]);
        response.push(Name::WwwAuthenticate, "Digest realm=\"s\", nonce=\"2\"");
        let mut auth = Authentication::default();
        assert!(auth.take_up(&response, "c", false));
        let mut request = Message::request(Method::Invite, "sip:a@b");
        auth.sign(&mut request, &credential("u", "p"));
        assert!(text(request.value(Name::Authorization).unwrap()).unwrap().contains("realm=\"s\""));
        assert!(text(request.value(Name::ProxyAuthorization).unwrap()).unwrap().contains("realm=\"p\""));
        let mut ack = Message::request(Method::Ack, "sip:a@b");
        auth.repeat(&mut ack);
        assert_eq!(ack.value(Name::Authorization), request.value(Name::Authorization));
    }

    #[test]
    fn one_retry_per_credential_and_more_for_stale() {
        let first = challenged(401, Name::WwwAuthenticate, &["Digest realm=\"r\", nonce=\"1\", qop=\"auth\""]);
        let again = challenged(401, Name::WwwAuthenticate, &["Digest realm=\"r\", nonce=\"2\", qop=\"auth\""]);
        let stale = challenged(401, Name::WwwAuthenticate, &["Digest realm=\"r\", nonce=\"3\", stale=TRUE"]);
        let mut auth = Authentication::default();
        assert!(auth.take_up(&first, "c", false));
        assert!(!auth.take_up(&again, "c", true));
        assert!(auth.take_up(&stale, "c", true));
        assert!(!auth.take_up(&stale, "c", true), "the same nonce can't be stale twice");
        // A later request used the old nonce unasked; a new one is no refusal of the credential.
        assert!(auth.take_up(&again, "c", false));
        assert!(!Authentication::default().take_up(&Message::response(401, "x"), "c", false));
    }

    #[test]
    fn nonce_counts_up() {
        let response = challenged(401, Name::WwwAuthenticate, &["Digest realm=\"r\", nonce=\"1\", qop=\"auth\""]);
        let mut auth = Authentication::default();
        assert!(auth.take_up(&response, "c", false));
        for wanted in ["nc=00000001", "nc=00000002"] {
            let mut request = Message::request(Method::Bye, "sip:a@b");
            auth.sign(&mut request, &credential("u", "p"));
            assert!(text(request.value(Name::Authorization).unwrap()).unwrap().contains(wanted));
        }
    }
}
