//! Templates: files that give campaigns the keys that these do not have themselves.
//!
//! A campaign's tree gets the nodes of its template before it is read, with spans of their own kind
//! (`Span::of_template`), so that whatever is found wrong later still knows in which file it stands.

mod merge;
mod save;
mod users;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use toml::de::DeTable;

use super::{
    code::Code,
    diagnostic::{Diagnostic, Source, Span},
    load::{Commit, InFile},
    loader::ReadCampaign,
    open::open,
    read::{At, Inherited, Reader, Reported, Rest, Table},
    suggest::{listing, nearest},
    tables::{campaign::CampaignFile, template::TemplateFile},
};
use crate::domain::ids::TemplateId;

pub(crate) use merge::is_inherited;
pub use save::save;
pub(crate) use users::Users;

/// A template that could be parsed.
struct Template<'a> {
    file: usize,
    source: Source<'a>,
    /// Its tree, with spans of a template.
    root: DeTable<'a>,
    /// Values that were reported already, with spans of a template.
    poisoned: BTreeSet<Span>,
    /// What was reported of it.
    reported: Reported,
    id: Span,
}

/// The templates of a commit.
#[derive(Default)]
pub(crate) struct Templates<'a> {
    by_id: BTreeMap<String, Template<'a>>,
    /// The files of those that could not be parsed.
    broken: BTreeMap<String, usize>,
    /// Ids that stand again, and where.
    again: Vec<(String, InFile<Span>)>,
    /// What they say by themselves, to check what needs no campaign.
    alone: Vec<InFile<CampaignFile>>,
    /// Paths of all of them, as shown.
    paths: BTreeMap<usize, Arc<str>>,
    /// Whether an id could not be read, so that a missing one may be there.
    gaps: bool,
}

impl<'a> Templates<'a> {
    /// Knows of a template that can't be read at all.
    pub(crate) fn miss_one(&mut self) {
        self.gaps = true;
    }

    /// Reads a template by itself.
    pub(crate) fn add(&mut self, file: usize, path: &Arc<str>, text: &'a str) -> Vec<Diagnostic> {
        self.paths.insert(file, Arc::clone(path));
        let source = Source::new(Arc::clone(path), text);
        let (mut parsed, mut diagnostics) = open(&source);
        if !parsed.readable {
            // It may still tell who uses it.
            match parsed.root.get("id").and_then(|id| id.get_ref().as_str()) {
                Some(id) => drop(self.broken.entry(id.to_owned()).or_insert(file)),
                None => self.gaps = true,
            }
            return diagnostics;
        }
        for key in TemplateFile::REFUSED {
            if let Some((key, _)) = parsed.root.remove_entry(*key) {
                diagnostics.push(refuse(&source, key.get_ref(), Span::from(key.span())));
            }
        }
        let reader = Reader::new(source.clone(), parsed.poisoned.clone(), diagnostics).with_rest(Rest::Another);
        let (TemplateFile(alone), mut diagnostics) = reader.table(&parsed.root);
        if alone.id.is_none() && !parsed.root.contains_key("id") {
            diagnostics.push(nameless(&source));
        }
        match alone.id.as_ref().and_then(|id| Some((id.value.as_str().to_owned(), id.span?))) {
            None => self.gaps = true,
            Some((id, span)) if self.by_id.contains_key(&id) => self.again.push((id, InFile { file, value: span })),
            Some((id, span)) => {
                let reported = diagnostics.iter().map(|d| (d.code, d.location.span)).collect();
                let poisoned = parsed.poisoned.into_iter().map(Span::of_template).collect();
                let root = merge::of_template(&parsed.root);
                self.by_id.insert(id, Template { file, source, root, poisoned, reported, id: span });
            }
        }
        self.alone.push(InFile { file, value: alone });
        diagnostics
    }

    /// Reads a campaign with what its template gives it.
    pub(crate) fn campaign(&self, path: &Arc<str>, text: &'a str) -> ReadCampaign {
        let source = Source::new(Arc::clone(path), text);
        let (mut parsed, diagnostics) = open(&source);
        if !parsed.readable {
            return ReadCampaign { campaign: None, diagnostics, extends: false };
        }
        let extends = parsed.root.get("extends").map(|node| (node.get_ref().as_str(), Span::from(node.span())));
        let template = extends.map(|(id, span)| (id.and_then(|id| self.by_id.get(id)), span));
        let extends = template.is_some();
        let rest = match template {
            None => Rest::Nobody,
            Some((None, _)) => Rest::Another,
            Some((Some(template), extends)) => {
                merge::merge(&mut parsed.root, &template.root);
                parsed.poisoned.extend(&template.poisoned);
                let Template { source, id, reported, .. } = template;
                Rest::Template(Inherited { source: source.clone(), id: *id, extends, reported })
            }
        };
        let reader = Reader::new(source, parsed.poisoned, diagnostics).with_rest(rest);
        let (campaign, diagnostics) = reader.table::<CampaignFile>(&parsed.root);
        ReadCampaign { campaign: Some(Arc::new(campaign)), diagnostics, extends }
    }

