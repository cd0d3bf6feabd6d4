// `stagedtrain plan --fit` as a user types it.
#include <cmath>

#include "support/catch.h"
#include "support/command.h"
#include "support/made_runs.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using test::contains;

namespace {

// 500 logged steps that follow a law.
std::string curve_in(const test::TempDir& folder, const std::string& last_line = "") {
  std::string text = "step,lr,loss\n";
  for (int s = 20; s <= 10000; s += 20)
    text += fmt::format("{},{},{}\n", s, s < 200 ? s * 5e-6 : 1e-3,
                        2.5 + 30 * std::pow(s - 100 + 200, -0.5) + 1e-3 * std::sin(s));
  test::write_text(folder / "curve.csv", text + last_line);
  return (folder / "curve.csv").string();
}

void check_refused(const test::CommandResult& result, int code, const std::string& says) {
  INFO(result.err);
  CHECK(result.exit_code == code);
  CHECK(contains(result.err, says));
  CHECK(result.out.empty());
}

}  // namespace

TEST_CASE("plan --fit prints parameters, intervals and prefix refits") {
  const test::TempDir folder;
  const auto result = test::stagedtrain({"plan", "--fit", curve_in(folder)});
  INFO(result.out << result.err);
  CHECK(result.exit_code == 0);
  for (const char* part : {"curve.csv", "80% low", "first 50%", "first 70%", "Huber", "E  "})
    CHECK(contains(result.out, part));
}

TEST_CASE("plan --fit writes a law file, prints the same as JSON, and is the same every time") {
  const test::TempDir folder;
  const std::string curve = curve_in(folder), out = (folder / "laws.json").string();
  const auto result = test::stagedtrain({"plan", "--fit", curve, "--out", out, "--json"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const Json laws = Json::parse(result.out);
  CHECK(laws == Json::parse(test::read_text(out)));
  CHECK(laws["curves"][0]["parameters"]["E"].get<double>() == Approx(2.5).epsilon(0.01));
  CHECK(result.out == test::stagedtrain({"plan", "--fit", curve, "--json"}).out);
  check_refused(test::stagedtrain({"plan", "--fit", curve, "--out", out}), 2, "laws.json");
  CHECK(test::stagedtrain({"plan", "--fit", curve, "--out", out, "--force"}).exit_code == 0);
}

TEST_CASE("plan --fit takes run folders and curves together") {
  const test::TempDir folder;
  test::write_made_runs(folder.path());
  const auto result = test::stagedtrain(
      {"plan", "--fit", (folder / "staged").string(), curve_in(folder), "--json"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const Json laws = Json::parse(result.out);
  CHECK(laws["curves"].size() + laws["notes"].size() >= 3);
}

TEST_CASE("plan --fit refuses what it cannot fit, with the line and what to do") {
  const test::TempDir folder;
  check_refused(test::stagedtrain({"plan", "--fit", curve_in(folder, "10020,1e-3,nan\n")}), 3,
                "curve.csv:502: loss is 'nan'");
  test::write_text(folder / "short.csv", "step,lr,loss\n1,1,3\n2,1,2\n");
  check_refused(test::stagedtrain({"plan", "--fit", (folder / "short.csv").string()}), 3,
                "expected at least 30");
  check_refused(test::stagedtrain({"plan", "--fit", (folder / "none").string()}), 3, "none");
  check_refused(test::stagedtrain({"plan", "--fit"}), 2, "--fit");
  check_refused(test::stagedtrain({"plan", "--out", "x.json", "a.yaml"}), 2, "--fit");
  check_refused(test::stagedtrain({"plan"}), 2, "SCHEDULE");
}

TEST_CASE("logs of three sizes plan a fourth, and the plan says from which sizes and how far") {
  const test::TempDir folder;
  std::vector<std::string> arguments = {"plan", "--fit"};
  for (const double size : {5e4, 1e5, 2e5}) {
    std::string text = "step,lr,loss,tokens,parameters\n";
    for (int s = 10; s <= 3000; s += 10)
      text += fmt::format("{},{},{},{},{}\n", s, std::min(1.0, s / 100.0) * 3e-3,
                          1 + .5 * std::pow(size / 1e5, -.34) + .6 * std::pow(s / 1500., -.4) +
                              1e-3 * std::sin(s * size),
                          s * 2048, size);
    const auto file = folder / fmt::format("{:.0f}.csv", size);
    test::write_text(file, text);
    arguments.push_back(file.string());
  }
  const std::string out = (folder / "laws.json").string();
  arguments.insert(arguments.end(), {"--out", out});
  const auto fit = test::stagedtrain(arguments);
  INFO(fit.err << fit.out);
  REQUIRE(fit.exit_code == 0);
  CHECK(contains(fit.out, "One law for all sizes"));
  CHECK(contains(fit.out, "do not show how much two seeds of a size differ"));
  test::write_text(folder / "plan.yaml",
                   "data: {train: a.bin, validation: b.bin}\n"
                   "model: {architecture: gpt2, layers: 4, width: 96, heads: 4, context: 128, vocab: "
                   "256}\n"
                   "batch: {sequences: 16}\n"
                   "lr: {curve: constant, peak: 3e-3, warmup: 100 steps}\n"
                   "stages: [{name: whole, for: 3000 steps}]\n");
  const auto plan =
      test::stagedtrain({"plan", (folder / "plan.yaml").string(), "--law", out, "--json"});
  INFO(plan.err << plan.out);
  CHECK(plan.exit_code == 0);
  CHECK(contains(plan.out, "448K parameters without embeddings were never trained"));
  CHECK(contains(plan.out, "from 50K, 100K, 200K"));
}
