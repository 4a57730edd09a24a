//! Regions: the zone of a number whose region has but one (SPEC §1.2, `calling_hours.timezone`).

use std::sync::LazyLock;

use super::{phone::E164, zone::ContactZone};

/// Longest prefix of the table.
const PREFIX_MAX: usize = 7;

/// Numbers by prefix (ITU-T E.164 country codes and, where several regions share one, what follows)
/// and the zone of their region, for every region that the tz database's `zone.tab` gives exactly one
/// zone; in order of prefixes. A longer prefix counts before a shorter one. Regions with several zones,
/// among them China, Germany and the United States, are left out.
#[rustfmt::skip]
const ZONES: &[(&str, &str)] = &[
    ("1242", "America/Nassau"),
    ("1246", "America/Barbados"),
    ("1264", "America/Anguilla"),
    ("1268", "America/Antigua"),
    ("1284", "America/Tortola"),
    ("1340", "America/St_Thomas"),
    ("1345", "America/Cayman"),
    ("1441", "Atlantic/Bermuda"),
    ("1473", "America/Grenada"),
    ("1649", "America/Grand_Turk"),
    ("1658", "America/Jamaica"),
    ("1664", "America/Montserrat"),
    ("1670", "Pacific/Saipan"),
    ("1671", "Pacific/Guam"),
    ("1684", "Pacific/Pago_Pago"),
    ("1721", "America/Lower_Princes"),
    ("1758", "America/St_Lucia"),
    ("1767", "America/Dominica"),
    ("1784", "America/St_Vincent"),
    ("1787", "America/Puerto_Rico"),
    ("1809", "America/Santo_Domingo"),
    ("1829", "America/Santo_Domingo"),
    ("1849", "America/Santo_Domingo"),
    ("1868", "America/Port_of_Spain"),
    ("1869", "America/St_Kitts"),
    ("1876", "America/Jamaica"),
    ("1939", "America/Puerto_Rico"),
    ("20", "Africa/Cairo"),
    ("211", "Africa/Juba"),
    ("212", "Africa/Casablanca"),
    ("2125288", "Africa/El_Aaiun"),
    ("2125289", "Africa/El_Aaiun"),
    ("213", "Africa/Algiers"),
    ("216", "Africa/Tunis"),
    ("218", "Africa/Tripoli"),
    ("220", "Africa/Banjul"),
    ("221", "Africa/Dakar"),
    ("222", "Africa/Nouakchott"),
    ("223", "Africa/Bamako"),
    ("224", "Africa/Conakry"),
    ("225", "Africa/Abidjan"),
    ("226", "Africa/Ouagadougou"),
    ("227", "Africa/Niamey"),
    ("228", "Africa/Lome"),
    ("229", "Africa/Porto-Novo"),
    ("230", "Indian/Mauritius"),
    ("231", "Africa/Monrovia"),
    ("232", "Africa/Freetown"),
    ("233", "Africa/Accra"),
    ("234", "Africa/Lagos"),
    ("235", "Africa/Ndjamena"),
    ("236", "Africa/Bangui"),
    ("237", "Africa/Douala"),
    ("238", "Atlantic/Cape_Verde"),
    ("239", "Africa/Sao_Tome"),
    ("240", "Africa/Malabo"),
    ("241", "Africa/Libreville"),
    ("242", "Africa/Brazzaville"),
    ("244", "Africa/Luanda"),
    ("245", "Africa/Bissau"),
    ("246", "Indian/Chagos"),
    ("248", "Indian/Mahe"),
    ("249", "Africa/Khartoum"),
    ("250", "Africa/Kigali"),
    ("251", "Africa/Addis_Ababa"),
    ("252", "Africa/Mogadishu"),
    ("253", "Africa/Djibouti"),
    ("254", "Africa/Nairobi"),
    ("255", "Africa/Dar_es_Salaam"),
    ("256", "Africa/Kampala"),
    ("257", "Africa/Bujumbura"),
    ("258", "Africa/Maputo"),
    ("260", "Africa/Lusaka"),
    ("261", "Indian/Antananarivo"),
    ("262", "Indian/Reunion"),
    ("262269", "Indian/Mayotte"),
    ("262639", "Indian/Mayotte"),
    ("263", "Africa/Harare"),
    ("264", "Africa/Windhoek"),
    ("265", "Africa/Blantyre"),
    ("266", "Africa/Maseru"),
    ("267", "Africa/Gaborone"),
    ("268", "Africa/Mbabane"),
    ("269", "Indian/Comoro"),
    ("27", "Africa/Johannesburg"),
    ("2902", "Atlantic/St_Helena"),
    ("2905", "Atlantic/St_Helena"),
    ("2906", "Atlantic/St_Helena"),
    ("2909", "Atlantic/St_Helena"),
    ("291", "Africa/Asmara"),
    ("297", "America/Aruba"),
    ("298", "Atlantic/Faroe"),
    ("30", "Europe/Athens"),
    ("31", "Europe/Amsterdam"),
    ("32", "Europe/Brussels"),
    ("33", "Europe/Paris"),
    ("350", "Europe/Gibraltar"),
    ("352", "Europe/Luxembourg"),
    ("353", "Europe/Dublin"),
    ("354", "Atlantic/Reykjavik"),
    ("355", "Europe/Tirane"),
    ("356", "Europe/Malta"),
    ("358", "Europe/Helsinki"),
    ("35818", "Europe/Mariehamn"),
    ("359", "Europe/Sofia"),
    ("36", "Europe/Budapest"),
    ("370", "Europe/Vilnius"),
    ("371", "Europe/Riga"),
    ("372", "Europe/Tallinn"),
    ("373", "Europe/Chisinau"),
    ("374", "Asia/Yerevan"),
    ("375", "Europe/Minsk"),
    ("376", "Europe/Andorra"),
    ("377", "Europe/Monaco"),
    ("378", "Europe/San_Marino"),
    ("381", "Europe/Belgrade"),
    ("382", "Europe/Podgorica"),
    ("385", "Europe/Zagreb"),
    ("386", "Europe/Ljubljana"),
    ("387", "Europe/Sarajevo"),
    ("389", "Europe/Skopje"),
    ("39", "Europe/Rome"),
    ("3906698", "Europe/Vatican"),
    ("40", "Europe/Bucharest"),
    ("41", "Europe/Zurich"),
    ("420", "Europe/Prague"),
    ("421", "Europe/Bratislava"),
    ("423", "Europe/Vaduz"),
    ("43", "Europe/Vienna"),
    ("44", "Europe/London"),
    ("441481", "Europe/Guernsey"),
    ("441534", "Europe/Jersey"),
    ("441624", "Europe/Isle_of_Man"),
    ("45", "Europe/Copenhagen"),
    ("46", "Europe/Stockholm"),
    ("47", "Europe/Oslo"),
    ("4779", "Arctic/Longyearbyen"),
    ("48", "Europe/Warsaw"),
    ("500", "Atlantic/Stanley"),
    ("501", "America/Belize"),
    ("502", "America/Guatemala"),
    ("503", "America/El_Salvador"),
    ("504", "America/Tegucigalpa"),
    ("505", "America/Managua"),
    ("506", "America/Costa_Rica"),
    ("507", "America/Panama"),
    ("508", "America/Miquelon"),
    ("509", "America/Port-au-Prince"),
    ("51", "America/Lima"),
    ("53", "America/Havana"),
    ("57", "America/Bogota"),
    ("58", "America/Caracas"),
    ("590", "America/Guadeloupe"),
    ("591", "America/La_Paz"),
    ("592", "America/Guyana"),
    ("594", "America/Cayenne"),
    ("595", "America/Asuncion"),
    ("596", "America/Martinique"),
    ("597", "America/Paramaribo"),
    ("598", "America/Montevideo"),
    ("5993", "America/Kralendijk"),
    ("5994", "America/Kralendijk"),
    ("5996", "America/Curacao"),
    ("5997", "America/Kralendijk"),
    ("5999", "America/Curacao"),
    ("6189162", "Indian/Cocos"),
    ("6189164", "Indian/Christmas"),
    ("63", "Asia/Manila"),
    ("65", "Asia/Singapore"),
    ("66", "Asia/Bangkok"),
    ("670", "Asia/Dili"),
    ("672", "Pacific/Norfolk"),
    ("673", "Asia/Brunei"),
    ("674", "Pacific/Nauru"),
    ("676", "Pacific/Tongatapu"),
    ("677", "Pacific/Guadalcanal"),
    ("678", "Pacific/Efate"),
    ("679", "Pacific/Fiji"),
    ("680", "Pacific/Palau"),
    ("681", "Pacific/Wallis"),
    ("682", "Pacific/Rarotonga"),
    ("683", "Pacific/Niue"),
    ("685", "Pacific/Apia"),
    ("687", "Pacific/Noumea"),
    ("688", "Pacific/Funafuti"),
    ("690", "Pacific/Fakaofo"),
    ("81", "Asia/Tokyo"),
    ("82", "Asia/Seoul"),
    ("84", "Asia/Ho_Chi_Minh"),
    ("850", "Asia/Pyongyang"),
    ("852", "Asia/Hong_Kong"),
    ("853", "Asia/Macau"),
    ("855", "Asia/Phnom_Penh"),
    ("856", "Asia/Vientiane"),
    ("880", "Asia/Dhaka"),
    ("886", "Asia/Taipei"),
    ("90", "Europe/Istanbul"),
    ("91", "Asia/Kolkata"),
    ("92", "Asia/Karachi"),
    ("93", "Asia/Kabul"),
    ("94", "Asia/Colombo"),
    ("95", "Asia/Yangon"),
    ("960", "Indian/Maldives"),
    ("961", "Asia/Beirut"),
    ("962", "Asia/Amman"),
    ("963", "Asia/Damascus"),
    ("964", "Asia/Baghdad"),
    ("965", "Asia/Kuwait"),
    ("966", "Asia/Riyadh"),
    ("967", "Asia/Aden"),
    ("968", "Asia/Muscat"),
    ("971", "Asia/Dubai"),
    ("972", "Asia/Jerusalem"),
    ("973", "Asia/Bahrain"),
    ("974", "Asia/Qatar"),
    ("975", "Asia/Thimphu"),
    ("977", "Asia/Kathmandu"),
    ("98", "Asia/Tehran"),
    ("992", "Asia/Dushanbe"),
    ("993", "Asia/Ashgabat"),
    ("994", "Asia/Baku"),
    ("995", "Asia/Tbilisi"),
    ("996", "Asia/Bishkek"),
];

