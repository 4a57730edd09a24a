//! How campaigns stand, their results and batches.

use super::operation::{Operation, get, put};
use crate::http::{
    batches::BatchesQuery,
    campaigns::{PageQuery, WhyQuery},
    wire::{
        CampaignWhy, ContactWhy, Results, TallyView,
        batches::{BatchList, BatchView, PauseBatch},
    },
};

pub(super) fn all() -> Vec<Operation> {
    vec![
        get("/api/v1/campaigns/{campaign}/results", "listResults", "A campaign's attempts, by id")
            .query::<PageQuery>()
            .json::<Results>(),
        get("/api/v1/campaigns/{campaign}/tally", "getTally", "A campaign's contacts and attempts, counted")
            .json::<TallyView>(),
        get("/api/v1/campaigns/{campaign}/why", "explainCampaign", "Why a campaign dials or does not")
            .query::<WhyQuery>()
            .json::<CampaignWhy>(),
        get(
            "/api/v1/campaigns/{campaign}/contacts/{customer}/why",
            "explainContact",
            "What happened to a contact and what will",
        )
        .json::<ContactWhy>(),
        get("/api/v1/campaigns/{campaign}/batches", "listBatches", "A campaign's batches of contacts, oldest first")
            .query::<BatchesQuery>()
            .json::<BatchList>(),
        get("/api/v1/campaigns/{campaign}/batches/{batch}", "getBatch", "One batch").json::<BatchView>(),
        put("/api/v1/campaigns/{campaign}/batches/{batch}", "pauseBatch", "Pause a batch, or let it go on")
            .body::<PauseBatch>()
            .json::<BatchView>(),
    ]
}
