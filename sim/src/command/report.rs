use std::io::{self, Write};
use std::path::{Path, PathBuf};

use plotters::prelude::*;
use serde_json::Value;
use stratus_sim::{Curve, Series};

use super::Failure;

#[derive(clap::Args)]
pub(super) struct ReportArguments {
    /// Lines of JSON of runs that were played with --series.
    files: Vec<PathBuf>,
    /// Folder for the plots.
    #[arg(long, default_value = ".", value_name = "FOLDER")]
    into: PathBuf,
}

/// Size of a plot.
const PIXELS: (u32, u32) = (900, 540);

/// One plot: a curve for each run.
struct Plot {
    file: &'static str,
    title: &'static str,
    across: &'static str,
    up: &'static str,
    curves: Vec<(String, Curve)>,
}

/// Draws what runs were like, each plot with all of them; prints the names of the files.
pub(super) fn report(arguments: &ReportArguments) -> Result<bool, Failure> {
    let mut runs = Vec::new();
    for path in &arguments.files {
        let wrong = |what: String| Failure::Use(format!("cannot read runs: {}: {what}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        for line in text.lines() {
            runs.push(read(line).map_err(wrong)?);
        }
    }
    if runs.is_empty() {
        return Err(Failure::Use("no run to draw".into()));
    }
    std::fs::create_dir_all(&arguments.into)?;
    for plot in plots(&runs).iter().filter(|plot| !plot.curves.is_empty()) {
        let path = arguments.into.join(plot.file);
        draw(&path, plot).map_err(|error| Failure::Output(io::Error::other(error)))?;
        writeln!(io::stdout(), "{}", path.display())?;
    }
    Ok(true)
}

/// A run's name and its series.
fn read(line: &str) -> Result<(String, Series), String> {
    let run: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let series = run.get("series").ok_or("the run was played without --series")?;
    let series = serde_json::from_value(series.clone()).map_err(|error| error.to_string())?;
    let hash = run["scenario_hash"].as_str().unwrap_or_default();
    let (members, seed) = (&run["scenario"]["members"], &run["seed"]);
    Ok((format!("{members} members, {} seed {seed}", &hash[..hash.len().min(6)]), series))
}

fn plots(runs: &[(String, Series)]) -> Vec<Plot> {
    let of = |curve: fn(&Series) -> &Curve| -> Vec<(String, Curve)> {
        let curves = runs.iter().map(|(name, series)| (name.clone(), curve(series).clone()));
        curves.filter(|(_, curve)| !curve.is_empty()).collect()
    };
    let mut delay = of(|series| &series.delay);
    for (name, series) in runs {
        let theirs = series.rivals.iter().map(|(rival, curve)| (format!("{rival}, {name}"), curve.clone()));
        delay.extend(theirs);
    }
    let plot = |file, title, across, up, curves| Plot { file, title, across, up, curves };
    let s = "seconds since the first member";
    vec![
        plot("delay.svg", "From writing to playing", "milliseconds", "% of messages as quick", delay),
        plot("hops.svg", "Look-ups by hops", "hops", "look-ups", of(|series| &series.hops)),
        plot("convergence.svg", "Linked with the nearest six", s, "share", of(|series| &series.right)),
        plot("members.svg", "Members", s, "members", of(|series| &series.members)),
        plot("timeline.svg", "Delay, second by second", s, "p99, milliseconds", of(|series| &series.p99)),
    ]
}

fn draw(path: &Path, plot: &Plot) -> Result<(), String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let points = || plot.curves.iter().flat_map(|(_, curve)| curve.iter());
    let most = |of: fn(&(f64, f64)) -> f64| points().map(of).fold(0.0, f64::max) * 1.02 + 1e-9;
    let least = points().map(|point| point.0).fold(f64::INFINITY, f64::min).min(most(|point| point.0));
    let root = SVGBackend::new(path, PIXELS).into_drawing_area();
    root.fill(&WHITE).map_err(|error| words(&error))?;
    let mut chart = ChartBuilder::on(&root)
        .caption(plot.title, ("sans-serif", 22))
        .margin(14)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(least..most(|point| point.0), 0.0..most(|point| point.1))
        .map_err(|error| words(&error))?;
    let mut mesh = chart.configure_mesh();
    mesh.x_desc(plot.across).y_desc(plot.up).draw().map_err(|error| words(&error))?;
    for (number, (name, curve)) in plot.curves.iter().enumerate() {
        let style = Palette99::pick(number).stroke_width(2);
        let line = LineSeries::new(curve.iter().copied(), style);
        let series = chart.draw_series(line).map_err(|error| words(&error))?;
        series.label(name).legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    let mut labels = chart.configure_series_labels();
    labels.position(SeriesLabelPosition::LowerRight).background_style(WHITE.mix(0.8)).border_style(BLACK);
    labels.draw().map_err(|error| words(&error))?;
    root.present().map_err(|error| words(&error))
}
