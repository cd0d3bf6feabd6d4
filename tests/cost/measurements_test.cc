// Tests of cost/measurements.h: what is kept, found again, and refused.
#include "cost/measurements.h"

#include <cmath>
#include <cstdlib>

#include "lengths/resolve_files.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using plan::Measurement;

namespace {

// The stages of the two-stage schedule, measured.
std::vector<Measurement> measured() {
  const plan::RunPlan run = plan::resolve(test::two_stages());
  std::vector<Measurement> all;
  for (const plan::StagePlan& stage : run.stages) {
    Measurement m{plan::measurement_key(run, stage), "fused", 2e-5, 1e8, 20, "now", "test"};
    m.key.device = "a processor";
    m.key.threads = 2;
    all.push_back(m);
  }
  all[1].peak_bytes = std::nan("");
  return all;
}

}  // namespace

TEST_CASE("what was measured is found again, the newest first") {
  const test::TempDir dir;
  const Path file = dir / "some/folder/measurements.json";
  CHECK(plan::read_measurements(file).all().empty());
  plan::add_measurements(file, measured());
  Measurement other = measured()[0];
  other.key.device = "another processor";
  other.seconds_per_token = 1e-6;
  plan::add_measurements(file, {other});

  const plan::Measurements known = plan::read_measurements(file);
  REQUIRE(known.all().size() == 3);
  const plan::RunPlan run = plan::resolve(test::two_stages());
  plan::MeasurementKey key = plan::measurement_key(run, run.stages[0]);
  CHECK(known.find(key)->seconds_per_token == 1e-6);
  key.device = "a processor";
  CHECK(known.find(key)->seconds_per_token == 2e-5);
  key.threads = 4;
  CHECK(known.find(key) == nullptr);
  CHECK(std::isnan(known.find(plan::measurement_key(run, run.stages[1]))->peak_bytes));
  key.threads = 2;
  key.micro = 8;
  CHECK(known.find(key) == nullptr);
}

TEST_CASE("a new measurement replaces the one of the same key") {
  const test::TempDir dir;
  const Path file = dir / "m.json";
  plan::add_measurements(file, measured());
  std::vector<Measurement> again = measured();
  again[0].seconds_per_token = 3e-5;
  plan::add_measurements(file, again);
  const plan::Measurements known = plan::read_measurements(file);
  CHECK(known.all().size() == 2);
  CHECK(known.find(again[0].key)->seconds_per_token == 3e-5);
}

TEST_CASE("recomputing and optimizers have measurements of their own, unknown to older files") {
  const test::TempDir dir;
  const Path file = dir / "m.json";
  plan::add_measurements(file, measured());
  std::string text = read_text_file(file, 1 << 20);
  for (const std::string key : {"\"recompute\": null,", "\"optimizer\": null,"})
    for (std::size_t at; (at = text.find(key)) != std::string::npos;) text.erase(at, key.size());
  test::write_text(file, text);  // as before there was the key
  const plan::RunPlan run = plan::resolve(test::two_stages());
  const plan::Measurements known = plan::read_measurements(file);
  CHECK(known.find(plan::measurement_key(run, run.stages[0])));
  for (const char* edit : {"batch.recompute=blocks", "optimizer.name=muon"}) {
    const plan::RunPlan again = plan::resolve(test::two_stages({edit}));
    CHECK(known.find(plan::measurement_key(again, again.stages[0])) == nullptr);
  }
}

TEST_CASE("a bad file of measurements is refused with what to do") {
  const test::TempDir dir;
  const Path file = dir / "m.json";
  const auto says = [&] {
    return test::refusal(ErrorKind::input, [&] { plan::read_measurements(file); });
  };
  test::write_text(file, "{");
  CHECK(test::contains(says(), "m.json"));
  test::write_text(file, R"({"format": "stagedtrain laws", "version": 1, "measurements": []})");
  CHECK(test::contains(says(), "expected 'stagedtrain measurements'"));
  std::vector<Measurement> bad = measured();
  bad[0].seconds_per_token = 0;
  test::write_text(file, Json{{"format", "stagedtrain measurements"},
                              {"version", 1},
                              {"measurements", plan::to_json(bad)}}
                             .dump());
  CHECK(test::contains(says(), "seconds_per_token 0"));
  CHECK(test::contains(says(), "--measure"));
}

TEST_CASE("the cache lies where the desktop's rules say") {
  const char* old = std::getenv("XDG_CACHE_HOME");
  const std::string before = old ? old : "";
  ::setenv("XDG_CACHE_HOME", "/some/cache", 1);
  CHECK(plan::measurements_file("") == Path("/some/cache/stagedtrain/measurements.json"));
  CHECK(plan::measurements_file("own.json") == Path("own.json"));
  ::setenv("XDG_CACHE_HOME", "relative", 1);
  const std::string home = std::getenv("HOME") ? std::getenv("HOME") : "";
  CHECK(plan::cache_file("", "x") == (home.empty() ? Path() : Path(home) / ".cache/stagedtrain/x"));
  if (old) {
    ::setenv("XDG_CACHE_HOME", before.c_str(), 1);
  } else {
    ::unsetenv("XDG_CACHE_HOME");
  }
}

TEST_CASE("a machine is called by its own name") {
  CHECK_FALSE(plan::device_name("cpu").empty());
  CHECK(plan::device_name("mps") == "mps");
}
