//! The packet inside an OpenPGP signature's text (RFC 9580, sections 4 and 6).

const BEGIN: &str = "-----BEGIN PGP SIGNATURE-----\n";
const END: &str = "-----END PGP SIGNATURE-----";

/// The number of packets that are signatures.
const SIGNATURE: u8 = 2;

/// Digits of base64 in a line.
const LINE_LENGTH: usize = 64;

/// The signature's text again, if it is nothing but one packet that is a signature.
pub(super) fn sole_packet(armored: &str) -> Option<String> {
    let body = armored.strip_prefix(BEGIN)?.trim_end().strip_suffix(END)?;
    // Headers, of which there may be none, end with an empty line.
    let digits = match body.strip_prefix('\n') {
        Some(digits) => digits,
        None => body.split_once("\n\n")?.1,
    };
    // A checksum may stand last.
    let digits = digits.trim_end();
    let last = digits.rfind('\n').map_or(digits, |end| &digits[end + 1..]);
    let digits: String =
        digits.strip_suffix(last).filter(|_| last.starts_with('=')).unwrap_or(digits).lines().collect();
    if !is_one_signature(&decoded(&digits)?) {
        return None;
    }
    let lines: Vec<&str> = (0..digits.len())
        .step_by(LINE_LENGTH)
        .filter_map(|at| digits.get(at..digits.len().min(at + LINE_LENGTH)))
        .collect();
    Some(format!("{BEGIN}\n{}\n{END}", lines.join("\n")))
}

/// What base64 stands for.
fn decoded(digits: &str) -> Option<Vec<u8>> {
    let bare = digits.trim_end_matches('=');
    if !digits.len().is_multiple_of(4) || digits.len() - bare.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(bare.len());
    let (mut held, mut bits) = (0_u16, 0_u32);
    for digit in bare.bytes() {
        held = (held << 6) | u16::from(sextet(digit)?);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits).ok()?);
            held &= (1 << bits) - 1;
        }
    }
    Some(bytes)
}

fn sextet(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

fn is_one_signature(bytes: &[u8]) -> bool {
    let (tag, body) = match bytes {
        [first, rest @ ..] if first & 0xC0 == 0xC0 => (first & 0x3F, new_length(rest)),
        [first, rest @ ..] if first & 0x80 == 0x80 => ((first >> 2) & 0x0F, old_length(first & 0x03, rest)),
        _ => return false,
    };
    tag == SIGNATURE && body.is_some_and(|(length, body)| usize::try_from(length) == Ok(body.len()))
}

/// The length of a packet in the newer form, and what is behind it.
fn new_length(bytes: &[u8]) -> Option<(u32, &[u8])> {
    match bytes {
        [length @ 0..192, body @ ..] => Some((u32::from(*length), body)),
        [high @ 192..224, low, body @ ..] => Some(((u32::from(*high) - 192) * 256 + u32::from(*low) + 192, body)),
        [255, a, b, c, d, body @ ..] => Some((u32::from_be_bytes([*a, *b, *c, *d]), body)),
        // In pieces, as only data are.
        _ => None,
    }
}

/// The same in the older form.
fn old_length(kind: u8, bytes: &[u8]) -> Option<(u32, &[u8])> {
    match (kind, bytes) {
        (0, [length, body @ ..]) => Some((u32::from(*length), body)),
        (1, [a, b, body @ ..]) => Some((u32::from(u16::from_be_bytes([*a, *b])), body)),
        (2, [a, b, c, d, body @ ..]) => Some((u32::from_be_bytes([*a, *b, *c, *d]), body)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text with headers and a checksum around these digits.
    fn text(digits: &str) -> String {
        format!("{BEGIN}Version: x\n\n{digits}\n=abcd\n{END}\n")
    }

    #[test]
    fn base64_is_read() {
        for (digits, bytes) in
            [("", b"".as_slice()), ("Zg==", b"f"), ("Zm8=", b"fo"), ("Zm9v", b"foo"), ("+/8A", b"\xfb\xff\0")]
        {
            assert_eq!(decoded(digits).as_deref(), Some(bytes), "{digits}");
        }
        assert!(decoded("Zg=").is_none() && decoded("Z===").is_none() && decoded("Zm9v!m9v").is_none());
    }

    #[test]
    fn nothing_but_one_signature_is_passed_on() {
        // An old and a new header of a signature of three bytes: 88 03 00 00 00, c2 03 00 00 00.
        for digits in ["iAMAAAA=", "wgMAAAA="] {
            assert_eq!(sole_packet(&text(digits)).unwrap(), format!("{BEGIN}\n{digits}\n{END}"));
            assert_eq!(sole_packet(&format!("{BEGIN}\n{digits}\n{END}")).unwrap(), format!("{BEGIN}\n{digits}\n{END}"));
        }
        // Two of them; one that is longer than it says, or shorter; literal data; nothing.
        for digits in ["iAMAAACIAwAAAA==", "iAMAAAAA", "iAQAAAA=", "ywMAAAA=", ""] {
            assert_eq!(sole_packet(&text(digits)), None, "{digits}");
        }
        let twice = text("iAMAAAA=").repeat(2);
        assert_eq!(sole_packet(&twice), None);
        assert_eq!(sole_packet(&text("iAMAAAA=").replace("SIGNATURE", "MESSAGE")), None);
    }

    #[test]
    fn lengths_are_read_in_all_their_forms() {
        assert_eq!(new_length(&[192, 0, 7]), Some((192, &[7][..])));
        assert_eq!(new_length(&[223, 255]), Some((8383, &[][..])));
        assert_eq!(new_length(&[255, 0, 1, 0, 0]), Some((65_536, &[][..])));
        assert_eq!(new_length(&[224]), None);
        assert_eq!(old_length(1, &[1, 0]), Some((256, &[][..])));
        assert_eq!(old_length(2, &[0, 1, 0, 0]), Some((65_536, &[][..])));
        assert_eq!(old_length(3, &[0]), None);
    }
}
