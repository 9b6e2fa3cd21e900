//! From measurements to a table: medians with their spread, and ratios made within a round.

use super::run::{Measured, Outcome};
use super::{Arm, TESTS, Test};
use crate::view::Figures;
use serde::{Deserialize, Serialize};

/// A median with the least and the most that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

/// One test on one arm.
#[derive(Clone, Debug, Serialize)]
pub struct Cell {
    pub arm: usize,
    pub test: &'static str,
    pub title: &'static str,
    /// Rounds that gave a figure.
    pub rounds: usize,
    /// Why there is no figure; null if there is one.
    pub skipped: Option<String>,
    pub per_s: Option<Spread>,
    pub cpu_per_s: Option<Spread>,
    pub p50_ns: Option<Spread>,
    pub p99_ns: Option<Spread>,
    /// Against the arm of the same interpreter without a remedy, round by round; null for that arm.
    pub ratio: Option<Spread>,
    pub cpu_ratio: Option<Spread>,
    /// Of the median round.
    pub probes: Option<Figures>,
}

/// One arm, and what the pair of CPU tests says of it.
#[derive(Clone, Debug, Serialize)]
pub struct ArmSummary {
    pub name: String,
    pub python_version: String,
    pub executable: String,
    /// Null: as it is.
    pub remedy: Option<&'static str>,
    pub setting: Option<String>,
    /// e: what two CPU threads do together against one.
    pub efficiency: Option<Spread>,
}

/// All that was measured, schema "gilscope.bench/1".
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    pub schema: &'static str,
    pub seconds: f64,
    pub rounds: usize,
    pub n_cpus: usize,
    pub arms: Vec<ArmSummary>,
    pub cells: Vec<Cell>,
}

/// `outcomes[round][arm][test]`, in the order of `arms` and `tests`.
pub fn summarise(
    arms: &[Arm],
    tests: &[Test],
    outcomes: &[Vec<Vec<Option<Outcome>>>],
    seconds: f64,
) -> Summary {
    let cell = |arm: usize, test: usize| cell(arms, tests, outcomes, arm, test);
    Summary {
        schema: "gilscope.bench/1",
        seconds,
        rounds: outcomes.len(),
        n_cpus: std::thread::available_parallelism().map_or(1, usize::from),
        arms: (0..arms.len()).map(|arm| arm_summary(arms, tests, outcomes, arm)).collect(),
        cells: (0..tests.len())
            .flat_map(|test| (0..arms.len()).map(move |arm| (arm, test)))
            .map(|(arm, test)| cell(arm, test))
            .collect(),
    }
}

type Rounds = [Vec<Vec<Option<Outcome>>>];

fn found(rounds: &Rounds, round: usize, arm: usize, test: usize) -> Option<&Measured> {
    rounds[round][arm][test].as_ref()?.as_ref().ok()
}

fn cell(arms: &[Arm], tests: &[Test], rounds: &Rounds, arm: usize, test: usize) -> Cell {
    let all = |of: &dyn Fn(&Measured) -> Option<f64>| -> Vec<f64> {
        (0..rounds.len()).filter_map(|round| of(found(rounds, round, arm, test)?)).collect()
    };
    let stock = stock_of(arms, arm).filter(|stock| *stock != arm);
    let ratios = |of: &dyn Fn(&Measured) -> Option<f64>| -> Vec<f64> {
        let one = |round| {
            let (mine, stock) =
                (of(found(rounds, round, arm, test)?)?, of(found(rounds, round, stock?, test)?)?);
            (stock > 0.0).then(|| mine / stock)
        };
        (0..rounds.len()).filter_map(one).collect()
    };
    let per_s = all(&|measured| Some(measured.per_s));
    let skipped = rounds.iter().find_map(|round| match &round[arm][test] {
        Some(Err(why)) => Some(why.clone()),
        _ => None,
    });
    Cell {
        arm,
        test: tests[test].name,
        title: tests[test].title,
        rounds: per_s.len(),
        skipped: skipped.filter(|_| per_s.is_empty()),
        per_s: spread(per_s.clone()),
        cpu_per_s: spread(all(&|measured| measured.cpu_per_s)),
        p50_ns: spread(all(&|measured| Some(measured.p50_ns? as f64))),
        p99_ns: spread(all(&|measured| Some(measured.p99_ns? as f64))),
        ratio: spread(ratios(&|measured| Some(measured.per_s))),
        cpu_ratio: spread(ratios(&|measured| measured.cpu_per_s)),
        probes: median_round(rounds, arm, test).and_then(|measured| measured.probes.clone()),
    }
}

/// The arm of the same interpreter as it is.
fn stock_of(arms: &[Arm], arm: usize) -> Option<usize> {
    let same = |other: &Arm| other.executable == arms[arm].executable && other.remedy.is_none();
    arms.iter().position(same)
}

