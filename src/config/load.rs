//! A commit's files to definitions: reads every file, then follows what refers to another.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
    str,
    sync::Arc,
};

use super::{
    campaign::{Campaigns, Over},
    code::Code,
    diagnostic::{Diagnostic, LeftOut, Location, Severity, Source, Span, cap, sort},
    layout::{self, FileKind, REQUIRED, SHARED, SURVEYS},
    loader::{Memory, ReadCampaign},
    missing,
    read::{Reader, Table},
    shared::{Absent, Kept, SharedFiles},
    suggest::listing,
    tables::campaign::CampaignFile,
    template::{OF_A_CAMPAIGN, Templates, Users},
};
use crate::domain::campaign::{Ceilings, Definitions};

/// Problems of all files that are kept; nobody reads more, and memory is bounded.
const PROBLEMS_MAX: usize = 10_000;

/// One file of the folder of campaigns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceFile<'a> {
    /// Where its folder of campaigns stands, for messages: `campaigns`; of one source among several
    /// `sales:campaigns`.
    pub folder: &'a str,
    /// Path inside the folder, with `/`: `spring.toml`, `shared/tenant.toml`.
    pub path: &'a str,
    /// What it holds.
    pub bytes: &'a [u8],
}

/// Reads all files of the folder of campaigns (those that
/// [`is_configuration`](super::is_configuration) names), or of several such folders, as one configuration.
///
/// `folder` is where files that are missing should stand. All problems come at once, sorted by file and place; with
/// an error among them there are no definitions. Warnings come with them.
pub fn load(
    folder: &str,
    files: &[SourceFile<'_>],
    ceilings: &Ceilings,
) -> Result<(Definitions, Vec<Diagnostic>), Vec<Diagnostic>> {
    load_knowing(folder, files, (ceilings, Over::Refused), &mut Memory::default())
}

/// The same, where something may be known of the files from an earlier load.
pub(super) fn load_knowing(
    folder: &str,
    files: &[SourceFile<'_>],
    ceilings: (&Ceilings, Over),
    memory: &mut Memory,
) -> Result<(Definitions, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut load = Load::new(folder, memory);
    let mut order: Vec<usize> = (0..files.len()).collect();
    // Campaigns are read together with their templates, so these go first.
    order.sort_by_cached_key(|&index| {
        let file = &files[index];
        (layout::kind(file.path) == Some(FileKind::Campaign), file.path, file.folder)
    });
    for index in order {
        load.file(index, &files[index]);
    }
    load.missing_files();
    let mut commit = Commit::new(folder, files);
    let users = Users::new(&load.templates, &load.campaigns, &commit);
    let definitions = load.definitions(&mut commit, ceilings);
    let mut diagnostics = load.diagnostics;
    diagnostics.append(&mut commit.diagnostics);
    missing::fold(folder, &commit.absent, &mut diagnostics);
    users.relate(&load.templates, &mut diagnostics);
    sort(&mut diagnostics);
    cap(&mut diagnostics, PROBLEMS_MAX, load.left_out, Location::file(&folder.into()));
    match definitions {
        Some(found) if diagnostics.iter().all(|d| d.severity != Severity::Error) => Ok((found, diagnostics)),
        _ => Err(diagnostics),
    }
}

/// A table or value and the file it stands in.
#[derive(Debug, Clone)]
pub(crate) struct InFile<T> {
    pub(crate) file: usize,
    pub(crate) value: T,
}

/// Where a value stands, in which file of the commit.
pub(crate) type Place = InFile<Option<Span>>;

/// All files, to turn places into locations, and what is wrong between them.
pub(crate) struct Commit<'a> {
    files: &'a [SourceFile<'a>],
    sources: Vec<OnceCell<Source<'a>>>,
    /// The template of each file that extends one, and where it names it.
    templates: BTreeMap<usize, Place>,
    /// Files that are not there and that something may refer to.
    absent: Vec<Absent>,
    diagnostics: Vec<Diagnostic>,
    /// Faults of templates so far: each shows with every campaign that uses the template.
    seen: BTreeSet<(Code, Location)>,
    /// How many times one of those was met.
    inherited: usize,
    /// What was said already, and nobody will see.
    again: Diagnostic,
}

