// A schedule without model.vocab takes it from its training tokens.
#include "plan/data_vocab.h"

#include "lengths/resolve_files.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/text_file.h"
#include "support/tiny_run.h"

using namespace stagedtrain;
using test::contains;

namespace {

// The tiny run's schedule without its vocab.
schedule::Schedule without_vocab(const test::TinyRun& tiny, std::vector<std::string> edits = {}) {
  std::string yaml = tiny.yaml();
  const std::string vocab = ", vocab: 256";
  yaml.erase(yaml.find(vocab), vocab.size());
  return schedule::parse(yaml, "tiny.yaml", edits);
}

}  // namespace

TEST_CASE("a missing vocab is that of data.train, in the plan and in what a run records") {
  const test::TinyRun tiny;
  const plan::RunPlan plan = plan::resolve_files(without_vocab(tiny));
  CHECK(plan.final_model.vocab == 256);
  CHECK(plan::resolved_yaml(plan) == plan::resolved_yaml(tiny.plan()));
}

TEST_CASE("a vocab that is given is kept") {
  const test::TinyRun tiny;
  CHECK(plan::resolve_files(without_vocab(tiny, {"model.vocab=300"})).final_model.vocab == 300);
}

TEST_CASE("without a file, or with one that does not record it, the key is asked for") {
  const test::TinyRun tiny;
  const auto refused = [&](const std::string& train) {
    return test::refusal(ErrorKind::usage, [&] {
      plan::resolve_files(without_vocab(tiny, {"data.train=" + train}));
    });
  };
  const std::string none = refused((tiny / "none.bin").string());
  INFO(none);
  CHECK(contains(none, "tiny.yaml:3"));
  CHECK(contains(none, "model.vocab is missing, and the file '"));
  test::write_text(tiny / "raw.bin", std::string(4000, '\1'));
  const std::string raw = refused((tiny / "raw.bin").string());
  INFO(raw);
  CHECK(contains(raw, "raw.bin does not record it"));
  CHECK(contains(raw, "largest id 257"));
}
