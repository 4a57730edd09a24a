//! A served world: the real router on real sockets over the store's in-memory twin, with stand-ins
//! for the two loops.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use dialops::{
    clock::Clock,
    config::{Loader, settings::outer_ceilings},
    control::{AgentError, DialCommand, QUEUE_LENGTH, ReconcileCommand},
    domain::{
        agent::Availability,
        business_result::BusinessResult,
        call::{Destination, LegIdentity},
        campaign::{AgentDefinition, Definitions, DialPermission, Generation, Priority},
        contact::{Contact, NewContact, Number},
        gate::Caps,
        guards::Guards,
        ids::{
            AgentId, AttemptId, BatchId, BusinessResultId, CampaignId, CategoryId, CustomerId, LegId, QueueId,
            Revision, TenantId, TrunkId,
        },
        intent::Settlement,
        phone::E164,
        results::CallResult,
        retry::{self, EndedAttempt},
        tenant::Tenant,
    },
    exports::{Jobs, Spool},
    gitops::webhook::Webhooks,
    http::{self, Instance, Listeners, ServerState, access::Access},
    store::{
        Against, CampaignChange, GateSettings, IntentDecision, IntentRequest, LegRecord, Opener, Store,
        memory::MemoryStore,
    },
    telemetry::{
        metrics::Metrics,
        status::{
            AgentStatus, CampaignStatus, CommitInfo, Condition, DialStatus, ReconcileStatus, SourceStatus, Waiting,
        },
    },
};
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// When every served world begins: a Saturday morning in Shanghai.
pub(crate) const START: &str = "2031-03-01T02:00:00Z";
pub(crate) const TOKEN: &str = "a-token-for-tests";
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Longest time that exports are kept.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long a session may be left alone.
pub(crate) const SESSION_IDLE: Duration = Duration::from_secs(1800);

/// A daemon's outside without its inside.
pub(crate) struct Served {
    pub(crate) socket: PathBuf,
    pub(crate) address: SocketAddr,
    pub(crate) source: watch::Sender<ReconcileStatus>,
    pub(crate) dial: watch::Sender<DialStatus>,
    pub(crate) generation: watch::Sender<Option<Arc<Generation>>>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: Clock,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) exports: Arc<Jobs>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) server: tokio::task::JoinHandle<()>,
    /// Campaigns whose contacts the dialling loop was told of.
    pub(crate) imported: mpsc::UnboundedReceiver<CampaignId>,
    attempts: u32,
    _dir: tempfile::TempDir,
}

impl Served {
    /// Serves with a token on TCP, nothing in force yet.
    pub(crate) async fn start() -> Self {
        Self::with_access(Access { token: Some(TOKEN.into()), allowed_uids: vec![] }).await
    }

