// The generated pages of docs/ are what this program prints.
#include "support/catch.h"
#include "support/command.h"
#include "support/refused.h"
#include "support/schedules.h"
#include "support/skip.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;

namespace {

void check_page(const std::string& name, const std::string& file) {
  const auto printed = test::stagedtrain({"docs", name});
  CHECK(printed.exit_code == 0);
  CHECK(printed.out.size() > 1000);
  INFO(file << " is not what the program prints: run scripts/make_docs.sh and commit the result");
  CHECK((test::read_text(test::source_folder() / file) == printed.out));
}

}  // namespace

TEST_CASE("docs/schedule-reference.md is up to date") {
  check_page("schedule", "docs/schedule-reference.md");
}

TEST_CASE("docs/cli.md is up to date") { check_page("cli", "docs/cli.md"); }

TEST_CASE("docs is hidden from the help and refuses other pages") {
  CHECK_FALSE(test::contains(test::stagedtrain({"--help"}).out, "docs "));
  CHECK(test::stagedtrain({"docs"}).exit_code == 2);
  CHECK(test::stagedtrain({"docs", "none"}).exit_code == 2);
}

TEST_CASE("completion in bash offers commands, options, words and keys of the schedule") {
  const test::TempDir folder;
  test::write_text(folder / "completion", test::stagedtrain({"docs", "completion", "bash"}).out);
  const auto offered = [&](const std::string& words) {
    const std::string script =
        "source ./completion; COMP_WORDS=(stagedtrain " + words + "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1));"
        "compopt() { :; }; _stagedtrain stagedtrain \"${COMP_WORDS[COMP_CWORD]}\" "
        "\"${COMP_WORDS[COMP_CWORD-1]}\"; printf '%s\\n' \"${COMPREPLY[@]}\"";
    const auto result = test::run({.arguments = {"bash", "-c", script}, .folder = folder.path()});
    CHECK(result.err.empty());
    return "\n" + result.out;
  };
  CHECK(test::contains(offered("tr"), "\ntrain\n"));
  CHECK_FALSE(test::contains(offered("''"), "\ndocs\n"));
  CHECK(test::contains(offered("data --sep"), "\n--separator\n"));
  CHECK(test::contains(offered("train --set lr.pe"), "\nlr.peak=\n"));
  CHECK(test::contains(offered("data --tokenizer by"), "\nbytes\n"));
  CHECK(test::contains(offered("eval compl"), "\ncompletion\n"));  // a file
}

TEST_CASE("completion for zsh and fish names every option of every command") {
  const std::string zsh = test::stagedtrain({"docs", "completion", "zsh"}).out,
                    fish = test::stagedtrain({"docs", "completion", "fish"}).out;
  CHECK(zsh.starts_with("#compdef stagedtrain\n"));
  CHECK(test::contains(zsh, "'--separator["));
  CHECK(test::contains(fish, "'__fish_seen_subcommand_from data' -l separator -r"));
  CHECK(test::contains(fish, "'__fish_seen_subcommand_from data' -l force -d"));
  CHECK(test::stagedtrain({"docs", "completion", "csh"}).exit_code == 2);
}

TEST_CASE("manual pages are good troff, one for the program and for each command") {
  const auto pages = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"docs", "man"});
    return test::stagedtrain(arguments);
  };
  CHECK(test::contains(pages({}).out, "stagedtrain\\-data (1)"));
  CHECK(test::contains(pages({"data"}).out, ".B \\-\\-separator"));
  test::check_refused(pages({"dat"}), 2, "did you mean 'data'?");
  if (!test::has_program("groff", "groff-base")) return;
  for (const char* page : {"", "data", "plan", "train", "grow", "eval", "report", "import", "help"}) {
    const auto made = *page ? pages({page}) : pages({});
    const auto set = test::run(
        {.arguments = {"groff", "-man", "-Tutf8", "-ww", "-z"}, .input = made.out});
    INFO(page << ": " << set.err);
    CHECK(set.exit_code == 0);
    CHECK(set.err.empty());
  }
}

TEST_CASE("the schema accepts every schedule of the tree and refuses what the program refuses") {
  if (test::run({.arguments = {"/usr/bin/python3", "-c", "import jsonschema, yaml"}}).exit_code != 0)
    return test::skip("no jsonschema (apt-get install python3-jsonschema python3-yaml)");
  const test::TempDir folder;
  test::write_text(folder / "schema.json", test::stagedtrain({"docs", "schema"}).out);
  const std::string source = test::source_folder().string();
  const auto result =
      test::run({.arguments = {"/usr/bin/python3", source + "/tests/cli/check_schema.py",
                               (folder / "schema.json").string(), source}});
  INFO(result.out << result.err);
  CHECK(result.exit_code == 0);
}
