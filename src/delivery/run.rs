//! The tasks: one looks how things stand, and one for each receiver brings it the news.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use jiff::Timestamp;
use tokio::{sync::watch, task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    alerts, commit_status,
    courier::{Courier, Delivered, Receiver},
    notice::{self, Told},
    outbox::Outbox,
    post::{Message, Unsent},
    state::{self, Standing},
};
use crate::{
    clock::Clock,
    config::settings::{NotificationKind, NotificationSettings, StatusSettings},
    store::Store,
    telemetry::{exchange::DeliveryKind, metrics::Metrics, status::ReconcileStatus},
};

/// What is told, and to whom.
pub struct Parts {
    /// Where the state of commits is written, for each source that has it written, and what became of them.
    pub commit_status: Vec<(StatusSettings, Arc<Outbox>)>,
    /// Who is told of what needs a person.
    pub notifications: Vec<NotificationSettings>,
    /// `$CREDENTIALS_DIRECTORY`.
    pub credentials: Option<PathBuf>,
    /// Name of this daemon.
    pub instance: String,
    /// Newest status of the sources.
    pub status: watch::Receiver<ReconcileStatus>,
    /// What has the overrides.
    pub store: Arc<dyn Store>,
    /// Where deliveries are counted.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Clock,
}

/// Tells everybody until `shutdown`; what was not told by then is not.
pub async fn run(parts: Parts, shutdown: CancellationToken) {
    // Dropped at the end, which ends them.
    let mut tasks = JoinSet::new();
    for (settings, outbox) in parts.commit_status {
        let receiver = Receiver {
            name: "commit status".to_owned(),
            kind: DeliveryKind::CommitStatus,
            url: settings.api.clone(),
            ca_file: settings.ca_file.clone(),
            timeout: settings.timeout,
        };
        let courier = Courier::new(receiver, Arc::clone(&parts.metrics));
        let context = format!("dialops/{}", parts.instance);
        tasks.spawn(write_statuses(settings, parts.credentials.clone(), context, outbox, courier));
    }
    if !parts.notifications.is_empty() {
        let (out, standing) = watch::channel(Standing::default());
        tasks.spawn(state::watch(parts.status, parts.store, parts.clock.clone(), out));
        for settings in parts.notifications {
            let courier = Courier::new(receiver(&settings), Arc::clone(&parts.metrics));
            let desk = Desk {
                settings: Arc::new(settings),
                credentials: parts.credentials.clone(),
                instance: parts.instance.clone(),
                standing: standing.clone(),
                courier,
                clock: parts.clock.clone(),
            };
            tasks.spawn(desk.run());
        }
    }
    shutdown.cancelled().await;
}

fn receiver(settings: &NotificationSettings) -> Receiver {
    Receiver {
        name: format!("notification {}", settings.id),
        kind: match settings.kind {
            NotificationKind::Webhook => DeliveryKind::Webhook,
            NotificationKind::Alertmanager => DeliveryKind::Alertmanager,
        },
        url: settings.url.clone(),
        ca_file: settings.ca_file.clone(),
        timeout: settings.timeout,
    }
}

/// Makes a message where files may be read.
async fn made(make: impl FnOnce() -> Result<Message, Unsent> + Send + 'static) -> Result<Message, Unsent> {
    tokio::task::spawn_blocking(make).await.map_err(Unsent::passing)?
}

/// Writes the newest state of each commit beside it.
async fn write_statuses(
    settings: StatusSettings,
    credentials: Option<PathBuf>,
    context: String,
    outbox: Arc<Outbox>,
    mut courier: Courier,
) {
    let shared = Arc::new((settings, credentials, context));
    loop {
        let Some((revision, outcome)) = outbox.next() else {
            outbox.changed().await;
            continue;
        };
        let (asked, what) = (Arc::clone(&shared), (revision.clone(), outcome.clone()));
        let message = made(move || {
            let (settings, credentials, context) = &*asked;
            commit_status::message(settings, credentials.as_deref(), context, (&what.0, &what.1))
        });
        match courier.bring(message.await).await {
            Delivered::Done => outbox.told(&revision, outcome),
            Delivered::Again(wait) => sleep(wait).await,
        }
    }
}

/// Who tells one receiver of what needs a person.
struct Desk {
    settings: Arc<NotificationSettings>,
    credentials: Option<PathBuf>,
    instance: String,
    standing: watch::Receiver<Standing>,
    courier: Courier,
    clock: Clock,
}

impl Desk {
    async fn run(self) {
        match self.settings.kind {
            NotificationKind::Webhook => self.notify().await,
            NotificationKind::Alertmanager => self.alert().await,
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now().wall
    }

    async fn notify(mut self) {
        let mut told = Told::nothing(self.now());
        loop {
            let news = told.next(&self.standing.borrow_and_update(), &self.settings.topics);
            let Some(news) = news else {
                if self.standing.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let (settings, credentials) = (Arc::clone(&self.settings), self.credentials.clone());
            let (instance, what, now) = (self.instance.clone(), news.clone(), self.now());
            let message = made(move || notice::message(&settings, credentials.as_deref(), &instance, &what, now));
            match self.courier.bring(message.await).await {
                Delivered::Done => told.take(news),
                Delivered::Again(wait) => sleep(wait).await,
            }
        }
    }

    async fn alert(mut self) {
        let mut told = BTreeMap::new();
        loop {
            let holds = self.standing.borrow_and_update().among(&self.settings.topics);
            let alerts = alerts::alerts(&self.instance, &holds, &told, self.now());
            let idle = alerts.is_empty();
            if !idle {
                match self.courier.bring(Ok(alerts::message(&self.settings, &alerts))).await {
                    Delivered::Done => told = holds,
                    Delivered::Again(wait) => {
                        sleep(wait).await;
                        continue;
                    }
                }
            }
            tokio::select! {
                changed = self.standing.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = sleep(alerts::AGAIN_EVERY), if !idle => {}
            }
        }
    }
}
