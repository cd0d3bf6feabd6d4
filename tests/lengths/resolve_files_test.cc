// What a plan takes from the files that a schedule names, and the token files of a run.
#include "lengths/resolve_files.h"

#include "checkpoint/checkpoint.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "support/tiny_state.h"

using namespace stagedtrain;
using test::contains;

namespace {

// kTwoStages with raw uint16 token files of this many tokens in the folder.
schedule::Schedule with_data(const test::TempDir& folder, std::size_t tokens,
                             std::vector<std::string> edits = {}) {
  for (const char* name : {"train", "validation"}) {
    const std::string file = (folder / (std::string(name) + ".bin")).string();
    test::write_text(file, std::string(2 * tokens, '\0'));
    edits.push_back(fmt::format("data.{}={}", name, file));
  }
  return test::two_stages(edits);
}

}  // namespace

TEST_CASE("a plan needs no data unless it counts epochs") {
  CHECK_FALSE(plan::epochs(plan::resolve_files(test::two_stages())).has_value());
  const std::string said = test::refusal(ErrorKind::usage, [] {
    plan::resolve_files(test::two_stages({"stages.full.for=2 epochs"}));
  });
  CHECK(contains(said, "the length of an epoch is unknown without the file data.train"));
}

TEST_CASE("epochs are counted in the training file's windows") {
  const test::TempDir folder;
  // 12,800 tokens hold 99 windows of 128 behind any offset below 128.
  const auto p = plan::resolve_files(with_data(folder, 12800, {"stages.full.for=2 epochs"}));
  CHECK(p.facts.train_tokens == 12800);
  CHECK(p.stages[1].steps == 13);
  CHECK(*plan::epochs(p) == Approx((2100.0 + 13) * 16 / 99));
}

TEST_CASE("a token file that is bad is refused, also by a plan") {
  const test::TempDir folder;
  const auto s = with_data(folder, 64);
  const auto said = test::refusal(ErrorKind::input, [&] { plan::resolve_files(s); });
  CHECK(contains(said, "64 tokens, expected at least 129"));
  CHECK(contains(test::refusal(ErrorKind::input, [&] { plan::open_data(s); }), "train.bin"));
  CHECK(contains(test::refusal(ErrorKind::input, [&] { plan::open_data(s); }),
                 "use more text or a shorter model.context"));
  test::write_text(folder / "train.bin", "odd");
  CHECK(contains(test::refusal(ErrorKind::input, [&] { plan::resolve_files(s); }), "train.bin"));
}

TEST_CASE("a run's token files are opened, or refused at the key that names them") {
  const test::TempDir folder;
  auto s = with_data(folder, 1000);
  const auto files = plan::open_data(s);
  CHECK(files.train->count() == 1000);
  CHECK(files.validation->path() == Path(s.data.validation));
  std::filesystem::remove(s.data.validation);
  CHECK(contains(test::refusal(ErrorKind::usage, [&] { plan::open_data(s); }),
                 "data.validation: there is no file '" + s.data.validation));
  const auto said = test::refusal(ErrorKind::usage, [] { plan::open_data(test::two_stages()); });
  CHECK(contains(said, "two.yaml:2:15: data.train: there is no file 'data/train.bin'"));
  CHECK(contains(said, "stagedtrain data TEXT --out DIR"));
}

TEST_CASE("files are found from the schedule's folder, or one above it, in any working directory") {
  const test::TempDir folder;
  with_data(folder, 1000);
  const std::vector<std::string> edits = {"data.train=train.bin", "data.validation=validation.bin"};
  for (const char* place : {"a.yaml", "runs/x/schedule.yaml"}) {
    const Path file = folder / place;
    std::filesystem::create_directories(file.parent_path());
    test::write_text(file, schedule::dump(test::two_stages(edits)));
    const plan::RunPlan plan = plan::resolve_files(schedule::load(file));
    CHECK(plan.facts.train_tokens == 1000);
    CHECK(plan::open_data(plan.schedule).train->path() == folder / "train.bin");
  }
  test::write_text(folder / "runs/train.bin", std::string(4000, '\0'));  // the nearest one counts
  CHECK(plan::resolve_files(schedule::load(folder / "runs/x/schedule.yaml")).facts.train_tokens ==
        2000);
}

TEST_CASE("a checkpoint to start from is read for its model alone") {
  const test::TempDir folder;
  const std::string from = (folder / "from.h5").string();
  const std::vector<std::string> model = {
      "model={layers: 4, width: 8, heads: 2, context: 16, vocab: 32}", "stages.0.model={layers: 2}",
      "stages.1.grow.0.layers=4", "from=" + from};
  const auto said =
      test::refusal(ErrorKind::usage, [&] { plan::resolve_files(test::two_stages(model)); });
  CHECK(contains(said, "from: there is no file"));
  state::save(from, test::tiny_state());
  CHECK(plan::resolve_files(test::two_stages(model)).stages[0].model == test::tiny_model());
  state::save(from, test::tiny_state(1, state::DType::f32, test::tiny_model(3)));
  CHECK(contains(
      test::refusal(ErrorKind::usage, [&] { plan::resolve_files(test::two_stages(model)); }),
      "holds gpt2, 3 layers x 8"));
  test::write_text(from, "not a checkpoint");
  CHECK(contains(
      test::refusal(ErrorKind::input, [&] { plan::resolve_files(test::two_stages(model)); }),
      "from.h5"));
}

TEST_CASE("law files of several contexts are found from the folder of the schedule up") {
  const test::TempDir folder;
  std::filesystem::create_directories(folder / "schedules");
  for (const char* name : {"short.json", "long.json"}) test::write_text(folder / name, "{}");
  const std::string file = (folder / "schedules" / "two.yaml").string();
  const schedule::Schedule s =
      schedule::parse(test::kTwoStages + "plan: {law: \"short.json, long.json\"}\n", file, {});
  const std::string said = test::refusal(ErrorKind::input, [&] { plan::resolve_files(s); });
  CHECK(contains(said, (folder / "short.json").string()));  // found, and not a law
}
