//! Writes a recording of a generated session, for measurements: `generate FILE SECONDS THREADS TICK_MS [CALM]`.
//!
//! A busy target makes thousands of events a second, and so a day of it gigabytes; CALM makes threads stay
//! away from the GIL so many times as long. `generate day.gilscope 86400 40 1000 1000` takes minutes.
#![allow(dead_code, unused_imports, unreachable_pub)] // the program's modules, of which an example uses a part
#![deny(unsafe_code)]

#[path = "../src/batch.rs"]
mod batch;
#[path = "../src/collect/generate/mod.rs"]
mod generate;
#[path = "../src/recording/mod.rs"]
mod recording;
#[path = "../src/store/mod.rs"]
mod store;

use generate::Scenario;
use recording::write_all_of;
use std::path::PathBuf;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, seconds, threads, tick_ms, calm @ ..] = arguments.as_slice() else {
        anyhow::bail!("usage: generate FILE SECONDS THREADS TICK_MS [CALM]");
    };
    let threads: u32 = threads.parse()?;
    let scenario = Scenario {
        cpu_threads: threads / 20 + 1,
        io_threads: threads - threads / 20 - threads / 16 - 2,
        native_threads: threads / 16,
        churn_per_s: 1,
        calm: calm.first().map_or(Ok(1), |calm| calm.parse())?,
        tick_ns: tick_ms.parse::<u64>()? * 1_000_000,
        duration_ns: seconds.parse::<u64>()? * 1_000_000_000,
        ..Scenario::default()
    };
    write_all_of(&PathBuf::from(file), &scenario.target(), scenario.batches())?;
    Ok(())
}
