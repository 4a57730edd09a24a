//! Regions of telephone numbers.

use serde_json::{Value as Json, json};

use crate::config::{
    code::Code,
    diagnostic::Span,
    read::{Kind, Reader},
    syntax::Node,
};

/// Regions with telephone numbers of their own, as the library knows them that reads imported numbers. They stand here
/// because it takes longer to load what it knows than to check a thousand files; a test compares.
const REGIONS: &str = "AC AD AE AF AG AI AL AM AO AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT \
                       BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER \
                       ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GT GU GW GY HK HN HR HT HU ID IE \
                       IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV \
                       LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP \
                       NR NU NZ OM PA PE PF PG PH PK PL PM PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK \
                       SL SM SN SO SR SS ST SV SX SY SZ TA TC TD TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG US UY UZ VA \
                       VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

/// A region: an ISO 3166-1 alpha-2 code.
pub(crate) struct Region;

impl Kind for Region {
    type Value = String;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<String> {
        let text = reader.text(node, "a region (a string)")?;
        if is_known(text) {
            return Some(text.to_owned());
        }
        let span = Span::from(node.span());
        let diagnostic = reader
            .fault(Code::Region, node, "must be a region with telephone numbers: two capital letters of ISO 3166-1")
            .label("for instance \"CN\"");
        let upper = text.to_ascii_uppercase();
        if is_known(&upper) {
            diagnostic.fix(format!("did you mean {upper:?}?"), span, format!("{upper:?}"));
        } else if upper == "UK" {
            diagnostic.suggest("did you mean \"GB\"?", span, "\"GB\"");
        }
        None
    }

    fn schema() -> Json {
        json!({ "title": "region of two letters", "type": "string", "pattern": format!("^({})$", REGIONS.replace(' ', "|")) })
    }

    fn show(value: &String) -> Json {
        json!(value)
    }
}

fn is_known(text: &str) -> bool {
    REGIONS.split(' ').any(|known| known == text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rlibphonenumber::{PHONE_NUMBER_UTIL, enums::Region};

    use super::*;

    #[test]
    fn the_library_knows_the_same_regions() {
        let known = PHONE_NUMBER_UTIL.get_supported_regions().filter(|region| *region != Region::World);
        let known: BTreeSet<String> = known.map(|region| region.to_string()).collect();
        assert_eq!(known, REGIONS.split(' ').map(str::to_owned).collect());
        assert!(!is_known("") && !is_known("ZZ") && !is_known("CN DE"));
    }
}
