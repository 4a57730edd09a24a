//! Entries of a do-not-call list: rows of CSV or lines of JSON, as contacts are read.

use jiff::Timestamp;
use rlibphonenumber::enums::Region;

use super::{
    draft::e164,
    object::{self, Members, Value},
    rows::{Content, Row},
    shown,
};
use crate::{
    config::suggest::{self, listing},
    domain::do_not_call::NewEntry,
};

const NUMBER: &str = "number";
const EXPIRES_AT: &str = "expires_at";

/// Columns of a file, and keys of a line.
const FIELDS: [&str; 2] = [NUMBER, EXPIRES_AT];

/// How rows are read.
pub(super) struct Form {
    /// Where numbers in national form belong.
    region: Region,
    /// When entries expire that do not say it themselves.
    expires_at: Option<Timestamp>,
    /// Columns of CSV, by their place in [`FIELDS`].
    columns: Vec<usize>,
}

impl Form {
    /// The form of a file with this header, if it has one; else everything that is wrong with it.
    pub(super) fn new(
        region: Region,
        expires_at: Option<Timestamp>,
        header: Option<Vec<String>>,
    ) -> Result<Self, Vec<String>> {
        let (mut columns, mut problems) = (Vec::new(), Vec::new());
        let data = header.iter().flatten().any(|name| shown::looks_like_data(name));
        for (index, name) in header.iter().flatten().enumerate() {
            let name = name.trim();
            // A file without a header has a customer's number here, and perhaps his name beside it.
            let place = shown::name(name).filter(|_| !data).unwrap_or_else(|| (index + 1).to_string());
            match FIELDS.iter().position(|field| *field == name) {
                Some(field) if columns.contains(&field) => problems.push(format!("column {place} stands twice")),
                Some(field) => columns.push(field),
                None if shown::looks_like_data(name) => {
                    problems.push(format!("column {place} {}; {}", shown::HEADER_WANTED, meant(name)));
                }
                None => problems.push(format!("column {place} is not known; {}", meant(name))),
            }
        }
        if problems.is_empty() && header.is_some() && !columns.contains(&0) {
            problems.push(format!("no column `{NUMBER}`"));
        }
        if problems.is_empty() { Ok(Self { region, expires_at, columns }) } else { Err(problems) }
    }

    /// The entry of a row, or everything that is wrong with it.
    pub(super) fn read(&self, row: &Row) -> Result<NewEntry, String> {
        match row.content.as_ref().map_err(Clone::clone)? {
            Content::Fields(fields) => {
                if fields.len() != self.columns.len() {
                    return Err(format!("has {} fields, the header has {}", fields.len(), self.columns.len()));
                }
                let field = |wanted| self.columns.iter().position(|&column| column == wanted);
                let text = |wanted| field(wanted).and_then(|at| fields.get(at)).map_or("", String::as_str);
                self.entry(text(0), text(1), Vec::new())
            }
            Content::Line => self.object(&row.raw),
        }
    }

    fn object(&self, line: &str) -> Result<NewEntry, String> {
        let Members(members) = object::open(line)?;
        let (mut texts, mut problems) = ([None, None], Vec::new());
        for (key, raw) in members {
            let Some(field) = FIELDS.iter().position(|field| *field == key) else {
                problems.push(object::unknown(&key, &FIELDS));
                continue;
            };
            let text = match Value::of(raw) {
                Value::Null => String::new(),
                Value::Text(text) => text,
                Value::Number(_) | Value::List(_) | Value::Object(_) | Value::Other => {
                    problems.push(format!("{key}: must be a text"));
                    continue;
                }
            };
            if texts[field].replace(text).is_some() {
                problems.push(format!("{} stands twice", object::named(&key)));
            }
        }
        let [number, expires_at] = texts.map(Option::unwrap_or_default);
        self.entry(&number, &expires_at, problems)
    }

    fn entry(&self, number: &str, expires_at: &str, mut problems: Vec<String>) -> Result<NewEntry, String> {
        let number = match number.trim() {
            "" => Err("is missing".to_owned()),
            number => e164(number, self.region),
        };
        let expires_at = match expires_at.trim() {
            "" => Ok(self.expires_at),
            text => text.parse().map(Some),
        };
        match (number, expires_at) {
            (Ok(number), Ok(expires_at)) if problems.is_empty() => Ok(NewEntry { number, expires_at }),
            (number, expires_at) => {
                problems.extend(number.err().map(|problem| format!("{NUMBER}: {problem}")));
                problems.extend(expires_at.err().map(|_| {
                    format!("{EXPIRES_AT}: must be a time with its offset, for instance 2031-03-03T09:00:00+08:00")
                }));
                Err(problems.join("; "))
            }
        }
    }
}

