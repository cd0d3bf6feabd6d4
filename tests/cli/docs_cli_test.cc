// The generated pages of docs/ are what this program prints.
#include "support/catch.h"
#include "support/command.h"
#include "support/schedules.h"
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
