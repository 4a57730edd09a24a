//! `[source]` and `[[sources]]`: from their tables to settings.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    code::Code,
    diagnostic::Span,
    read::At,
    settings::{Build, StatusSettings},
    tables::source::SourceTable,
    unclear::Unclear,
    verify::VerifySettings,
};
use crate::domain::{
    campaign::SecretRef,
    ids::{Revision, SourceId},
};

/// A remote repository is asked up to this part of `poll` later, unless the settings say otherwise.
const JITTER_PART: u32 = 10;

/// User name beside a token where the settings have none; servers that take tokens take any.
const USERNAME: &str = "dialops";

/// Folder beside the store in which remote repositories are mirrored.
const MIRRORS: &str = "sources";

/// The repository that is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSettings {
    /// Which one it is.
    pub id: SourceId,
    /// Whether there are others, so that paths of files begin with the id.
    pub is_one_of_several: bool,
    /// Whose it is.
    pub owner: Option<String>,
    /// Where it is.
    pub at: Location,
    /// What is followed in it.
    pub follow: Follow,
    /// Folder of the campaigns in the repository, without a `/` at either end.
    pub path: String,
    /// How often it is looked at.
    pub poll: Duration,
    /// Most that a look is put off by chance.
    pub jitter: Duration,
    /// Whose signature its commits must have.
    pub verify: VerifySettings,
    /// Where the state of its commits is written beside them.
    pub commit_status: Option<StatusSettings>,
}

/// Where a repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// On this machine, read in place.
    Local(PathBuf),
    /// Fetched into a mirror.
    Remote(Box<RemoteSettings>),
}

impl SourceSettings {
    /// What paths of its files begin with: nothing, unless there are several sources.
    #[must_use]
    pub fn label(&self) -> String {
        if self.is_one_of_several { format!("{}:", self.id) } else { String::new() }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => path.display().fmt(f),
            Self::Remote(remote) => f.write_str(&remote.url.text),
        }
    }
}

/// What is followed in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Follow {
    /// A branch, by its short name.
    Branch(String),
    /// A tag, by its short name.
    Tag(String),
    /// One commit, for good.
    Commit(Revision),
}

impl Follow {
    /// The full name of the ref, or the commit's id.
    #[must_use]
    pub fn reference(&self) -> String {
        match self {
            Self::Branch(name) => format!("refs/heads/{name}"),
            Self::Tag(name) => format!("refs/tags/{name}"),
            Self::Commit(revision) => revision.to_string(),
        }
    }
}

impl fmt::Display for Follow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Branch(name) | Self::Tag(name) => f.write_str(name),
            Self::Commit(revision) => f.write_str(revision.short()),
        }
    }
}

/// A repository that is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteSettings {
    /// Its address.
    pub url: RemoteUrl,
    /// Folder in which mirrors are kept.
    pub mirrors: PathBuf,
    /// User name beside the token.
    pub username: String,
    /// Token or password for HTTPS.
    pub token: Option<SecretRef>,
    /// Certificates in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// Proxy for HTTPS.
    pub proxy: Option<String>,
    /// Private key for SSH.
    pub ssh_key: Option<SecretRef>,
    /// Keys that the SSH server may have.
    pub known_hosts: Option<SecretRef>,
    /// Longest that one fetch may take.
    pub timeout: Duration,
    /// Most memory of each program of a fetch, in MiB.
    pub max_memory_mib: u32,
    /// Largest file that a fetch may write, in MiB.
    pub max_download_mib: u32,
}

/// Address of a remote repository; it holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteUrl {
    /// As Git takes it.
    pub text: String,
    /// How it is reached.
    pub transport: Transport,
}

/// How a remote repository is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// HTTP over TLS.
    Https,
    /// HTTP without it, on this machine.
    Http,
    /// SSH.
    Ssh,
    /// The file system.
    File,
}

