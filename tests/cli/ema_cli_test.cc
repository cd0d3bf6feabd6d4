// The moving average of the weights as a user meets it: eval, export and show.
#include "checkpoint/checkpoint.h"
#include "support/catch.h"
#include "support/command.h"
#include "support/refused.h"
#include "support/text_file.h"
#include "support/tiny_run.h"
#include "text/json.h"

using namespace stagedtrain;
using state::TensorKind;
using test::check_refused;
using test::contains;

namespace {

struct Trained {
  test::TinyRun tiny;
  std::string end = (tiny / "run/stages/full.h5").string();
  explicit Trained(const std::vector<std::string>& edits) {
    test::write_text(tiny / "tiny.yaml", tiny.yaml());
    std::vector<std::string> words = {"train", (tiny / "tiny.yaml").string(), "--out",
                                      (tiny / "run").string()};
    for (const std::string& edit : edits) words.insert(words.end(), {"--set", edit});
    const auto result = test::stagedtrain(words);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
  }
  double loss(std::vector<std::string> more = {}) const {
    std::vector<std::string> words = {
        "eval",     end,   "--data", (tiny / "data/validation.bin").string(),
        "--tokens", "256", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    const auto result = test::stagedtrain(words);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return parse_json(result.out, "eval")["loss"].get<double>();
  }
};

}  // namespace

TEST_CASE("eval --ema scores the average, and export --ema writes it") {
  const Trained run({"ema={decay: 0.8}"});
  const std::string log = test::read_text(run.tiny / "run/run.jsonl");
  const std::size_t at = log.rfind("{\"event\":\"stage_end\"");
  REQUIRE(at != std::string::npos);
  const Json end = parse_json(log.substr(at, log.find('\n', at) - at), "the log");
  CHECK(run.loss() == Approx(end["loss"].get<double>()).epsilon(1e-6));
  CHECK(run.loss({"--ema"}) == Approx(end["ema_loss"].get<double>()).epsilon(1e-6));
  CHECK(std::abs(end["loss"].get<double>() - end["ema_loss"].get<double>()) > 1e-3);
  CHECK(contains(test::stagedtrain({"show", run.end}).out, "weights, exp_avg, exp_avg_sq, ema"));

  const std::string folder = (run.tiny / "hf").string(), back = (run.tiny / "back.h5").string();
  CHECK(test::stagedtrain({"export", run.end, folder, "--to", "hf", "--ema"}).exit_code == 0);
  CHECK(test::stagedtrain({"import", folder, back}).exit_code == 0);
  const state::CheckpointReader trained(run.end), imported(back);
  CHECK_FALSE(imported.header().ema);
  for (std::size_t i = 0; i < trained.table().size(); ++i)
    CHECK(std::ranges::equal(trained.view(TensorKind::ema, i),
                             imported.view(TensorKind::weights, i)));
}

TEST_CASE("grow makes the average of the larger model too") {
  const Trained run({"ema={decay: 0.8}"});
  const std::string large = (run.tiny / "large.h5").string();
  const auto result =
      test::stagedtrain({"grow", run.end, large, "--operator", "depth", "--layers", "4"});
  INFO(result.err);
  CHECK(result.exit_code == 0);
  CHECK(state::CheckpointReader(large).header().ema);
  CHECK(contains(test::stagedtrain({"show", large}).out, "undamaged"));
}

TEST_CASE("--ema is refused for a checkpoint without an average") {
  const Trained run({});
  check_refused(test::stagedtrain({"eval", run.end, "--sample", "3", "--ema"}), 2,
                "has no moving average of the weights");
  check_refused(test::stagedtrain(
                    {"export", run.end, (run.tiny / "x.gguf").string(), "--to", "gguf", "--ema"}),
                2, "has no moving average of the weights");
}
