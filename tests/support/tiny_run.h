// A run so small that it trains in a blink: text, token files, a schedule that grows.
#pragma once

#include <string>
#include <vector>

#include "plan/run_plan.h"
#include "support/temp_dir.h"

namespace stagedtrain::test {

// English-like text of about this many bytes, the same every time.
std::string made_up_text(std::size_t bytes);

// A folder with token files of made-up text, and schedules for them: gpt2, 1 layer x 16 for 6
// steps, grown into 2 layers for 6 more; batches of 4 x 16 bytes; every step logged.
class TinyRun {
 public:
  TinyRun();
  // The schedule's text, as it would stand in a file.
  std::string yaml() const;
  // edits: "path=value", as --set takes them.
  plan::RunPlan plan(const std::vector<std::string>& edits = {}) const;
  std::filesystem::path operator/(const std::string& name) const { return dir_ / name; }
  const std::filesystem::path& path() const { return dir_.path(); }

 private:
  TempDir dir_;
};

}  // namespace stagedtrain::test