impl Build<'_> {
    /// All sources, of which there is at least one; `store` is the file beside which mirrors are kept.
    pub(super) fn sources(
        &mut self,
        one: Option<At<SourceTable>>,
        several: At<Vec<At<SourceTable>>>,
        unclear: &Unclear,
        store: &Path,
    ) -> Option<Vec<SourceSettings>> {
        const BOTH: &str = "the settings must have one of `source` and `sources`";
        if unclear.has_any(&["source", "sources"]) {
            return None;
        }
        match (one, several.value) {
            (Some(one), several) if several.is_empty() => Some(vec![self.source(one, store, false)?]),
            (None, several) if several.is_empty() => {
                self.error(Code::OneOf, None, BOTH)
                    .label("have neither")
                    .help("add `[source]` with `repository = \"/srv/dialling.git\"` or `url = \"https://…\"`");
                None
            }
            (Some(one), several) => {
                let first = self.source.locate(one.span.unwrap_or_default());
                self.error(Code::OneOf, several.first().and_then(|table| table.span), BOTH)
                    .label("are several")
                    .relate(first, "is one")
                    .help("make `[source]` the first of `[[sources]]`, with `id = \"main\"`, or remove it");
                None
            }
            (None, several) => {
                self.check_ids(&several);
                let labelled = several.len() > 1;
                let built: Vec<_> = several.into_iter().map(|table| self.source(table, store, labelled)).collect();
                built.into_iter().collect()
            }
        }
    }

    fn check_ids(&mut self, tables: &[At<SourceTable>]) {
        let mut seen = BTreeMap::new();
        for table in tables {
            match &table.value.id {
                Some(id) => {
                    if let Some(first) = seen.insert(id.value.clone(), id.span) {
                        self.same_id("sources", id.span, first);
                    }
                }
                None if !table.value.unclear.has("id") => {
                    self.error(Code::MissingKey, table.span, "one of `sources` must have an `id`")
                        .label("has none")
                        .help("add `id = \"sales\"`; paths of its files begin with it in messages");
                }
                None => {}
            }
        }
    }

    fn source(&mut self, table: At<SourceTable>, store: &Path, is_one_of_several: bool) -> Option<SourceSettings> {
        let At { value: mut table, span } = table;
        let commit_status = table.status.take().map(|status| self.status(status));
        self.check_follow(&table);
        self.check_place(&table, span);
        let verify = self.verify(table.verify);
        let tenth = if table.url.is_some() { table.poll.value / JITTER_PART } else { Duration::ZERO };
        let follow = match (table.branch, table.tag, table.commit) {
            (_, Some(tag), _) => Follow::Tag(tag.value),
            (_, None, Some(commit)) => Follow::Commit(commit.value),
            (branch, None, None) => Follow::Branch(branch.map_or_else(|| "main".to_owned(), |branch| branch.value)),
        };
        let at = match (table.repository, table.url) {
            (Some(path), None) => Location::Local(self.folder.join(path.value)),
            (None, Some(url)) => Location::Remote(Box::new(RemoteSettings {
                url: url.value,
                mirrors: self.folder.join(store).with_file_name(MIRRORS),
                username: table.username.map_or_else(|| USERNAME.to_owned(), |name| name.value),
                token: table.token.map(|token| self.secret(token)),
                ca_file: table.ca_file.map(|file| self.folder.join(file.value)),
                proxy: table.proxy.map(|proxy| proxy.value),
                ssh_key: table.ssh_key.map(|key| self.secret(key)),
                known_hosts: table.known_hosts.map(|hosts| self.secret(hosts)),
                timeout: table.timeout.value,
                max_memory_mib: table.max_memory_mib.value,
                max_download_mib: table.max_download_mib.value,
            })),
            (Some(_), Some(_)) | (None, None) => return None,
        };
        Some(SourceSettings {
            id: table.id.map_or_else(SourceId::main, |id| id.value),
            is_one_of_several,
            owner: table.owner.map(|owner| owner.value),
            at,
            follow,
            path: table.path.value,
            poll: table.poll.value,
            jitter: table.jitter.map_or(tenth, |jitter| jitter.value),
            verify,
            commit_status: commit_status.flatten(),
        })
    }

    fn check_follow(&mut self, table: &SourceTable) {
        let spans = [span(&table.branch), span(&table.tag), span(&table.commit)];
        if let [first, second, ..] = spans.into_iter().flatten().collect::<Vec<_>>()[..] {
            let first = self.source.locate(first);
            self.error(Code::OneOf, Some(second), "only one of `branch`, `tag` and `commit` is followed")
                .label("the second one")
                .relate(first, "the first one")
                .help("leave the one that this daemon shall follow");
        }
    }

    fn check_place(&mut self, table: &SourceTable, whole: Option<Span>) {
        const BOTH: &str = "`source` must have one of `repository` and `url`";
        if table.unclear.has_any(&["repository", "url"]) {
            return;
        }
        match (&table.repository, &table.url) {
            (Some(path), Some(url)) => {
                let first = self.source.locate(path.span.unwrap_or_default());
                self.error(Code::OneOf, url.span, BOTH)
                    .label("is fetched")
                    .relate(first, "is read in place")
                    .help("leave the one that is followed");
            }
            (None, None) => {
                self.error(Code::OneOf, whole, BOTH)
                    .label("has neither")
                    .help("add `repository = \"/srv/dialling.git\"` or `url = \"https://…\"`");
            }
            (Some(_), None) => self.check_keys_fit(table, None),
            (None, Some(url)) => {
                self.check_keys_fit(table, Some(url.value.transport));
                if url.value.transport == Transport::Ssh {
                    self.check_ssh_keys(table, url.span);
                }
            }
        }
    }

    /// Keys that belong to another kind of repository.
    fn check_keys_fit(&mut self, table: &SourceTable, transport: Option<Transport>) {
        const HTTPS: &str = "a `url` of `https://`";
        const SSH: &str = "a `url` of SSH";
        const URL: &str = "a `url`";
        let remote = transport.is_some();
        let http = matches!(transport, Some(Transport::Http | Transport::Https));
        let ssh = transport == Some(Transport::Ssh);
        let keys = [
            ("username", span(&table.username), http, HTTPS),
            ("token", span(&table.token), http, HTTPS),
            ("ca_file", span(&table.ca_file), transport == Some(Transport::Https), HTTPS),
            ("proxy", span(&table.proxy), transport == Some(Transport::Https), HTTPS),
            ("ssh_key", span(&table.ssh_key), ssh, SSH),
            ("known_hosts", span(&table.known_hosts), ssh, SSH),
            ("timeout", table.timeout.span, remote, URL),
            ("max_memory_mib", table.max_memory_mib.span, remote, URL),
            ("max_download_mib", table.max_download_mib.span, remote, URL),
        ];
        for (key, at, fits, with) in keys {
            if at.is_some() && !fits {
                self.error(Code::SourceKeys, at, &format!("`{key}` goes with {with} only"))
                    .label("would not be used")
                    .help("remove it, or correct `url`");
            }
        }
    }

    fn check_ssh_keys(&mut self, table: &SourceTable, url: Option<Span>) {
        for (key, there) in [("ssh_key", table.ssh_key.is_some()), ("known_hosts", table.known_hosts.is_some())] {
            if !there && !table.unclear.has(key) {
                self.error(Code::SourceKeys, url, &format!("a `url` of SSH needs `{key}`"))
                    .label("is reached by SSH")
                    .help(format!("add `{key} = {{ file = \"…\" }}`; `ssh-keyscan HOST` prints a server's keys"));
            }
        }
    }
}

