//! The files of the demo: what an operator would commit, and the machine's settings.

use std::{fmt::Write as _, net::SocketAddr};

/// Id of the campaign.
pub(super) const CAMPAIGN: &str = "spring-offer";

/// The campaign's file.
pub(super) const CAMPAIGN_FILE: &str = "campaigns/spring-offer.toml";

/// How many agents.
pub(super) const AGENTS: usize = 8;

const NAMES: [&str; AGENTS] =
    ["Ada Byron", "Ben Okri", "Chen Jing", "Dana Levi", "Emil Berg", "Fatima Noor", "Grace Hill", "Hugo Sol"];

/// Id of the agent `index`.
pub(super) fn agent_id(index: usize) -> String {
    format!("a{}", index + 1)
}

/// `shared/`: whom is dialled for, and who takes the calls.
pub(super) fn shared(sip_uri: impl Fn(&str) -> String) -> Vec<(&'static str, String)> {
    let tenant = "\
id = \"demo\"
name = \"Demo Motors\"
timezone = \"America/New_York\"
region = \"US\"

[agents]
ring = \"5s\"
wrap_up = \"1s\"
";
    let queues = "\
[[queues]]
id = \"sales\"
name = \"Sales\"
";
    let mut agents = String::new();
    for (index, name) in NAMES.iter().enumerate() {
        let id = agent_id(index);
        let sip = sip_uri(&id);
        let gap = if index == 0 { "" } else { "\n" };
        // Writing to a String can't fail.
        let _written = writeln!(
            agents,
            "{gap}[[agents]]\nid = \"{id}\"\nname = \"{name}\"\nsip = \"{sip}\"\nqueues = [\"sales\"]"
        );
    }
    vec![
        ("campaigns/shared/tenant.toml", tenant.to_owned()),
        ("campaigns/shared/queues.toml", queues.to_owned()),
        ("campaigns/shared/agents.toml", agents),
    ]
}

/// The campaign, with the state that its file asks for.
pub(super) fn campaign(state: &str) -> (&'static str, String) {
    let text = format!(
        "\
id = \"{CAMPAIGN}\"
name = \"Spring offer\"
state = \"{state}\"
mode = \"preoccupied\"
caller_numbers = [\"+13035550100\"]
starts_at = 2026-01-01T00:00:00Z
ends_at = 2099-12-31T23:59:59Z
skill_queue = \"sales\"

[calling_hours]
timezone = \"America/New_York\"
windows = [\"00:00-24:00\"]

[strategy]
max_ring = \"5s\"

# So short only in a demo: nobody wants to be called again after four seconds.
[results.global]
max_days = 1
max_attempts_per_day = 2
retry_interval = \"4s\"
"
    );
    (CAMPAIGN_FILE, text)
}

/// Where the demo's daemon listens, and its carrier.
#[derive(Debug, Clone, Copy)]
pub(super) struct Addresses {
    pub(super) http: SocketAddr,
    pub(super) sip: SocketAddr,
    pub(super) carrier: SocketAddr,
}

/// `dialops.toml`.
pub(super) fn settings(addresses: Addresses) -> String {
    let Addresses { http, sip, carrier } = addresses;
    format!(
        "\
[source]
repository = \"calls\"
branch = \"main\"

[store]
path = \"dialops.db\"

[http]
listen = \"{http}\"
socket = \"dialops.sock\"

[sip]
listen = \"{sip}\"

[[trunks]]
id = \"carrier\"
address = \"{carrier}\"
max_concurrent_calls = 30
max_calls_per_second = 100

[ceilings]
owned_caller_numbers = [\"+13035550100\"]
max_concurrent_calls = 30
max_calls_per_second = 100

# All of them, for the carrier is only a program on this machine.
[safety]
dial = \"all\"
"
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{self, Settings, SourceFile};

    #[test]
    fn the_commits_are_good() {
        for state in ["running", "paused"] {
            let mut files = shared(|name| format!("sip:{name}@127.0.0.1:4"));
            files.push(campaign(state));
            let bytes = |(path, text): &'static (&str, String)| SourceFile {
                folder: "campaigns",
                path: path.strip_prefix("campaigns/").unwrap(),
                bytes: text.as_bytes(),
            };
            let files: Vec<SourceFile<'_>> = files.leak().iter().map(bytes).collect();
            let ceilings = config::settings::outer_ceilings();
            let (definitions, warnings) = config::load("campaigns", &files, &ceilings).unwrap();
            assert_eq!((definitions.campaigns.len(), definitions.agents.len(), warnings.len()), (1, AGENTS, 0));
        }
    }

    #[test]
    fn the_settings_are_good() {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let text = settings(Addresses { http: at(1), sip: at(2), carrier: at(3) });
        let settings = Settings::parse(Path::new("/demo/dialops.toml"), &text).unwrap();
        assert_eq!(settings.http.socket, Path::new("/demo/dialops.sock"));
        assert_eq!(settings.trunks[0].address, "127.0.0.1:3");
    }
}
