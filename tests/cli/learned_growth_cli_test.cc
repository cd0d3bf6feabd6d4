// `stagedtrain grow` with an operator whose maps are learned.
#include "apply/apply.h"
#include "grow/operator.h"
#include "schedule/yaml.h"
#include "support/catch.h"
#include "support/command.h"
#include "support/refused.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "support/tiny_state.h"
#include "text/json.h"

using namespace stagedtrain;
using test::check_refused;
using test::contains;

TEST_CASE("maps that are learned need text, so grow refuses them and names the ways out") {
  const test::TempDir folder;
  const std::string small = (folder / "small.h5").string(), large = (folder / "large.h5").string();
  state::save(small, test::tiny_state());
  const std::vector<std::string> ligo = {"grow",     small, large,   "--operator", "ligo",
                                         "--layers", "4",   "--ffn", "48"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), ligo.begin(), ligo.end());
    return test::stagedtrain(more);
  };
  const test::CommandResult refused = with({});
  check_refused(refused, 2, "its maps are learned from text in 100 steps");
  CHECK(contains(refused.err, "--fit.steps 0"));
  CHECK(!std::filesystem::exists(large));
  const test::CommandResult dry = with({"--dry-run", "--fit.steps", "30"});
  CHECK(dry.exit_code == 2);  // as without --dry-run
  CHECK(contains(dry.err, "its maps are learned from text in 30 steps"));
  CHECK(contains(dry.out, "30 steps to train"));
  CHECK(contains(dry.out, "learned: rows, columns, 2 layers") == false);  // the stream stays
  CHECK(contains(dry.out, "learned: rows, 2 layers"));
  const Json json = Json::parse(with({"--dry-run", "--json"}).out);
  CHECK(json["steps"][0]["maps"].size() > 4);
  CHECK(with({"--fit.steps", "0"}).exit_code == 0);
  const auto recipe = grow::make_recipe(
      schedule::parse_yaml("[{operator: ligo, layers: 4, ffn: 48, fit: {steps: 0}}]", ""),
      test::tiny_model(), "grow");
  CHECK(test::difference(state::load(large),
                         grow::apply(recipe, test::tiny_state(), small,
                                     state::CheckpointReader(small).identity())) == "");
}

TEST_CASE("grow prints where a predicted matrix comes from, and the parts that a ring makes") {
  const test::TempDir folder;
  const std::string small = (folder / "small.h5").string(), large = (folder / "large.h5").string();
  state::save(small, test::tiny_state());
  const std::vector<std::string> depth = {"grow",     small, large,          "--operator", "depth",
                                          "--layers", "3",   "--new_layers", "predicted"};
  std::vector<std::string> dry = depth;
  dry.push_back("--dry-run");
  const test::CommandResult printed = test::stagedtrain(dry);
  CHECK(printed.exit_code == 0);
  CHECK(contains(printed.out, "predicted between layers 0 and 1"));
  CHECK(test::stagedtrain(depth).exit_code == 0);

  const test::CommandResult ring = test::stagedtrain(
      {"grow", small, large, "--operator", "mango", "--layers", "4", "--dry-run"});
  CHECK(ring.exit_code == 2);
  CHECK(contains(ring.out, "learned: 4 parts of 12 kinds, rows, columns, 2 layers"));
}
