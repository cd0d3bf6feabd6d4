// `stagedtrain help WORD`.
#include "schedule/schedule.h"
#include "support/catch.h"
#include "support/command.h"
#include "support/refused.h"
#include "support/text_file.h"

using namespace stagedtrain;
using test::contains;

TEST_CASE("help knows every key of the schedule, by its path and by its last word") {
  for (const FieldRow& row : schedule::document()) {
    CAPTURE(row.path);
    const auto result = test::stagedtrain({"help", row.path});
    REQUIRE(result.exit_code == 0);
    CHECK(contains(result.out, row.path + "\n  " + row.doc));
    CHECK(contains(result.out, row.type));
    const std::string last = row.path.substr(row.path.find_last_of('.') + 1);
    CHECK(contains(test::stagedtrain({"help", last}).out, row.path + "\n"));
  }
}

TEST_CASE("help explains maps with their keys, operators with their options, and commands") {
  CHECK(contains(test::stagedtrain({"help", "stages.until"}).out, "stages[].until.slope\n"));
  CHECK(contains(test::stagedtrain({"help", "lr.curve"}).out, "cosine: "));
  CHECK(contains(test::stagedtrain({"help", "grow"}).out, "depth"));
  CHECK(contains(test::stagedtrain({"help", "width"}).out, "model.width\n"));
  CHECK(contains(test::stagedtrain({"help", "width"}).out, "--factor"));
  CHECK(contains(test::stagedtrain({"help", "show"}).out, "CHECKPOINT"));
  CHECK(test::stagedtrain({"help", "muon"}).out.starts_with("optimizer.name\n"));
  CHECK(contains(test::stagedtrain({"help"}).out, "  lr.peak\n"));
}

TEST_CASE("help of a word that is no key shows the keys whose explanation uses it") {
  const auto result = test::stagedtrain({"help", "mfu"});
  CHECK(result.exit_code == 0);
  CHECK(result.out.starts_with("'mfu' is not a key of the schedule. These keys mention it:\n"));
  CHECK(contains(result.out, "\nmachine.flops\n"));
  CHECK_FALSE(contains(result.out, "seed\n"));
  test::check_refused(test::stagedtrain({"help", "mf"}), 2, "is not a key of the schedule");
  test::check_refused(test::stagedtrain({"help", "fu"}), 2, "is not a key of the schedule");
}

TEST_CASE("help names the nearest word for a typing error") {
  test::check_refused(test::stagedtrain({"help", "lr.peek"}), 2, "did you mean 'lr.peak'?");
  test::check_refused(test::stagedtrain({"help", "lemn"}), 2, "did you mean 'lemon'?");
  test::check_refused(test::stagedtrain({"help", "qqqqqqqq"}), 2, "is not a key of the schedule");
}
