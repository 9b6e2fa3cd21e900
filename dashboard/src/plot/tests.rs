//! Plots of generated sessions: drawn whole, with the words and figures that belong there.

use super::*;
use crate::batch::{Batch, ImportFact, ImportsSample, Mark, Target};
use crate::collect::generate::Scenario;
use crate::store::Store;

fn store(scenario: &Scenario) -> Store {
    let mut store = Store::new(scenario.target());
    scenario.batches().for_each(|batch| store.apply(&batch));
    store
}

fn texts(svg: &str) -> Vec<String> {
    let document = resvg::usvg::roxmltree::Document::parse(svg).unwrap();
    let nodes = document.descendants().filter(|node| node.has_tag_name("text"));
    nodes.map(|node| node.text().unwrap_or_default().trim().to_owned()).collect()
}

fn bytes(snapshot: &Snapshot<'_>, plot: Plot, format: Format) -> Vec<u8> {
    let mut out = vec![];
    write(snapshot, plot, snapshot.range(), None, format, &mut out).unwrap();
    out
}

#[test]
fn every_plot_is_a_document_that_says_what_it_is_of() {
    let store = store(&Scenario { duration_ns: 10_000_000_000, ..Default::default() });
    let snapshot = store.snapshot();
    for plot in Plot::ALL {
        let texts = texts(&svg(&snapshot, plot, snapshot.range(), None).unwrap());
        let has = |part: &str| assert!(texts.iter().any(|t| t.contains(part)), "{part}: {texts:?}");
        has(plot.title());
        has("pid 4242 · Python 3.12.7 · python3 server.py");
        has("2026-01-01 00:00:0");
        if !matches!(plot, Plot::Handoffs | Plot::FramesByModule) {
            has("(");
        }
    }
}

#[test]
fn the_cpu_plot_names_threads_marks_and_units() {
    let store = store(&Scenario { duration_ns: 20_000_000_000, ..Default::default() });
    let snapshot = store.snapshot();
    let texts = texts(&svg(&snapshot, Plot::Cpu, snapshot.range(), None).unwrap());
    for part in
        ["MainThread", "cruncher-1", "exited threads", "CPU (cores)", "warm", "crunchers off"]
    {
        assert!(texts.iter().any(|text| text == part), "{part}: {texts:?}");
    }
    assert!(texts.iter().any(|text| text.ends_with("more threads")), "{texts:?}");
}

#[test]
fn png_is_the_same_picture_at_twice_the_size() {
    let store = store(&Scenario { duration_ns: 5_000_000_000, ..Default::default() });
    for plot in Plot::ALL {
        let png = bytes(&store.snapshot(), plot, Format::Png);
        let picture = resvg::tiny_skia::Pixmap::decode_png(&png).unwrap();
        assert_eq!((picture.width(), picture.height()), (2_000, 1_080));
        let white = picture.pixels().iter().filter(|p| (p.red(), p.blue()) == (255, 255)).count();
        let share = white as f64 / picture.pixels().len() as f64;
        assert!((0.2..0.97).contains(&share), "{} is {share} white", plot.name());
    }
}

#[test]
fn csv_of_cpu_sums_to_the_process() {
    let store = store(&Scenario { duration_ns: 5_000_000_000, ..Default::default() });
    let text = bytes(&store.snapshot(), Plot::Cpu, Format::Csv);
    let mut csv = csv::Reader::from_reader(&text[..]);
    assert_eq!(&csv.headers().unwrap()[1], "MainThread (cores)");
    for row in csv.records().map(Result::unwrap) {
        let figures: Vec<f64> = row.iter().skip(1).map(|cell| cell.parse().unwrap()).collect();
        let (total, bands) = figures.split_last().unwrap();
        assert!((bands.iter().sum::<f64>() - total).abs() < 1e-3, "{row:?}");
    }
}

#[test]
fn parts_are_drawn_as_patterns_and_add_up() {
    let store = store(&Scenario { duration_ns: 5_000_000_000, ..Default::default() });
    let snapshot = store.snapshot();
    let drawn = svg(&snapshot, Plot::CpuParts, snapshot.range(), None).unwrap();
    assert!(drawn.contains("fill=\"url(#pattern-0)\"") && !drawn.contains("\"#0102"));
    let texts = texts(&drawn);
    for part in ["holding the GIL", "running without it", "waiting for a core"] {
        assert!(texts.iter().any(|text| text == part), "{part}: {texts:?}");
    }
    let text = bytes(&snapshot, Plot::CpuParts, Format::Csv);
    let mut csv = csv::Reader::from_reader(&text[..]);
    let names: Vec<String> = csv.headers().unwrap().iter().map(String::from).collect();
    for row in csv.records().map(Result::unwrap) {
        let figures: Vec<f64> = row.iter().skip(1).map(|cell| cell.parse().unwrap()).collect();
        let running = names[1..]
            .iter()
            .zip(&figures)
            .filter(|(name, _)| !name.contains("waiting for a core") && *name != "process (cores)");
        let sum: f64 = running.map(|(_, figure)| figure).sum();
        assert!((sum - figures.last().unwrap()).abs() < 1e-3, "{row:?}");
    }
}

