//! A loader that knows the load before says what a load from nothing says, whatever was edited.

use std::{collections::BTreeMap, sync::Arc};

use dialops::{
    config::{LoadedFile, Loader, SourceFile, load, settings::outer_ceilings},
    domain::{
        campaign::{Campaign, Definitions},
        ids::CampaignId,
    },
};
use proptest::{
    collection::vec,
    prelude::{Just, Strategy},
    sample::select,
};

use crate::definitions::{AGENTS, QUEUES, TENANT};

const CAMPAIGN: &str = "id = \"ID\"\nname = \"NAME\"\nstate = \"running\"\nmode = \"preoccupied\"\n\
    caller_numbers = [\"+862160001000\"]\nstarts_at = 2031-03-01T09:00:00+08:00\n\
    ends_at = 2031-05-31T18:00:00+08:00\nskill_queue = \"sales\"\n\
    calling_hours = { timezone = \"Asia/Shanghai\", windows = [\"09:00-18:00\"] }\n";
const TEMPLATE: &str = "id = \"t\"\nskill_queue = \"sales\"\n\
    calling_hours = { timezone = \"Asia/Shanghai\", windows = [\"09:00-18:00\"] }\n";

/// Files by path.
type Files = BTreeMap<&'static str, Arc<[u8]>>;

/// What may come to stand at a path; `None` removes the file.
fn texts(path: &'static str) -> Vec<Option<Vec<u8>>> {
    let mut texts: Vec<String> = match path {
        "shared/tenant.toml" => vec![
            TENANT.into(),
            TENANT.replace("region = \"CN\"", ""),
            format!("{TENANT}[agents]\nring = \"20s\"\n[campaigns]\ndo_not_call = [\"staff\"]\n"),
        ],
        "shared/queues.toml" => vec![
            QUEUES.into(),
            format!("{QUEUES}[[queues]]\nid = \"service\"\nname = \"Service\"\n"),
            QUEUES.replace("sales", "service"),
        ],
        "shared/agents.toml" => vec![AGENTS.into(), AGENTS.replace("[\"sales\"]", "[\"sales\", \"service\"]")],
        "shared/do-not-call.toml" => vec!["[[lists]]\nid = \"staff\"\nname = \"Staff\"\n".into()],
        "shared/queue.toml" => vec![QUEUES.into()],
        _ if path.starts_with("templates/") => template_texts(),
        _ => campaign_texts(),
    };
    texts.push("id = [\n".to_owned());
    let bytes = texts.into_iter().map(|text| Some(text.into_bytes()));
    bytes.chain([Some(b"id = \"\xff\"".to_vec()), None]).collect()
}

fn template_texts() -> Vec<String> {
    vec![
        TEMPLATE.into(),
        TEMPLATE.replace("\"t\"", "\"u\""),
        TEMPLATE.replace("sales", "sale"),
        TEMPLATE.replace("18:00", "08:00"),
        TEMPLATE.replace("skill_queue", "skill_qeue"),
        format!("{TEMPLATE}ends_at = 2031-05-31T18:00:00+08:00\n"),
        format!("{TEMPLATE}{}", LONG.replace("\"90h\"", "\"30h\"")),
        format!("{TEMPLATE}[limits]\nmax_concurrent_calls = 4000000000\n"),
    ]
}

/// A policy that is warned of.
const LONG: &str = "[results]\npolicy = \"global\"\n[results.global]\n\
    by_result = [{ result = \"busy\", retries = 2, interval = \"90h\" }]\n";

fn campaign_texts() -> Vec<String> {
    let mut texts = Vec::new();
    for (id, name) in [("a", "A"), ("b", "B"), ("b", "A"), ("c", "C")] {
        let text = CAMPAIGN.replace("ID", id).replace("NAME", name);
        let extends = |template: &str| {
            let own = text.replace("skill_queue = \"sales\"\n", "");
            let (own, _) = own.split_once("calling_hours").unwrap();
            format!("extends = \"{template}\"\n{own}")
        };
        texts.extend([
            text.clone(),
            text.clone() + "priority = 2\n",
            text.replace("running", "paused"),
            text.replace("state", "sate"),
            text.replace("\"sales\"", "\"service\""),
            text.replace("18:00:00", "18:00:01") + "[strategy]\ndo_not_call = [\"staff\"]\n",
            text.clone() + LONG,
            text.replace("2031-05-31T18", "2031-03-01T09"),
            extends("t"),
            extends("u"),
            extends("T!"),
            extends("t") + "skill_queue = \"sales\"\n",
        ]);
    }
    texts
}

const PATHS: [&str; 10] = [
    "a.toml",
    "b.toml",
    "c.toml",
    "shared/agents.toml",
    "shared/do-not-call.toml",
    "shared/queue.toml",
    "shared/queues.toml",
    "shared/tenant.toml",
    "templates/one.toml",
    "templates/two.toml",
];

