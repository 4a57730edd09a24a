//! Which kind of file stands where in the folder of campaigns.

use super::suggest::nearest;

/// What a file holds, by its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FileKind {
    Tenant,
    Queues,
    Agents,
    Attributes,
    Categories,
    BusinessResults,
    Calendars,
    Results,
    Sms,
    Survey,
    DoNotCall,
    Template,
    Campaign,
}

/// Largest file that is read: a campaign has about 2 kB, a survey with hundreds of questions some 50 kB.
pub const FILE_BYTES_MAX: usize = 256 * 1024;

impl FileKind {
    /// Every kind, in the order of the reference.
    pub(crate) const ALL: [Self; 13] = [
        Self::Campaign,
        Self::Template,
        Self::Tenant,
        Self::Queues,
        Self::Agents,
        Self::Attributes,
        Self::Categories,
        Self::BusinessResults,
        Self::Calendars,
        Self::Results,
        Self::Sms,
        Self::Survey,
        Self::DoNotCall,
    ];

    /// Whether there can be one file of this kind, whatever number of sources.
    pub(crate) fn is_single(self) -> bool {
        !self.place().contains('*')
    }

    /// Where files of this kind stand in the folder of campaigns; `*` is any name.
    pub(crate) fn place(self) -> &'static str {
        match self {
            Self::Campaign => "*.toml",
            Self::Template => "templates/*.toml",
            Self::Survey => "shared/surveys/*.toml",
            Self::Tenant
            | Self::Queues
            | Self::Agents
            | Self::Attributes
            | Self::Categories
            | Self::BusinessResults
            | Self::Calendars
            | Self::Results
            | Self::Sms
            | Self::DoNotCall => SHARED.iter().find(|(_, kind)| *kind == self).map_or("", |(path, _)| path),
        }
    }
}

/// Files of which there is one.
pub(crate) const SHARED: [(&str, FileKind); 10] = [
    ("shared/tenant.toml", FileKind::Tenant),
    ("shared/queues.toml", FileKind::Queues),
    ("shared/agents.toml", FileKind::Agents),
    ("shared/attributes.toml", FileKind::Attributes),
    ("shared/categories.toml", FileKind::Categories),
    ("shared/business-results.toml", FileKind::BusinessResults),
    ("shared/calendars.toml", FileKind::Calendars),
    ("shared/results.toml", FileKind::Results),
    ("shared/sms.toml", FileKind::Sms),
    ("shared/do-not-call.toml", FileKind::DoNotCall),
];

/// How many of [`SHARED`], from the first, every configuration has.
pub(crate) const REQUIRED: usize = 3;

/// Where surveys stand, one in each TOML file.
pub(crate) const SURVEYS: &str = "shared/surveys/";

/// The made-up world beside the campaigns, for `dialops simulate`.
pub(crate) const SIMULATION: &str = "sim.toml";

/// Whether a path inside the folder of campaigns is configuration: every TOML file there is but made-up
/// worlds (`sim.toml`, `spring.sim.toml`), and so is everything in `shared/` but Markdown. Hidden files
/// and other files are left alone.
#[must_use]
pub fn is_configuration(path: &str) -> bool {
    let extension = path.rsplit_once('.').map_or(String::new(), |(_, extension)| extension.to_ascii_lowercase());
    let hidden = path.split('/').any(|part| part.starts_with('.'));
    !hidden && !is_simulation(path) && (extension == "toml" || (path.starts_with("shared/") && extension != "md"))
}

/// Whether a path inside the folder is that of a campaign; any other file may matter to several.
#[must_use]
pub fn is_campaign(path: &str) -> bool {
    is_configuration(path) && kind(path) == Some(FileKind::Campaign)
}

/// Whether a path inside the folder is that of a template.
#[must_use]
pub fn is_template(path: &str) -> bool {
    kind(path) == Some(FileKind::Template)
}

/// Whether a path names a made-up world, which nobody dials by.
fn is_simulation(path: &str) -> bool {
    path == SIMULATION || (!path.contains('/') && path.ends_with(".sim.toml"))
}

/// The kind of a file; `None` if no kind stands at this path.
pub(crate) fn kind(path: &str) -> Option<FileKind> {
    if let Some((_, kind)) = SHARED.iter().find(|(known, _)| *known == path) {
        return Some(*kind);
    }
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    match folder {
        _ if !name.ends_with(".toml") => None,
        "" => Some(FileKind::Campaign),
        "templates" => Some(FileKind::Template),
        "shared/surveys" => Some(FileKind::Survey),
        _ => None,
    }
}

/// The path of a file of `shared/` that was probably meant by one where no kind of file stands.
pub(crate) fn nearest_path(path: &str) -> Option<&'static str> {
    nearest(path, SHARED.map(|(known, _)| known))
}

/// What a file probably is that stands where no kind does.
pub(crate) fn meant(path: &str) -> Option<FileKind> {
    match path {
        _ if path.starts_with(SURVEYS) => Some(FileKind::Survey),
        _ if path.starts_with("templates/") => Some(FileKind::Template),
        _ => kind(nearest_path(path)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_known_by_its_place() {
        for known in FileKind::ALL {
            assert_eq!(kind(&known.place().replace('*', "any")), Some(known));
        }
    }

    #[test]
    fn the_place_decides() {
        assert_eq!(kind("spring.toml"), Some(FileKind::Campaign));
        assert_eq!(kind("shared/agents.toml"), Some(FileKind::Agents));
        assert_eq!(kind("shared/agent.toml"), None);
        assert_eq!(kind("shared/surveys/test-drive.toml"), Some(FileKind::Survey));
        assert_eq!(kind("shared/surveys/2031/test-drive.toml"), None);
        assert_eq!(kind("emea/spring.toml"), None);
        assert_eq!(kind("templates/survey.toml"), Some(FileKind::Template));
        assert_eq!(kind("templates/emea/survey.toml"), None);
        assert!(is_configuration("emea/spring.toml") && is_configuration("shared/queues.tml"));
        assert!(!is_configuration("README.md") && !is_configuration("shared/README.md"));
        assert!(!is_configuration("sim.toml") && !is_configuration("spring.sim.toml"));
        assert!(!is_configuration(".spring.toml") && !is_configuration(".idea/x.toml"));
    }
}
