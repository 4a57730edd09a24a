//! Windows of a day that may not overlap.

use super::{
    code::Code,
    load::{Commit, InFile},
    read::At,
};
use crate::domain::calendar::Window;

/// Reports each window that shares a minute with one before it.
pub(crate) fn apart(file: usize, windows: &[At<Window>], commit: &mut Commit<'_>) {
    for (index, window) in windows.iter().enumerate() {
        let Some(first) = windows[..index].iter().find(|first| first.value.overlaps(window.value)) else {
            continue;
        };
        let first = commit.locate(&InFile { file, value: first.span });
        let place = InFile { file, value: window.span };
        commit
            .error(Code::WindowsOverlap, &place, "two windows overlap")
            .label("overlaps")
            .relate(first, "with this one");
    }
}
