//! Sorts places that need not fit into memory: runs of them in files that have no name, merged at the end.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, Write},
    path::PathBuf,
    vec,
};

use super::place::Place;

/// Bytes of a run in memory, about.
const RUN_BYTES: usize = 8 * 1024 * 1024;

/// What a place takes beside its key.
const PLACE_BYTES: usize = size_of::<Place>() + 16;

/// Takes places in.
#[derive(Debug, Default)]
pub(super) struct Sorter {
    /// Where runs are put.
    folder: PathBuf,
    run: Vec<Place>,
    bytes: usize,
    runs: Vec<File>,
}

impl Sorter {
    /// One that puts its runs into `folder`.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, ..Self::default() }
    }

    /// Takes a place in; now and then a run is written to disk.
    pub(super) fn push(&mut self, place: Place) -> io::Result<()> {
        self.bytes += place.key.len() + PLACE_BYTES;
        self.run.push(place);
        if self.bytes >= RUN_BYTES { self.write_run() } else { Ok(()) }
    }

    fn write_run(&mut self) -> io::Result<()> {
        self.run.sort_unstable();
        let mut file = BufWriter::new(tempfile::tempfile_in(&self.folder)?);
        for place in self.run.drain(..) {
            let length = u32::try_from(place.key.len()).map_err(io::Error::other)?;
            file.write_all(&length.to_le_bytes())?;
            file.write_all(&place.key)?;
            for number in [place.ready_at, place.contact, place.stood] {
                file.write_all(&number.to_le_bytes())?;
            }
        }
        let mut file = file.into_inner()?;
        file.rewind()?;
        self.runs.push(file);
        self.bytes = 0;
        Ok(())
    }

    fn finish(mut self) -> impl Iterator<Item = Run> {
        self.run.sort_unstable();
        let files = self.runs.into_iter().map(|file| Run::File(BufReader::new(file)));
        files.chain([Run::Memory(self.run.into_iter())])
    }
}

/// All that were taken in by any of them, in order.
pub(super) fn merge(sorters: Vec<Sorter>) -> io::Result<Sorted> {
    let runs = sorters.into_iter().flat_map(Sorter::finish).collect();
    let mut sorted = Sorted { runs, heads: BinaryHeap::new() };
    for run in 0..sorted.runs.len() {
        sorted.advance(run)?;
    }
    Ok(sorted)
}

#[derive(Debug)]
enum Run {
    File(BufReader<File>),
    Memory(vec::IntoIter<Place>),
}

impl Run {
    fn next(&mut self) -> io::Result<Option<Place>> {
        match self {
            Self::File(file) => read(file),
            Self::Memory(places) => Ok(places.next()),
        }
    }
}

fn read(file: &mut BufReader<File>) -> io::Result<Option<Place>> {
    let mut length = [0; 4];
    match file.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut key = vec![0; usize::try_from(u32::from_le_bytes(length)).map_err(io::Error::other)?];
    file.read_exact(&mut key)?;
    let mut number = || {
        let mut bytes = [0; 8];
        file.read_exact(&mut bytes).map(|()| i64::from_le_bytes(bytes))
    };
    Ok(Some(Place { key, ready_at: number()?, contact: number()?, stood: number()? }))
}

/// Gives places out in order.
#[derive(Debug)]
pub(super) struct Sorted {
    runs: Vec<Run>,
    /// The first of each run that has more.
    heads: BinaryHeap<Reverse<(Place, usize)>>,
}

impl Sorted {
    fn advance(&mut self, run: usize) -> io::Result<()> {
        if let Some(place) = self.runs[run].next()? {
            self.heads.push(Reverse((place, run)));
        }
        Ok(())
    }

    /// The next ones, at most so many; none at the end.
    pub(super) fn slice(&mut self, most: usize) -> io::Result<Vec<Place>> {
        let mut slice = Vec::new();
        while slice.len() < most {
            let Some(Reverse((place, run))) = self.heads.pop() else { break };
            slice.push(place);
            self.advance(run)?;
        }
        Ok(slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_into_a_run_comes_out_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let sorter = || Sorter::new(folder.path().to_owned());
        let mut sorters = vec![sorter(), sorter()];
        let place = |n: u64| Place {
            key: n.wrapping_mul(2_654_435_761).to_be_bytes()[2..].to_vec(),
            ready_at: 0,
            contact: n.cast_signed(),
            stood: 7,
        };
        let mut all: Vec<Place> = (0..500_000).map(place).collect();
        all.iter().for_each(|place| sorters[usize::from(place.contact % 2 == 0)].push(place.clone()).unwrap());
        assert!(sorters.iter().all(|sorter| sorter.runs.len() > 1));
        all.sort();
        let mut sorted = merge(sorters).unwrap();
        let mut out = Vec::new();
        loop {
            let slice = sorted.slice(999).unwrap();
            if slice.is_empty() {
                break;
            }
            out.extend(slice);
        }
        assert!(out == all);
    }
}
