// Generates completion scripts for bash, zsh and fish: commands, options, schedule keys after
// --set, and files.
#include "cmd/docs.h"
#include "schedule/schedule.h"
#include "text/shell_word.h"
#include "text/text.h"

namespace stagedtrain::cmd {
namespace {

// Returns the fixed values of an option: the lower-case words of a type such as bytes|FILE.
std::vector<std::string> words_of(const CLI::Option& option) {
  std::vector<std::string> words;
  for (const std::string& word : split(option.get_type_name(), '|'))
    if (!word.empty() && word == lower(word) && word.find('=') == std::string::npos)
      words.push_back(word);
  return words;
}

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }
bool is_positional(const CLI::Option& option) { return option.get_positional(); }

std::string long_names(const CLI::App& command) {
  std::string names = "--help";
  for (const CLI::Option* option : shown_options(command))
    for (const std::string& name : option->get_lnames()) names += " --" + name;
  return names;
}

// Returns the keys that --set accepts. Keys of list items are left out.
std::string schedule_keys(const char* between) {
  std::string keys;
  for (const FieldRow& row : schedule::document())
    if (row.type != "map" && row.path.find("[]") == std::string::npos)
      keys += (keys.empty() ? "" : between) + row.path + "=";
  return keys;
}

std::string names_of_commands(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : shown_commands(app)) names.push_back(command->get_name());
  return join(names, " ");
}

std::string bash_script(const CLI::App& app) {
  std::string cases, values;
  for (const CLI::App* command : shown_commands(app)) {
    cases += fmt::format("    {}) options='{}' ;;\n", command->get_name(), long_names(*command));
    for (const CLI::Option* option : shown_options(*command))
      if (const auto words = words_of(*option); !is_positional(*option) && !words.empty())
        values += fmt::format("    {}:--{}) words='{}' ;;\n", command->get_name(),
                              option->get_lnames().front(), join(words, " "));
  }
  return fmt::format(R"(# bash completion for stagedtrain; made by: stagedtrain docs completion bash
_stagedtrain() {{
  local current=$2 previous=$3 command=${{COMP_WORDS[1]}} options='' words=''
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W '{} --help --version' -- "$current")
    return
  fi
  case $command:$previous in
    *:--set) words='{}' ;;
{}  esac
  if [[ $words ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    [[ $previous != --set ]] || compopt -o nospace
  fi
  case $command in
{}  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
  elif [[ $previous != --set ]]; then
    compopt -o filenames
    mapfile -t -O "${{#COMPREPLY[@]}}" COMPREPLY < <(compgen -f -- "$current")
  fi
}}
complete -F _stagedtrain stagedtrain
)",
                     names_of_commands(app), schedule_keys(" "), values, cases);
}

// Escapes colons and brackets, which would end a description in zsh.
std::string zsh_description(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == ':' || c == '[' || c == ']' || c == '\\') result += '\\';
    result += c;
  }
  return result;
}

std::string zsh_option(const CLI::Option& option) {
  const std::string name = "--" + option.get_lnames().front();
  const std::string many = option.get_items_expected_max() > 1 || name == "--set" ? "*" : "";
  std::string line = many + name + "[" + zsh_description(option.get_description()) + "]";
  if (name == "--set") {
    line += ":key:compadd -S '' -- " + schedule_keys(" ");
  } else if (takes_value(option)) {
    const auto words = words_of(option);
    line += ":" + zsh_description(option.get_type_name()) + ":" +
            (words.empty() ? "_files" : "(" + join(words, " ") + ")");
  }
  return "      " + shell_word(line) + " \\\n";
}

std::string zsh_script(const CLI::App& app) {
  std::string commands, cases;
  for (const CLI::App* command : shown_commands(app)) {
    commands += "    " + shell_word(command->get_name() + ":" + command->get_description()) + "\n";
    cases += fmt::format("    {})\n      _arguments -s \\\n", command->get_name());
    for (const CLI::Option* option : shown_options(*command))
      if (!is_positional(*option)) cases += zsh_option(*option);
    cases += "      '--help[prints the help]' '*:file:_files' ;;\n";
  }
  return fmt::format(R"(#compdef stagedtrain
# zsh completion for stagedtrain; made by: stagedtrain docs completion zsh
_stagedtrain() {{
  local -a commands=(
{}  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
{}  esac
}}
_stagedtrain "$@"
)",
                     commands, cases);
}

std::string fish_quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += (c == '\'' || c == '\\' ? "\\" : "") + std::string(1, c);
  return result + "'";
}

std::string fish_script(const CLI::App& app) {
  std::string text =
      "# fish completion for stagedtrain; made by: stagedtrain docs completion fish\n";
  for (const CLI::App* command : shown_commands(app))
    text += fmt::format("complete -c stagedtrain -n __fish_use_subcommand -f -a {} -d {}\n",
                        command->get_name(), fish_quoted(command->get_description()));
  for (const CLI::App* command : shown_commands(app))
    for (const CLI::Option* option : shown_options(*command)) {
      if (is_positional(*option)) continue;
      const std::string name = option->get_lnames().front();
      const std::string words = name == "set" ? schedule_keys(" ") : join(words_of(*option), " ");
      text += fmt::format(
          "complete -c stagedtrain -n '__fish_seen_subcommand_from {}' -l {}{}{} -d {}\n",
          command->get_name(), name, takes_value(*option) ? " -r" : "",
          words.empty() ? "" : " -a " + fish_quoted(words), fish_quoted(option->get_description()));
    }
  return text;
}

}  // namespace

std::string completion_script(const CLI::App& app, const std::string& shell) {
  if (shell == "bash") return bash_script(app);
  if (shell == "zsh") return zsh_script(app);
  return fish_script(app);
}

}  // namespace stagedtrain::cmd
