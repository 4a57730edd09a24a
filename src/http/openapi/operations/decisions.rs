//! What people decide against the files, or for a commit; what others are told.

use super::operation::{Operation, delete, get, post};
use crate::http::{
    deliveries, overrides,
    reconcile::{Approve, Ask},
    wire::{
        Reconciled,
        deliveries::{DeliveryList, Meant, Moved},
        overrides::{NewOverride, OverrideList, OverrideMade, OverrideView},
    },
};

pub(super) fn all() -> Vec<Operation> {
    vec![
        get("/api/v1/overrides", "listOverrides", "What people have decided against the files, newest first")
            .query::<overrides::ListQuery>()
            .json::<OverrideList>(),
        post(
            "/api/v1/overrides",
            "makeOverride",
            "Pause or resume campaigns, or follow an earlier commit, for a while",
        )
        .more("A pin only an admin makes.")
        .body::<NewOverride>()
        .json::<OverrideMade>()
        .fails(&[404, 504]),
        delete("/api/v1/overrides/{id}", "endOverride", "End an override before its time")
            .json::<OverrideView>()
            .fails(&[504]),
        post("/api/v1/approvals", "approveCommit", "Let in the commit that waits since it takes away campaigns")
            .body::<Approve>()
            .json::<Reconciled>()
            .fails(&[504]),
        post("/api/v1/reconcile", "reconcile", "Look for new commits now")
            .query::<Ask>()
            .json::<Reconciled>()
            .fails(&[404, 504]),
        get("/api/v1/deliveries", "listDeliveries", "Callbacks and text messages, oldest first")
            .query::<deliveries::ListQuery>()
            .json::<DeliveryList>(),
        post("/api/v1/deliveries/retry", "retryDeliveries", "Have parked callbacks and text messages tried again")
            .body::<Meant>()
            .json::<Moved>()
            .fails(&[404]),
        post("/api/v1/deliveries/drop", "dropDeliveries", "Give up callbacks and text messages")
            .body::<Meant>()
            .json::<Moved>()
            .fails(&[404]),
    ]
}
