//! Plots: bars in a table, and columns over days or hours, drawn by the server as SVG.
//!
//! Widths are shares of what room there is and heights are pixels, so that text keeps its size in any window.

use askama::Template;

use super::words::duration;
use crate::http::{page::grouped, wire::results::CallCounts};

/// Height of the drawn area, and where its upper edge lies, in pixels.
const HEIGHT: u32 = 150;
const ABOVE: u32 = 10;
/// Columns up to which each has its label in its middle.
const LABELLED_MAX: usize = 8;
/// Labels of more columns than that, at most.
const LABELS_MAX: usize = 6;
/// Parts that an axis has, at most.
const TICKS_MAX: u64 = 5;

/// The numbers of an axis that begins at 0 and ends at or above `most`: whole ones, evenly apart, that people count in.
pub(super) fn ticks(most: u64) -> Vec<u64> {
    let most = most.max(1);
    let mut step = 1_u64;
    for factor in [2, 5, 10].into_iter().cycle() {
        if most.div_ceil(step) <= TICKS_MAX {
            break;
        }
        // 1, 2, 5, 10, 20, 50, …
        step = match factor {
            2 => step * 2,
            5 => step / 2 * 5,
            _ => step / 5 * 10,
        };
    }
    (0..=most.div_ceil(step)).map(|nth| nth * step).collect()
}

/// `n` of `all` in percent.
#[expect(clippy::cast_precision_loss, reason = "a drawing has some thousand pixels")]
fn percent(n: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { (n as f64 * 10_000.0 / all as f64).round() / 100.0 }
}

/// A row of a table with bars.
pub(super) struct Bar {
    label: String,
    attempts: String,
    connected: Option<String>,
    talked: Option<String>,
    width: f64,
    connected_width: f64,
}

/// Where a number of an axis stands.
pub(super) struct Tick {
    text: String,
    at: f64,
    anchor: &'static str,
}

/// A table of which each row has a bar.
#[derive(Template)]
#[template(path = "plot-bars.html")]
pub(super) struct Bars {
    caption: &'static str,
    of: &'static str,
    bars: Vec<Bar>,
    left_out: usize,
    ticks: Vec<Tick>,
    /// Whether something is told of connected calls.
    connected: bool,
}

/// Most rows of such a table; the JSON has all.
const ROWS_MAX: usize = 50;

impl Bars {
    /// Attempts by `of`, with what is connected of them.
    pub(super) fn of_calls(caption: &'static str, of: &'static str, rows: Vec<(String, CallCounts)>) -> Self {
        let most = rows.iter().map(|(_, calls)| calls.attempts).max().unwrap_or(0);
        Self::new((caption, of, true), rows, most)
    }

    /// Attempts by `of`, and no more.
    pub(super) fn of_counts(caption: &'static str, of: &'static str, rows: Vec<(String, u64)>) -> Self {
        let calls = |(label, attempts)| (label, CallCounts { attempts, ..CallCounts::default() });
        let most = rows.iter().map(|(_, attempts)| *attempts).max().unwrap_or(0);
        Self::new((caption, of, false), rows.into_iter().map(calls).collect(), most)
    }

    fn new(
        (caption, of, connected): (&'static str, &'static str, bool),
        rows: Vec<(String, CallCounts)>,
        most: u64,
    ) -> Self {
        let numbers = ticks(most);
        let top = numbers.last().copied().unwrap_or(1);
        let bar = |(label, calls): (String, CallCounts)| Bar {
            label,
            attempts: grouped(calls.attempts),
            connected: connected.then(|| grouped(calls.connected)),
            talked: connected.then(|| duration(calls.talk_seconds)),
            width: percent(calls.attempts, top),
            connected_width: percent(calls.connected, top),
        };
        let tick = |number: u64| Tick {
            text: grouped(number),
            at: percent(number, top),
            anchor: match number {
                0 => "start",
                _ if number == top => "end",
                _ => "middle",
            },
        };
        Self {
            caption,
            of,
            left_out: rows.len().saturating_sub(ROWS_MAX),
            bars: rows.into_iter().take(ROWS_MAX).map(bar).collect(),
            ticks: numbers.into_iter().map(tick).collect(),
            connected,
        }
    }
}

/// One column.
pub(super) struct Column {
    title: String,
    attempts: String,
    connected: String,
    x: f64,
    width: f64,
    y: u32,
    height: u32,
    connected_y: u32,
    connected_height: u32,
}

/// A line at a number of the axis.
pub(super) struct Line {
    text: String,
    y: u32,
}

/// Columns over times.
#[derive(Template)]
#[template(path = "plot-columns.html")]
pub(super) struct Columns {
    caption: &'static str,
    of: &'static str,
    summary: String,
    columns: Vec<Column>,
    lines: Vec<Line>,
    labels: Vec<Tick>,
    note: Option<String>,
}

