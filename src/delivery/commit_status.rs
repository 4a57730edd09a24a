//! The state of a commit, as GitHub, GitLab and Gitea take it.

use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value as Json};

use super::{
    outbox::Outcome,
    post::{Message, Unsent},
};
use crate::{
    config::settings::{Provider, StatusSettings},
    domain::ids::Revision,
};

/// Most characters of a description: GitHub refuses a longer one.
const GITHUB_MAX: usize = 140;
/// The same of GitLab; Gitea takes more, and shows it in a tooltip.
const OTHERS_MAX: usize = 255;

/// What GitLab says of a state that the commit has already, as after a restart.
const GITLAB_KNOWS: &str = "Cannot transition status";

/// The status of a commit, ready to be sent. Reads the token.
pub(super) fn message(
    settings: &StatusSettings,
    credentials: Option<&Path>,
    context: &str,
    (revision, outcome): (&Revision, &Outcome),
) -> Result<Message, Unsent> {
    let token = settings.token.resolve(credentials);
    let token = token.map_err(|error| Unsent::passing(format!("its token can't be read: {error}")))?;
    Ok(Message {
        url: url(settings, revision),
        headers: headers(settings.provider, &token).into_iter().map(|(name, value)| (name.into(), value)).collect(),
        secret: Some(token),
        known_by: (settings.provider == Provider::GitLab).then_some(GITLAB_KNOWS),
        body: body(settings, context, outcome).to_string().into_bytes(),
    })
}

fn url(settings: &StatusSettings, revision: &Revision) -> String {
    let StatusSettings { provider, api, project, .. } = settings;
    match provider {
        Provider::GitHub | Provider::Gitea => format!("{api}/repos/{project}/statuses/{revision}"),
        Provider::GitLab => format!("{api}/projects/{}/statuses/{revision}", project.replace('/', "%2F")),
    }
}

fn headers(provider: Provider, token: &SecretString) -> Vec<(&'static str, String)> {
    let token = token.expose_secret();
    match provider {
        Provider::GitHub => vec![
            ("Authorization", format!("Bearer {token}")),
            ("Accept", "application/vnd.github+json".to_owned()),
            ("X-GitHub-Api-Version", "2022-11-28".to_owned()),
        ],
        Provider::GitLab => vec![("PRIVATE-TOKEN", token.to_owned())],
        Provider::Gitea => vec![("Authorization", format!("token {token}"))],
    }
}

fn body(settings: &StatusSettings, context: &str, outcome: &Outcome) -> Json {
    let (state, text) = state(settings.provider, outcome);
    let (name, most) = match settings.provider {
        Provider::GitHub => ("context", GITHUB_MAX),
        Provider::Gitea => ("context", OTHERS_MAX),
        Provider::GitLab => ("name", OTHERS_MAX),
    };
    let keys = [("state", state), (name, context), ("description", &shortened(text, most))];
    let target = settings.target_url.as_deref().map(|url| ("target_url", url));
    let keys = keys.into_iter().chain(target).map(|(key, value)| (key.to_owned(), Json::from(value)));
    Json::Object(keys.collect::<Map<_, _>>())
}

/// What the provider calls it, and the sentence.
fn state(provider: Provider, outcome: &Outcome) -> (&'static str, &str) {
    let gitlab = provider == Provider::GitLab;
    match outcome {
        Outcome::Pending(text) => ("pending", text),
        Outcome::InForce(text) => ("success", text),
        Outcome::Refused(text) => (if gitlab { "failed" } else { "failure" }, text),
        Outcome::Failed(text) => (if gitlab { "failed" } else { "error" }, text),
        Outcome::Superseded(text) => (if gitlab { "canceled" } else { "error" }, text),
    }
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::campaign::SecretRef;

    fn settings(provider: Provider, project: &str) -> StatusSettings {
        StatusSettings {
            provider,
            api: "https://git.example.net/api".to_owned(),
            project: project.to_owned(),
            token: SecretRef::File("/nowhere".into()),
            target_url: Some("https://dialops.example.net/".to_owned()),
            timeout: Duration::from_secs(1),
            ca_file: None,
        }
    }

    #[test]
    fn each_provider_is_told_in_its_words() {
        let revision = Revision::parse(&"a".repeat(40)).unwrap();
        let told = |provider, project, outcome| {
            let settings = settings(provider, project);
            (url(&settings, &revision), body(&settings, "dialops/prod-a", &outcome).to_string())
        };
        let refused = || Outcome::Refused("campaigns/x.toml:4:9: no".to_owned());
        let (url, body) = told(Provider::GitHub, "acme/x", refused());
        assert_eq!(url, format!("https://git.example.net/api/repos/acme/x/statuses/{revision}"));
        assert_eq!(
            body,
            r#"{"state":"failure","context":"dialops/prod-a","description":"campaigns/x.toml:4:9: no","target_url":"https://dialops.example.net/"}"#
        );
        let (url, body) = told(Provider::GitLab, "acme/teams/x", refused());
        assert_eq!(url, format!("https://git.example.net/api/projects/acme%2Fteams%2Fx/statuses/{revision}"));
        assert!(body.starts_with(r#"{"state":"failed","name":"dialops/prod-a","#), "{body}");
        let (_, body) = told(Provider::Gitea, "acme/x", Outcome::Superseded("x".to_owned()));
        assert!(body.starts_with(r#"{"state":"error","context":"#), "{body}");
    }

    #[test]
    fn a_description_is_cut_where_the_provider_ends_it() {
        let long = || Outcome::Refused("ü".repeat(1_000));
        for (provider, most) in [(Provider::GitHub, GITHUB_MAX), (Provider::GitLab, OTHERS_MAX)] {
            let body = body(&settings(provider, "a/b"), "c", &long());
            let description = body["description"].as_str().unwrap();
            assert!(description.chars().count() == most && description.ends_with("ü…"), "{description}");
        }
        assert_eq!(shortened("short", 5), "short");
    }
}
