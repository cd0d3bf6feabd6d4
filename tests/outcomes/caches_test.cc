// Damaged caches are warned about and made anew; they stop nothing.
#include "outcomes/caches.h"

#include <cstdlib>

#include "support/catch.h"
#include "support/command.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using test::contains;

namespace {

// $XDG_CACHE_HOME in a folder of its own, as long as this lives.
struct OwnCache {
  test::TempDir folder;
  std::string before = std::getenv("XDG_CACHE_HOME") ? std::getenv("XDG_CACHE_HOME") : "";
  OwnCache() {
    ::setenv("XDG_CACHE_HOME", folder.path().c_str(), 1);
    make_folders(folder / "stagedtrain");
  }
  ~OwnCache() { ::setenv("XDG_CACHE_HOME", before.c_str(), 1); }
  Path file(const char* name) const { return folder / "stagedtrain" / name; }
};

plan::Measurement measured() {
  plan::Measurement one;
  one.key.model = plan::resolve(test::two_stages()).final_model;
  one.key.micro = one.key.sequences = 16;
  one.key.precision = "fp32";
  one.key.device = "cpu";
  one.seconds_per_token = 1e-5;
  return one;
}

const char* const kDamages[] = {"", "{", "[]", "not JSON", R"({"format": "stagedtrain measure)",
                                R"({"format": "another", "version": 1})",
                                R"({"format": "stagedtrain measurements", "version": 99})"};

}  // namespace

TEST_CASE("a damaged cache counts as empty, and the next write sets it aside") {
  for (const char* damage : kDamages) {
    INFO(damage);
    const OwnCache cache;
    test::write_text(cache.file("measurements.json"), damage);
    test::write_text(cache.file("growths.json"), damage);
    CHECK(plan::known_measurements().all().empty());
    CHECK(plan::known_growths().all().empty());
    plan::keep_measurements("", {measured()});
    CHECK(plan::known_measurements().all().size() == 1);
    CHECK(test::read_text(cache.file("measurements.json.damaged")) == damage);
    plan::GrowthOutcome growth;
    growth.run = "r";
    growth.from = growth.to = measured().key.model;
    test::write_text(cache.file("scores.json"), damage);
    CHECK(plan::known_scores().all().empty());
    plan::ScoredRun score{.run = "r", .loss = {.predicted = 2, .measured = 2.1}};
    plan::keep_scores({score});
    CHECK(plan::known_scores().all().size() == 1);
    CHECK(test::read_text(cache.file("scores.json.damaged")) == damage);
    plan::keep_growths({growth});
    CHECK(plan::known_growths().all().size() == 1);
    CHECK(test::read_text(cache.file("growths.json.damaged")) == damage);
  }
}

TEST_CASE("a file of measurements that was named is refused if it is bad") {
  const test::TempDir folder;
  test::write_text(folder / "m.json", "{");
  CHECK(contains(test::refusal(ErrorKind::input,
                               [&] { plan::known_measurements((folder / "m.json").string()); }),
                 "m.json"));
}
