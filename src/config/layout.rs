//! Which kind of file stands where in the folder of campaigns.

/// What a file holds, by its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FileKind {
    Tenant,
    Queues,
    Agents,
    Campaign,
}

/// Largest file that is read: a campaign has about 2 kB, a survey with hundreds of questions some 50 kB.
pub const FILE_BYTES_MAX: usize = 256 * 1024;

/// Files that every configuration has.
pub(crate) const SHARED: [(&str, FileKind); 3] = [
    ("shared/tenant.toml", FileKind::Tenant),
    ("shared/queues.toml", FileKind::Queues),
    ("shared/agents.toml", FileKind::Agents),
];

/// Whether a path inside the folder of campaigns is configuration: every TOML file there is, and so
/// is everything in `shared/` but Markdown. Hidden files and other files are left alone.
#[must_use]
pub fn is_configuration(path: &str) -> bool {
    let extension = path.rsplit_once('.').map_or(String::new(), |(_, extension)| extension.to_ascii_lowercase());
    let hidden = path.split('/').any(|part| part.starts_with('.'));
    !hidden && (extension == "toml" || (path.starts_with("shared/") && extension != "md"))
}

/// The kind of a file; `None` if no kind stands at this path.
pub(crate) fn kind(path: &str) -> Option<FileKind> {
    if let Some((_, kind)) = SHARED.iter().find(|(known, _)| *known == path) {
        return Some(*kind);
    }
    (!path.contains('/') && path.ends_with(".toml")).then_some(FileKind::Campaign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_decides() {
        assert_eq!(kind("spring.toml"), Some(FileKind::Campaign));
        assert_eq!(kind("shared/agents.toml"), Some(FileKind::Agents));
        assert_eq!(kind("shared/agent.toml"), None);
        assert_eq!(kind("emea/spring.toml"), None);
        assert!(is_configuration("emea/spring.toml") && is_configuration("shared/queues.tml"));
        assert!(!is_configuration("README.md") && !is_configuration("shared/README.md"));
        assert!(!is_configuration(".spring.toml") && !is_configuration(".idea/x.toml"));
    }
}
