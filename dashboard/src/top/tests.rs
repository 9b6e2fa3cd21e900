//! The screen of generated sessions, read as text.

use super::*;
use crate::collect::generate::Scenario;
use crate::store::Store;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

fn figures(window_ns: u64) -> Figures {
    let scenario = Scenario { duration_ns: 10_000_000_000, ..Default::default() };
    let mut store = Store::new(scenario.target());
    scenario.batches().for_each(|batch| store.apply(&batch));
    Figures::of(&store.snapshot(), window_ns)
}

fn screen(figures: &Figures, look: &Look, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw::draw(figures, look, frame.area(), frame.buffer_mut())).unwrap();
    terminal.backend().to_string()
}

#[test]
fn eighty_columns_show_all_that_the_table_has() {
    let mut figures = figures(2_000_000_000);
    figures.sort(Sort::Gil);
    let screen = screen(&figures, &Look::default(), 80, 24);
    let parts = ["pid 4242", "Python 3.12.7", "GIL ", " cores", "lost ", "GIL %▼", "inflict %"];
    for part in parts.into_iter().chain(["cruncher-1", "OTHERS WAITED AT", "q leave", "n name"]) {
        assert!(screen.contains(part), "{part}:\n{screen}");
    }
}

#[test]
fn every_size_is_drawn_and_a_pause_is_told() {
    let figures = figures(2_000_000_000);
    let paused = Look { paused: true, ..Look::default() };
    for (width, height) in [(1, 1), (10, 3), (40, 8), (80, 24), (300, 100)] {
        let text = screen(&figures, &paused, width, height);
        assert_eq!(text.contains("PAUSED"), width >= 10, "{width}x{height}:\n{text}");
    }
}

#[test]
fn parts_sum_to_their_totals_and_sorting_is_by_the_key() {
    let mut figures = figures(2_000_000_000);
    let held: f64 = figures.threads.iter().filter_map(|thread| thread.held).sum();
    let utilization = figures.utilization.expect("the GIL is watched");
    assert!((held - utilization).abs() < 1e-6, "{held} is not {utilization}");
    let blamed: f64 = figures.blame.iter().map(|line| line.share).sum();
    assert!((blamed - 1.0).abs() < 1e-6, "{blamed}");
    figures.sort(Sort::Cpu);
    let cpu: Vec<_> = figures.threads.iter().map(|thread| thread.cpu.unwrap_or(-1.0)).collect();
    assert!(cpu.is_sorted_by(|one, other| one >= other), "{cpu:?}");
    figures.sort(Sort::Name);
    assert!(figures.threads.is_sorted_by_key(|thread| thread.name.clone()));
}

#[test]
fn what_is_not_known_is_not_zero() {
    let empty = Store::new(Scenario::default().target());
    let figures = Figures::of(&empty.snapshot(), 2_000_000_000);
    assert!(figures.utilization.is_none() && figures.cpu_cores.is_none());
    let text = plain(&figures);
    assert!(text.contains("GIL – %") && text.contains("CPU – cores"), "{text}");
    assert!(text.contains("no thread waited for another"), "{text}");
}
