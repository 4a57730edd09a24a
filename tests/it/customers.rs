//! What becomes of one contact, through the command.

use dialops::domain::ids::{CampaignId, CustomerId};

use crate::{
    cli::{busy_world, on_socket},
    stage::{CAMPAIGN, Campaign, Stage, number},
};

#[tokio::test]
async fn contacts_are_listed_masked_by_batch_and_state() {
    let served = busy_world().await;
    served.add_contact("C-3", &["+8613800000004"]).await;
    let list = on_socket(&served, &["contacts", "list", "spring"]).await;
    let expected = "customer_id,batch,state,attempts,priority,timezone,not_before,numbers,attributes,\
                    last_result,last_placed_at,last_agent,business_result,next_at\n\
                    C-1,first,in_progress,2,3,,,mobile=+8613*******01 mobile=+8613*******02,,\
                    no_answer,2031-03-01T02:00:20Z,anna,,2031-03-01T02:30:20Z\n\
                    C-2,first,reached,1,3,,,mobile=+8613*******03,,answered,2031-03-01T02:00:40Z,anna,,\n\
                    C-3,first,fresh,0,3,,,mobile=+8613*******04,,,,,,\n";
    assert_eq!((list.code, list.out.as_str()), (Some(0), expected), "{}", list.err);
    let full =
        on_socket(&served, &["contacts", "list", "spring", "--unmasked", "--state", "ended", "--format", "json"]).await;
    let contact = full.json();
    assert_eq!((&contact["customer"], &contact["numbers"][0]["number"]), (&"C-2".into(), &"+8613800000003".into()));
    for (args, told) in [
        (&["spring", "--batch", "other"][..], "error: campaign \"spring\" has no batch \"other\""),
        (&["sprung"], "error: no campaign \"sprung\""),
        (&["spring", "--batch", "first", "--after", "C-9"], "error: no customer \"C-9\""),
    ] {
        let none = on_socket(&served, &[&["contacts", "list"], args].concat()).await;
        assert_eq!((none.code, none.out.as_str()), (Some(1), ""), "a header is no answer");
        assert!(none.err.starts_with(told), "{}", none.err);
    }
    let after = on_socket(&served, &["contacts", "list", "spring", "--after", "C-2", "--batch", "first"]).await;
    assert_eq!(after.out.lines().count(), 2, "{}", after.out);
    // A batch is listed as it came in, page by page.
    served.add_contact("C-0", &["+8613800000005"]).await;
    let path = "http://dialops/api/v1/campaigns/spring/contacts?batch=first&limit=3";
    let page = async |after: &[(&str, &str)]| {
        let url = reqwest::Url::parse_with_params(path, after).unwrap();
        served.over_socket().get(url).send().await.unwrap().json::<serde_json::Value>().await.unwrap()
    };
    let first = page(&[]).await;
    let customers = |page: &serde_json::Value| -> Vec<String> {
        page["contacts"].as_array().unwrap().iter().map(|c| c["customer"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(customers(&first), ["C-1", "C-2", "C-3"]);
    let second = page(&[("cursor", first["next"].as_str().unwrap())]).await;
    assert_eq!((customers(&second), &second["next"]), (vec!["C-0".to_owned()], &serde_json::Value::Null));
    let wrong = on_socket(&served, &["contacts", "list", "spring", "--state", "lost"]).await;
    assert!(wrong.code == Some(2) && wrong.err.contains("no contact is in state \"lost\""), "{}", wrong.err);
}

#[tokio::test]
async fn a_contact_is_edited() {
    let served = busy_world().await;
    let said = on_socket(
        &served,
        &[
            "contacts",
            "edit",
            "spring",
            "C-1",
            "--number",
            "home=13800000002",
            "--number",
            "mobile=13800000009",
            "--priority",
            "1",
            "--timezone",
            "Asia/Urumqi",
            "--not-before",
            "2031-04-01T09:00:00+08:00",
        ],
    )
    .await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), "spring, customer C-1: changed\n"));
    let why = on_socket(&served, &["why", "spring", "C-1", "--format", "json"]).await.json();
    let contact = &why["contact"];
    assert_eq!((&contact["priority"], &contact["timezone"]), (&1.into(), &"Asia/Urumqi".into()));
    assert_eq!(contact["notBefore"], "2031-04-01T01:00:00Z");
    let numbers = &contact["numbers"];
    assert_eq!((&numbers[0]["number"], &numbers[0]["lastResult"]), (&"+8613800000002".into(), &"no_answer".into()));
    assert_eq!((&numbers[1]["category"], &numbers[1]["lastResult"]), (&"mobile".into(), &serde_json::Value::Null));
    let again = on_socket(&served, &["contacts", "edit", "spring", "C-1", "--priority", "1"]).await;
    assert_eq!(again.err, "spring, customer C-1: was so already\n");
    for (args, code, told) in [
        (&["C-1", "--priority", "9"][..], 2, "priority: must be 1 to 5"),
        (&["C-1", "--attr", "colour=red"], 2, "the tenant defines no attribute \"colour\""),
        (&["C-1", "--number", "mobile=12"], 2, "number.mobile: is not a phone number"),
        (&["C-9", "--priority", "1"], 1, "no customer \"C-9\" in campaign \"spring\""),
        (&["C-1"], 64, "nothing to change"),
        (&["C-1", "--number", "13800000001"], 64, "must be written NAME=VALUE"),
    ] {
        let said = on_socket(&served, &[&["contacts", "edit", "spring"], args].concat()).await;
        assert_eq!(said.code, Some(code), "{args:?}: {}", said.err);
        assert!(said.err.contains(told), "{args:?}: {}", said.err);
    }
}