/// Prefixes whose shorter prefix does not count: their region is not of one zone.
const NOT_OF_ONE_ZONE: &[&str] = &["67210", "67211", "67212", "67213"];

static BY_PREFIX: LazyLock<Vec<(&str, Option<ContactZone>)>> = LazyLock::new(|| {
    let mut zones: Vec<_> = ZONES.iter().map(|(prefix, name)| (*prefix, ContactZone::parse(name))).collect();
    zones.extend(NOT_OF_ONE_ZONE.iter().map(|prefix| (*prefix, None)));
    zones.sort_by_key(|(prefix, _)| *prefix);
    zones
});

/// The zone of the region that a number belongs to, if the region has exactly one.
#[must_use]
pub fn zone_of(number: &E164) -> Option<&'static ContactZone> {
    let digits = number.expose().strip_prefix('+')?;
    (1..=PREFIX_MAX.min(digits.len())).rev().find_map(|length| {
        let found = BY_PREFIX.binary_search_by_key(&&digits[..length], |(prefix, _)| prefix).ok()?;
        Some(BY_PREFIX[found].1.as_ref())
    })?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(number: &str) -> Option<&'static str> {
        zone_of(&E164::parse(number).unwrap()).map(ContactZone::name)
    }

    #[test]
    fn regions_of_one_zone_have_it_and_no_others() {
        assert_eq!(zone("+33123456789"), Some("Europe/Paris"));
        assert_eq!(zone("+442071234567"), Some("Europe/London"));
        assert_eq!(zone("+18765551234"), Some("America/Jamaica"));
        for several in ["+8613800000001", "+4930123456", "+12125551234", "+79161234567", "+6727101234"] {
            let expected = (several == "+6727101234").then_some("Pacific/Norfolk");
            assert_eq!(zone(several), expected, "{several}");
        }
    }

    #[test]
    fn the_longest_prefix_counts() {
        assert_eq!(zone("+390669812345"), Some("Europe/Vatican"));
        assert_eq!(zone("+390612345678"), Some("Europe/Rome"));
        assert_eq!(zone("+6721012345"), None);
    }

    #[test]
    fn every_zone_is_in_the_database_and_prefixes_are_in_order() {
        assert!(ZONES.iter().all(|(_, name)| ContactZone::parse(name).is_some()));
        assert!(ZONES.is_sorted_by(|a, b| a.0 < b.0));
        assert!(ZONES.iter().all(|(prefix, _)| prefix.len() <= PREFIX_MAX));
    }
}
