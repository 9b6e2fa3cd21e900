//! The live table of `gilscope top`: the terminal, its keys, and the same table as plain text.
//!
//! The terminal is given back on every way out, a panic too. Does not know how a target is entered or left.

mod draw;
mod figures;
#[cfg(test)]
mod tests;

use crate::hub::{HubHandle, SessionId};
use anyhow::Context as _;
use draw::Look;
use figures::{Figures, Sort};
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::Rect;
use ratatui::{DefaultTerminal, Frame};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often keys are looked for: a person does not feel it.
const KEYS_EVERY: Duration = Duration::from_millis(50);
/// Columns of the table as plain text.
const TEXT_WIDTH: u16 = 100;

/// Shows a session on the terminal until a key ends it; then says by which way.
pub(crate) async fn show(
    hub: &HubHandle,
    id: SessionId,
    every: Duration,
) -> anyhow::Result<&'static str> {
    let mut screen = Screen::take()?;
    let mut look = Look::default();
    let mut figures = ask(hub, id, every).await?;
    let mut keys = interval(KEYS_EVERY);
    let mut fresh = interval(every);
    keys.set_missed_tick_behavior(MissedTickBehavior::Delay);
    fresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        figures.sort(look.sort);
        screen.0.draw(|frame: &mut Frame<'_>| {
            draw::draw(&figures, &look, frame.area(), frame.buffer_mut());
        })?;
        loop {
            tokio::select! {
                _ = fresh.tick(), if !look.paused => {
                    figures = ask(hub, id, every).await?;
                    look.said = None;
                    break;
                }
                _ = keys.tick() => match pressed()? {
                    None => {}
                    Some(Key::Leave) => return Ok("by its key"),
                    Some(key) => {
                        act(key, &mut look, hub, id).await;
                        break;
                    }
                }
            }
        }
    }
}

/// One table as plain text, without a terminal.
pub(crate) async fn text(
    hub: &HubHandle,
    id: SessionId,
    window: Duration,
) -> anyhow::Result<String> {
    let mut figures = ask(hub, id, window).await?;
    figures.sort(Sort::default());
    Ok(plain(&figures))
}

fn plain(figures: &Figures) -> String {
    // All threads and lines fit: the header, two titles and the last line take six rows, and lines of
    // blame get a third of the rest at most.
    let rows = (figures.threads.len() + 3 * figures.blame.len().max(1) + 8).min(1000);
    let area = Rect::new(0, 0, TEXT_WIDTH, rows as u16);
    let mut buffer = Buffer::empty(area);
    let look = Look { said: Some(String::new()), ..Look::default() };
    draw::draw(figures, &look, area, &mut buffer);
    let line =
        |row| (0..TEXT_WIDTH).map(|column| buffer[(column, row)].symbol()).collect::<String>();
    let mut text = String::new();
    for row in 0..area.height {
        let line = line(row);
        if !line.trim().is_empty() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text
}

async fn ask(hub: &HubHandle, id: SessionId, window: Duration) -> anyhow::Result<Figures> {
    let window_ns = window.as_nanos() as u64;
    Ok(hub.with(id, move |snapshot| Figures::of(snapshot, window_ns)).await?)
}

/// What a key or the terminal asks for.
enum Key {
    Leave,
    Pause,
    Mark,
    Sort(Sort),
    /// The window has another size.
    Redraw,
}

fn pressed() -> anyhow::Result<Option<Key>> {
    while event::poll(Duration::ZERO).context("the terminal")? {
        let key = match event::read().context("the terminal")? {
            Event::Key(key) if key.kind != KeyEventKind::Release => meaning(key),
            Event::Resize(..) => Some(Key::Redraw),
            _ => None,
        };
        if key.is_some() {
            return Ok(key);
        }
    }
    Ok(None)
}

fn meaning(key: KeyEvent) -> Option<Key> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return (key.code == KeyCode::Char('c')).then_some(Key::Leave);
    }
    Some(match key.code {
        KeyCode::Char('q') | KeyCode::Esc => Key::Leave,
        KeyCode::Char(' ') => Key::Pause,
        KeyCode::Char('m') => Key::Mark,
        KeyCode::Char('c') => Key::Sort(Sort::Cpu),
        KeyCode::Char('g') => Key::Sort(Sort::Gil),
        KeyCode::Char('w') => Key::Sort(Sort::Waited),
        KeyCode::Char('i') => Key::Sort(Sort::Inflicted),
        KeyCode::Char('n') => Key::Sort(Sort::Name),
        _ => return None,
    })
}

async fn act(key: Key, look: &mut Look, hub: &HubHandle, id: SessionId) {
    match key {
        Key::Pause => look.paused = !look.paused,
        Key::Sort(by) => look.sort = by,
        Key::Mark => {
            look.said = Some(match hub.mark(id, "top".to_owned(), None).await {
                Ok(mark) => format!("marked at {:.1} s", mark.at_ns as f64 / 1e9),
                Err(error) => format!("no mark was set: {error}"),
            });
        }
        Key::Leave | Key::Redraw => {}
    }
}

/// The terminal, taken; dropping it gives it back.
struct Screen(DefaultTerminal);

impl Screen {
    fn take() -> anyhow::Result<Self> {
        let taken = ratatui::try_init(); // also gives it back before a panic is told
        taken.map(Self).inspect_err(|_| ratatui::restore()).context("the terminal cannot be taken")
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}
