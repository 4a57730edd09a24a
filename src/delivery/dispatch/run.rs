//! The loop that gives hosts what is to be sent, as they have room.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{
    ByHost, Parts, STORE_RETRY,
    host::{Change, Health, Host},
    trial::{Asked, Came, Office},
};
use crate::{
    delivery::post::origin,
    domain::campaign::Generation,
    store::{AllDispatchCounts, Channel, DispatchCounts, DispatchId, Lane, StoreError, TRIED_FOR, Tried},
    telemetry::{
        exchange::{DeliveryKind, DeliveryResult},
        metrics::Metrics,
        outbox::Waiting,
    },
};

/// How often it is counted what waits, and what is overdue is parked.
const COUNT_EVERY: Duration = Duration::from_secs(5);

/// How long requests under way may go on after the shutdown began.
const DRAIN_WITHIN: Duration = Duration::from_secs(11);

/// Sends what is to be sent until `shutdown`, and then waits for what is under way.
pub async fn run(parts: Parts, shutdown: CancellationToken) {
    let Some(mut desk) = shutdown.run_until_cancelled(Desk::open(parts)).await.flatten() else { return };
    let news = desk.office.dispatches.news();
    let mut count_in = Duration::ZERO;
    loop {
        let began = desk.mono();
        desk.give_out().await;
        let wait = desk.until_next();
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(done) = desk.under_way.join_next() => desk.ended(done),
            lanes = news.taken() => desk.look_at(lanes),
            Ok(()) = desk.generations.changed() => desk.follow(),
            () = sleep(count_in) => {
                desk.count().await;
                count_in = COUNT_EVERY;
                continue;
            }
            () = sleep(wait) => {}
        }
        count_in = count_in.saturating_sub(desk.mono().saturating_sub(began));
    }
    let finished = async { while desk.under_way.join_next().await.is_some() {} };
    // What does not end now is sent again by the next life, if it may be.
    let _late = tokio::time::timeout(DRAIN_WITHIN, finished).await;
}

/// What is known of a lane.
#[derive(Debug, Default)]
struct Known {
    /// When it is looked at next.
    next: Timestamp,
    /// Where it leads, as of the last look.
    host: Option<String>,
    /// What of it is under way.
    under_way: BTreeSet<DispatchId>,
}

type Done = (Lane, DispatchId, String, Came);

struct Desk {
    office: Arc<Office>,
    generations: watch::Receiver<Option<Arc<Generation>>>,
    counts: watch::Sender<AllDispatchCounts>,
    metrics: Arc<Metrics>,
    generation: Arc<Generation>,
    lanes: BTreeMap<Lane, Known>,
    hosts: ByHost<Host>,
    under_way: JoinSet<Done>,
}

impl Desk {
    /// Waits for a generation, without which nobody knows the tenant; `None` if there comes none.
    async fn open(parts: Parts) -> Option<Self> {
        let mut generation = parts.generation;
        let first = generation.wait_for(Option::is_some).await.ok()?.clone()?;
        let office = Office {
            dispatches: parts.dispatches,
            callback_hosts: parts.callback_hosts,
            callbacks: parts.callbacks,
            sms: parts.sms,
            credentials: parts.credentials,
            clock: parts.clock,
            mark: parts.mark,
        };
        let lanes = loop {
            match office.dispatches.lanes().await {
                Ok(lanes) => break lanes,
                Err(error) => unread(&error).await,
            }
        };
        let mut desk = Self {
            office: Arc::new(office),
            generations: generation,
            counts: parts.counts,
            metrics: parts.metrics,
            generation: first,
            lanes: BTreeMap::new(),
            hosts: ByHost::new(),
            under_way: JoinSet::new(),
        };
        desk.look_at(lanes);
        Some(desk)
    }

    fn mono(&self) -> Duration {
        self.office.clock.now().mono
    }

    fn wall(&self) -> Timestamp {
        self.office.clock.now().wall
    }

    /// Something of these lanes may be sent.
    fn look_at(&mut self, lanes: impl IntoIterator<Item = Lane>) {
        let now = self.wall();
        for lane in lanes {
            let known = self.lanes.entry(lane).or_insert_with(|| Known { next: now, ..Known::default() });
            known.next = known.next.min(now);
        }
    }

    /// A commit may have moved callbacks elsewhere.
    fn follow(&mut self) {
        if let Some(generation) = self.generations.borrow_and_update().clone() {
            self.generation = generation;
        }
        self.lanes.values_mut().for_each(|known| known.host = None);
    }

    /// Most requests to a host at once.
    fn most(&self, channel: Channel) -> u32 {
        match channel {
            Channel::Callback => self.office.callbacks.per_host,
            Channel::Sms => self.office.sms.as_ref().map_or(1, |sms| sms.at_once),
        }
    }