    pub(crate) async fn with_access(access: Access) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("dialops.sock");
        let tcp = http::listen::tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = tcp.local_addr().unwrap();
        let unix = http::listen::unix(&socket).await.unwrap();
        let clock = Clock::manual(START.parse().unwrap());
        let store = MemoryStore::open(opener(), gate_settings(), clock.clone());
        let (source, source_status) =
            watch::channel(ReconcileStatus { sources: vec![SourceStatus::default()], ..ReconcileStatus::default() });
        let (dial, dial_status) = watch::channel(DialStatus::default());
        let (generation, in_force) = watch::channel(None);
        let (dialer, dial_commands) = mpsc::channel(QUEUE_LENGTH);
        let (reconciler, reconcile_commands) = mpsc::channel(QUEUE_LENGTH);
        let (told, imported) = mpsc::unbounded_channel();
        tokio::spawn(stand_in_dialer(dial_commands, dial.clone(), told));
        tokio::spawn(stand_in_reconciler(reconcile_commands, source.clone()));
        let metrics = Arc::new(Metrics::new(clock.now().wall));
        let exports = Arc::new(Jobs::new(Spool::new(dir.path().join("exports"), &[7; 32]), KEPT, 1));
        let state = ServerState {
            instance: Instance { name: "test".into(), version: "0.0.0".into(), started_at: clock.now().wall },
            sources: vec![crate::repository::source("/nonexistent", "main", "campaigns")],
            loader: Arc::new(Loader::new(outer_ceilings())),
            reconcile: source_status,
            dial: dial_status,
            generation: in_force,
            store: store.clone(),
            dialer,
            reconciler,
            wakes: vec![Arc::default()],
            webhooks: Arc::new(Webhooks::new(vec![], vec![], None)),
            metrics: Arc::clone(&metrics),
            clock: clock.clone(),
            access,
            sign_ins: http::SignIns::default(),
            sessions: http::Sessions::new(SESSION_IDLE),
            longest_override: Duration::from_secs(3600),
            guards: Guards::default(),
            dispatches: store.clone(),
            today: Default::default(),
            outbox: watch::channel(dialops::store::AllDispatchCounts::default()).1,
            exports: Arc::clone(&exports),
            keyring: None,
        };
        let shutdown = CancellationToken::new();
        let listeners = Listeners { tcp: Some(tcp), unix: Some(unix) };
        let server = tokio::spawn(http::serve(Arc::new(state), listeners, shutdown.clone()));
        let attempts = 0;
        Self {
            socket,
            address,
            source,
            dial,
            generation,
            store,
            clock,
            metrics,
            exports,
            shutdown,
            server,
            imported,
            attempts,
            _dir: dir,
        }
    }

    /// Puts a generation with campaign `spring` and agent `anna` in force.
    pub(crate) async fn apply(&self) {
        let generation = Arc::new(generation());
        let changes = vec![CampaignChange::Put { id: campaign_id(), digest: "d1".into() }];
        self.store.apply(Arc::clone(&generation), changes, Against::Whatever).await.unwrap();
        self.generation.send_replace(Some(generation));
        self.source.send_modify(|status| status.sources = vec![source_status()]);
        self.dial.send_replace(dial_status());
    }

    pub(crate) async fn add_contact(&self, customer: &str, numbers: &[&str]) {
        let category = CategoryId::parse("mobile").unwrap();
        let contact = NewContact {
            customer: CustomerId::parse(customer).unwrap(),
            numbers: numbers.iter().map(|n| (category.clone(), E164::parse(n).unwrap())).collect(),
            priority: Priority::DEFAULT,
            not_before: None,
            timezone: None,
            attributes: BTreeMap::new(),
            custom_field: None,
        };
        self.store.import(&campaign_id(), &BatchId::parse("first").unwrap(), vec![contact]).await.unwrap();
    }

    /// Calls the first candidate and ends the call with `result` 20 s later.
    pub(crate) async fn call(&mut self, result: CallResult) {
        let page = self.store.candidates(&campaign_id(), self.clock.now().wall, 1).await.unwrap();
        let contact = page.ready.first().expect("a contact is ready").clone();
        self.call_for("anna", contact, result).await;
    }

    /// The same for an agent, of a candidate.
    pub(crate) async fn call_for(&mut self, agent: &str, contact: Contact, result: CallResult) {
        let now = self.clock.now().wall;
        let due = |n: &Number| n.ended.is_none() && n.due_at.is_none_or(|at| at <= now);
        let number = contact.progress.numbers.iter().position(due).expect("a number is due");
        self.attempts += 1;
        let (epoch, serial) = (self.store.epoch(), self.attempts);
        let (attempt, leg) = (AttemptId { epoch, serial }, LegId { epoch, serial });
        let mut request = intent(attempt, leg, &contact, number);
        request.agent = AgentId::parse(agent).unwrap();
        let intent = match self.store.record_intent(request).await.unwrap() {
            IntentDecision::Recorded(intent) => intent,
            IntentDecision::Refused(hold) => panic!("the gate refused: {hold}"),
        };
        self.clock.advance(Duration::from_secs(20));
        let ended_at = self.clock.now().wall;
        let answered = (result == CallResult::Answered).then_some(now);
        let ended = EndedAttempt {
            number,
            rule: None,
            result,
            ended_at,
            local_date: intent.local_date,
            next_day_at: intent.next_day_at,
            caller_number: E164::parse("+862160000001").unwrap(),
        };
        let (progress, result) = retry::settle(&intent.policy, &contact.progress, &ended);
        let settlement = Settlement {
            attempt,
            result,
            fail_code: "00000",
            sip_status: (result == CallResult::Busy).then_some(486),
            q850: (result == CallResult::Busy).then_some(17),
            ended_at,
            answered_at: answered,
            connected_at: answered,
            progress,
        };
        self.store.settle(settlement).await.unwrap();
    }

    /// A client on the socket, which needs no token.
    pub(crate) fn over_socket(&self) -> reqwest::Client {
        reqwest::Client::builder().unix_socket(self.socket.as_path()).build().unwrap()
    }

    pub(crate) fn tcp_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