#[tokio::test]
async fn a_contact_that_was_never_called_is_deleted() {
    let served = busy_world().await;
    served.add_contact("C-3", &["+8613800000004"]).await;
    let called = on_socket(&served, &["contacts", "delete", "spring", "C-1"]).await;
    assert_eq!(called.code, Some(1));
    assert!(called.err.contains("has been called") && called.err.contains("contacts erase"), "{}", called.err);
    let deleted = on_socket(&served, &["contacts", "delete", "spring", "C-3"]).await;
    assert_eq!((deleted.code, deleted.err.as_str()), (Some(0), "spring, customer C-3: deleted\n"));
    let gone = on_socket(&served, &["contacts", "delete", "spring", "C-3"]).await;
    assert!(gone.err.contains("no customer \"C-3\""), "{}", gone.err);
}

#[tokio::test]
async fn a_customer_is_erased_and_counts_stay() {
    let served = busy_world().await;
    let before = on_socket(&served, &["results", "spring", "--unmasked"]).await.out;
    assert!(before.contains("C-1") && before.contains("+8613800000001"));
    let erased = on_socket(&served, &["contacts", "erase", "C-1"]).await;
    assert_eq!((erased.code, erased.err.as_str()), (Some(0), "customer C-1: erased in spring\n"));
    let after = on_socket(&served, &["results", "spring", "--unmasked"]).await.out;
    assert_eq!(after.lines().count(), before.lines().count());
    assert!(!after.contains("C-1") && !after.contains("+8613800000001") && after.contains("  erased  "), "{after}");
    let why = on_socket(&served, &["why", "spring"]).await.out;
    assert!(why.contains("1 erased, 1 reached"), "{why}");
    // The contact's calls stay together under what stands for its id.
    let listed = on_socket(&served, &["contacts", "list", "spring"]).await.out;
    let stand_in = listed.lines().find(|line| line.starts_with("erased-")).unwrap().split(',').next().unwrap();
    let results = on_socket(&served, &["results", "spring", "--format", "json"]).await.out;
    let erased = results.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let erased: Vec<_> = erased.filter(|attempt| attempt["number"] == "erased").collect();
    assert!(erased.len() == 2 && erased.iter().all(|attempt| attempt["customer"] == stand_in), "{results}");
    let gone = on_socket(&served, &["contacts", "erase", "C-1", "--campaign", "spring"]).await;
    assert_eq!(gone.code, Some(1));
    assert!(gone.err.contains("no customer \"C-1\" in campaign \"spring\""), "{}", gone.err);
    let spring = CampaignId::parse("spring").unwrap();
    let store: &dyn dialops::store::Store = &*served.store;
    assert_eq!(store.contact(&spring, &CustomerId::parse("C-1").unwrap()).await.unwrap(), None);
}