impl Columns {
    /// Attempts by times, each with a long and a short name; `note` says more of what one column is.
    pub(super) fn new(
        (caption, of): (&'static str, &'static str),
        rows: Vec<(String, String, CallCounts)>,
        note: Option<String>,
    ) -> Self {
        let most = rows.iter().map(|(.., calls)| calls.attempts).max().unwrap_or(0);
        let numbers = ticks(most);
        let top = numbers.last().copied().unwrap_or(1);
        let count = rows.len().max(1) as u64;
        let x = |nth: usize| percent(nth as u64, count);
        let column = |(nth, (title, _, calls)): (usize, &(String, String, CallCounts))| {
            let (height, connected_height) = (pixels(calls.attempts, top), pixels(calls.connected, top));
            let slot = percent(1, count);
            Column {
                title: title.clone(),
                attempts: grouped(calls.attempts),
                connected: grouped(calls.connected),
                x: x(nth) + slot * 0.1,
                width: slot * 0.8,
                y: ABOVE + HEIGHT - height,
                height,
                connected_y: ABOVE + HEIGHT - connected_height,
                connected_height,
            }
        };
        let line = |number: u64| Line { text: grouped(number), y: ABOVE + HEIGHT - pixels(number, top) };
        Self {
            caption,
            of,
            summary: summary(&rows),
            labels: labels(&rows, x),
            columns: rows.iter().enumerate().map(column).collect(),
            lines: numbers.into_iter().map(line).collect(),
            note,
        }
    }
}

/// So many pixels of the height; what is there at all is seen.
fn pixels(n: u64, top: u64) -> u32 {
    let share = u64::from(HEIGHT) * n / top.max(1);
    let share = u32::try_from(share).unwrap_or(HEIGHT);
    if n > 0 { share.max(1) } else { 0 }
}

/// What who can't see the drawing is told; the table has the rest.
fn summary(rows: &[(String, String, CallCounts)]) -> String {
    let Some((first, ..)) = rows.first() else { return "no calls".to_owned() };
    let last = rows.last().map_or(first, |(last, ..)| last);
    let Some((most, _, calls)) = rows.iter().rev().max_by_key(|(.., calls)| calls.attempts) else {
        return first.clone();
    };
    format!("{first} to {last}; most calls at {most}: {}", grouped(calls.attempts))
}

fn labels(rows: &[(String, String, CallCounts)], x: impl Fn(usize) -> f64) -> Vec<Tick> {
    let label = |nth: usize, at: f64, anchor| Tick { text: rows[nth].1.clone(), at, anchor };
    if rows.len() <= LABELLED_MAX {
        let middle = |nth: usize| f64::midpoint(x(nth), x(nth + 1));
        return (0..rows.len()).map(|nth| label(nth, middle(nth), "middle")).collect();
    }
    let step = rows.len().div_ceil(LABELS_MAX);
    // One whose room ends before its text does is left out.
    let shown = (0..rows.len()).step_by(step).filter(|nth| nth + step / 2 < rows.len());
    shown.map(|nth| label(nth, x(nth), "start")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_or_above_the_most_in_few_whole_steps() {
        assert_eq!(ticks(0), [0, 1]);
        assert_eq!(ticks(1), [0, 1]);
        assert_eq!(ticks(3), [0, 1, 2, 3]);
        assert_eq!(ticks(7), [0, 2, 4, 6, 8]);
        assert_eq!(ticks(23), [0, 5, 10, 15, 20, 25]);
        assert_eq!(ticks(100), [0, 20, 40, 60, 80, 100]);
        assert_eq!(ticks(1_000_001), [0, 500_000, 1_000_000, 1_500_000]);
        for most in (0..5_000).chain([999_999, u64::from(u32::MAX)]) {
            let numbers = ticks(most);
            assert!(*numbers.last().unwrap() >= most && numbers.len() <= 6, "{most}: {numbers:?}");
        }
    }

    fn rows(n: u64) -> Vec<(String, String, CallCounts)> {
        let calls = |n| CallCounts { attempts: n, connected: n / 3, talk_seconds: n };
        (0..n).map(|nth| (format!("day {nth}"), nth.to_string(), calls(nth))).collect()
    }

    #[test]
    fn columns_stay_inside_and_are_as_high_as_they_count() {
        for n in [1, 2, 8, 24, 62] {
            let plot = Columns::new(("calls", "day"), rows(n), None);
            let last = plot.columns.last().unwrap();
            assert!(last.x + last.width <= 100.0 && plot.columns.iter().all(|column| column.y >= ABOVE));
            assert!(plot.labels.len() <= LABELLED_MAX, "{n}");
        }
        let plot = Columns::new(("calls", "day"), rows(101), None);
        assert_eq!(plot.columns[0].height, 0);
        assert_eq!(plot.columns[100].height, HEIGHT, "100 of an axis to 100");
        assert_eq!(plot.columns[50].height, HEIGHT / 2);
        assert_eq!(plot.columns[1].height, 1, "one call of 100 is seen");
        assert!(plot.summary.ends_with("most calls at day 100: 100"), "{}", plot.summary);
        assert_eq!(plot.lines.len(), 6);
    }

    #[test]
    fn bars_are_as_long_as_they_count() {
        let calls = |attempts, connected| CallCounts { attempts, connected, talk_seconds: 61 };
        let rows = vec![("<b>".to_owned(), calls(50, 25)), ("b".to_owned(), calls(12, 0))];
        let plot = Bars::of_calls("By result", "Result", rows);
        assert_eq!(
            plot.bars.iter().map(|bar| (bar.width, bar.connected_width)).collect::<Vec<_>>(),
            [(100.0, 50.0), (24.0, 0.0)]
        );
        let html = plot.render().unwrap();
        assert!(html.contains("&#60;b&#62;") && html.contains("1:01"), "{html}");
    }
}
