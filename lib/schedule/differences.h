// In which keys two schedules differ, for telling a person and for deciding whether a run may go
// on.
#pragma once

#include <string>
#include <vector>

namespace stagedtrain::schedule {

// One key with its value in either schedule; "none" where a schedule does not have the key. A stage
// is named by its name: stages.full.for. Values longer than 60 bytes are cut.
struct Difference {
  std::string key, here, there;
  // "stages.full.for: 200 steps, the run has 150 steps"
  std::string text() const { return key + ": " + here + ", the run has " + there; }
  // The name of the stage that the key belongs to, or "".
  std::string stage() const;
  // The key within its stage, or the whole key: "for" in stages.full.for.
  std::string key_in_stage() const;
  // Whether it says how long a stage lasts: for, until.
  bool is_length() const;
  // Whether it says what the model is, of the run or of a stage.
  bool is_model() const;
};

// The keys that say what is trained, in which two schedules (as dump() writes them) differ. Keys
// that only say what is measured, kept, planned or told are left out. Throws Error(usage) if a text
// is no schedule.
std::vector<Difference> key_differences(const std::string& yaml_here,
                                        const std::string& yaml_there);

// Their texts as one: five at most, then how many more there are.
std::string to_text(const std::vector<Difference>& differences);

}  // namespace stagedtrain::schedule
