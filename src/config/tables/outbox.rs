//! `[callbacks]` and `[sms]` of `dialops.toml`.

use crate::config::{
    kinds::{
        list::List,
        network::Net,
        number::Whole,
        secret::Secret,
        text::{FilePath, Text},
        url::Url,
    },
    table::table,
};

/// Requests to one host at the same time.
const PER_HOST: u32 = 4;

/// Requests to the gateway at the same time.
const SMS_AT_ONCE: u32 = 2;

table! {
    /// How callbacks go out; which hosts they may go to says `ceilings.callback_hosts`.
    pub(crate) struct CallbacksTable "`callbacks`" {
        /// Networks that are not public and that callbacks may go to nevertheless.
        default(Vec::new()) allow_networks: List<Net, 0> => ["10.20.0.0/16"],
        /// Requests to one host at the same time.
        default(PER_HOST) per_host: Whole<1, 64> => 4,
        /// Certificates that hosts are judged by (PEM), in place of the system's.
        optional ca_file: FilePath => "/etc/dialops/crm-ca.pem",
    }
}

table! {
    /// The gateway that sends text messages to customers who were not reached.
    pub(crate) struct SmsGatewayTable "`sms`" {
        /// Where messages are handed in, by POST.
        required url: Url => "https://sms.example.net/v1/messages",
        /// Headers beside the content's type.
        default(Vec::new()) headers: List<SmsHeaderTable, 0> => [{ name = "Authorization", secret = { credential = "sms-token" } }],
        /// What is sent: JSON in which texts have gaps, `{number}`, `{text}` and `{id}`.
        required body: Text<1, 4000> => "{ \"to\": \"{number}\", \"text\": \"{text}\", \"reference\": \"{id}\" }",
        /// Where the answer says whether it was taken, as a JSON pointer; a status of 2xx has to come too.
        optional success_field: Text<1, 200> => "/code",
        /// What has to stand there.
        optional success_value: Text<1, 200> => "0",
        /// Networks that are not public and that the gateway may be in nevertheless.
        default(Vec::new()) allow_networks: List<Net, 0> => ["10.20.0.0/16"],
        /// Requests at the same time.
        default(SMS_AT_ONCE) at_once: Whole<1, 64> => 2,
        /// Certificates that the gateway is judged by (PEM), in place of the system's.
        optional ca_file: FilePath => "/etc/dialops/sms-ca.pem",
    }
}

table! {
    /// A header: its name, and one of `value` and `secret`.
    pub(crate) struct SmsHeaderTable "a header" {
        /// Its name.
        required name: Text<1, 100> => "Authorization",
        /// What it says.
        optional value: Text<1, 1000> => "application/json",
        /// The same, kept elsewhere and read again for each message.
        optional secret: Secret => { credential = "sms-token" },
    }
}