    /// The text of the template that goes by this id.
    pub(crate) fn source(&self, id: &str) -> Option<&Source<'a>> {
        self.by_id.get(id).map(|template| &template.source)
    }

    /// The file of a campaign's template.
    fn file_of(&self, campaign: &CampaignFile) -> Option<usize> {
        let id = campaign.extends.as_ref()?.value.as_str();
        self.by_id.get(id).map(|template| template.file).or_else(|| self.broken.get(id).copied())
    }

    /// The template of each campaign that has one, file by file, and where it is named.
    pub(crate) fn of(&self, campaigns: &[InFile<Arc<CampaignFile>>]) -> BTreeMap<usize, InFile<Option<Span>>> {
        let template = |campaign: &CampaignFile| {
            let named = campaign.extends.as_ref().and_then(|extends| extends.span);
            Some(InFile { file: self.file_of(campaign)?, value: named })
        };
        campaigns.iter().filter_map(|InFile { file, value }| Some((*file, template(value)?))).collect()
    }

    /// Reports ids that stand twice, and campaigns whose template is not there.
    pub(crate) fn refer(&self, campaigns: &[InFile<Arc<CampaignFile>>], commit: &mut Commit<'_>) {
        let place = |file, span| InFile { file, value: Some(span) };
        let mut seen = self.by_id.iter().map(|(id, first)| (id.clone(), place(first.file, first.id))).collect();
        for (id, InFile { file, value }) in &self.again {
            let message = || format!("two templates have the id {id:?}");
            commit.unique(Code::DuplicateId, &mut seen, id, place(*file, *value), message);
        }
        for InFile { file, value } in campaigns {
            if let Some(extends) = &value.extends {
                self.known(*file, extends, commit);
            }
        }
    }

    fn known(&self, file: usize, extends: &At<TemplateId>, commit: &mut Commit<'_>) {
        let id = extends.value.as_str();
        // A copy that kept the id of its original was meant to have another.
        if self.gaps || !self.again.is_empty() || self.by_id.contains_key(id) || self.broken.contains_key(id) {
            return;
        }
        let known: Vec<&str> = self.by_id.keys().map(String::as_str).collect();
        let place = InFile { file, value: extends.span };
        let diagnostic = commit.error(Code::UnknownTemplate, &place, format!("no template has the id {id:?}"));
        diagnostic.label("not in templates/");
        match (nearest(id, known.iter().copied()), extends.span) {
            (Some(meant), Some(span)) => {
                diagnostic.suggest(format!("did you mean {meant:?}?"), span, format!("{meant:?}"));
            }
            _ if known.is_empty() => {
                diagnostic.help("there is no template; each is a file templates/*.toml with an `id`");
            }
            _ => {
                diagnostic.help(format!("templates: {}", listing(&known, '"', "and")));
            }
        }
    }

    /// The path of a template's file, as shown.
    fn path(&self, file: usize) -> Option<&Arc<str>> {
        self.paths.get(&file)
    }

    /// What each template says by itself.
    pub(crate) fn take_alone(&mut self) -> Vec<InFile<CampaignFile>> {
        std::mem::take(&mut self.alone)
    }
}

/// Reports a key that a template may not have.
fn refuse(source: &Source<'_>, key: &str, span: Span) -> Diagnostic {
    let message = format!("a template may not have `{key}`");
    let mut diagnostic = Diagnostic::error(Code::NotInTemplate, source.locate(span), message);
    diagnostic.label("belongs to a campaign itself").help(match key {
        "extends" => "templates do not extend each other: write the keys here",
        _ => "each campaign runs in a time of its own: write the dates there",
    });
    diagnostic
}

/// Reports a template without an id.
fn nameless(source: &Source<'_>) -> Diagnostic {
    let location = source.locate(Span::default());
    let mut diagnostic = Diagnostic::error(Code::MissingKey, location, "missing key `id`");
    diagnostic.label("a template needs it").help("add `id = \"…\"`; campaigns name it in `extends`");
    diagnostic
}

/// Faults that a template alone can have: of a value whatever else a campaign says, and of values that contradict each
/// other even if some campaign has another in the place of one.
pub(crate) const OF_A_TEMPLATE: &[Code] = &[
    Code::OneOf,
    Code::UnknownQueue,
    Code::QueueWithoutAgents,
    Code::NotOwned,
    Code::Repeated,
    Code::WindowsOverlap,
    Code::OverCeiling,
    Code::UnknownCategory,
    Code::UnknownAttribute,
    Code::UnknownCalendar,
    Code::UnknownBusinessResult,
    Code::UnknownSubResult,
    Code::UnknownSms,
    Code::UnknownSurvey,
    Code::UnknownSurveyVersion,
    Code::SurveyDraft,
    Code::UnknownDoNotCall,
    Code::FilterDepth,
    Code::Operand,
    Code::OperandType,
    Code::AttributeEncrypted,
    Code::AttributeNotUsed,
    Code::Rounds,
    Code::RepeatedResult,
    Code::NoRetryByCategory,
    Code::SpecialDays,
    Code::FallbackZone,
    Code::RuleKeys,
    Code::CallbackHost,
];

/// Faults of a campaign as a whole: they stand where it is, even if what they are about is its template's.
pub(crate) const OF_A_CAMPAIGN: &[Code] = &[Code::WindowsNeverOpen, Code::BudgetUnspendable];
