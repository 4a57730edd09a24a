//! A campaign as a small configuration defines it, for tests to change.

use std::sync::LazyLock;

use dialops::{
    config::{SourceFile, load, settings::outer_ceilings},
    domain::{
        campaign::Campaign,
        ids::{CampaignId, QueueId},
    },
};

/// What every configuration has.
pub(crate) const TENANT: &str = "id = \"acme\"\nname = \"Acme\"\ntimezone = \"Asia/Shanghai\"\nregion = \"CN\"\n";
pub(crate) const QUEUES: &str = "[[queues]]\nid = \"sales\"\nname = \"Sales\"\n";
pub(crate) const AGENTS: &str =
    "[[agents]]\nid = \"a1\"\nname = \"Li Na\"\nsip = \"sip:a1@10.0.0.5\"\nqueues = [\"sales\"]\n";

const FILES: [(&str, &str); 4] = [
    ("shared/tenant.toml", TENANT),
    ("shared/queues.toml", QUEUES),
    ("shared/agents.toml", AGENTS),
    (
        "example.toml",
        r#"
        id = "example"
        name = "Example"
        state = "running"
        mode = "preoccupied"
        caller_numbers = ["+862160000001"]
        starts_at = 2031-01-01T00:00:00Z
        ends_at = 2032-01-01T00:00:00Z
        skill_queue = "sales"
        [calling_hours]
        timezone = "Asia/Shanghai"
        windows = ["09:00-18:00"]
        "#,
    ),
];

static EXAMPLE: LazyLock<Campaign> = LazyLock::new(|| {
    let files = FILES.map(|(path, text)| SourceFile { folder: "campaigns", path, bytes: text.as_bytes() });
    let (definitions, _) = load("campaigns", &files, &outer_ceilings()).unwrap();
    Campaign::clone(definitions.campaigns.values().next().unwrap())
});

/// A running campaign of queue `sales`, 09:00 to 18:00 in Shanghai through 2031, every other setting
/// at its default.
pub(crate) fn campaign(id: CampaignId, name: &str) -> Campaign {
    Campaign { id, name: name.to_owned(), skill_queue: QueueId::parse("sales").unwrap(), ..EXAMPLE.clone() }
}
