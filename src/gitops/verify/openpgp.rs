//! OpenPGP signatures, by `gpgv`, which needs neither a home nor an agent and trusts the keys of one file.
//!
//! `gpgv` also ends well for keys that have expired or were revoked, so what counts is what it reports. It is given a
//! signature that was written anew from its one packet: no other packet, block or text can make it look at anything else.

use std::path::Path;

use super::{
    checker::{Checker, Said},
    distrust::Distrust,
    packet::sole_packet,
    signed::Signed,
};
use crate::{gitops::error::SourceError, telemetry::status::Verification};

const PROGRAM: Checker = Checker { program: "gpgv", package: "gpgv" };

/// What `gpgv`'s reports begin with.
const REPORT: &str = "[GNUPG:] ";

/// Numbers of digests that can be forged: MD5, SHA-1, RIPEMD-160.
const WEAK: [&str; 3] = ["1", "2", "3"];

/// Longest name of a signer, in characters.
const NAME_CHARS_MAX: usize = 200;

/// The kinds of signature that are over a document: as bytes, as text.
const OF_DOCUMENT: [&str; 2] = ["00", "01"];

/// Who signed, if one whose key is in the ring.
pub(super) async fn verify(signed: &Signed, ring: &Path) -> Result<Result<Verification, Distrust>, SourceError> {
    let Some(armored) = sole_packet(&signed.signature) else {
        return Ok(Err(Distrust::Malformed("its OpenPGP signature is not one packet")));
    };
    let arguments = ["--status-fd", "1", "--keyring"].map(AsRef::as_ref).into_iter().chain([ring.as_os_str()]);
    let arguments = arguments.chain([Checker::SIGNATURE, "-"].map(AsRef::as_ref));
    Ok(judge(&PROGRAM.run(arguments, &armored, &signed.payload).await?))
}

/// What the reports come to: exactly one signature, and it is good.
fn judge(said: &Said) -> Result<Verification, Distrust> {
    let reports = || said.output.lines().filter_map(|line| line.strip_prefix(REPORT));
    let reports = || reports().map(|report| report.split_once(' ').unwrap_or((report, "")));
    let all = |kind: &str| reports().filter(|(found, _)| *found == kind).map(|(_, rest)| rest).collect::<Vec<_>>();
    // `… keyid name`, or `fingerprint date time expires version - algorithm digest class primary`.
    let fields = |report: &str| report.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let first = |report: &str| fields(report).swap_remove(0);
    if all("NEWSIG").len() != 1 {
        return Err(Distrust::Malformed("its OpenPGP signature is not one"));
    }
    if let [revoked, ..] = all("REVKEYSIG")[..] {
        return Err(Distrust::Revoked { key: first(revoked) });
    }
    if let [expired, ..] = [all("EXPKEYSIG"), all("EXPSIG")].concat()[..] {
        return Err(Distrust::NotValid { key: first(expired) });
    }
    if let [unknown, ..] = all("NO_PUBKEY")[..] {
        return Err(Distrust::Unknown { key: unknown.to_owned() });
    }
    let ([good], [valid], true) = (&all("GOODSIG")[..], &all("VALIDSIG")[..], said.ok) else {
        return Err(Distrust::Bad);
    };
    let valid = fields(valid);
    let [key, .., digest, class, primary] = &valid[..] else { return Err(Distrust::Bad) };
    if WEAK.contains(&digest.as_str()) {
        return Err(Distrust::Weak { key: key.clone() });
    }
    if !OF_DOCUMENT.contains(&class.as_str()) {
        return Err(Distrust::Malformed("its OpenPGP signature is of another kind than one over a document"));
    }
    let signer = good.split_once(' ').map_or_else(String::new, |(_, name)| shown(name));
    Ok(Verification { method: "openpgp".to_owned(), signer, fingerprint: primary.clone() })
}

fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG 2B73 Ada <a@b>\n[GNUPG:] VALIDSIG F1 2026-11-29 17 0 4 0 22 8 00 F0\n";

    fn judged(output: &str, ok: bool) -> Result<Verification, Distrust> {
        judge(&Said { ok, output: output.to_owned(), said: String::new() })
    }

    #[test]
    fn only_one_good_signature_counts() {
        let good = judged(GOOD, true).unwrap();
        assert_eq!((good.signer.as_str(), good.fingerprint.as_str()), ("Ada <a@b>", "F0"));
        assert_eq!(judged(GOOD, false), Err(Distrust::Bad));
        assert!(matches!(judged(&GOOD.repeat(2), true), Err(Distrust::Malformed(_))));
        assert!(matches!(judged("", true), Err(Distrust::Malformed(_))));
        let with = |report: &str| judged(&format!("{GOOD}[GNUPG:] {report}\n"), true);
        assert_eq!(with("REVKEYSIG 2B73 Ada"), Err(Distrust::Revoked { key: "2B73".to_owned() }));
        assert_eq!(with("EXPKEYSIG 2B73 Ada"), Err(Distrust::NotValid { key: "2B73".to_owned() }));
        assert_eq!(with("EXPSIG 2B73 Ada"), Err(Distrust::NotValid { key: "2B73".to_owned() }));
        assert_eq!(with("NO_PUBKEY 2B73"), Err(Distrust::Unknown { key: "2B73".to_owned() }));
        assert_eq!(with("GOODSIG 2B73 Eve"), Err(Distrust::Bad));
        assert_eq!(judged("[GNUPG:] NEWSIG\n[GNUPG:] BADSIG 2B73 Ada\n", false), Err(Distrust::Bad));
    }

    #[test]
    fn a_digest_that_can_be_forged_and_a_signature_of_a_key_do_not_count() {
        assert_eq!(judged(&GOOD.replace("22 8 00", "22 2 00"), true), Err(Distrust::Weak { key: "F1".to_owned() }));
        assert!(matches!(judged(&GOOD.replace("22 8 00", "22 8 13"), true), Err(Distrust::Malformed(_))));
    }
}
