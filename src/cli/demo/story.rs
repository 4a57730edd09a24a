//! What happens in the demo, one thing after the other.

use std::time::Duration;

use super::{
    customers::CUSTOMERS,
    files::{AGENTS, CAMPAIGN, agent_id},
    summary::{Account, Applied, Pause},
    view::{Snapshot, View},
    world::World,
};
use crate::{
    cli::{
        client::Client,
        contacts, import,
        output::{Failure, Out},
        text::short_revision,
        why,
    },
    http::wire::{Attempt, ContactWhy, Results, SetAgent, Status, TallyView},
};

/// When it is paused at the latest, if half of the customers are not done by then.
const HALF_WITHIN: Duration = Duration::from_secs(22);

/// When calling stops, done or not, so that all is over within a minute.
const CALL_WITHIN: Duration = Duration::from_secs(46);

/// Longest wait for something that should come at once or with the last live call.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long nobody is called, to see the pause hold.
const HOLD_FOR: Duration = Duration::from_millis(2500);

/// Between two looks at the status, and while a commit is awaited.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOK_CLOSELY_EVERY: Duration = Duration::from_millis(10);

/// Attempts asked for at once.
const PAGE_LENGTH: &str = "1000";

/// Plays it all; fails when the numbers at the end don't agree.
pub(super) async fn play(world: &World, keep: bool) -> Result<(), Failure> {
    let mut play = Play {
        world,
        client: Client::new(&world.target())?,
        view: View::new(world.clock.clone()),
        commits: Vec::new(),
        pause: None,
    };
    play.greet();
    play.commit("running", "start: Spring offer").await?;
    play.sign_in().await?;
    play.import().await?;
    play.view.begin(CUSTOMERS as u64);
    let half = |seen: &Snapshot| seen.done() * 2 >= CUSTOMERS as u64;
    play.watch(HALF_WITHIN, half).await?;
    play.hold().await?;
    play.commit("running", "go on").await?;
    let finished = play.watch(CALL_WITHIN, |seen| seen.campaign.phase == "completed").await?;
    if finished {
        play.view.say("completed", "nobody is left to be called");
    } else {
        play.commit("paused", "enough for a demo").await?;
        play.wait_for_phase("paused").await?;
    }
    play.view.end();
    play.conclude(keep, finished).await
}

struct Play<'a> {
    world: &'a World,
    client: Client,
    view: View,
    commits: Vec<Applied>,
    pause: Option<Pause>,
}