fn opener() -> Opener {
    Opener {
        daemon_version: "0.0.0".into(),
        tzdb_version: "2031a".into(),
        settings_digest: "5e771465".into(),
        pid: 1,
        host: "test".into(),
    }
}

fn gate_settings() -> GateSettings {
    let caps = Caps { tenant_calls: 100, tenant_calls_per_second: 100, trunk_calls: 100, trunk_calls_per_second: 100 };
    GateSettings { permission: DialPermission::All, caps: BTreeMap::from([(TrunkId::parse("carrier").unwrap(), caps)]) }
}

pub(crate) fn campaign_id() -> CampaignId {
    CampaignId::parse("spring").unwrap()
}

fn generation() -> Generation {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let campaign = crate::definitions::campaign(campaign_id(), "春季回访 <b>");
    let tenant = Tenant::new(TenantId::parse("acme").unwrap(), "Acme", "Asia/Shanghai", "CN");
    let campaigns = BTreeMap::from([(campaign.id.clone(), Arc::new(campaign))]);
    let sold = BusinessResult {
        id: BusinessResultId::parse("sold").unwrap(),
        name: "Sold".into(),
        sub_results: BTreeMap::new(),
        schedules_callback: false,
        counts_as_goal: true,
    };
    let business_results = BTreeMap::from([(sold.id.clone(), sold)]);
    let anna = AgentDefinition {
        id: AgentId::parse("anna").unwrap(),
        name: "Anna Schmidt".into(),
        sip: "sip:anna@127.0.0.1".into(),
        queues: vec![QueueId::parse("sales").unwrap()],
    };
    let bert = AgentDefinition { id: AgentId::parse("bert").unwrap(), name: "Bert".into(), ..anna.clone() };
    let agents = [anna, bert].into_iter().map(|agent| (agent.id.clone(), agent)).collect();
    let definitions = Definitions { campaigns, business_results, agents, ..Definitions::of(tenant) };
    Generation::whole(Revision::parse(COMMIT).unwrap(), at("2031-03-01T01:00:00Z"), definitions)
}

fn source_status() -> SourceStatus {
    let revision = Some(format!("main@sha1:{COMMIT}"));
    SourceStatus {
        id: "main".into(),
        owner: None,
        waiting: None,
        repository: "/srv/calls".into(),
        reference: "refs/heads/main".into(),
        observed_revision: revision.clone(),
        last_attempted_revision: revision.clone(),
        last_applied_revision: revision,
        applied_commit: Some(CommitInfo {
            author: "Li Wei".into(),
            time: "2031-03-01T01:00:00Z".into(),
            subject: "spring: start".into(),
            verified: None,
        }),
        applied_at: Some(START.into()),
        last_handled_reconcile: None,
        conditions: vec![Condition {
            r#type: "Ready".into(),
            status: "True".into(),
            reason: "Applied".into(),
            message: "6 files, 1 campaign".into(),
            last_transition_time: START.into(),
        }],
        problems: vec![],
        lowered: vec![],
        files: 6,
        failure: None,
    }
}

