//! The command line: a file a verb, arguments and wiring, no logic.

use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use arguments::Global;
use forebay::buffer::error::Error as BufferError;
use forebay_pipe::drain::compact::CompactError;
use forebay_pipe::drain::destination::DestinationError;
use forebay_pipe::drain::run::DrainError;
use forebay_pipe::ingest::IngestError;
use forebay_proof::verify::Error as VerifyError;
use forebay_rig::load::driver::Error as LoadError;
use forebay_rig::server::ServerError;

mod ack;
mod append;
mod arguments;
mod audit;
mod baseline;
mod block_id;
mod capacity;
mod conclude;
mod deploy;
mod drain;
mod durability;
mod exit;
mod failover;
mod files;
mod group;
mod ingest;
mod input_form;
mod lanes;
mod load;
mod monitoring;
mod output;
mod overflow;
mod pressure;
mod profile_target;
mod progress;
mod proof;
mod proof_request;
mod prove;
mod read;
mod rejects;
mod remedy;
mod replay;
mod run;
mod sequence;
mod signal;
mod stat;
mod synth;
mod throughput;
mod troubled;
mod tune;
mod verify;
mod watch;

/// A dense, durable buffer for an event stream in Redis or Valkey, and proofs that it holds.
#[derive(Parser)]
#[command(version, about, max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "Examples:
  forebay audit                    is the server at 127.0.0.1 fit for a buffer?
  forebay prove                    does a buffer hold? on a server of its own
  forebay synth --count 100000 | forebay append --buffer demo
  forebay stat --buffer demo
  forebay watch                    live page and metrics: will it hold tonight?
  forebay read --group parquet --ack >> events.ndjson
  forebay ingest --source wss://jetstream.example/subscribe --buffer demo
  forebay drain --buffer demo --to /srv/events

Exit codes: 0 no claim refuted, 1 a claim refuted or input refused, 2 usage or
bad input, 3 no server or lost for good, 4 a control was not refuted,
130 interrupted.")]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Prove(prove::Prove),
    Audit(audit::Audit),
    Baseline(baseline::Baseline),
    Capacity(capacity::Capacity),
    Pressure(pressure::Pressure),
    Durability(durability::Durability),
    Failover(failover::Failover),
    Throughput(throughput::Throughput),
    Monitoring(monitoring::Monitoring),
    Tune(tune::Tune),
    Append(append::Append),
    Ingest(ingest::Ingest),
    Read(read::Read),
    Drain(drain::Drain),
    Run(run::Run),
    Replay(replay::Replay),
    Files(files::Files),
    Ack(ack::Ack),
    Group(group::Group),
    Lanes(lanes::Lanes),
    Stat(stat::Stat),
    Watch(watch::WatchVerb),
    Verify(verify::Verify),
    Load(load::Load),
    Synth(synth::Synth),
    Deploy(deploy::Deploy),
    /// Print a completion script for a shell
    #[command(after_help = "Examples:
  forebay completions bash > /etc/bash_completion.d/forebay
  forebay completions fish > ~/.config/fish/completions/forebay.fish")]
    Completions {
        /// bash, zsh, fish, elvish or powershell
        shell: clap_complete::Shell,
    },
}

impl Verb {
    /// Whether it lets writers and readers fail on purpose: what they would warn of is in its claims.
    fn lets_fail(&self) -> bool {
        matches!(
            self,
            Self::Prove(_)
                | Self::Capacity(_)
                | Self::Pressure(_)
                | Self::Durability(_)
                | Self::Failover(_)
                | Self::Monitoring(_)
                | Self::Tune(_)
        )
    }
}

/// Parses, runs, prints an error where there is one, and gives the exit code.
fn main() -> ExitCode {
    let mut cli = Cli::try_parse().unwrap_or_else(|error| {
        // Help is asked for, and has the colours of the terminal.
        if !error.use_stderr() {
            error.exit();
        }
        output::raw(&error.render().to_string());
        std::process::exit(exit::USAGE.into());
    });
    cli.global.is_of_file = matches!(cli.verb, Verb::Run(_));
    log_to_stderr(cli.global.verbose, cli.verb.lets_fail());
    let global = &cli.global;
    let outcome = match cli.verb {
        Verb::Prove(verb) => verb.run(global),
        Verb::Audit(verb) => verb.run(global),
        Verb::Baseline(verb) => verb.run(global),
        Verb::Capacity(verb) => verb.run(global),
        Verb::Durability(verb) => verb.run(global),
        Verb::Failover(verb) => verb.run(global),
        Verb::Pressure(verb) => verb.run(global),
        Verb::Throughput(verb) => verb.run(global),
        Verb::Monitoring(verb) => verb.run(global),
        Verb::Tune(verb) => verb.run(global),
        Verb::Append(verb) => verb.run(global),
        Verb::Ingest(verb) => verb.run(global),
        Verb::Read(verb) => verb.run(global),
        Verb::Ack(verb) => verb.run(global),
        Verb::Group(verb) => verb.run(global),
        Verb::Lanes(verb) => verb.run(global),
        Verb::Stat(verb) => verb.run(global),
        Verb::Watch(verb) => verb.run(global),
        Verb::Verify(verb) => verb.run(global),
        Verb::Load(verb) => verb.run(global),
        Verb::Drain(verb) => verb.run(global),
        Verb::Run(verb) => verb.run(global),
        Verb::Replay(verb) => verb.run(global),
        Verb::Files(verb) => verb.run(global),
        Verb::Synth(verb) => verb.run(),
        Verb::Deploy(verb) => verb.run(global),
        Verb::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "forebay", &mut script);
            let written = std::io::Write::write_all(&mut std::io::stdout(), &script);
            written.context(output::STDOUT).map(|()| exit::OK)
        }
    };
    // After a signal any outcome is only a consequence: the handler cleans up and ends the program.
    while forebay_rig::server::ending() {
        std::thread::park();
    }
    match outcome {
        Ok(code) => ExitCode::from(code),
        // Whoever read our output has gone (`| head`): not an error of ours, and nobody to tell.
        Err(error) if output::is_broken_pipe(&error) => ExitCode::from(exit::OK),
        Err(error) => {
            output::tell(&format!("forebay: {}", remedy::of_program(&error, global)));
            ExitCode::from(code_of(&error))
        }
    }
}