impl<'a> Commit<'a> {
    fn new(folder: &'a str, files: &'a [SourceFile<'a>]) -> Self {
        let again = Diagnostic::error(Code::TooManyProblems, Location::file(&folder.into()), "");
        let (templates, seen) = (BTreeMap::new(), BTreeSet::new());
        Self {
            files,
            sources: vec![OnceCell::new(); files.len()],
            templates,
            absent: Vec::new(),
            diagnostics: Vec::new(),
            seen,
            inherited: 0,
            again,
        }
    }

    /// The location of a place.
    pub(crate) fn locate(&self, place: &Place) -> Location {
        let span = place.value.unwrap_or_default();
        let template = self.templates.get(&place.file).filter(|_| span.in_template());
        let file = template.map_or(place.file, |template| template.file);
        let source = self.sources[file].get_or_init(|| {
            let file = &self.files[file];
            Source::new(file.full_path(), str::from_utf8(file.bytes).unwrap_or(""))
        });
        source.locate(span.plain())
    }

    /// Reports an error; the caller adds to it.
    pub(crate) fn error(&mut self, code: Code, place: &Place, message: impl Into<String>) -> &mut Diagnostic {
        let location = self.locate(place);
        self.push(place, Diagnostic::error(code, location, message))
    }

    /// Whether an error has been reported between the files.
    pub(crate) fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Reports a warning; the caller adds to it.
    pub(crate) fn warning(&mut self, code: Code, place: &Place, message: impl Into<String>) -> &mut Diagnostic {
        let location = self.locate(place);
        self.push(place, Diagnostic::warning(code, location, message))
    }

    /// Reports a note; the caller adds to it.
    pub(crate) fn note(&mut self, code: Code, place: &Place, message: impl Into<String>) -> &mut Diagnostic {
        let location = self.locate(place);
        self.push(place, Diagnostic::note(code, location, message))
    }

    fn push(&mut self, place: &Place, mut diagnostic: Diagnostic) -> &mut Diagnostic {
        if let Some(template) = self.templates.get(&place.file).filter(|_| place.value.is_some_and(Span::in_template)) {
            if OF_A_CAMPAIGN.contains(&diagnostic.code) {
                let named = self.locate(&InFile { file: place.file, value: template.value });
                let inherited = std::mem::replace(&mut diagnostic.location, named);
                diagnostic.relate(inherited, "which has this");
            } else {
                self.inherited += 1;
                if !self.seen.insert((diagnostic.code, diagnostic.location.clone())) {
                    return &mut self.again;
                }
            }
        }
        let index = self.diagnostics.len();
        self.diagnostics.push(diagnostic);
        &mut self.diagnostics[index]
    }

    /// How many faults have been reported.
    pub(crate) fn faults(&self) -> usize {
        self.diagnostics.len()
    }

    /// What `check` says, and the faults that it found; `None` if some were a template's, which are told with the
    /// first campaign that has them.
    pub(crate) fn found_by<T>(&mut self, check: impl FnOnce(&mut Self) -> T) -> (T, Option<&[Diagnostic]>) {
        let (faults, inherited) = (self.diagnostics.len(), self.inherited);
        let checked = check(self);
        let own = self.inherited == inherited;
        (checked, own.then_some(&self.diagnostics[faults..]))
    }

    /// Reports again what was found before.
    pub(crate) fn found_again(&mut self, diagnostics: &[Diagnostic]) {
        self.diagnostics.extend_from_slice(diagnostics);
    }

    /// The text at a place.
    pub(crate) fn text(&self, place: &Place) -> &str {
        let text = str::from_utf8(self.files[place.file].bytes).unwrap_or("");
        place.value.and_then(|span| text.get(span.range())).unwrap_or_default()
    }

    /// Checks what a file says alone, and keeps of the faults found those of `codes`.
    pub(crate) fn alone(&mut self, codes: &[Code], check: impl FnOnce(&mut Self)) {
        let before = self.diagnostics.len();
        check(self);
        let found = self.diagnostics.split_off(before);
        for diagnostic in found.into_iter().filter(|d| codes.contains(&d.code)) {
            self.seen.insert((diagnostic.code, diagnostic.location.clone()));
            self.diagnostics.push(diagnostic);
        }
    }

    /// Reports what stands at a place as used before, if it was; else remembers it and gives `true`.
    pub(crate) fn unique(
        &mut self,
        code: Code,
        seen: &mut BTreeMap<String, Place>,
        text: &str,
        place: Place,
        message: impl FnOnce() -> String,
    ) -> bool {
        if let Some(first) = seen.get(text) {
            let first = self.locate(first);
            self.error(code, &place, message()).label("used again").relate(first, "first used here");
            return false;
        }
        seen.insert(text.to_owned(), place);
        true
    }
}

impl SourceFile<'_> {
    /// Its path as messages show it.
    pub(crate) fn full_path(&self) -> Arc<str> {
        full_path(self.folder, self.path)
    }
}

