//! Random contacts.

use super::{dice::Dice, world::World};

/// The contacts that were drawn: whom an event can be about.
#[derive(Default)]
pub(crate) struct Contacts {
    /// Campaign and customer.
    pub(crate) customers: Vec<(&'static str, String)>,
    pub(crate) numbers: Vec<String>,
}

/// Columns of numbers. Categories may come twice.
const COLUMNS: &[&[&str]] = &[
    &["mobile"],
    &["mobile", "home"],
    &["mobile", "home", "office"],
    &["office", "mobile", "home"],
    &["mobile", "home", "mobile"],
];

/// The starts of numbers in China, Japan, France and Germany, to which two digits are added.
const REGIONS: &[&str] = &["+86138000000", "+86138000000", "+86138000000", "+813123456", "+336123456", "+49151123456"];

impl Contacts {
    /// The contacts of one campaign as a CSV file.
    pub(crate) fn draw(&mut self, dice: &mut Dice, place: usize, world: &World) -> String {
        let columns = *dice.pick(COLUMNS);
        let numbers: Vec<_> = columns.iter().map(|category| format!("number.{category}")).collect();
        let mut text =
            format!("customer_id,{},attr.tier,attr.score,attr.due,priority,timezone,not_before\n", numbers.join(","));
        for row in 0..dice.between(2, 8) {
            // Half of the customers of the second campaign may be in the first one too.
            let id = if place == 0 || dice.chance(50) { format!("K{row}") } else { format!("L{row}") };
            let numbers = self.numbers_of_one(dice, columns.len());
            self.customers.push((["c1", "c2"][place], id.clone()));
            let tier = dice.pick(&["gold", "silver", "Bronze", ""]);
            let score = dice.pick(&["-5", "0", "3", "10", "20.5", ""]);
            let due = if dice.chance(70) { world.date(dice.between(0, 3)) } else { String::new() };
            let priority = dice.pick(&["", "", "1", "5"]);
            let zone = dice.pick(&["", "", "", "Asia/Tokyo", "Europe/Berlin"]);
            let not_before = if dice.chance(15) { world.instant(dice.between(0, 7200)) } else { String::new() };
            text += &format!("{id},{},{tier},{score},{due},{priority},{zone},{not_before}\n", numbers.join(","));
        }
        text
    }

    /// The cells of a contact's numbers: at least one number, and none twice.
    fn numbers_of_one(&mut self, dice: &mut Dice, columns: usize) -> Vec<String> {
        let mut cells: Vec<String> = Vec::new();
        let must = dice.below(columns);
        for column in 0..columns {
            if column != must && dice.chance(25) {
                cells.push(String::new());
                continue;
            }
            let known = if dice.chance(8) && !self.numbers.is_empty() {
                dice.pick(&self.numbers).clone()
            } else {
                String::new()
            };
            if known.is_empty() || cells.contains(&known) {
                let number = format!("{}{:02}", dice.pick(REGIONS), 10 + self.numbers.len());
                self.numbers.push(number.clone());
                cells.push(number);
            } else {
                cells.push(known);
            }
        }
        cells
    }
}
