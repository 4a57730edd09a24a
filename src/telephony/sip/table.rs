//! The transactions of one socket: found by branch, driven by time, with the bytes that they repeat.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use bytes::Bytes;

use super::{
    dialog::ack_refusal,
    keys::COOKIE,
    leg::Role,
    message::{Message, Method},
    timers::{Alarm, Timers},
    transaction::{Client, InviteClient, InviteServer, Server, Step, Timing},
};

/// Number of a transaction; never used twice.
pub type TransactionId = u64;

/// Number of a leg in the endpoint; never used twice.
pub type LegKey = u64;

/// Something to send, and the client transaction that wants to know if it can't be.
#[derive(Debug, Clone)]
pub struct Packet {
    /// Where to.
    pub to: SocketAddr,
    /// What.
    pub bytes: Bytes,
    /// Whose first request it is.
    pub of: Option<TransactionId>,
}

#[derive(Debug)]
enum Machine {
    InviteClient(InviteClient),
    Client(Client),
    InviteServer(InviteServer),
    Server(Server),
}

#[derive(Debug)]
enum Key {
    /// Branch, and what it does for which leg. A CANCEL shares the branch of its INVITE.
    Client(Box<str>, LegKey, Role),
    Server(Box<str>),
}

#[derive(Debug)]
struct Transaction {
    machine: Machine,
    key: Key,
    /// What "send" means: the request, the ACK or the response.
    bytes: Bytes,
    to: SocketAddr,
    alarm: Alarm,
}

impl Transaction {
    fn deadline(&self) -> Option<Duration> {
        match &self.machine {
            Machine::InviteClient(machine) => machine.deadline(),
            Machine::Client(machine) => machine.deadline(),
            Machine::InviteServer(machine) => machine.deadline(),
            Machine::Server(machine) => machine.deadline(),
        }
    }

    fn timeout(&mut self, now: Duration, timing: &Timing) -> Step {
        match &mut self.machine {
            Machine::InviteClient(machine) => machine.timeout(now),
            Machine::Client(machine) => machine.timeout(now, timing),
            Machine::InviteServer(machine) => machine.timeout(now, timing),
            Machine::Server(machine) => machine.timeout(now),
        }
    }
}

/// What a response is to the client transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// To no request that is still known.
    Unknown,
    /// Seen to.
    Absorbed,
    /// News for this leg.
    For(LegKey, Role),
}

/// What a request is to the server transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The first of its kind.
    New,
    /// Seen before, and seen to.
    Absorbed,
}

/// All transactions of one socket.
#[derive(Debug)]
pub struct Table {
    timing: Timing,
    all: HashMap<TransactionId, Transaction>,
    clients: HashMap<Box<str>, TransactionId>,
    cancels: HashMap<Box<str>, TransactionId>,
    servers: HashMap<Box<str>, TransactionId>,
    timers: Timers<TransactionId>,
    newest: TransactionId,
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(timing: Timing) -> Self {
        Self {
            timing,
            all: HashMap::new(),
            clients: HashMap::new(),
            cancels: HashMap::new(),
            servers: HashMap::new(),
            timers: Timers::new(),
            newest: 0,
        }
    }