    fn room(&self, lane: &Lane, host: &str) -> u32 {
        let most = self.most(lane.channel);
        self.hosts.get(host).map_or(most, |host| host.room(most, self.mono()))
    }

    /// Gives out what may be sent, those lanes first that have waited longest.
    async fn give_out(&mut self) {
        let now = self.wall();
        let may = |(lane, known): &(&Lane, &Known)| {
            known.next <= now && known.host.as_ref().is_none_or(|host| self.room(lane, host) > 0)
        };
        let mut ready: Vec<(Timestamp, Lane)> =
            self.lanes.iter().filter(may).map(|(lane, known)| (known.next, lane.clone())).collect();
        ready.sort();
        for (_, lane) in ready {
            self.give_out_of(lane, now).await;
        }
    }

    async fn give_out_of(&mut self, lane: Lane, now: Timestamp) {
        let Some(known) = self.lanes.get(&lane) else { return };
        // The host's room has been taken by another lane meanwhile.
        if known.host.as_ref().is_some_and(|host| self.room(&lane, host) == 0) {
            return;
        }
        let limit =
            u32::try_from(known.under_way.len()).unwrap_or(u32::MAX).saturating_add(self.most(lane.channel) + 1);
        let page = match self.office.dispatches.lane_page(&lane, limit).await {
            Ok(page) => page,
            Err(error) => return unread(&error).await,
        };
        let host = match lane.channel {
            Channel::Callback => page.callback.as_ref().map(|callback| origin(&callback.url)),
            Channel::Sms => self.office.sms.as_ref().map(|sms| format!("sms {}", origin(&sms.url))),
        };
        let host = host.unwrap_or_else(|| "nowhere".to_owned());
        let mut room = self.room(&lane, &host);
        let whole = page.waiting.len() < usize::try_from(limit).unwrap_or(usize::MAX);
        let mut left = None;
        for waiting in page.waiting {
            let begun = self.lanes.get(&lane).is_some_and(|known| known.under_way.contains(&waiting.id));
            if !begun && waiting.due_at <= now && room > 0 {
                room -= 1;
                self.begin(&lane, waiting.id, &host);
            } else if !begun {
                left = Some(waiting.due_at);
                break;
            }
        }
        let Some(known) = self.lanes.get_mut(&lane) else { return };
        known.host = Some(host);
        match left {
            // Behind those that have not been looked at.
            Some(due_at) => known.next = due_at.max(now),
            None if whole && known.under_way.is_empty() => {
                self.lanes.remove(&lane);
            }
            // What ends has it looked at again.
            None => known.next = Timestamp::MAX,
        }
    }

    fn begin(&mut self, lane: &Lane, id: DispatchId, host: &str) {
        let known = self.lanes.entry(lane.clone()).or_default();
        known.under_way.insert(id);
        let kept = self.hosts.entry(host.to_owned()).or_default();
        kept.begin();
        let asked =
            Asked { id, host: host.to_owned(), post: kept.post.clone(), generation: Arc::clone(&self.generation) };
        let (office, lane, host) = (Arc::clone(&self.office), lane.clone(), host.to_owned());
        self.under_way.spawn(async move {
            let came = office.attempt(asked).await;
            if let Some(tried) = &came.tried {
                office.write(id, tried).await;
            }
            (lane, id, host, came)
        });
    }

    fn ended(&mut self, done: Result<Done, JoinError>) {
        let (lane, id, name, came) = match done {
            Ok(done) => done,
            Err(error) => {
                // Its lane is never looked at again for it: that is a fault of ours, and a restart mends it.
                tracing::error!(error = &error as &dyn std::error::Error, "a delivery broke off");
                return;
            }
        };
        let (now, wall) = (self.mono(), self.wall());
        if let Some(known) = self.lanes.get_mut(&lane) {
            known.under_way.remove(&id);
            known.next = known.next.min(wall);
            if came.tried.is_none() && came.health == Health::Unknown {
                // It could not be read, or leads elsewhere now.
                known.host = None;
            }
        }
        self.note(&lane, id, &name, &came);
        let Some(host) = self.hosts.get_mut(&name) else { return };
        if came.post.is_some() {
            host.post = came.post;
        }
        match host.end(came.health, now, &name) {
            Change::None => {}
            Change::Gone(wait) => {
                let why = why(came.tried.as_ref()).unwrap_or_default();
                let seconds = wait.as_secs();
                tracing::warn!(
                    to = name,
                    "it takes nothing: {why}; it is left alone for {seconds} s, then tried again"
                );
            }
            Change::Back => tracing::info!(to = name, "it takes what it is told again"),
        }
    }