/// The exit code of an error.
fn code_of(error: &anyhow::Error) -> u8 {
    if let Some(error) = remedy::of_buffer(error) {
        return code_of_buffer(error);
    }
    if let Some(error) = error.downcast_ref::<VerifyError>() {
        return code_of_verify(error);
    }
    match error.downcast_ref::<IngestError>() {
        Some(IngestError::Source { .. }) => return exit::NO_SERVER,
        Some(IngestError::Dictionary { .. } | IngestError::File { .. }) => return exit::USAGE,
        Some(IngestError::Buffer(error)) => return code_of_buffer(error),
        None => {}
    }
    if let Some(error) = error.downcast_ref::<DrainError>() {
        return code_of_drain(error);
    }
    match error.downcast_ref::<CompactError>() {
        Some(CompactError::Drain(error)) => return code_of_drain(error),
        Some(_) => return exit::USAGE,
        None => {}
    }
    if let Some(error) = error.downcast_ref::<DestinationError>() {
        return code_of_destination(error);
    }
    match error.downcast_ref::<LoadError>() {
        Some(LoadError::Server(error)) => return code_of_buffer(error),
        Some(LoadError::Evicts(_) | LoadError::TooMany(_)) => return exit::USAGE,
        Some(LoadError::NoServer(_) | LoadError::System { .. }) => return exit::NO_SERVER,
        None => {}
    }
    match error.downcast_ref::<ServerError>() {
        // It was given on the command line.
        Some(ServerError::Command { .. }) | None => exit::USAGE,
        Some(_) => exit::NO_SERVER,
    }
}

fn code_of_verify(error: &VerifyError) -> u8 {
    match error {
        VerifyError::NoManifest { .. } => exit::REFUTED,
        VerifyError::TooOld { .. } | VerifyError::Server(_) => exit::NO_SERVER,
        VerifyError::Buffer(error) => code_of_buffer(error),
        VerifyError::Folder { .. }
        | VerifyError::NoAof { .. }
        | VerifyError::Several { .. }
        | VerifyError::Room { .. }
        | VerifyError::Copy { .. }
        | VerifyError::Decoder(_) => exit::USAGE,
    }
}

fn code_of_drain(error: &DrainError) -> u8 {
    match error {
        DrainError::Buffer(error) => code_of_buffer(error),
        DrainError::Destination(error) => code_of_destination(error),
        DrainError::Staged { .. } | DrainError::GaveUp { .. } => exit::NO_SERVER,
        DrainError::Columns(_) | DrainError::NoLane { .. } => exit::USAGE,
        _ => exit::REFUTED,
    }
}

fn code_of_destination(error: &DestinationError) -> u8 {
    match error {
        DestinationError::Io { .. } | DestinationError::Bucket { .. } => exit::NO_SERVER,
        _ => exit::USAGE,
    }
}

fn code_of_buffer(error: &BufferError) -> u8 {
    match error {
        BufferError::Url { .. }
        | BufferError::Name(_)
        | BufferError::WrongType { .. }
        | BufferError::NoFsync(_)
        | BufferError::Taken { .. }
        | BufferError::NoEvent { .. }
        | BufferError::NoBuffer { .. }
        | BufferError::NoLane { .. }
        | BufferError::OtherStream { .. }
        | BufferError::NotMore { .. }
        | BufferError::Layout { .. }
        | BufferError::NoGroup { .. }
        | BufferError::InUse { .. }
        | BufferError::Drained { .. }
        | BufferError::NoSink { .. }
        | BufferError::Unacknowledged { .. }
        | BufferError::Spill { .. } => exit::USAGE,
        BufferError::Fenced { .. }
        | BufferError::TakenOver { .. }
        | BufferError::Foreign { .. }
        | BufferError::Damaged { .. } => exit::REFUTED,
        // The server, the way there, or this machine.
        _ => exit::NO_SERVER,
    }
}

fn log_to_stderr(verbose: u8, lets_fail: bool) {
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    let buffer = if lets_fail && verbose == 0 { LevelFilter::ERROR } else { level };
    let said = Targets::new().with_default(level).with_target("forebay::buffer", buffer);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(|| output::Log)
        .with_ansi(false)
        .without_time()
        .with_target(false)
        // Else a closed stderr would end the program.
        .log_internal_errors(false);
    tracing_subscriber::registry().with(lines).with(said).init();
}