    /// Live transactions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// When [`Self::timeout`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.timers.next()
    }

    fn insert(&mut self, machine: Machine, key: Key, bytes: Bytes, to: SocketAddr) -> TransactionId {
        self.newest += 1;
        let id = self.newest;
        let (index, text) = self.index(&key);
        index.insert(text.into(), id);
        let mut transaction = Transaction { machine, key, bytes, to, alarm: Alarm::default() };
        let deadline = transaction.deadline();
        self.timers.arm(id, &mut transaction.alarm, deadline);
        self.all.insert(id, transaction);
        id
    }

    /// Where a transaction is found, and by what.
    fn index<'a>(&mut self, key: &'a Key) -> (&mut HashMap<Box<str>, TransactionId>, &'a str) {
        match key {
            Key::Client(branch, _, Role::Cancel) => (&mut self.cancels, branch),
            Key::Client(branch, ..) => (&mut self.clients, branch),
            Key::Server(text) => (&mut self.servers, text),
        }
    }

    fn remove(&mut self, id: TransactionId) -> Option<Transaction> {
        let transaction = self.all.remove(&id)?;
        // A later transaction may have taken the same key.
        let (index, text) = self.index(&transaction.key);
        if index.get(text) == Some(&id) {
            index.remove(text);
        }
        Some(transaction)
    }

    /// Puts a machine's step into effect: sends, forgets, sets the next alarm.
    fn take(&mut self, id: TransactionId, step: Step, packets: &mut Vec<Packet>) {
        let Some(transaction) = self.all.get_mut(&id) else { return };
        if step.send {
            packets.push(Packet { to: transaction.to, bytes: transaction.bytes.clone(), of: None });
        }
        if step.over {
            self.remove(id);
            return;
        }
        let deadline = transaction.deadline();
        self.timers.arm(id, &mut transaction.alarm, deadline);
    }

    /// Starts a client transaction for `leg` and sends its request.
    pub fn request(
        &mut self,
        now: Duration,
        (leg, role): (LegKey, Role),
        message: &Message,
        branch: &str,
        to: SocketAddr,
        packets: &mut Vec<Packet>,
    ) {
        let bytes = Bytes::from(message.to_bytes());
        let machine = match role {
            Role::Invite | Role::Reinvite => Machine::InviteClient(InviteClient::new(now, &self.timing)),
            Role::Cancel | Role::Bye => Machine::Client(Client::new(now, &self.timing)),
        };
        let key = Key::Client(branch.into(), leg, role);
        let id = self.insert(machine, key, bytes.clone(), to);
        packets.push(Packet { to, bytes, of: Some(id) });
    }

    /// Awaits the final response of an INVITE that was sent before.
    pub fn adopt(&mut self, leg: LegKey, message: &Message, branch: &str, to: SocketAddr) {
        let key = Key::Client(branch.into(), leg, Role::Invite);
        let machine = Machine::InviteClient(InviteClient::adopted());
        self.insert(machine, key, Bytes::from(message.to_bytes()), to);
    }

    /// Stops repeating the INVITE with this branch.
    pub fn stop_repeating(&mut self, branch: &str) {
        if let Some(Machine::InviteClient(machine)) = self.client(branch).map(|(_, client)| &mut client.machine) {
            machine.stop_repeating();
        }
    }

    /// Forgets the INVITE with this branch if it has no final response: its leg is over.
    pub fn abandon(&mut self, branch: &str) {
        let found = self.client(branch).map(|(id, client)| (id, &client.machine));
        if let Some((id, Machine::InviteClient(machine))) = found
            && machine.is_open()
        {
            self.remove(id);
        }
    }

    fn client(&mut self, branch: &str) -> Option<(TransactionId, &mut Transaction)> {
        let id = *self.clients.get(branch)?;
        Some((id, self.all.get_mut(&id)?))
    }

    /// A response came.
    pub fn response(&mut self, now: Duration, response: &Message, packets: &mut Vec<Packet>) -> Reply {
        let (Some(status), Some(cseq), Some(via)) = (response.status(), response.cseq(), response.via()) else {
            return Reply::Absorbed;
        };
        let index = if cseq.method == Method::Cancel { &self.cancels } else { &self.clients };
        let Some((id, transaction)) = index.get(via.branch()).and_then(|id| Some((*id, self.all.get_mut(id)?))) else {
            return Reply::Unknown;
        };
        let Key::Client(_, leg, role) = transaction.key else { return Reply::Absorbed };
        let invite = cseq.method == Method::Invite;
        let step = match &mut transaction.machine {
            Machine::InviteClient(machine) if invite => machine.response(now, &self.timing, status),
            Machine::Client(machine) if !invite => machine.response(now, &self.timing, status),
            _ => return Reply::Absorbed,
        };
        if invite && step.send && step.deliver {
            if let Ok(request) = Message::parse(transaction.bytes.to_vec()) {
                transaction.bytes = ack_refusal(&request, response).to_bytes().into();
            }
        } else if invite && (200..300).contains(&status) {
            transaction.bytes = Bytes::new();
        }
        self.take(id, step, packets);
        if step.deliver { Reply::For(leg, role) } else { Reply::Absorbed }
    }

    /// A request other than ACK came.
    pub fn arrive(&mut self, request: &Message, packets: &mut Vec<Packet>) -> Arrival {
        let known = server_key(request, None).and_then(|key| self.servers.get(&key).copied());
        let Some((id, transaction)) = known.and_then(|id| Some((id, self.all.get_mut(&id)?))) else {
            return Arrival::New;
        };
        let step = match &mut transaction.machine {
            Machine::InviteServer(machine) => machine.repeated(),
            Machine::Server(machine) => machine.repeated(),
            Machine::InviteClient(_) | Machine::Client(_) => return Arrival::New,
        };
        self.take(id, step, packets);
        Arrival::Absorbed
    }

    /// An ACK came: whether it was for a refusal of ours.
    pub fn acknowledged(&mut self, now: Duration, ack: &Message, packets: &mut Vec<Packet>) -> bool {
        let known = server_key(ack, Some(&Method::Invite)).and_then(|key| self.servers.get(&key).copied());
        let Some((id, transaction)) = known.and_then(|id| Some((id, self.all.get_mut(&id)?))) else { return false };
        let Machine::InviteServer(machine) = &mut transaction.machine else { return false };
        let step = machine.acknowledged(now, &self.timing);
        self.take(id, step, packets);
        true
    }

    /// Whether a CANCEL's INVITE is known.
    #[must_use]
    pub fn knows_cancelled(&self, cancel: &Message) -> bool {
        server_key(cancel, Some(&Method::Invite)).is_some_and(|key| self.servers.contains_key(&key))
    }

    /// Responds to a request that [`Self::arrive`] called new, with a final response.
    pub fn respond(
        &mut self,
        now: Duration,
        request: &Message,
        response: &Message,
        to: SocketAddr,
        packets: &mut Vec<Packet>,
    ) {
        let Some(status) = response.status() else { return };
        let bytes = Bytes::from(response.to_bytes());
        let Some(key) = server_key(request, None) else {
            packets.push(Packet { to, bytes, of: None });
            return;
        };
        let (machine, step) = if request.method() == Some(&Method::Invite) {
            let mut machine = InviteServer::new();
            let step = machine.respond(now, &self.timing, status);
            (Machine::InviteServer(machine), step)
        } else {
            let mut machine = Server::new();
            let step = machine.respond(now, &self.timing, status);
            (Machine::Server(machine), step)
        };
        let id = self.insert(machine, Key::Server(key), bytes, to);
        self.take(id, step, packets);
    }

    /// A first request could not be sent: forgets its transaction and tells whose it was.
    pub fn unsent(&mut self, id: TransactionId) -> Option<(LegKey, Role)> {
        match self.remove(id)?.key {
            Key::Client(_, leg, role) => Some((leg, role)),
            Key::Server(_) => None,
        }
    }

    /// Serves one due timer. `None` when none is due; `Some(None)` when no leg is to hear of it.
    pub fn timeout(&mut self, now: Duration, packets: &mut Vec<Packet>) -> Option<Option<(LegKey, Role)>> {
        let (at, id) = self.timers.pop_due(now)?;
        let Some(transaction) = self.all.get_mut(&id) else { return Some(None) };
        if !transaction.alarm.rings(at) {
            return Some(None);
        }
        let step = transaction.timeout(now, &self.timing);
        let whose = match (&transaction.key, step.timed_out) {
            (Key::Client(_, leg, role), true) => Some((*leg, *role)),
            _ => None,
        };
        self.take(id, step, packets);
        Some(whose)
    }
}

/// What identifies a server transaction (RFC 3261 §17.2.3): branch, sender and method; for peers
/// without the magic cookie everything that RFC 2543 compares.
fn server_key(request: &Message, as_method: Option<&Method>) -> Option<Box<str>> {
    let via = request.via()?;
    let method = as_method.or(request.method())?;
    let branch = via.branch();
    if branch.starts_with(COOKIE) {
        return Some(format!("{branch}|{}|{method}", via.sent_by).into());
    }
    let (cseq, from) = (request.cseq()?.number, request.from_tag());
    Some(format!("{}|{from}|{}|{cseq}|{}|{branch}|{method}", request.call_id(), request.uri(), via.sent_by).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_branches_are_told_apart_by_the_whole_request() {
        let request = |call: &str| {
            let mut message = Message::request(Method::Bye, "sip:a@b");
            message.push(super::super::header::Name::Via, "SIP/2.0/UDP h;branch=1");
            message.push(super::super::header::Name::CallId, call);
            message.push(super::super::header::Name::CSeq, "1 BYE");
            message
        };
        assert_ne!(server_key(&request("x"), None), server_key(&request("y"), None));
        assert_eq!(server_key(&request("x"), None), server_key(&request("x"), None));
    }
}