fn span<T>(at: &Option<At<T>>) -> Option<Span> {
    at.as_ref().and_then(|at| at.span)
}

#[cfg(test)]
mod tests {
    use crate::config::Settings;

    use super::*;

    fn read(source: &str) -> SourceSettings {
        let text = format!("[source]\n{source}\n[store]\npath = \"/var/lib/dialops/dialops.db\"\n");
        let settings = Settings::parse(Path::new("/etc/dialops/dialops.toml"), &text);
        settings.unwrap_or_else(|faults| panic!("{faults:#?}")).sources.swap_remove(0)
    }

    #[test]
    fn a_mirror_stands_beside_the_store_and_secrets_beside_the_settings() {
        let source = read("url = \"https://git.example.net/x.git\"\npoll = \"1m\"\ntoken = { file = \"token\" }");
        let Location::Remote(remote) = &source.at else { panic!("{source:?}") };
        assert_eq!(remote.mirrors, Path::new("/var/lib/dialops/sources"));
        assert_eq!(remote.token, Some(SecretRef::File("/etc/dialops/token".into())));
        assert_eq!((source.jitter, source.follow.reference()), (Duration::from_secs(6), "refs/heads/main".to_owned()));
        assert_eq!(source.at.to_string(), "https://git.example.net/x.git");
    }

    #[test]
    fn a_local_one_is_not_put_off() {
        let source = read("repository = \"dialling.git\"\ntag = \"production\"");
        assert_eq!(source.at, Location::Local("/etc/dialops/dialling.git".into()));
        assert_eq!((source.jitter, source.follow), (Duration::ZERO, Follow::Tag("production".to_owned())));
    }
}
