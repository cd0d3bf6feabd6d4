// Plans as tables, as JSON, and as complete schedules that come to the same plan.
#include "plan/run_plan.h"
#include "support/catch.h"
#include "support/schedules.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using plan::RunPlan;
using test::contains;

namespace {

RunPlan planned(const std::vector<std::string>& edits = {}) {
  return plan::resolve(test::two_stages(edits), {.train_tokens = 30001 * 128});
}

}  // namespace

TEST_CASE("the table has a line for each stage and one for their sum") {
  const RunPlan p = planned({"stages.full.lr={rewarm: 1200}", "stages.shallow.until={loss: 1.8}"});
  const std::string text = plan::to_text(p, plan::resolve_scratch(p));
  INFO(text);
  for (const char* part :
       {"shallow  2 x 128", "full     6 x 128", "total", "2,100", "3,000", "6.14M",
        "shallow: gpt2, 2 layers x 128, 4 heads of 32, ffn 512, context 128, vocab 256\n"
        "  starts from fresh weights\n",
        "grown by {operator: depth, layers: 6, new_layers: zero_output}\n  the loss is kept",
        "ends sooner at a validation loss of 1.8", "learning rate re-warms over 1,200 steps",
        "wsd: 100 steps up, 2,300 at the peak, 600 down to 0",
        "16 sequences of 128 tokens = 2,048 tokens", "every 200 steps", "read 1.6 times",
        "from scratch", "1,800"})
    CHECK(contains(text, part));
}

TEST_CASE("the table fits 100 columns, even for large models") {
  const RunPlan p = planned(
      {"model={layers: 96, width: 12288, heads: 96, context: 2048, vocab: 50257}",
       "stages.0.model={layers: 48}", "stages.1.grow.0.layers=96", "stages.shallow.for=100000"});
  for (const std::string& line : split(plan::to_text(p, plan::resolve_scratch(p)), '\n')) {
    INFO(line);
    CHECK(line.size() <= 100);
    CHECK((line.empty() || line.back() != ' '));
  }
}

TEST_CASE("every curve says its course") {
  CHECK(contains(plan::to_text(planned({"lr.curve=cosine", "lr.floor=0.1"})),
                 "cosine: 100 steps up, 2,900 down to 0.1 of the peak"));
  CHECK(contains(plan::to_text(planned({"lr.curve=constant"})), "constant: 100 steps up"));
  CHECK(contains(plan::to_text(planned({"lr.curve=constant"})),
                 "warning: the learning rate never decays"));
}

TEST_CASE("the JSON has the plan's numbers in full") {
  const RunPlan p = planned();
  const Json json = plan::to_json(p, plan::resolve_scratch(p));
  CHECK(json["total_steps"] == 3000);
  CHECK(json["flops"] == p.flops);
  CHECK(json["epochs"] == 1.6);
  CHECK(json["final_model"]["layers"] == 6);
  REQUIRE(json["stages"].size() == 2);
  CHECK(json["stages"][0]["exact"].is_null());
  CHECK(json["stages"][1]["exact"] == true);
  CHECK(json["stages"][1]["first_step"] == 2100);
  CHECK(json["stages"][1]["memory_bytes"] == p.stages[1].memory_bytes);
  REQUIRE(json["scratch"].size() == 2);
  CHECK(json["scratch"][1]["steps"] == 3000);
  CHECK(json["scratch"][1]["staged_share"].get<double>() < 1);
}

TEST_CASE("the resolved schedule loads to the same plan") {
  const auto check_same = [](const schedule::Schedule& s) {
    const plan::DataFacts facts{.train_tokens = 200'000'000};
    const RunPlan p = plan::resolve(s, facts);
    const std::string text = plan::resolved_yaml(p);
    INFO(text);
    const RunPlan again = plan::resolve(schedule::parse(text, "again.yaml"), facts);
    CHECK(plan::to_json(again, plan::resolve_scratch(again)) ==
          plan::to_json(p, plan::resolve_scratch(p)));
    CHECK(plan::resolved_yaml(again) == text);
  };
  for (const auto& file : test::example_schedules()) check_same(schedule::load(file));
  check_same(test::two_stages());
  check_same(test::two_stages({"batch.micro=0", "batch.size_warmup={start: 2, over: 10}",
                               "batch.length_warmup={start: 8, over: 10}", "dropout=0.1",
                               "stages.full.lr={peak: 1e-3}", "stages.full.for=1 epoch"}));
  // A first stage of another width: sizes that the final model derives must not reach it.
  check_same(
      test::two_stages({"stages.0.model={layers: 6, width: 64, heads: 2}",
                        "stages.1.grow=[{operator: width, factor: 2, symmetry: {noise: 0}}]"}));
}

TEST_CASE("every file of schedules/ plans without warnings") {
  for (const auto& file : test::example_schedules()) {
    INFO(file.string());
    const RunPlan p = plan::resolve(schedule::load(file));
    CHECK(p.warnings.empty());
    CHECK(p.decayed);
    const bool grows = file.parent_path().filename() != "policies";
    CHECK((p.stages.size() >= 2 || !grows));
    CHECK(plan::resolve_scratch(p).size() >= 2);
  }
}