#[test]
fn csv_of_the_others_agrees_with_the_totals() {
    let store = store(&Scenario { duration_ns: 5_000_000_000, ..Default::default() });
    let snapshot = store.snapshot();
    let totals = snapshot.totals(snapshot.range()).unwrap();
    let sum = |plot, column: usize| -> u64 {
        let text = bytes(&snapshot, plot, Format::Csv);
        let mut csv = csv::Reader::from_reader(&text[..]);
        csv.records().map(|row| row.unwrap()[column].parse::<u64>().unwrap()).sum()
    };
    assert_eq!(sum(Plot::GilWait, 2), totals.acquires_contended);
    assert_eq!(sum(Plot::GilHold, 2), totals.releases_voluntary + totals.releases_forced);
    // The first acquire came from nobody.
    assert_eq!(sum(Plot::Handoffs, 4), totals.handoffs - 1);
}

#[test]
fn no_data_is_an_error_that_says_why() {
    let mut store = Store::new(Target::default());
    let notes =
        ["gil", "frames", "imports"].map(|of| (of.to_owned(), "the probe was off".to_owned()));
    store.apply(&Batch { notes: notes.into(), ..Default::default() });
    let snapshot = store.snapshot();
    for plot in Plot::ALL {
        let error = svg(&snapshot, plot, snapshot.range(), None).unwrap_err().to_string();
        assert!(error.contains(plot.name()), "{error}");
        let of_cpu = [Plot::Cpu, Plot::CpuParts, Plot::Memory].contains(&plot);
        assert!(of_cpu || error.contains("the probe was off"), "{error}");
    }
}

#[test]
fn csv_of_memory_says_what_was_sampled_and_classes_sum_to_the_threads() {
    let store = store(&Scenario { duration_ns: 5_000_000_000, ..Default::default() });
    let snapshot = store.snapshot();
    let rows = |plot| -> Vec<Vec<String>> {
        let text = bytes(&snapshot, plot, Format::Csv);
        let mut csv = csv::Reader::from_reader(&text[..]);
        let records = csv.records().map(Result::unwrap);
        records.map(|row| row.iter().map(String::from).collect()).collect()
    };
    let memory = rows(Plot::Memory);
    let rss = memory.iter().filter_map(|row| row[1].parse::<u64>().ok()).max();
    let series = snapshot.process(snapshot.range(), 480);
    assert_eq!(rss, series.rss_bytes.into_iter().flatten().max());
    let classes = rows(Plot::GilClasses);
    let threads = snapshot.thread_rows(snapshot.range());
    let held = threads.iter().filter_map(|row| row.gil.as_ref()).map(|gil| gil.hold_ns);
    let sum: u64 = classes.iter().map(|row| row[2].parse::<u64>().unwrap()).sum();
    assert_eq!(sum, held.sum::<u64>(), "{classes:?}");
    let inflicted: Vec<u64> = classes.iter().map(|row| row[4].parse().unwrap()).collect();
    assert!(inflicted.is_sorted_by(|a, b| a >= b), "{classes:?}");
}

#[test]
fn imports_add_up_on_paper_and_any_depth_can_be_drawn() {
    let scenario = Scenario { duration_ns: 5_000_000_000, ..Default::default() };
    let of = store(&scenario);
    let snapshot = of.snapshot();
    let all = snapshot.imports(snapshot.range()).unwrap();
    let rows = |plot| -> Vec<Vec<String>> {
        let text = bytes(&snapshot, plot, Format::Csv);
        let mut csv = csv::Reader::from_reader(&text[..]);
        csv.records().map(|row| row.unwrap().iter().map(String::from).collect()).collect()
    };
    let icicle = rows(Plot::ImportsIcicle);
    let sum: i64 = icicle.iter().map(|row| row[11].parse::<i64>().unwrap()).sum();
    assert_eq!((icicle.len(), Some(sum)), (all.rows.len(), all.total_bytes));
    let memory = rows(Plot::ImportsMemory);
    assert_eq!(memory.last().unwrap()[2], sum.to_string(), "all had ended by the end");
    // A chain that no stack would bear, of a target that lies.
    let fact = |number: u32| ImportFact {
        number,
        parent: number - 1,
        bytes: Some(1),
        time_ns: Some(1),
        ..Default::default()
    };
    let imports = (1..=16_000).map(fact).collect();
    let mut deep = store(&scenario);
    deep.apply(&Batch {
        imports: Some(ImportsSample { bytes_known: true, imports }),
        ..Default::default()
    });
    let snapshot = deep.snapshot();
    svg(&snapshot, Plot::ImportsIcicle, snapshot.range(), None).unwrap();
}

