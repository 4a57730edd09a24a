//! A commit taken apart: what was signed, and the signature.
//!
//! The rules are Git's: the signature stands in one header, and what it is over is the commit without it. Where Git is
//! lenient this is not: a second signature, or a header that only looks like one, is refused.

/// Largest signature: one of RSA with 16,384 bits takes 3 KiB, one with an SSH certificate somewhat more.
const SIGNATURE_BYTES_MAX: usize = 64 * 1024;

/// What was signed, and by which signature.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) payload: Vec<u8>,
    pub(super) signature: String,
}

/// How a commit is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Ssh,
    OpenPgp,
    /// With a certificate, or in a way that nobody knows.
    Other,
}

impl Signed {
    pub(super) fn kind(&self) -> Kind {
        match self.signature.lines().next() {
            Some("-----BEGIN SSH SIGNATURE-----") => Kind::Ssh,
            Some("-----BEGIN PGP SIGNATURE-----") => Kind::OpenPgp,
            Some(_) | None => Kind::Other,
        }
    }
}

/// Takes a commit apart whose ids have this many digits; nothing if it has no signature, and why if that is none.
pub(super) fn take_apart(commit: &[u8], digits: usize) -> Result<Option<Signed>, &'static str> {
    let (own, foreign) = if digits == 40 { ("gpgsig", "gpgsig-sha256") } else { ("gpgsig-sha256", "gpgsig") };
    let mut payload = Vec::with_capacity(commit.len());
    let mut signature: Option<Vec<u8>> = None;
    let mut rest = commit;
    // A header goes on in lines that begin with a space; an empty line ends them all.
    while !rest.is_empty() && rest[0] != b'\n' {
        let (header, behind) = rest.split_at(header_length(rest));
        rest = behind;
        if let Some(value) = value_of(header, own) {
            if signature.replace(unfold(value)).is_some() {
                return Err("it has two signatures");
            }
        } else if value_of(header, foreign).is_some() {
            // One for the same commit with ids of the other form, which is no part of what was signed.
        } else if header.starts_with(b"gpgsig") {
            return Err("it has a header that only looks like a signature");
        } else {
            payload.extend_from_slice(header);
        }
    }
    payload.extend_from_slice(rest);
    let Some(signature) = signature else { return Ok(None) };
    if signature.len() > SIGNATURE_BYTES_MAX {
        return Err("its signature is too long");
    }
    let text = String::from_utf8(signature).ok().filter(|text| text.bytes().all(is_printed));
    Ok(Some(Signed { payload, signature: text.ok_or("its signature is no text")? }))
}

/// What a header of this name says.
fn value_of<'h>(header: &'h [u8], name: &str) -> Option<&'h [u8]> {
    header.strip_prefix(name.as_bytes())?.strip_prefix(b" ")
}

fn is_printed(byte: u8) -> bool {
    byte == b'\n' || (b' '..=b'~').contains(&byte)
}

/// Bytes of the first header, with the lines in which it goes on.
fn header_length(bytes: &[u8]) -> usize {
    let mut length = 0;
    loop {
        let line = bytes[length..].iter().position(|&byte| byte == b'\n');
        length = line.map_or(bytes.len(), |end| length + end + 1);
        if bytes.get(length) != Some(&b' ') {
            return length;
        }
    }
}

/// The value of a header, whose lines but the first begin with a space.
fn unfold(value: &[u8]) -> Vec<u8> {
    let mut unfolded = Vec::with_capacity(value.len());
    for line in value.split_inclusive(|&byte| byte == b'\n') {
        let line = if unfolded.is_empty() { line } else { line.strip_prefix(b" ").unwrap_or(line) };
        unfolded.extend_from_slice(line);
    }
    unfolded
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: &str = "tree 1\nauthor A\n";
    const END: &str = "\nSubject\n\ngpgsig no header\n";

    fn apart(headers: &str, digits: usize) -> Result<Option<Signed>, &'static str> {
        take_apart(format!("{BEGIN}{headers}{END}").as_bytes(), digits)
    }

    fn signed(headers: &str, digits: usize) -> (String, String) {
        let signed = apart(headers, digits).unwrap().unwrap();
        (String::from_utf8(signed.payload).unwrap(), signed.signature)
    }

    #[test]
    fn what_was_signed_is_the_commit_without_its_signature() {
        let (payload, signature) = signed("gpgsig -----BEGIN X-----\n \n abc\n -----END X-----\nencoding x\n", 40);
        assert_eq!(payload, format!("{BEGIN}encoding x\n{END}"));
        assert_eq!(signature, "-----BEGIN X-----\n\nabc\n-----END X-----\n");
        assert_eq!(apart("", 40), Ok(None));
        assert_eq!(take_apart(b"", 40), Ok(None));
    }

    #[test]
    fn the_other_form_of_ids_has_a_header_of_its_own() {
        let both = "gpgsig a\n a\ngpgsig-sha256 b\n b\n";
        let payload = format!("{BEGIN}{END}");
        assert_eq!(signed(both, 40), (payload.clone(), "a\na\n".to_owned()));
        assert_eq!(signed(both, 64), (payload, "b\nb\n".to_owned()));
        assert_eq!(apart("gpgsig-sha256 b\n", 40), Ok(None), "a signature of another commit");
    }

    #[test]
    fn what_is_signed_twice_or_only_seems_to_be_is_refused() {
        assert!(apart("gpgsig a\ngpgsig b\n", 40).is_err());
        assert!(apart("gpgsig a\nencoding x\ngpgsig a\n", 40).is_err());
        assert!(apart("gpgsigned a\n", 40).is_err());
        assert!(apart("gpgsig\n", 40).is_err() && take_apart(b"gpgsig", 40).is_err());
        assert!(apart("gpgsig a\u{e9}\n", 40).is_err());
        assert!(apart(&format!("gpgsig {}\n", "a".repeat(SIGNATURE_BYTES_MAX)), 40).is_err());
    }

    #[test]
    fn a_tag_that_was_merged_brings_no_signature() {
        let merged = "mergetag object 1\n tag v1\n \n gpgsig x\n -----BEGIN SSH SIGNATURE-----\n";
        assert_eq!(apart(merged, 40), Ok(None));
    }
}