/// The path of a file as messages show it.
pub(crate) fn full_path(folder: &str, path: &str) -> Arc<str> {
    // Of one source among several `sales:` is its whole repository.
    let between = if folder.is_empty() || folder.ends_with(':') { "" } else { "/" };
    format!("{folder}{between}{path}").into()
}

/// What the files hold, one by one.
struct Load<'a, 'm> {
    folder: &'a str,
    memory: &'m mut Memory,
    shared: SharedFiles,
    templates: Templates<'a>,
    campaigns: Vec<InFile<Arc<CampaignFile>>>,
    found: Vec<FileKind>,
    /// Where each kind of file was found of which there is one.
    single: BTreeMap<FileKind, Arc<str>>,
    diagnostics: Vec<Diagnostic>,
    left_out: LeftOut,
}

impl<'a, 'm> Load<'a, 'm> {
    fn new(folder: &'a str, memory: &'m mut Memory) -> Self {
        Self {
            folder,
            memory,
            shared: SharedFiles::default(),
            templates: Templates::default(),
            campaigns: Vec::new(),
            found: Vec::new(),
            single: BTreeMap::new(),
            diagnostics: Vec::new(),
            left_out: LeftOut::default(),
        }
    }

    fn file(&mut self, index: usize, file: &SourceFile<'a>) {
        if let Some(known) = self.memory.read(index) {
            self.found.push(FileKind::Campaign);
            self.campaign(index, known);
            return;
        }
        let path = file.full_path();
        let Some(kind) = layout::kind(file.path) else {
            self.diagnostics.push(unknown_file(&path, file.path));
            layout::meant(file.path).into_iter().for_each(|kind| self.misplace(kind));
            return;
        };
        self.found.push(kind);
        if kind.is_single()
            && let Some(first) = self.single.insert(kind, Arc::clone(&path))
        {
            self.diagnostics.push(there_twice(&path, &first));
            return;
        }
        let text = match str::from_utf8(file.bytes) {
            Ok(text) => Some(text),
            Err(error) => {
                self.diagnostics.push(not_utf8(Arc::clone(&path), file.bytes, error.valid_up_to()));
                None
            }
        };
        match kind {
            FileKind::Tenant => self.shared.tenant = self.read(index, &path, text),
            FileKind::Queues => self.shared.queues = self.read(index, &path, text),
            FileKind::Agents => self.shared.agents = self.read(index, &path, text),
            FileKind::Attributes => self.shared.attributes = self.read(index, &path, text),
            FileKind::Categories => self.shared.categories = self.read(index, &path, text),
            FileKind::BusinessResults => self.shared.business_results = self.read(index, &path, text),
            FileKind::Calendars => self.shared.calendars = self.read(index, &path, text),
            FileKind::Results => self.shared.results = self.read(index, &path, text),
            FileKind::Sms => self.shared.sms = self.read(index, &path, text),
            FileKind::DoNotCall => self.shared.do_not_call = self.read(index, &path, text),
            FileKind::Survey => {
                let survey = self.read(index, &path, text);
                self.shared.surveys.push(survey);
            }
            FileKind::Template => {
                let Some(text) = text else { return self.templates.miss_one() };
                let diagnostics = self.templates.add(index, &path, text);
                self.diagnostics.extend(diagnostics);
            }
            FileKind::Campaign => {
                let Some(text) = text else { return };
                let read = self.templates.campaign(&path, text);
                self.memory.keep_read(index, &read);
                self.campaign(index, read);
            }
        }
    }