/// Names come from the target: they may be long, hostile or empty.
#[test]
fn hostile_names_cannot_break_a_picture() {
    let scenario = Scenario { duration_ns: 3_000_000_000, ..Default::default() };
    let mut store = Store::new(scenario.target());
    let names = ["<script>alert(1)</script>", "\u{0}\u{1b}[31m", "", "日本語 \u{202e}", "&amp;\"'"];
    for mut batch in scenario.batches() {
        for fact in &mut batch.threads {
            fact.name =
                names[fact.key.0 as usize % names.len()].repeat(1 + fact.key.0 as usize * 9);
        }
        for fact in batch.imports.iter_mut().flat_map(|sample| &mut sample.imports) {
            fact.name = names[fact.number as usize % names.len()].into();
        }
        store.apply(&batch);
    }
    let mark = Mark { id: 9, name: names.concat(), at_ns: 1_000_000_000 };
    store.apply(&Batch { marks: vec![mark], ..Default::default() });
    let snapshot = store.snapshot();
    for plot in Plot::ALL {
        let drawn = svg(&snapshot, plot, snapshot.range(), None).unwrap();
        assert!(!drawn.contains("<script"), "{}", plot.name());
        assert!(!texts(&drawn).is_empty());
        bytes(&snapshot, plot, Format::Png);
    }
}

/// Writes all pictures into a folder, to be looked at: `GILSCOPE_PLOTS=dir cargo test look_at`.
#[test]
fn look_at_the_pictures() {
    let Some(folder) = std::env::var_os("GILSCOPE_PLOTS") else { return };
    let scenarios = [
        ("mixed", Scenario { churn_per_s: 6, io_threads: 14, ..Default::default() }),
        ("convoy", Scenario { duration_ns: 20_000_000_000, ..Scenario::convoy() }),
        (
            "long",
            Scenario {
                duration_ns: 400_000_000_000,
                tick_ns: 1_000_000_000,
                churn_per_s: 0,
                ..Default::default()
            },
        ),
    ];
    for (name, scenario) in scenarios {
        let store = store(&scenario);
        let snapshot = store.snapshot();
        for plot in Plot::ALL {
            for (format, ending) in [(Format::Svg, "svg"), (Format::Png, "png")] {
                let file = format!("{name}-{}.{ending}", plot.name());
                let path = std::path::Path::new(&folder).join(file);
                std::fs::write(path, bytes(&snapshot, plot, format)).unwrap();
            }
        }
        let mut html = vec![];
        let format = crate::report::Format::Html;
        crate::report::write(&snapshot, snapshot.range(), format, &mut html).unwrap();
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.html")), html).unwrap();
    }
}

#[test]
fn csv_of_the_timeline_accounts_for_every_moment_of_every_thread() {
    let store = store(&Scenario { duration_ns: 5_000_000_000, ..Default::default() });
    let snapshot = store.snapshot();
    let text = bytes(&snapshot, Plot::GilTimeline, Format::Csv);
    let mut csv = csv::Reader::from_reader(&text[..]);
    let rows: Vec<_> = csv.records().map(Result::unwrap).collect();
    let sum = |row: &csv::StringRecord| -> u64 {
        row.iter().skip(3).map(|cell| cell.parse::<u64>().unwrap()).sum()
    };
    let step_ns = sum(&rows[0]);
    assert!(step_ns >= snapshot.range().length_ns() / 300);
    assert!(rows.iter().all(|row| sum(row) == step_ns));
    let held: u64 = rows.iter().map(|row| row[3].parse::<u64>().unwrap()).sum();
    let truth = snapshot.totals(snapshot.range()).unwrap().held_ns;
    assert!(held.abs_diff(truth) <= rows.len() as u64, "{held} ns of {truth} held");
}

#[test]
fn csv_of_blame_sums_to_what_was_inflicted() {
    let store = store(&Scenario { duration_ns: 5_000_000_000, ..Default::default() });
    let snapshot = store.snapshot();
    let text = bytes(&snapshot, Plot::GilBlame, Format::Csv);
    let mut csv = csv::Reader::from_reader(&text[..]);
    let inflicted: u64 = csv.records().map(|row| row.unwrap()[8].parse::<u64>().unwrap()).sum();
    let rows = snapshot.thread_rows(snapshot.range());
    let truth: u64 = rows.iter().filter_map(|row| row.gil).map(|gil| gil.wait_inflicted_ns).sum();
    assert_eq!(inflicted, truth);
}

#[test]
fn a_range_without_a_moment_of_the_session_has_no_picture() {
    let store = store(&Scenario { duration_ns: 5_000_000_000, ..Default::default() });
    let snapshot = store.snapshot();
    let end_ns = snapshot.range().end_ns;
    for plot in Plot::ALL {
        for range in [Range::new(7, 7), Range::new(end_ns + 1, end_ns + 9)] {
            for format in [Format::Svg, Format::Csv] {
                let drawn = write(&snapshot, plot, range, None, format, &mut Vec::new());
                let told = drawn.unwrap_err().to_string();
                assert!(told.contains("nothing of the session lies in this range"), "{told}");
            }
        }
    }
}
