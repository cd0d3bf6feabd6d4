// [gpu] Ranks on GPUs: the losses of one process, by NCCL where each rank has a GPU of its own.
#include <unistd.h>

#include <cmath>

#include "runlog/run_log.h"
#include "support/catch.h"
#include "support/ranks.h"
#include "support/skip.h"

using namespace stagedtrain;
using test::contains;

namespace {

int gpus() {
  int count = 0;
  while (::access(("/dev/nvidia" + std::to_string(count)).c_str(), F_OK) == 0) ++count;
  return count;
}

std::vector<double> losses(const std::string& folder) {
  std::vector<double> all;
  for (const runlog::StepPoint& step : runlog::read_log(folder + "/run.jsonl", folder).steps)
    all.push_back(step.loss);
  return all;
}

void check_close(const std::vector<double>& one, const std::vector<double>& other) {
  REQUIRE(one.size() == 20);
  REQUIRE(other.size() == one.size());
  for (std::size_t i = 0; i < one.size(); ++i)
    CHECK(std::abs(other[i] - one[i]) <= 1e-6 * std::abs(one[i]));
}

}  // namespace

TEST_CASE("two ranks on GPUs train as one does, with any sharding that GPUs support") {
  if (gpus() == 0) return test::skip("no GPU is here (/dev/nvidia0)");
  const test::RanksRun run;
  const auto alone = run.train("one", 1, {"--device", "cuda"});
  if (contains(alone.err, "CUDA")) return test::skip("LibTorch has no CUDA: " + alone.err);
  INFO(alone.err);
  REQUIRE(alone.exit_code == 0);
  const bool own = gpus() > 1;  // each rank has a GPU of its own
  for (const std::string sharding : {"none", "optimizer"}) {
    const auto shared =
        run.train(sharding, 2, {"--device", own ? "cuda" : "cuda:0", "--sharding", sharding});
    INFO(shared.err);
    REQUIRE(shared.exit_code == 0);
    CHECK(contains(shared.err, own ? "by nccl" : "by gloo"));
    check_close(losses(run.folder("one")), losses(run.folder(sharding)));
  }
}
