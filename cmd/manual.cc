// Generates manual pages with troff's man macros.
#include "base/error.h"
#include "cmd/docs.h"
#include "text/text.h"

namespace stagedtrain::cmd {
namespace {

// Escapes backslashes and hyphens, and characters at the start of a line that would begin a
// request.
std::string plain(const std::string& text) {
  std::string result;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) result += "\\&";
    if (c == '\\') {
      result += "\\e";
    } else if (c == '-') {
      result += "\\-";
    } else {
      result += c;
    }
    line_begins = c == '\n';
  }
  return result;
}

std::string title(const std::string& name, const std::string& does) {
  return fmt::format(".TH {} 1 \"\" \"stagedtrain\" \"User commands\"\n.SH NAME\n{} \\- {}\n",
                     plain(name), plain(name), plain(does));
}

// Returns a help text's footer with its line breaks.
std::string as_it_stands(const std::string& text) {
  return ".nf\n" + plain(text.substr(text.find_first_not_of('\n'))) + "\n.fi\n";
}

std::string option_entry(const CLI::Option& option) {
  std::string name = plain(option.get_positional() ? "" : option.get_name());
  if (option.get_positional() || option.get_items_expected_max() > 0)
    name += (name.empty() ? "" : " ") + std::string("\\fI") + plain(option.get_type_name()) + "\\fP";
  return ".TP\n.B " + name + "\n" + plain(option.get_description()) + ".\n";
}

std::string command_page(const CLI::App& command) {
  const std::string name = command.get_name();
  std::string text = title("stagedtrain-" + name, command.get_description());
  text += ".SH SYNOPSIS\n.B stagedtrain " + plain(name) + "\n";
  std::string entries;
  for (const CLI::Option* option : shown_options(command)) {
    if (option->get_positional()) text += "\\fI" + plain(option->get_type_name()) + "\\fP\n";
    entries += option_entry(*option);
  }
  text += "[\\fIoptions\\fP]\n.SH OPTIONS\n" + entries;
  if (!command.get_footer().empty()) text += ".SH DESCRIPTION\n" + as_it_stands(command.get_footer());
  return text + ".SH SEE ALSO\n.BR stagedtrain (1)\n";
}

std::string program_page(const CLI::App& app) {
  std::string text = title("stagedtrain", "trains language models in stages");
  text +=
      ".SH SYNOPSIS\n.B stagedtrain\n\\fICOMMAND\\fP [\\fIarguments\\fP]\n.SH DESCRIPTION\n" +
      plain(app.get_description()) + "\n.SH COMMANDS\n";
  for (const CLI::App* command : shown_commands(app))
    text += fmt::format(".TP\n.BR stagedtrain\\-{} (1)\n{}.\n", command->get_name(),
                        plain(command->get_description()));
  return text + ".SH EXAMPLES AND EXIT CODES\n" + as_it_stands(app.get_footer());
}

}  // namespace

std::string manual_page(const CLI::App& app, const std::string& name) {
  if (name.empty()) return program_page(app);
  std::vector<std::string> names;
  for (const CLI::App* command : shown_commands(app)) {
    if (command->get_name() == name) return command_page(*command);
    names.push_back(command->get_name());
  }
  throw usage_error("docs man: there is no command '{}'{}", name, suggestion(name, names));
}

}  // namespace stagedtrain::cmd