/// A path and what then stands there; mostly campaigns and templates, as in life, and mostly good ones.
fn edit() -> impl Strategy<Value = (&'static str, Option<Vec<u8>>)> {
    let often = ["a.toml", "b.toml", "c.toml", "templates/one.toml"];
    let paths: Vec<&str> = PATHS.into_iter().chain(often.repeat(3)).collect();
    select(paths).prop_flat_map(|path| {
        let texts = texts(path);
        let good = texts[0].clone();
        (Just(path), proptest::prop_oneof![Just(good), select(texts)])
    })
}

fn start() -> Files {
    let mut files = Files::new();
    for path in ["shared/tenant.toml", "shared/queues.toml", "shared/agents.toml", "templates/one.toml"] {
        files.insert(path, texts(path)[0].clone().unwrap().into());
    }
    for (path, id) in [("a.toml", "a"), ("b.toml", "b"), ("c.toml", "c")] {
        files.insert(path, CAMPAIGN.replace("ID", id).replace("NAME", id).into_bytes().into());
    }
    files
}

fn list(files: &Files) -> Vec<LoadedFile<'_>> {
    list_in("campaigns", files)
}

fn list_in<'a>(folder: &'a str, files: &'a Files) -> Vec<LoadedFile<'a>> {
    files.iter().map(|(path, bytes)| LoadedFile { folder, path, bytes: Arc::clone(bytes) }).collect()
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(100))]

    #[test]
    fn a_warm_load_says_what_a_cold_one_says(edits in vec(vec(edit(), 1..3), 1..24)) {
        let loader = Loader::new(outer_ceilings());
        let mut files = start();
        for edit in edits {
            for (path, text) in edit {
                match text {
                    Some(text) => drop(files.insert(path, text.into())),
                    None => drop(files.remove(path)),
                }
            }
            let sources: Vec<_> = files.iter().map(|(path, bytes)| SourceFile { folder: "campaigns", path, bytes }).collect();
            let cold = load("campaigns", &sources, &outer_ceilings());
            proptest::prop_assert_eq!(loader.load("campaigns", &list(&files)), cold);
        }
    }
}

fn campaign<'d>(definitions: &'d Definitions, id: &str) -> &'d Arc<Campaign> {
    &definitions.campaigns[&CampaignId::parse(id).unwrap()]
}

#[test]
fn what_a_commit_leaves_alone_is_not_resolved_again() {
    let loader = Loader::new(outer_ceilings());
    let mut files = start();
    let (before, _) = loader.load("campaigns", &list(&files)).unwrap();
    let text = CAMPAIGN.replace("ID", "b").replace("NAME", "Better");
    files.insert("b.toml", text.into_bytes().into());
    let (after, _) = loader.load("campaigns", &list(&files)).unwrap();
    assert!(Arc::ptr_eq(campaign(&before, "a"), campaign(&after, "a")));
    assert_eq!(campaign(&after, "b").name, "Better");

    // A shared file may mean another campaign; the same one under another folder's name does not.
    let tenant = format!("{TENANT}[agents]\nring = \"20s\"\n");
    files.insert("shared/tenant.toml", tenant.into_bytes().into());
    let (shared, _) = loader.load("campaigns", &list(&files)).unwrap();
    assert_eq!(campaign(&shared, "a").agents.ring.as_secs(), 20);
    let (moved, _) = loader.load("elsewhere", &list_in("elsewhere", &files)).unwrap();
    assert!(!Arc::ptr_eq(campaign(&moved, "a"), campaign(&shared, "a")));
    assert_eq!(moved, shared);
}

#[test]
fn a_warning_of_a_template_moves_on_to_the_next_campaign() {
    let loader = Loader::new(outer_ceilings());
    let mut files = start();
    files.insert("templates/one.toml", format!("{TEMPLATE}{LONG}").into_bytes().into());
    for (path, id) in [("a.toml", "a"), ("b.toml", "b")] {
        let text =
            CAMPAIGN.replace("ID", id).replace("NAME", id).replace("skill_queue", "extends = \"t\"\nskill_queue");
        files.insert(path, text.into_bytes().into());
    }
    let both_say = |files: &Files| {
        let sources: Vec<_> =
            files.iter().map(|(path, bytes)| SourceFile { folder: "campaigns", path, bytes }).collect();
        let (cold, warm) = (load("campaigns", &sources, &outer_ceilings()), loader.load("campaigns", &list(files)));
        assert_eq!(warm, cold);
        cold.unwrap().1.iter().filter(|warning| &*warning.location.file == "campaigns/templates/one.toml").count()
    };
    let told = both_say(&files);
    assert!(told > 0);
    // Told with the first campaign, and only there; without it the second has it.
    files.remove("a.toml");
    assert_eq!(both_say(&files), told);
}
