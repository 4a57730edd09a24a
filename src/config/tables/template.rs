//! A template's file: a campaign's keys, none of them required but `id`.

use serde_json::Value as Json;

use super::campaign::CampaignFile;
use crate::config::{
    read::{Kind, Reader, Table, TableReader},
    schema::extends,
    syntax::Node,
};

/// What a template gives the campaigns that extend it.
pub(crate) struct TemplateFile(pub(crate) CampaignFile);

impl Table for TemplateFile {
    const WHAT: &'static str = "a template";
    const KEYS: &'static [&'static str] = CampaignFile::KEYS;
    const REFUSED: &'static [&'static str] = &["starts_at", "ends_at", "extends"];

    fn read_table(table: TableReader<'_, '_>, reader: &mut Reader<'_>) -> Self {
        Self(CampaignFile::read_table(table, reader))
    }
}

impl Kind for TemplateFile {
    type Value = Self;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let table = TableReader::of::<Self>(node, reader)?;
        Some(Self::read_table(table, reader))
    }

    fn schema() -> Json {
        extends::template(CampaignFile::schema(), Self::REFUSED)
    }

    fn show(value: &Self) -> Json {
        CampaignFile::show(&value.0)
    }
}
