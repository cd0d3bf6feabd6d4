// Which keys of two schedules differ? Messages need to know, and whether a run may resume.
#pragma once

#include <string>
#include <vector>

namespace stagedtrain::schedule {

// One key that differs, with its value in each schedule, or "none" if a schedule does not have the
// key. `here` is the schedule that was given, `there` that of the run. Stages are addressed by
// name, as in stages.full.for. Values longer than 60 bytes are cut.
struct Difference {
  std::string key, here, there;
  // Returns, for instance, "stages.full.for: 200 steps, the run has 150 steps".
  std::string text() const { return key + ": " + here + ", the run has " + there; }
  // Returns the name of the stage that the key belongs to, or "" if it belongs to none.
  std::string stage() const;
  // Returns the key within its stage, such as "for" in stages.full.for, or else the whole key.
  std::string key_in_stage() const;
  // Returns whether the key sets the length of a stage (for, until).
  bool is_length() const;
  // Returns whether the key belongs to the model, of the run or of a stage.
  bool is_model() const;
};

// Returns the keys that affect training in which two schedules differ. Both are texts as dump()
// writes them. Left out are evaluate, checkpoint, log, guard, machine, plan and scratch, which
// change only what is measured, saved, logged or planned. Throws Error(usage) if a text is not a
// schedule.
std::vector<Difference> key_differences(const std::string& yaml_here,
                                        const std::string& yaml_there);

// Returns the texts of at most five differences, joined by semicolons, and how many more there are.
std::string to_text(const std::vector<Difference>& differences);

}  // namespace stagedtrain::schedule
