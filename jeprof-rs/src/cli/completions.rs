//! `jeprof-rs completions SHELL`: the script that lets a shell complete commands, options, their values and files.

use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};
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

const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];

fn parser() -> Command {
    Command::new(TOOL.name)
        .about(ABOUT)
        .after_help(MORE)
        .arg(Arg::new("SHELL").required(true).value_parser(SHELLS).help("Which shell's"))
}

fn run(matches: &ArgMatches) -> Result<ExitCode> {
    let shell = match matches.get_one::<String>("SHELL").map(String::as_str) {
        Some("zsh") => Shell::Zsh,
        Some("fish") => Shell::Fish,
        _ => Shell::Bash,
    };
    tool::print(&script(shell))
}

/// The script, from the parser that reads the command line itself.
fn script(shell: Shell) -> Vec<u8> {
    if shell == Shell::Zsh {
        return zsh().into_bytes();
    }
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::command_line(super::Argument::Word), "jeprof-rs", &mut script);
    if shell == Shell::Bash {
        // clap_complete 4.6 spells the name of a program with a dash in two ways, so that no command's case is reached.
        let text = String::from_utf8_lossy(&script);
        script = text.replace("jeprof__subcmd__rs", "jeprof__rs").into_bytes();
    }
    if shell == Shell::Fish {
        // clap_complete leaves out for fish what a word of a command may be.
        let shells = SHELLS.join(" ");
        let line = format!(
            "complete -c jeprof-rs -n \"__fish_jeprof_rs_using_subcommand {}\" -f -a \"{shells}\"\n",
            TOOL.name
        );
        script.extend(line.into_bytes());
        // Where an option still waits for its value, clap_complete's look for the command fails, and no value is offered.
        let look = "argparse -s (__fish_jeprof_rs_global_optspecs) -- $cmd 2>/dev/null\n";
        let again = look.replace("$cmd", "$cmd value");
        let text = String::from_utf8_lossy(&script);
        let text = text.replace(look, &format!("{look}    or {again}"));
        // It takes a dump for a command, too, behind which the tool's own options would not be offered.
        let parser = super::command_line(super::Argument::Word);
        let commands: Vec<&str> = parser.get_subcommands().map(Command::get_name).collect();
        let own = "-n \"__fish_jeprof_rs_without_command\"";
        let needs = "-n \"__fish_jeprof_rs_needs_command\"";
        let text = text.replace(&format!("{needs} -l"), &format!("{own} -l"));
        let text = text.replace(&format!("{needs} -s"), &format!("{own} -s"));
        let function = format!(
            "function __fish_jeprof_rs_without_command\n    set -l word (__fish_jeprof_rs_needs_command)\n    \
             not contains -- \"$word\" {}\nend\n",
            commands.join(" ")
        );
        script = format!("{text}\n{function}").into_bytes();
    }
    script
}

/// What stands for "no command" while the script for zsh is made.
const NO_COMMAND: &str = "no-command";

/// clap_complete takes the first word for a file and looks for the command in the second, where a tool has both. Here
/// the first word is either, and what is no command leads to the branch of a made-up one, which has the tool's own
/// options and files.
fn zsh() -> String {
    let style = super::Argument::Word;
    let plain = super::with_inputs(super::root(style).name(NO_COMMAND));
    let mut parser = super::with_commands(super::root(style), style).subcommand(plain);
    let mut script = Vec::new();
    clap_complete::generate(Shell::Zsh, &mut parser, "jeprof-rs", &mut script);
    let text = String::from_utf8_lossy(&script);
    let listed = format!("'{NO_COMMAND}:");
    let mut script = String::new();
    for line in text.lines().filter(|line| !line.starts_with(&listed)) {
        match line {
            "\":: :_jeprof-rs_commands\" \\" => script.push_str("\":: :_jeprof-rs_first_word\" \\"),
            line if line.trim() == format!("({NO_COMMAND})") => script.push_str("(*)"),
            line if line.starts_with("if [ \"$funcstack") => {
                script.push_str(ZSH_FIRST_WORD);
                script.push_str(line);
            }
            line => script.push_str(line),
        }
        script.push('\n');
    }
    script
}

const ZSH_FIRST_WORD: &str = "\
(( $+functions[_jeprof-rs_first_word] )) ||
_jeprof-rs_first_word() {
    _alternative 'commands:command:_jeprof-rs_commands' 'files:program or dump:_files'
}

";

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
            assert!(!script.contains(&format!("({NO_COMMAND})")), "{shell}");
            assert!(!script.contains(&format!("'{NO_COMMAND}:")), "{shell}");
        }
    }
}
