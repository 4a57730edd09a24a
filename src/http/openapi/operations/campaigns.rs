//! How campaigns stand, their results and batches.

use super::operation::{Operation, get, put};
use crate::http::{
    batches::BatchesQuery,
    campaigns::WhyQuery,
    wire::{
        Attempt, CampaignWhy, ContactWhy, Results, TallyView,
        batches::{BatchList, BatchView, PauseBatch},
        results::{AttemptQuery, StatisticsQuery, StatisticsView},
    },
};

/// What lists say that come line by line too.
pub(super) const LINES: &str = "With `Accept: application/x-ndjson` all of them come, one a line, and the connection is cut if \
                                that breaks off. Numbers are masked unless asked otherwise.";

const STATISTICS: &str =
    "Days and hours are of the tenant's zone. Agents and batches are left out for who may not see them.";

pub(super) fn all() -> Vec<Operation> {
    vec![
        get("/api/v1/campaigns/{campaign}/results", "listResults", "A campaign's attempts as they were placed")
            .more(LINES)
            .query::<AttemptQuery>()
            .json::<Results>()
            .lines::<Attempt>()
            .fails(&[422]),
        get("/api/v1/campaigns/{campaign}/statistics", "countCampaign", "A campaign's contacts and attempts, counted")
            .more(STATISTICS)
            .query::<StatisticsQuery>()
            .json::<StatisticsView>()
            .fails(&[422]),
        get("/api/v1/statistics", "countAll", "Contacts and attempts of all campaigns together, counted")
            .more(STATISTICS)
            .query::<StatisticsQuery>()
            .json::<StatisticsView>()
            .fails(&[422]),
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
