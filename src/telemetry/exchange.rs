//! Counters of what servers tell the daemon by webhooks, and of what it tells others.

use prometheus::{IntCounterVec, Opts};

use super::process::Add;

macro_rules! labels {
    ($(#[$meta:meta])* $name:ident { $($(#[$about:meta])* $variant:ident => $label:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$about])* $variant),+
        }

        impl $name {
            const ALL: &[Self] = &[$(Self::$variant),+];

            fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $label),+
                }
            }
        }
    };
}

labels! {
    /// Who calls a webhook, by the settings.
    Caller {
        /// GitHub.
        GitHub => "github",
        /// GitLab.
        GitLab => "gitlab",
        /// Gitea or Forgejo.
        Gitea => "gitea",
        /// Anything else.
        Generic => "generic",
        /// No webhook has the id that was called.
        Unknown => "unknown",
    }
}

labels! {
    /// What a webhook is answered.
    HookAnswer {
        /// Taken.
        Accepted => "202",
        /// Not signed by who knows the secret, or no webhook of that id.
        Refused => "403",
        /// Its body did not come in time.
        Slow => "408",
        /// It has come before.
        Replayed => "409",
        /// Its body is too large.
        TooLarge => "413",
        /// There are too many.
        TooMany => "429",
    }
}

labels! {
    /// What is sent.
    DeliveryKind {
        /// The state of a commit.
        CommitStatus => "commit_status",
        /// A notification as a webhook.
        Webhook => "webhook",
        /// Alerts for Alertmanager.
        Alertmanager => "alertmanager",
        /// What a campaign tells of its calls.
        Callback => "callback",
        /// Text messages to those who were not reached.
        Sms => "sms",
    }
}

labels! {
    /// What became of sending it.
    DeliveryResult {
        /// It was taken.
        Sent => "sent",
        /// It was not, and is tried again.
        Failed => "failed",
        /// It was refused in a way that trying again would not change, or made way for what is newer.
        Dropped => "dropped",
        /// It was not taken for a day, or may have been sent: a person decides.
        Parked => "parked",
    }
}

/// The series.
#[derive(Debug)]
pub struct Counters {
    webhooks: IntCounterVec,
    deliveries: IntCounterVec,
}

impl Counters {
    pub(super) fn new(declare: &impl Add) -> Self {
        let opts = Opts::new("dialops_webhook_requests_total", "Calls of webhooks, by whose they are and the answer.");
        let webhooks = declare.add(IntCounterVec::new(opts, &["provider", "code"]));
        let opts = Opts::new("dialops_deliveries_total", "What others were told, or not, by how.");
        let deliveries = declare.add(IntCounterVec::new(opts, &["kind", "result"]));
        let counters = Self { webhooks, deliveries };
        for caller in Caller::ALL {
            HookAnswer::ALL.iter().for_each(|answer| counters.webhook(*caller, *answer).inc_by(0));
        }
        for kind in DeliveryKind::ALL {
            DeliveryResult::ALL.iter().for_each(|result| counters.delivery(*kind, *result).inc_by(0));
        }
        counters
    }

    /// A webhook was called and answered.
    pub fn hook_answered(&self, caller: Caller, answer: HookAnswer) {
        self.webhook(caller, answer).inc();
    }

    /// Something was sent, or not.
    pub fn delivered(&self, kind: DeliveryKind, result: DeliveryResult) {
        self.delivery(kind, result).inc();
    }

    fn webhook(&self, caller: Caller, answer: HookAnswer) -> prometheus::IntCounter {
        self.webhooks.with_label_values(&[caller.as_str(), answer.as_str()])
    }

    fn delivery(&self, kind: DeliveryKind, result: DeliveryResult) -> prometheus::IntCounter {
        self.deliveries.with_label_values(&[kind.as_str(), result.as_str()])
    }
}