    fn campaign(&mut self, index: usize, read: ReadCampaign) {
        self.campaigns.extend(read.campaign.map(|value| InFile { file: index, value }));
        self.diagnostics.extend(read.diagnostics);
    }

    /// Reads a file; there is no text if it is not UTF-8, which has been said.
    fn read<T: Table>(&mut self, index: usize, path: &Arc<str>, text: Option<&str>) -> Kept<T> {
        let Some(text) = text else { return Kept::Broken };
        let (table, mut diagnostics) = Reader::file::<T>(path, text);
        let room = PROBLEMS_MAX.saturating_sub(self.diagnostics.len());
        self.left_out.count(diagnostics.drain(room.min(diagnostics.len())..).as_slice());
        self.diagnostics.append(&mut diagnostics);
        table.map_or(Kept::Broken, |value| Kept::Read(InFile { file: index, value }))
    }

    /// Knows of a file that stands where no kind does, which has been said.
    fn misplace(&mut self, kind: FileKind) {
        self.found.push(kind);
        self.shared.misplace(kind);
        if kind == FileKind::Template {
            self.templates.miss_one();
        }
    }

    fn missing_files(&mut self) {
        for &(path, kind) in &SHARED[..REQUIRED] {
            if !self.found.contains(&kind) {
                let path = full_path(self.folder, path);
                let mut diagnostic =
                    Diagnostic::error(Code::MissingFile, Location::file(&path), "this file is missing");
                diagnostic
                    .help("every configuration has shared/tenant.toml, shared/queues.toml and shared/agents.toml");
                self.diagnostics.push(diagnostic);
            }
        }
    }

    fn definitions(&mut self, commit: &mut Commit<'_>, (ceilings, over): (&Ceilings, Over)) -> Option<Definitions> {
        let shared = std::mem::take(&mut self.shared).define(commit);
        commit.absent = shared.absent();
        let files = std::mem::take(&mut self.campaigns);
        self.templates.refer(&files, commit);
        commit.templates = self.templates.of(&files);
        let mut campaigns = Campaigns { ceilings, over, references: shared.references(), commit };
        campaigns.templates(self.templates.take_alone());
        let campaigns = campaigns.resolve(files, self.memory)?;
        shared.with(campaigns)
    }
}

fn unknown_file(path: &Arc<str>, relative: &str) -> Diagnostic {
    let mut diagnostic = Diagnostic::error(Code::UnknownFile, Location::file(path), "no kind of file stands here");
    match layout::nearest_path(relative) {
        Some(meant) => diagnostic.help(format!("did you mean {meant}?")),
        None => diagnostic.help(format!(
            "campaigns stand in the folder itself, one in each *.toml; below it there are templates/*.toml, \
             {SURVEYS}*.toml, {}",
            listing(&SHARED.map(|(path, _)| path), '`', "and")
        )),
    };
    diagnostic
}

/// Of several sources each may have such a file, but only one of them has it.
fn there_twice(path: &Arc<str>, first: &Arc<str>) -> Diagnostic {
    let message = "two sources have this file, of which there can be one";
    let mut diagnostic = Diagnostic::error(Code::FileTwice, Location::file(path), message);
    diagnostic
        .relate(Location::file(first), "the other one")
        .help("leave it in one of them; what it defines holds for the campaigns of all sources");
    diagnostic
}

