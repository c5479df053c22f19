//! Calls the doors with every seed of the fuzz targets and small mutations of it: a short version of what `make fuzz`
//! does for hours. Inputs that it once found are among the seeds and are tried first.

#![expect(clippy::unwrap_used, reason = "seeds that cannot be read fail the test")]

use std::path::{Path, PathBuf};

/// The number of mutations of each seed.
const NEIGHBOURS: u32 = 20;

fn seeds(door: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(door);
    let files = std::fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

#[test]
fn every_door_holds_against_its_seeds_and_their_neighbours() {
    for (name, door) in hostile::DOORS {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name} has seeds");
        let mut random = fastrand::Rng::with_seed(7);
        for (path, seed) in &seeds {
            println!("{}", path.display());
            door(seed);
            for _ in 0..NEIGHBOURS {
                let neighbour = changed(seed, &seeds, &mut random);
                println!("{:?}", String::from_utf8_lossy(&neighbour));
                door(&neighbour);
            }
        }
    }
}

/// One to three mutations: a changed byte, a removed piece, a repeated piece, or a piece of another seed.
fn changed(seed: &[u8], seeds: &[(PathBuf, Vec<u8>)], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut data = seed.to_vec();
    for _ in 0..random.u8(1..=3) {
        let position = random.usize(..=data.len());
        let end = (position + random.usize(..=8)).min(data.len());
        match random.u8(..4) {
            0 if position < data.len() => data[position] = random.u8(..),
            1 => drop(data.drain(position..end)),
            2 => {
                let piece = data[position..end].to_vec();
                data.splice(position..position, piece);
            }
            _ => {
                let other = &seeds[random.usize(..seeds.len())].1;
                let start = random.usize(..=other.len());
                let piece = &other[start..(start + random.usize(..=16)).min(other.len())];
                data.splice(position..end, piece.iter().copied());
            }
        }
    }
    data
}
