// Short names of runs.
#include "compare/run_names.h"

#include "support/catch.h"

using namespace stagedtrain;
using namespace stagedtrain::report;

namespace {

std::vector<std::string> labels(const std::vector<std::string>& names) {
  std::vector<runlog::Run> runs(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) runs[i].name = names[i];
  set_labels(runs);
  std::vector<std::string> result;
  for (const runlog::Run& run : runs) result.push_back(run.label);
  return result;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("labels leave out the folders that all names begin with") {
  CHECK(labels({"runs/demo-1f/staged", "runs/demo-1f/scratch/budget-700"}) ==
        Names{"staged", "scratch/budget-700"});
  CHECK(labels({"/a/b", "/a/bc"}) == Names{"b", "bc"});  // whole folders, not letters
  CHECK(labels({"a/x", "b/x"}) == Names{"a/x", "b/x"});
  CHECK(labels({"a", "a/x"}) == Names{"a", "a/x"});
}

TEST_CASE("a run alone is called by its last folder") {
  CHECK(labels({"runs/first"}) == Names{"first"});
  CHECK(labels({"runs/first/"}) == Names{"first"});
  CHECK(labels({"."}) == Names{"run"});
  CHECK(labels({""}) == Names{"run"});
}

TEST_CASE("control characters of a name reach neither terminal nor page") {
  CHECK(labels({"a/\x1b[2Jb", "a/c\nd"}) == Names{" [2Jb", "c d"});
  CHECK(labels({"a/x\xc2\x9bz", "a/y"}) == Names{"x z", "y"});  // U+009B begins sequences too
}
