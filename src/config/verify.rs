//! `[source.verify]`: from its table to settings.

use super::{code::Code, read::At, settings::Build, tables::source::VerifyTable};
use crate::domain::campaign::SecretRef;

/// Whose signature a commit must have to be put in force.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerifySettings {
    /// Which commits must be signed.
    pub mode: VerifyMode,
    /// SSH keys that may sign, with whose they are.
    pub allowed_signers: Option<SecretRef>,
    /// OpenPGP keys that may sign.
    pub keyring: Option<SecretRef>,
}

/// Which commits must be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VerifyMode {
    /// None: any commit is taken.
    #[default]
    None,
    /// The one that is to be put in force.
    Head,
    /// And each since the one in force.
    Every,
}

impl Build<'_> {
    pub(super) fn verify(&mut self, table: At<VerifyTable>) -> VerifySettings {
        let At { value: table, span } = table;
        let has_keys = table.allowed_signers.is_some() || table.keyring.is_some();
        let unread = table.unclear.has_any(&["mode", "allowed_signers", "keyring"]);
        match &table.mode {
            _ if unread => {}
            None if has_keys => {
                self.error(Code::VerifyKeys, span, "`source.verify` names keys and no `mode`")
                    .label("would verify nothing")
                    .help("add `mode = \"every\"` or `mode = \"head\"`");
            }
            Some(mode) if mode.value != VerifyMode::None && !has_keys => {
                self.error(Code::VerifyKeys, mode.span, "commits can't be verified without keys")
                    .label("would refuse every commit")
                    .help("add `allowed_signers = { file = \"…\" }` for SSH, `keyring = { file = \"…\" }` for OpenPGP");
            }
            None | Some(_) => {}
        }
        VerifySettings {
            mode: table.mode.map_or(VerifyMode::None, |mode| mode.value),
            allowed_signers: table.allowed_signers.map(|keys| self.secret(keys)),
            keyring: table.keyring.map(|keys| self.secret(keys)),
        }
    }
}
