//! `[callbacks]` and `[sms]`: from their tables to settings.

use std::path::PathBuf;

use serde_json::Value as Json;

use super::{
    code::Code,
    items::values,
    network::Network,
    read::At,
    settings::Build,
    tables::outbox::{CallbacksTable, SmsGatewayTable, SmsHeaderTable},
};
use crate::domain::campaign::SecretRef;

/// How callbacks go out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackSettings {
    /// Networks that are not public and that they may go to nevertheless.
    pub allow_networks: Vec<Network>,
    /// Requests to one host at the same time.
    pub per_host: u32,
    /// Certificates in place of the system's.
    pub ca_file: Option<PathBuf>,
}

/// The gateway that sends text messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmsSettings {
    /// Where messages are handed in.
    pub url: String,
    /// Headers beside the content's type.
    pub headers: Vec<(String, HeaderValue)>,
    /// What is sent; texts in it have gaps.
    pub body: Json,
    /// Where the answer says whether it was taken, and what it says then.
    pub success: Option<(String, String)>,
    /// Networks that are not public and that it may be in nevertheless.
    pub allow_networks: Vec<Network>,
    /// Requests at the same time.
    pub at_once: u32,
    /// Certificates in place of the system's.
    pub ca_file: Option<PathBuf>,
}

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderValue {
    /// This.
    Plain(String),
    /// What is kept there.
    Secret(SecretRef),
}

/// What fills gaps of the body.
pub const SMS_GAPS: [&str; 3] = ["{number}", "{text}", "{id}"];

impl Build<'_> {
    pub(super) fn callbacks(&self, table: CallbacksTable) -> CallbackSettings {
        CallbackSettings {
            allow_networks: values(table.allow_networks.value),
            per_host: table.per_host.value,
            ca_file: table.ca_file.map(|file| self.folder.join(file.value)),
        }
    }

    pub(super) fn sms(&mut self, table: SmsGatewayTable) -> Option<SmsSettings> {
        let headers = table.headers.value.into_iter().map(|header| self.sms_header(header)).collect::<Vec<_>>();
        let body = self.sms_body(&table.body?);
        let success = match (table.success_field, table.success_value) {
            (Some(field), Some(value)) if field.value.starts_with('/') => Some((field.value, value.value)),
            (Some(field), Some(_)) => {
                self.error(Code::SmsGateway, field.span, "`success_field` must be a JSON pointer")
                    .label("does not begin with `/`")
                    .help("for instance \"/code\", or \"/result/status\" for what stands deeper");
                None
            }
            (None, None) => None,
            (Some(alone), None) | (None, Some(alone)) => {
                self.error(Code::SmsGateway, alone.span, "`success_field` and `success_value` go together")
                    .label("would not be used")
                    .help("set both, or neither if a status of 2xx says enough");
                None
            }
        };
        Some(SmsSettings {
            url: table.url?.value.text,
            headers: headers.into_iter().collect::<Option<_>>()?,
            body: body?,
            success,
            allow_networks: values(table.allow_networks.value),
            at_once: table.at_once.value,
            ca_file: table.ca_file.map(|file| self.folder.join(file.value)),
        })
    }

    fn sms_header(&mut self, header: At<SmsHeaderTable>) -> Option<(String, HeaderValue)> {
        let SmsHeaderTable { name, value, secret, .. } = header.value;
        let name = name?;
        let is_name = name.value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !is_name {
            self.error(Code::SmsGateway, name.span, "`name` must be the name of a header")
                .label("only letters, digits, `-` and `_`");
            return None;
        }
        match (value, secret) {
            (Some(value), None) if value.value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) => {
                Some((name.value, HeaderValue::Plain(value.value)))
            }
            (Some(value), None) => {
                self.error(Code::SmsGateway, value.span, "`value` has a letter that a header can't carry")
                    .label("only plain ASCII");
                None
            }
            (None, Some(secret)) => Some((name.value, HeaderValue::Secret(self.secret(secret)))),
            (None, None) | (Some(_), Some(_)) => {
                self.error(Code::SmsGateway, header.span, "a header must have one of `value` and `secret`")
                    .help("a token is a secret: { name = \"Authorization\", secret = { credential = \"sms-token\" } }");
                None
            }
        }
    }

    fn sms_body(&mut self, body: &At<String>) -> Option<Json> {
        const HELP: &str = "for instance body = '{ \"to\": \"{number}\", \"text\": \"{text}\" }'";
        let parsed: Json = match serde_json::from_str(&body.value) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.error(Code::SmsGateway, body.span, "`body` must be JSON").label(error.to_string()).help(HELP);
                return None;
            }
        };
        let missing = SMS_GAPS[..2].iter().find(|gap| !has(&parsed, gap));
        if let Some(gap) = missing {
            self.error(Code::SmsGateway, body.span, &format!("`body` has no text with `{gap}`"))
                .label("nobody would know what is sent, or to whom")
                .help(HELP);
            return None;
        }
        Some(parsed)
    }
}

/// Whether a text of the value has a gap.
fn has(value: &Json, gap: &str) -> bool {
    match value {
        Json::String(text) => text.contains(gap),
        Json::Array(items) => items.iter().any(|item| has(item, gap)),
        Json::Object(fields) => fields.values().any(|field| has(field, gap)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Settings;

    fn read(tables: &str) -> Result<Settings, Vec<String>> {
        let text = format!("[source]\nrepository = \"x\"\n{tables}\n");
        let settings = Settings::parse(Path::new("/etc/dialops/dialops.toml"), &text);
        settings.map_err(|faults| faults.into_iter().map(|fault| format!("{} {}", fault.code, fault.message)).collect())
    }

    const BODY: &str = "body = '{ \"to\": [\"{number}\"], \"text\": \"{text}\" }'";

    #[test]
    fn a_gateway_is_read_or_says_what_it_lacks() {
        let gateway = |keys: &str| read(&format!("[sms]\nurl = \"http://10.0.0.5/send\"\n{keys}"));
        let good = format!(
            "{BODY}\nheaders = [{{ name = \"Authorization\", secret = {{ file = \"t\" }} }}]\nsuccess_field = \"/code\"\n\
             success_value = \"0\"\nallow_networks = [\"10.0.0.0/8\"]"
        );
        let sms = gateway(&good).unwrap().sms.unwrap();
        let token = HeaderValue::Secret(SecretRef::File("/etc/dialops/t".into()));
        assert_eq!(sms.headers, [("Authorization".to_owned(), token)]);
        assert_eq!(sms.success, Some(("/code".to_owned(), "0".to_owned())));
        for bad in [
            "body = 'to {number} {text}'".to_owned(),
            "body = '{ \"to\": \"{number}\" }'".to_owned(),
            format!("{BODY}\nsuccess_field = \"/code\""),
            format!("{BODY}\nsuccess_field = \"code\"\nsuccess_value = \"0\""),
            format!("{BODY}\nheaders = [{{ name = \"A\" }}]"),
            format!("{BODY}\nheaders = [{{ name = \"A B\", value = \"x\" }}]"),
            format!("{BODY}\nheaders = [{{ name = \"A\", value = \"ü\" }}]"),
        ] {
            let faults = gateway(&bad).unwrap_err();
            assert!(faults.len() == 1 && faults[0].starts_with("E0340"), "{bad}: {faults:?}");
        }
        assert_eq!(read("").unwrap().callbacks.per_host, 4);
        assert!(read("[callbacks]\nallow_networks = [\"10.0.0.1/8\"]").unwrap_err()[0].starts_with("E0116"));
    }
}