fn meant(name: &str) -> String {
    match suggest::nearest(name, FIELDS) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("there are {}", listing(&FIELDS, '`', "and")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(header: &str) -> Result<Form, Vec<String>> {
        Form::new(Region::CN, None, Some(header.split(',').map(str::to_owned).collect()))
    }

    fn read(form: &Form, content: Content, raw: &str) -> Result<(String, Option<String>), String> {
        let row = Row { line: 1, raw: raw.to_owned(), content: Ok(content) };
        let entry = form.read(&row)?;
        Ok((entry.number.expose().to_owned(), entry.expires_at.map(|at| at.to_string())))
    }

    fn csv(header: &str, row: &str) -> Result<(String, Option<String>), String> {
        let fields = row.split(',').map(str::to_owned).collect();
        read(&form(header).unwrap(), Content::Fields(fields), row)
    }

    fn json(line: &str) -> Result<(String, Option<String>), String> {
        read(&Form::new(Region::CN, None, None).unwrap(), Content::Line, line)
    }

    #[test]
    fn both_formats_give_the_same() {
        let (number, at) = ("+8613800000001".to_owned(), "2031-03-03T01:00:00Z".to_owned());
        assert_eq!(csv("number", "138 0000 0001"), Ok((number.clone(), None)));
        assert_eq!(csv(" expires_at,number", ",+8613800000001"), Ok((number.clone(), None)));
        let whole = Ok((number.clone(), Some(at)));
        assert_eq!(csv("number,expires_at", "13800000001,2031-03-03T09:00:00+08:00"), whole);
        assert_eq!(json(r#"{"number":"13800000001","expires_at":"2031-03-03T01:00:00Z"}"#), whole);
        assert_eq!(json(r#"{"expires_at":null,"number":"13800000001"}"#), Ok((number, None)));
    }

    #[test]
    fn a_row_without_an_expiry_has_the_one_given_for_all() {
        let at: Timestamp = "2031-03-03T01:00:00Z".parse().unwrap();
        let form = Form::new(Region::CN, Some(at), None).unwrap();
        let expiry = |line| read(&form, Content::Line, line).unwrap().1.unwrap();
        assert_eq!(expiry(r#"{"number":"13800000001"}"#), at.to_string());
        assert_eq!(expiry(r#"{"number":"13800000001","expires_at":"2032-01-01T00:00:00Z"}"#), "2032-01-01T00:00:00Z");
    }

    #[test]
    fn everything_wrong_is_told_and_no_number_repeated() {
        let problem = csv("number,expires_at", "1380,tomorrow").unwrap_err();
        assert!(problem.starts_with("number: is not a phone number of CN") && problem.contains("; expires_at: must"));
        assert!(!problem.contains("1380"), "{problem}");
        assert_eq!(csv("number", "1,2").unwrap_err(), "has 2 fields, the header has 1");
        assert_eq!(csv("number", " ").unwrap_err(), "number: is missing");
        let problem = json(r#"{"nubmer":"13800000001","expires_at":7}"#).unwrap_err();
        for part in ["did you mean \"number\"?", "expires_at: must be a text", "number: is missing"] {
            assert!(problem.contains(part), "{part}: {problem}");
        }
        assert!(json(r#"{"number":"","number":"13800000001"}"#).unwrap_err().contains("key \"number\" stands twice"));
        assert_eq!(json("[1]").unwrap_err(), "must be a JSON object");
        let header = |text| form(text).err().unwrap().join("\n");
        assert!(header("numbr,until").contains("did you mean `number`?\ncolumn \"until\" is not known; there are"));
        let wanted = "looks like data: a header row is wanted before it; there are `number` and `expires_at`";
        assert_eq!(header("13800000001"), format!("column 1 {wanted}"));
        assert!(!header("Schmidt,13800000001").contains("Schmidt"));
        assert_eq!(header("expires_at"), "no column `number`");
        assert_eq!(header("number,number"), "column \"number\" stands twice");
    }
}
