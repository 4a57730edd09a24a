//! The reconciling loop asks nothing about exports.

use std::collections::BTreeMap;

use async_trait::async_trait;
use dialops::{
    domain::{
        export::{ExportId, ExportState},
        ids::{AttemptId, CampaignId, CustomerId},
    },
    store::{ExportRecord, ExportStep, ExportedAttempt, ExportedContact, Exports, NewExport, StoreError},
};

use crate::flaky::Flaky;

#[async_trait]
impl Exports for Flaky {
    async fn add_export(&self, _: NewExport) -> Result<ExportId, StoreError> {
        unreachable!()
    }

    async fn export(&self, _: ExportId) -> Result<Option<ExportRecord>, StoreError> {
        unreachable!()
    }

    async fn exports(&self, _: Option<&str>, _: Option<ExportId>, _: u32) -> Result<Vec<ExportRecord>, StoreError> {
        unreachable!()
    }

    async fn open_exports(&self) -> Result<Vec<ExportRecord>, StoreError> {
        unreachable!()
    }

    async fn done_exports(&self) -> Result<Vec<ExportRecord>, StoreError> {
        unreachable!()
    }

    async fn export_counts(&self) -> Result<BTreeMap<ExportState, u64>, StoreError> {
        unreachable!()
    }

    async fn step_export(&self, _: ExportId, _: ExportStep) -> Result<bool, StoreError> {
        unreachable!()
    }

    async fn count_download(&self, _: ExportId) -> Result<bool, StoreError> {
        unreachable!()
    }

    async fn contacts_to_export(
        &self,
        _: &CampaignId,
        _: Option<&CustomerId>,
        _: u32,
    ) -> Result<Vec<ExportedContact>, StoreError> {
        unreachable!()
    }

    async fn attempts_to_export(
        &self,
        _: &CampaignId,
        _: Option<AttemptId>,
        _: u32,
    ) -> Result<Vec<ExportedAttempt>, StoreError> {
        unreachable!()
    }
}