    /// Counts what became of a try, and says what a person has to see.
    fn note(&self, lane: &Lane, id: DispatchId, to: &str, came: &Came) {
        let kind = match lane.channel {
            Channel::Callback => DeliveryKind::Callback,
            Channel::Sms => DeliveryKind::Sms,
        };
        let result = match &came.tried {
            Some(Tried::Sent) => DeliveryResult::Sent,
            Some(Tried::Again { .. }) => DeliveryResult::Failed,
            Some(Tried::Dropped { .. }) => DeliveryResult::Dropped,
            Some(Tried::Parked { why }) => {
                let campaign = &lane.campaign;
                tracing::warn!(%id, %campaign, to, "a message is parked: {why}; see `dialops callbacks list`");
                DeliveryResult::Parked
            }
            Some(Tried::NotYet { .. } | Tried::Undone) | None => return,
        };
        self.metrics.exchange().delivered(kind, result);
    }

    /// How long nothing is to be done.
    fn until_next(&self) -> Duration {
        let (mono, wall) = (self.mono(), self.wall());
        let wait = |(lane, known): (&Lane, &Known)| {
            let due = Duration::try_from(known.next.duration_since(wall)).unwrap_or(Duration::ZERO);
            let host = known.host.as_ref().filter(|host| self.room(lane, host) == 0);
            let opens = host.and_then(|host| self.hosts.get(host)).map(|host| {
                // One that is merely busy is looked at when something ends.
                host.opens_at().filter(|at| *at > mono).map_or(Duration::MAX, |at| at - mono)
            });
            due.max(opens.unwrap_or(Duration::ZERO))
        };
        self.lanes.iter().map(wait).min().unwrap_or(Duration::MAX).min(COUNT_EVERY)
    }

    /// Parks what is overdue, publishes how much waits, and forgets hosts that nothing leads to.
    async fn count(&mut self) {
        let counted = async {
            let mut counts = self.office.dispatches.dispatch_counts().await?;
            let overdue = counts.values().any(|counts| counts.oldest_parks_at.is_some_and(|at| at <= self.wall()));
            if overdue {
                while self.park().await? {}
                counts = self.office.dispatches.dispatch_counts().await?;
            }
            Ok::<_, StoreError>(counts)
        };
        match counted.await {
            Ok(counts) => {
                counts.iter().for_each(|(channel, counts)| self.publish(*channel, counts));
                self.counts.send_replace(counts);
            }
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "the outbox was not counted"),
        }
        let wanted: BTreeSet<&str> = self.lanes.values().filter_map(|known| known.host.as_deref()).collect();
        self.hosts.retain(|name, host| !host.is_idle() || wanted.contains(name.as_str()));
    }

    fn publish(&self, channel: Channel, counts: &DispatchCounts) {
        let left = counts.oldest_parks_at.map(|at| at.duration_since(self.wall()).as_secs_f64());
        let oldest = left.map_or(0.0, |left| (TRIED_FOR.as_secs_f64() - left).max(0.0));
        self.metrics.outbox(channel.as_str(), Waiting { pending: counts.pending, parked: counts.parked, oldest });
    }

    /// Parks some of what is overdue, and looks at what it held up; whether there may be more.
    async fn park(&self) -> Result<bool, StoreError> {
        let parked = self.office.dispatches.park_overdue().await?;
        for (lane, count) in &parked {
            let kind = match lane.channel {
                Channel::Callback => DeliveryKind::Callback,
                Channel::Sms => DeliveryKind::Sms,
            };
            let campaign = &lane.campaign;
            tracing::warn!(%campaign, count, "messages were not taken for a day and are parked; see `dialops callbacks list`");
            (0..*count).for_each(|_| self.metrics.exchange().delivered(kind, DeliveryResult::Parked));
        }
        Ok(!parked.is_empty())
    }
}

fn why(tried: Option<&Tried>) -> Option<&str> {
    match tried? {
        Tried::Again { why, .. } | Tried::Parked { why } | Tried::Dropped { why } => Some(why),
        Tried::Sent | Tried::NotYet { .. } | Tried::Undone => None,
    }
}

async fn unread(error: &StoreError) {
    tracing::warn!(error = error as &dyn std::error::Error, "the outbox was not read");
    sleep(STORE_RETRY).await;
}

impl Office {
    /// Writes what became of a try, until the store has it: what was sent would be sent again.
    async fn write(&self, id: DispatchId, tried: &Tried) {
        loop {
            match self.dispatches.tried(id, tried.clone()).await {
                Ok(()) | Err(StoreError::Closed | StoreError::Fenced(_)) => return,
                Err(error) => unread(&error).await,
            }
        }
    }
}