fn dial_status() -> DialStatus {
    DialStatus {
        dial: "all".into(),
        campaigns: vec![CampaignStatus {
            id: "spring".into(),
            name: "春季回访 <b>".into(),
            desired: "running".into(),
            phase: "running".into(),
            revision: COMMIT.into(),
            waiting: Some(Waiting { reason: "no_agent_idle".into(), message: "no agent idle".into(), until: None }),
            live_calls: 1,
            contacts: Some(3),
            open_contacts: Some(2),
            results: BTreeMap::from([("busy".into(), 2)]),
            ..CampaignStatus::default()
        }],
        agents: vec![AgentStatus {
            id: "anna".into(),
            name: "Anna Schmidt".into(),
            state: "talking".into(),
            since: START.into(),
            campaign: Some("spring".into()),
            ..AgentStatus::default()
        }],
        live_calls: 1,
        reserved_agents: 0,
    }
}

fn intent(attempt: AttemptId, leg: LegId, contact: &Contact, number: usize) -> IntentRequest {
    let (caller_number, trunk) = (E164::parse("+862160000001").unwrap(), TrunkId::parse("carrier").unwrap());
    let called = contact.progress.numbers[number].e164.clone();
    let identity = LegIdentity {
        call_id: leg.to_string(),
        local_uri: String::new(),
        local_tag: String::new(),
        remote_uri: String::new(),
        remote_tag: None,
        target_uri: String::new(),
        routes: vec![],
        cseq: 1,
        branch: String::new(),
        peer: String::new(),
    };
    let destination =
        Destination::Customer { number: called, caller_number: caller_number.clone(), trunk: trunk.clone() };
    IntentRequest {
        attempt,
        campaign: campaign_id(),
        contact: contact.reference,
        picked_version: contact.version,
        number,
        rule: None,
        caller_number,
        agent: AgentId::parse("anna").unwrap(),
        trunk,
        leg: LegRecord { leg, destination, identity },
    }
}

async fn stand_in_dialer(
    mut commands: mpsc::Receiver<DialCommand>,
    dial: watch::Sender<DialStatus>,
    imported: mpsc::UnboundedSender<CampaignId>,
) {
    while let Some(command) = commands.recv().await {
        match command {
            DialCommand::SetAgent { agent, availability, reply, .. } => {
                let known = set_state(&dial, &agent, availability);
                let _caller_gone = reply.send(if known { Ok(()) } else { Err(AgentError::Unknown(agent)) });
            }
            DialCommand::Overridden { done, .. } => {
                let _caller_gone = done.send(());
            }
            // It calls nobody.
            DialCommand::CancelRinging { .. } => {}
            DialCommand::ContactsAdded { campaign } | DialCommand::ContactsChanged { campaign } => {
                imported.send(campaign).unwrap();
            }
            // The store has it; this one dials nobody.
            DialCommand::ContactChanged { .. }
            | DialCommand::DoNotCallChanged { .. }
            | DialCommand::HangUp(_)
            | DialCommand::Compare { .. }
            | DialCommand::Mend { .. } => {}
        }
    }
}

fn set_state(dial: &watch::Sender<DialStatus>, agent: &AgentId, availability: Availability) -> bool {
    dial.send_if_modified(|status| {
        let found = status.agents.iter_mut().find(|found| found.id == agent.as_str());
        found.map(|found| found.state = availability.as_str().to_owned()).is_some()
    })
}

async fn stand_in_reconciler(mut commands: mpsc::Receiver<ReconcileCommand>, source: watch::Sender<ReconcileStatus>) {
    while let Some(command) = commands.recv().await {
        source.send_modify(|status| status.sources[0].last_handled_reconcile = Some(command.token));
        let _caller_gone = command.done.send(());
    }
}
