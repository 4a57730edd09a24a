//! SSH signatures, by `ssh-keygen`, which also judges principals, namespaces, times and certificates of
//! `allowed_signers`.

use std::path::Path;

use jiff::{Timestamp, tz::TimeZone};

use super::{
    checker::{Checker, Said},
    distrust::Distrust,
    signed::Signed,
};
use crate::{gitops::error::SourceError, telemetry::status::Verification};

/// The namespace of what Git signs.
const NAMESPACE: &str = "git";

/// Most names of one key that are tried.
const PRINCIPALS_MAX: usize = 16;

const PROGRAM: Checker = Checker { program: "ssh-keygen", package: "openssh-client" };

/// Who signed, if one who may, with a key that was valid at `at`.
pub(super) async fn verify(
    signed: &Signed,
    allowed: &Path,
    at: Timestamp,
) -> Result<Result<Verification, Distrust>, SourceError> {
    // In UTC, as the zone of every run is.
    let time = format!("-Overify-time={}", TimeZone::UTC.to_datetime(at).strftime("%Y%m%d%H%M%S"));
    let file = allowed.as_os_str();
    let find = ["-Y", "find-principals", "-s", Checker::SIGNATURE, &time, "-f"].map(AsRef::as_ref);
    let found = PROGRAM.run(find.into_iter().chain([file]), &signed.signature, b"").await?;
    let principals: Vec<&str> = found.output.lines().filter(|line| !line.is_empty()).take(PRINCIPALS_MAX).collect();
    if found.ok {
        for principal in principals {
            let verify = ["-Y", "verify", "-n", NAMESPACE, "-I", principal, "-s", Checker::SIGNATURE, &time, "-f"];
            let arguments = verify.map(AsRef::as_ref).into_iter().chain([file]);
            let said = PROGRAM.run(arguments, &signed.signature, &signed.payload).await?;
            if let (true, Some(key)) = (said.ok, key(&said)) {
                let (method, signer) = ("ssh".to_owned(), principal.to_owned());
                return Ok(Ok(Verification { method, signer, fingerprint: key }));
            }
        }
    }
    let check = ["-Y", "check-novalidate", "-n", NAMESPACE, "-s", Checker::SIGNATURE].map(AsRef::as_ref);
    let said = PROGRAM.run(check.into_iter(), &signed.signature, &signed.payload).await?;
    Ok(Err(match key(&said).filter(|_| said.ok) {
        None => Distrust::Bad,
        Some(key) if ["key has expired", "not yet valid"].iter().any(|why| found.said.contains(why)) => {
            Distrust::NotValid { key }
        }
        Some(key) => Distrust::Unknown { key },
    }))
}

/// The fingerprint that ends `Good "git" signature …`.
fn key(said: &Said) -> Option<String> {
    let line = said.output.lines().find(|line| line.starts_with("Good \"git\" signature "))?;
    let (_, fingerprint) = line.rsplit_once(" key ")?;
    fingerprint.starts_with("SHA256:").then(|| fingerprint.to_owned())
}