impl Play<'_> {
    fn greet(&self) {
        let http = self.world.http;
        for line in [
            format!("{CUSTOMERS} made-up customers, {AGENTS} agents and a carrier, over SIP on this machine."),
            String::new(),
            format!("  directory  {}", self.world.folder().display()),
            format!("  page       http://{http}/"),
            format!("  metrics    http://{http}/metrics"),
            String::new(),
        ] {
            self.view.line(&line);
        }
    }

    /// Commits the campaign in `state` and waits until that is in force.
    async fn commit(&mut self, state: &'static str, message: &'static str) -> Result<(), Failure> {
        let revision = self.world.commit(state, message).await?;
        let committed_at = self.view.elapsed();
        let mut last = None;
        let in_force = loop {
            match self.client.get::<Status>(&["status"], &[]).await {
                Ok(status) => {
                    let source = status.sources.into_iter().next();
                    let applied = source.as_ref().and_then(|source| source.last_applied_revision.as_deref());
                    if applied.is_some_and(|applied| applied.ends_with(revision.as_str())) {
                        break true;
                    }
                    last = source.and_then(|source| source.conditions.into_iter().next());
                }
                // The first time it may not answer yet.
                Err(failure) if !self.commits.is_empty() => return Err(failure),
                Err(_) => {}
            }
            if self.view.elapsed().saturating_sub(committed_at) > PATIENCE {
                break false;
            }
            tokio::time::sleep(LOOK_CLOSELY_EVERY).await;
        };
        if !in_force {
            let why = last.map(|condition| condition.message).unwrap_or_default();
            let message = format!("commit {revision} did not come into force within {PATIENCE:?}; {why}");
            return Err(Failure::failed(message, "run it with --keep and look at dialops.log"));
        }
        let took = self.view.elapsed().saturating_sub(committed_at);
        let (id, ms) = (short_revision(revision.as_str()), took.as_millis());
        self.view.say("commit", &format!("{id} \"{message}\", state = \"{state}\": in force after {ms} ms"));
        self.commits.push(Applied { revision, message });
        Ok(())
    }

    async fn sign_in(&self) -> Result<(), Failure> {
        for index in 0..AGENTS {
            let wanted = SetAgent { state: "idle".to_owned(), after_call: false };
            let _set: SetAgent = self.client.put(&["agents", &agent_id(index)], &wanted).await?;
        }
        self.view.say("agents", &format!("{AGENTS} signed in"));
        Ok(())
    }

    async fn import(&self) -> Result<(), Failure> {
        let file = self.world.path("customers.csv");
        let silent = import::Progress::silent();
        let (counts, _rejects) = contacts::import(&self.client, CAMPAIGN, "customers", &file, silent).await?;
        if counts.added != CUSTOMERS as u64 {
            let message = format!("{} of {CUSTOMERS} customers were imported", counts.added);
            return Err(Failure::failed(message, "report this"));
        }
        self.view.say("contacts", &format!("{CUSTOMERS} imported from customers.csv"));
        Ok(())
    }

    async fn look(&self) -> Result<Snapshot, Failure> {
        Ok(Snapshot::of(self.client.get(&["status"], &[]).await?, CAMPAIGN))
    }

    /// Shows how things stand until it is `enough`; false when `until` came first.
    async fn watch(&mut self, until: Duration, enough: impl Fn(&Snapshot) -> bool) -> Result<bool, Failure> {
        loop {
            let seen = self.look().await?;
            self.view.show(&seen);
            if enough(&seen) {
                return Ok(true);
            }
            if self.view.elapsed() >= until {
                return Ok(false);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn wait_for_phase(&mut self, phase: &str) -> Result<(), Failure> {
        let until = self.view.elapsed() + PATIENCE;
        if self.watch(until, |seen| seen.campaign.phase == phase).await? {
            return Ok(());
        }
        let message = format!("the campaign was not {phase} within {PATIENCE:?}");
        Err(Failure::failed(message, "run it with --keep and look at dialops.log"))
    }

    /// Pauses by commit, lets live calls finish, and sees that nobody is called.
    async fn hold(&mut self) -> Result<(), Failure> {
        self.commit("paused", "pause").await?;
        let since = self.view.elapsed();
        let finishing = self.look().await?.campaign.live_calls;
        self.wait_for_phase("paused").await?;
        let before = self.world.carrier.counts().total();
        let took = self.view.elapsed().saturating_sub(since).as_secs_f64();
        let calls = if finishing == 1 { "1 live call".to_owned() } else { format!("{finishing} live calls") };
        self.view.say("paused", &format!("{calls} went on to the end ({took:.1} s); {before} INVITEs so far"));
        let until = self.view.elapsed() + HOLD_FOR;
        self.watch(until, |_| false).await?;
        let after = self.world.carrier.counts().total();
        let held = HOLD_FOR.as_secs_f64();
        self.view.say("held", &format!("{held:.1} s later {after} INVITEs"));
        self.pause = Some(Pause { before, after });
        Ok(())
    }

    /// Tells what came of it.
    async fn conclude(self, keep: bool, completed: bool) -> Result<(), Failure> {
        let attempts = self.attempts().await?;
        let tally: TallyView = self.client.get(&["campaigns", CAMPAIGN, "tally"], &[]).await?;
        let carrier = self.world.carrier.counts();
        let account = Account { attempts, tally, carrier, commits: self.commits, pause: self.pause, completed };
        let mut out = Out::stdout();
        let mut lines = vec![String::new()];
        lines.extend(account.lines());
        if let Some(customer) = account.interesting() {
            let why: ContactWhy = self.client.get(&["campaigns", CAMPAIGN, "contacts", customer, "why"], &[]).await?;
            lines.extend([String::new(), format!("$ dialops why {CAMPAIGN} {customer}")]);
            lines.extend(why::contact_lines(CAMPAIGN, &why));
        }
        lines.push(String::new());
        lines.extend(if keep { kept(self.world) } else { gone() });
        lines.into_iter().try_for_each(|line| out.line(line))?;
        out.finish()?;
        match account.faults() {
            faults if faults.is_empty() => Ok(()),
            faults => Err(Failure::failed(
                format!("the numbers do not agree: {}", faults.join("; ")),
                "run it with --keep and look at dialops.log",
            )),
        }
    }

    async fn attempts(&self) -> Result<Vec<Attempt>, Failure> {
        let mut attempts: Vec<Attempt> = Vec::new();
        let mut after: Option<String> = None;
        loop {
            // What the carrier saw is compared with them, number by number.
            let mut query = vec![("limit", PAGE_LENGTH), ("unmasked", "true")];
            query.extend(after.as_deref().map(|after| ("cursor", after)));
            let page: Results = self.client.get(&["campaigns", CAMPAIGN, "results"], &query).await?;
            attempts.extend(page.attempts);
            after = page.next;
            if after.is_none() {
                return Ok(attempts);
            }
        }
    }
}

fn gone() -> Vec<String> {
    let lines = [
        "Everything is removed again. `dialops demo --keep` lets the daemon go on: look at its page and",
        "metrics, ask it, and commit to its repository.",
    ];
    lines.map(str::to_owned).to_vec()
}

fn kept(world: &World) -> Vec<String> {
    let (folder, http) = (world.folder().display(), world.http);
    let socket = world.path("dialops.sock");
    vec![
        "The daemon goes on until Ctrl-C. Meanwhile, in another terminal:".to_owned(),
        format!("  page      http://{http}/"),
        format!("  metrics   http://{http}/metrics"),
        format!("  export DIALOPS_SOCKET={}", socket.display()),
        "  dialops status".to_owned(),
        format!("  dialops results {CAMPAIGN}"),
        format!("  cd {folder}/calls   # change campaigns/{CAMPAIGN}.toml, commit, and ask again"),
    ]
}
