//! The command line: arguments, progress and printing; all work is the library's.
//!
//! Exit status: 0 done; 1 it cannot be done, with one line on stderr that says why and what to do; 2 the arguments are wrong.

mod args;
mod array;
mod bars;
mod bench;
mod classes;
mod compile;
mod files;
mod geometry;
mod inputs;
mod model;
mod output;
mod overlay;
mod page;
mod picture;
mod plan;
mod problem;
mod profile;
mod progress;
mod run;
mod steps;
mod stopwatch;
mod zoo;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use salto::host::Result;

use args::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let done = match &arguments.command {
        Command::Run(arguments) => run::run(arguments),
        Command::Bench(arguments) => bench::bench(arguments),
        Command::Profile(arguments) => profile::profile(arguments),
        Command::Inspect(arguments) => model::inspect(arguments),
        Command::Compile(arguments) => compile::compile(arguments),
        Command::Plan(arguments) => plan::plan(arguments),
    };
    match done.and_then(|text| files::print(&text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where stderr is closed too, nobody is left to tell.
            let _ = writeln!(io::stderr(), "error: {}", one_line(&error.to_string()));
            ExitCode::FAILURE
        }
    }
}

/// Help and version as they are; a wrong argument as one line.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = files::print(&error.to_string());
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    // The first paragraph says what is wrong; usage and tips follow.
    let reason = text.split("\n\n").next().unwrap_or(&text);
    let _ = writeln!(io::stderr(), "{}; `salto help` shows what there is", one_line(reason));
    ExitCode::from(2)
}

/// A text as one line; the lines of a list are numbered, so that its entries stay apart.
fn one_line(text: &str) -> String {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut entries = text.split("\n  ").map(words).filter(|entry| !entry.is_empty());
    let mut line = entries.next().unwrap_or_default();
    let entries: Vec<String> = entries.collect();
    for (number, entry) in entries.iter().enumerate() {
        let number = if entries.len() > 1 { format!("({}) ", number + 1) } else { String::new() };
        line += &format!(" {number}{entry}");
    }
    line
}

/// What a command prints: a text, or its report as JSON.
fn answer(json: bool, text: impl FnOnce() -> String, report: &impl serde::Serialize) -> Result<String> {
    if json { files::json(report) } else { Ok(text()) }
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn the_entries_of_a_list_stay_apart() {
        assert_eq!(one_line("a\n b"), "a b");
        assert_eq!(one_line("2 nodes:\n  'a': no; do\n  'b': no"), "2 nodes: (1) 'a': no; do (2) 'b': no");
    }
}
