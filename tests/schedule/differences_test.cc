// Differences of two schedules, key by key.
#include "schedule/differences.h"

#include "schedule/schedule.h"
#include "support/catch.h"
#include "support/schedules.h"
#include "support/text_file.h"

using namespace stagedtrain;
using Edits = std::vector<std::string>;

namespace {

std::vector<schedule::Difference> differ(const Edits& here, const Edits& there) {
  return schedule::key_differences(schedule::dump(test::two_stages(here)),
                                   schedule::dump(test::two_stages(there)));
}

}  // namespace

TEST_CASE("differences name what changes the training, and nothing else") {
  CHECK(differ({}, {}).empty());
  CHECK(differ({"evaluate.every=7", "checkpoint.keep=9", "log.every=1"}, {"guard.rise=9"}).empty());
  const auto found = differ({"lr.peak=1e-3", "batch.size_warmup={start: 2, over: 50}"}, {"seed=2"});
  REQUIRE(found.size() == 3);
  CHECK(found[0].text() == "seed: 1, the run has 2");
  CHECK(found[1].text() == "batch.size_warmup: {start: 2, over: 50}, the run has none");
  CHECK(found[2].text() == "lr.peak: 0.001, the run has 0.003");
  CHECK(found[2].stage().empty());
}

TEST_CASE("a difference within a stage names the stage and the key") {
  const auto found = differ({"stages.full.for=200", "stages.shallow.until.loss=2"},
                            {"stages.full.for=150", "stages.full.grow.0.new_layers=copy"});
  REQUIRE(found.size() == 3);
  CHECK(found[0].text() == "stages.shallow.until: {loss: 2}, the run has none");
  CHECK(found[0].is_length());
  CHECK(found[1].text() == "stages.full.grow.0.new_layers: zero_output, the run has copy");
  CHECK_FALSE(found[1].is_length());
  CHECK(found[1].stage() == "full");
  CHECK(found[1].key_in_stage() == "grow.0.new_layers");
  CHECK(found[2].text() == "stages.full.for: 200 steps, the run has 150 steps");
  CHECK(found[2].is_length());
}

TEST_CASE("other stages are named, and what is long is cut") {
  const auto found = differ({"stages.full.name=large"}, {});
  REQUIRE(found.size() == 1);
  CHECK(found[0].text() == "stages: shallow, large, the run has shallow, full");
  const std::string path(700, 'x');
  const auto data = differ({"data.train=" + path, "seed=2", "lr.peak=1", "lr.floor=0.5",
                            "dropout=0.1", "z_loss=0.1", "optimizer.clip=2"},
                           {});
  REQUIRE(data.size() == 7);
  CHECK(data[1].text().size() < 150);
  CHECK(schedule::to_text(data).size() < 600);
  CHECK(test::contains(schedule::to_text(data), "; and 2 more"));
}

TEST_CASE("a key that an older schedule does not have is its default") {
  std::string older = schedule::dump(test::two_stages());
  const auto at = older.find("dropout:");
  REQUIRE(at != std::string::npos);
  older.erase(at, older.find('\n', at) - at + 1);
  CHECK(schedule::key_differences(schedule::dump(test::two_stages()), older).empty());
}
