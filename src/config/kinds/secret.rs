//! Secrets: never a value in a file, always a reference to one.

use std::{
    fs,
    path::{Path, PathBuf},
};

use secrecy::SecretString;
use serde_json::{Value as Json, json};

use crate::{
    config::{
        code::Code,
        kinds::text::{FilePath, Text},
        read::{Kind, Reader},
        syntax::Node,
        table::table,
    },
    domain::campaign::SecretRef,
};

/// Why a secret could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file could not be read.
    #[error("cannot read the secret {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is empty.
    #[error("the secret {} is empty", .0.display())]
    Empty(PathBuf),
    /// The daemon was not given credentials.
    #[error(
        "credential {0:?} is not there: the daemon was started without $CREDENTIALS_DIRECTORY; use `LoadCredential={0}:…` in its unit, or {{ file = … }} in the settings"
    )]
    NoCredentials(String),
}

impl SecretRef {
    /// The file that holds the secret. `credentials` is `$CREDENTIALS_DIRECTORY`.
    pub fn path(&self, credentials: Option<&Path>) -> Result<PathBuf, SecretError> {
        match self {
            Self::File(path) => Ok(path.clone()),
            Self::Credential(name) => {
                Ok(credentials.ok_or_else(|| SecretError::NoCredentials(name.clone()))?.join(name))
            }
        }
    }

    /// Reads the secret, without a line end behind it. `credentials` is `$CREDENTIALS_DIRECTORY`.
    pub fn resolve(&self, credentials: Option<&Path>) -> Result<SecretString, SecretError> {
        let path = self.path(credentials)?;
        let text = fs::read_to_string(&path).map_err(|source| SecretError::Read { path: path.clone(), source })?;
        let secret = text.trim_end_matches(['\r', '\n']);
        if secret.is_empty() {
            return Err(SecretError::Empty(path));
        }
        Ok(SecretString::from(secret))
    }
}

table! {
    /// A reference to a secret: exactly one of its keys.
    pub(crate) struct SecretTable "a secret" {
        /// A file that holds the secret alone; a line end behind it does not count.
        optional file: FilePath => "/etc/dialops/trunk.password",
        /// Name of a systemd credential (`LoadCredential=`).
        optional credential: Text<1, 255> => "trunk-password",
    }
}

/// A reference to a secret: `{ file = "…" }` or `{ credential = "…" }`.
pub(crate) struct Secret;

impl Kind for Secret {
    type Value = SecretRef;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<SecretRef> {
        const HELP: &str = "secrets do not stand in files: write { file = \"…\" } or { credential = \"…\" }";
        if node.get_ref().as_str().is_some() {
            // Shown by place only: the line holds the secret.
            reader.wrong_type(node, "a reference to a secret").help(HELP).location.span = None;
            return None;
        }
        let before = reader.faults;
        let table = SecretTable::read(node, reader)?;
        match (table.file, table.credential) {
            (Some(file), None) => Some(SecretRef::File(file.value)),
            (None, Some(name)) if !name.value.contains('/') => Some(SecretRef::Credential(name.value)),
            (None, Some(name)) => {
                let span = name.span.unwrap_or_default();
                reader
                    .error(Code::Text, span, "`credential` must be a name, not a path")
                    .label("has a `/`")
                    .help("credentials have no folders; a path is written { file = \"…\" }");
                None
            }
            // What is wrong inside has been said.
            _ if reader.faults > before => None,
            _ => {
                reader.fault(Code::OneOf, node, "must have one of `file` and `credential`").help(HELP);
                None
            }
        }
    }

    fn schema() -> Json {
        let mut schema = SecretTable::schema();
        schema["oneOf"] = json!([{ "required": ["file"] }, { "required": ["credential"] }]);
        schema
    }

    fn show(value: &SecretRef) -> Json {
        match value {
            SecretRef::File(path) => json!({ "file": path.to_string_lossy() }),
            SecretRef::Credential(name) => json!({ "credential": name }),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_secret_comes_from_a_file_or_a_credential() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trunk");
        fs::write(&path, "s3cret\n").unwrap();
        let by_file = SecretRef::File(path).resolve(None).unwrap();
        let by_name = SecretRef::Credential("trunk".to_owned());
        assert_eq!(by_file.expose_secret(), "s3cret");
        assert_eq!(by_name.resolve(Some(folder.path())).unwrap().expose_secret(), "s3cret");
        let error = by_name.resolve(None).unwrap_err().to_string();
        assert!(error.contains("LoadCredential=trunk"), "{error}");
    }
}