fn median_round(rounds: &Rounds, arm: usize, test: usize) -> Option<&Measured> {
    let mut all: Vec<_> =
        (0..rounds.len()).filter_map(|round| found(rounds, round, arm, test)).collect();
    all.sort_by(|a, b| a.per_s.total_cmp(&b.per_s));
    all.get(all.len().checked_sub(1)? / 2).copied()
}

fn arm_summary(arms: &[Arm], tests: &[Test], rounds: &Rounds, arm: usize) -> ArmSummary {
    let place = |name: &str| tests.iter().position(|test| test.name == name);
    let efficiency = place("cpu1").zip(place("cpu2")).map(|(one, two)| {
        let of = |round| {
            let alone = found(rounds, round, arm, one)?.per_s;
            (alone > 0.0).then_some(found(rounds, round, arm, two)?.per_s / alone)
        };
        (0..rounds.len()).filter_map(of).collect()
    });
    let Arm { executable, version, remedy } = &arms[arm];
    ArmSummary {
        name: arms[arm].name(),
        python_version: version.clone(),
        executable: executable.display().to_string(),
        remedy: remedy.map(|remedy| remedy.name()),
        setting: remedy.map(|remedy| remedy.setting()),
        efficiency: efficiency.and_then(spread),
    }
}

/// None of an empty list.
pub fn spread(mut values: Vec<f64>) -> Option<Spread> {
    values.sort_by(f64::total_cmp);
    let (least, most) = (*values.first()?, *values.last()?);
    let middle = values.len() / 2;
    let median = match values.len() % 2 {
        1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    };
    Some(Spread { median, least, most })
}

/// The tests whose names begin with one of `wanted`; all if nothing is wanted.
pub fn chosen(wanted: &[String]) -> Result<Vec<Test>, String> {
    if let Some(unknown) =
        wanted.iter().find(|name| !TESTS.iter().any(|test| test.name.starts_with(name.as_str())))
    {
        let names: Vec<_> = TESTS.iter().map(|test| test.name).collect();
        return Err(format!("{unknown:?} is no test; there are {}", names.join(", ")));
    }
    let is_wanted = |test: &Test| {
        wanted.is_empty() || wanted.iter().any(|name| test.name.starts_with(name.as_str()))
    };
    Ok(TESTS.into_iter().filter(is_wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remedy::{IoPriority, Remedy};

    fn arm(remedy: Option<Remedy>) -> Arm {
        Arm { executable: "/python".into(), version: "3.11.7".into(), remedy }
    }

    fn measured(per_s: f64) -> Option<Outcome> {
        let cpu_per_s = Some(per_s / 2.0);
        Some(Ok(Measured { per_s, cpu_per_s, p50_ns: None, p99_ns: None, probes: None }))
    }

    #[test]
    fn ratios_are_made_within_a_round() {
        let arms = [arm(None), arm(Some(Remedy::IoPriority(IoPriority::default())))];
        // The machine was ten times slower in the second round; the ratio does not care.
        let rounds = [
            vec![vec![measured(100.0)], vec![measured(800.0)]],
            vec![vec![measured(10.0)], vec![measured(70.0)]],
            vec![vec![measured(100.0)], vec![measured(900.0)]],
        ];
        let summary = summarise(&arms, &TESTS[3..4], &rounds, 1.0);
        let ratio = summary.cells[1].ratio.unwrap();
        assert_eq!((ratio.median, ratio.least, ratio.most), (8.0, 7.0, 9.0));
        assert_eq!(summary.cells[0].ratio, None, "the stock arm has nothing to be compared with");
        assert_eq!(summary.cells[1].per_s.unwrap().median, 800.0);
    }

    #[test]
    fn what_was_skipped_says_why_and_is_no_zero() {
        let rounds = [vec![vec![Some(Err("no C compiler".to_owned()))]]];
        let summary = summarise(&[arm(None)], &TESTS[10..11], &rounds, 1.0);
        assert_eq!(summary.cells[0].per_s, None);
        assert_eq!(summary.cells[0].skipped.as_deref(), Some("no C compiler"));
    }

    #[test]
    fn efficiency_is_two_threads_against_one() {
        let rounds = [vec![vec![measured(100.0), measured(90.0)]]];
        let summary = summarise(&[arm(None)], &TESTS[..2], &rounds, 1.0);
        assert_eq!(summary.arms[0].efficiency.map(|e| e.median), Some(0.9));
    }

    #[test]
    fn tests_are_chosen_by_the_beginning_of_their_names() {
        let names = |wanted: &[&str]| {
            let wanted: Vec<_> = wanted.iter().map(|name| (*name).to_owned()).collect();
            chosen(&wanted).map(|tests| tests.iter().map(|test| test.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&["lock"]).unwrap(), ["lock", "lock+cpu"]);
        assert_eq!(names(&[]).unwrap().len(), TESTS.len());
        assert!(names(&["bogus"]).is_err());
    }
}