fn not_utf8(path: Arc<str>, bytes: &[u8], at: usize) -> Diagnostic {
    let good = str::from_utf8(&bytes[..at]).unwrap_or("");
    let source = Source::new(path, good);
    let message = format!("not UTF-8: byte 0x{:02x} at offset {at}", bytes[at]);
    let mut diagnostic = Diagnostic::error(Code::NotUtf8, source.locate(Span::from(at..at)), message);
    diagnostic.help("TOML is UTF-8; save the file in that encoding");
    diagnostic
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{
        read::PROBLEMS_PER_FILE_MAX,
        sample::{CAMPAIGN, TENANT},
        settings::outer_ceilings,
    };

    const QUEUES: &str = "[[queues]]\nid = \"sales\"\nname = \"Sales\"\n";
    const AGENTS: &str = "[[agents]]\nid = \"a1\"\nname = \"Li Na\"\nsip = \"sip:a1@10.0.0.5\"\nqueues = [\"sales\"]\n";
    fn file<'a>(path: &'a str, text: &'a str) -> SourceFile<'a> {
        SourceFile { folder: "campaigns", path, bytes: text.as_bytes() }
    }

    fn files(campaign: &str) -> Vec<SourceFile<'_>> {
        vec![
            file("shared/tenant.toml", TENANT),
            file("shared/queues.toml", QUEUES),
            file("shared/agents.toml", AGENTS),
            file("spring.toml", campaign),
        ]
    }

    fn codes(files: &[SourceFile<'_>]) -> Vec<(&'static str, usize, String)> {
        let diagnostics = load("campaigns", files, &outer_ceilings()).unwrap_err();
        diagnostics.iter().map(|d| (d.code.as_str(), d.location.line, d.location.file.to_string())).collect()
    }

    #[test]
    fn a_small_configuration_is_read() {
        let (definitions, warnings) = load("campaigns", &files(CAMPAIGN), &outer_ceilings()).unwrap();
        assert!(warnings.is_empty());
        let campaign = definitions.campaigns.values().next().unwrap();
        assert_eq!(campaign.id.as_str(), "spring");
        assert_eq!(campaign.max_ring.as_secs(), 30);
        assert_eq!(campaign.starts_at.to_string(), "2031-03-01T01:00:00Z");
        assert_eq!(definitions.tenant.agents.wrap_up.as_secs(), 60);
    }

    #[test]
    fn what_a_broken_file_may_define_is_not_missed_elsewhere() {
        let mut files = files(CAMPAIGN);
        files[1].bytes = b"[[queues]\nid = \"sales\"\n";
        assert_eq!(codes(&files), [("E0002", 1, "campaigns/shared/queues.toml".to_owned())]);
        files[1].bytes = b"[[queues]]\nid = \"sales\"\n";
        assert_eq!(codes(&files), [("E0102", 1, "campaigns/shared/queues.toml".to_owned())]);
        files.remove(1);
        assert_eq!(codes(&files), [("E0005", 0, "campaigns/shared/queues.toml".to_owned())]);
    }

    #[test]
    fn a_misspelt_key_is_one_fault() {
        let campaign = CAMPAIGN.replace("name =", "nmae =").replace("skill_queue = \"sales\"", "skill_qeue = \"sale\"");
        let file = "campaigns/spring.toml".to_owned();
        assert_eq!(
            codes(&files(&campaign)),
            [("E0101", 3, file.clone()), ("E0101", 9, file.clone()), ("E0203", 9, file)]
        );
    }

    #[test]
    fn a_key_that_slid_into_a_table_is_one_fault() {
        let campaign = CAMPAIGN.replace("skill_queue = \"sales\"", "") + "skill_queue = \"sales\"\n";
        assert_eq!(codes(&files(&campaign)), [("E0101", 13, "campaigns/spring.toml".to_owned())]);
    }

    #[test]
    fn problems_of_a_file_are_capped() {
        let many: String = (0..10_000).map(|n| format!("unknown-{n} = 1\n")).collect();
        let found = codes(&files(&(many + CAMPAIGN)));
        assert_eq!(found.len(), PROBLEMS_PER_FILE_MAX + 1);
        assert!(found.iter().any(|(code, ..)| *code == "E0007"));
    }
}