#[test]
fn an_erasure_cancels_a_call_that_rings_and_leaves_a_conversation_alone() {
    let stage = Stage::new(&["a1", "a2"]);
    stage.commit(&Campaign { max_ring: "30s", ..Campaign::default() });
    let daemon = stage.run();
    stage.import(&[("c1", &[number::rings(1), number::rings(11)]), ("c2", &[number::waits(2)])]);
    stage.sign_in(&["a1", "a2"]);
    stage.until("the first rings", || !stage.carrier_traffic().of(&number::rings(1)).is_empty());
    let (code, _, err) = stage.cli_says(&["contacts", "edit", CAMPAIGN, "c1", "--priority", "1"]);
    assert!(code == Some(1) && err.contains("\"c1\" is being called"), "{err}");
    let (code, _, err) = stage.cli_says(&["contacts", "erase", "c1"]);
    assert_eq!(code, Some(0), "{err}");
    stage.until("the second talks", || {
        let talking =
            |attempt: &dialops::http::wire::Attempt| attempt.customer == "c2" && attempt.connected_at.is_some();
        stage.results().iter().any(talking)
    });
    let (code, _, err) = stage.cli_says(&["contacts", "erase", "c2"]);
    assert!(code == Some(1) && err.contains("is in a conversation"), "{err}");
    let results = stage.results();
    assert!(results[0].number == "erased" && results[0].result.as_deref() == Some("no_answer"), "{results:#?}");
    assert_eq!(results[1].number, number::waits(2));
    assert!(stage.invited_at(&number::rings(11)).is_empty(), "nor is the next number called");
    let digits = number::rings(1);
    let found = |name: &str| {
        let bytes = std::fs::read(stage.path(name)).unwrap_or_default();
        bytes.windows(digits.len()).any(|window| window == digits.as_bytes())
    };
    assert!(!["dialops.db", "dialops.db-wal", "dialops.db-shm"].into_iter().any(found));
    assert_eq!(daemon.metric("dialops_engine_errors_total"), ["dialops_engine_errors_total 0"]);
    // A stop would wait for the conversation.
    daemon.kill();
}

#[test]
fn encrypted_attributes_need_a_key_and_take_a_new_one() {
    let stage = Stage::new(&["a1"]);
    let attributes = "[[attributes]]\nid = \"iban\"\nname = \"IBAN\"\ntype = \"encrypted\"\n";
    stage.repository.write("campaigns/shared/attributes.toml", attributes);
    stage.commit(&Campaign { state: "paused", ..Campaign::default() });
    let file = stage.path("list.csv");
    std::fs::write(
        &file,
        format!("customer_id,number.mobile,attr.iban\nc1,{},DE02120300000000202051\n", number::quick(1)),
    )
    .unwrap();
    let import = ["contacts", "import", CAMPAIGN, file.to_str().unwrap()];
    let daemon = stage.run();
    let (code, out, _) = stage.cli_says(&import);
    assert!(code == Some(2) && out.contains("0 added, 0 there already, 1 rejected"), "{out}");
    let rejects = std::fs::read_to_string(stage.path("list.csv.rejects.csv")).unwrap();
    assert!(rejects.contains("attr.iban: no key is set for encrypted attributes"), "{rejects}");
    let (code, _, err) = stage.cli_says(&["contacts", "rotate-key"]);
    assert!(code == Some(1) && err.contains("no key is set"), "{err}");
    daemon.stop();

    let with = |keys: &str| {
        let store = format!("store = {{ path = \"dialops.db\", {keys} }}");
        stage.settings(|text| text.replace("store = { path = \"dialops.db\" }", &store));
    };
    std::fs::write(stage.path("old.key"), "a1".repeat(32)).unwrap();
    std::fs::write(stage.path("new.key"), "b2".repeat(32)).unwrap();
    with("attribute_key = { file = \"old.key\" }");
    let daemon = stage.run();
    assert!(stage.cli(&import).contains("1 added"));
    daemon.stop();
    with("attribute_key = { file = \"new.key\" }");
    let daemon = stage.run();
    let (code, _, err) = stage.cli_says(&["contacts", "rotate-key"]);
    assert!(code == Some(1) && err.contains("1 contacts have values under a key that is not set"), "{err}");
    for more in [&[][..], &["--unmasked"]] {
        let list = stage.cli(&[&["contacts", "list", CAMPAIGN, "--format", "json"], more].concat());
        assert!(list.contains("\"iban\":\"cannot be opened with the keys at hand, key id "), "{list}");
    }
    daemon.stop();
    with("attribute_key = { file = \"new.key\" }, previous_attribute_key = { file = \"old.key\" }");
    let daemon = stage.run();
    let (code, _, err) = stage.cli_says(&["contacts", "rotate-key"]);
    assert!(code == Some(0) && err.contains("1 contacts written anew under key "), "{err}");
    let why = stage.cli(&["why", CAMPAIGN, "c1", "--format", "json"]);
    assert!(!why.contains("DE0212"), "{why}");
    let masked = stage.cli(&["contacts", "list", CAMPAIGN, "--format", "json"]);
    assert!(masked.contains("\"iban\":\"encrypted\""), "{masked}");
    let full = stage.cli(&["contacts", "list", CAMPAIGN, "--format", "json", "--unmasked"]);
    assert!(full.contains("\"iban\":\"DE02120300000000202051\""), "{full}");
    daemon.stop();
    for name in ["dialops.db", "dialops.db-wal", "life-2.log", "life-3.log", "life-4.log"] {
        let text = std::fs::read(stage.path(name)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(
            !text.contains("DE0212") && !text.contains(&"a1".repeat(32)) && !text.contains(&"b2".repeat(32)),
            "{name}"
        );
    }
}
