//! A small configuration that is good, for tests to change.

pub(crate) const TENANT: &str = "id = \"acme\"\nname = \"Acme\"\ntimezone = \"Asia/Shanghai\"\nregion = \"CN\"\n";

pub(crate) const CAMPAIGN: &str = r#"
        id = "spring"
        name = "Spring"
        state = "running"
        mode = "preoccupied"
        caller_numbers = ["+862160001000"]
        starts_at = 2031-03-01T09:00:00+08:00
        ends_at = 2031-05-31T18:00:00+08:00
        skill_queue = "sales"
        [calling_hours]
        timezone = "Asia/Shanghai"
        windows = ["09:00-18:00"]
    "#;
