//! `jeprof-rs completions SHELL`: the script that lets a shell complete commands, options, their values and files.

use std::process::ExitCode;

use clap::{Arg, Command};
use clap_complete::Shell;

use crate::error::Result;
use crate::tool::{self, Tool};

/// The command.
pub const TOOL: Tool = Tool { name: "completions", about: ABOUT, parser, run };

const ABOUT: &str = "Print a shell's completion script";

const MORE: &str = "\
Install, for the user or for all:
  jeprof-rs completions bash > ~/.local/share/bash-completion/completions/jeprof-rs
  jeprof-rs completions zsh > \"${fpath[1]}/_jeprof-rs\"
  jeprof-rs completions fish > ~/.config/fish/completions/jeprof-rs.fish

or for one session of bash: source <(jeprof-rs completions bash)";

fn parser() -> Command {
    Command::new(TOOL.name)
        .about(ABOUT)
        .after_help(MORE)
        .arg(Arg::new("SHELL").required(true).value_parser(["bash", "zsh", "fish"]).help("Which shell's"))
}

fn run(args: Vec<String>) -> Result<ExitCode> {
    let words = std::iter::once(TOOL.name.into()).chain(args);
    let matches = parser().try_get_matches_from(words).unwrap_or_else(|error| error.exit());
    let shell = match matches.get_one::<String>("SHELL").map(String::as_str) {
        Some("zsh") => Shell::Zsh,
        Some("fish") => Shell::Fish,
        _ => Shell::Bash,
    };
    tool::print(&script(shell))
}

/// The script, from the parser that reads the command line itself.
fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::command_line(super::Argument::Word), "jeprof-rs", &mut script);
    if shell == Shell::Bash {
        // clap_complete 4.6 spells the name of a program with a dash in two ways, so that no command's case is reached.
        let text = String::from_utf8_lossy(&script);
        script = text.replace("jeprof__subcmd__rs", "jeprof__rs").into_bytes();
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_and_command_is_in_every_shell_s_script() {
        let parser = super::super::parser();
        let commands = parser.get_subcommands().map(|command| command.get_name().to_string());
        let flags = parser.get_arguments().filter(|arg| !arg.is_hide_set()).filter_map(|arg| arg.get_long());
        let words: Vec<String> = commands.chain(flags.map(String::from)).collect();
        assert!(words.len() > 40, "{words:?}");
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = String::from_utf8(script(shell)).unwrap();
            for word in &words {
                assert!(script.contains(word.as_str()), "{word} is missing for {shell}");
            }
            let hidden = format!("--{}", super::super::spelling::COMMAND_ARGUMENT);
            assert!(!script.contains(&hidden), "{shell} offers what nobody types");
        }
    }
}
