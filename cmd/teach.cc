// Adding to the files of measurements and of what was learnt.
#include "cmd/teach.h"

#include "cmd/output.h"

namespace stagedtrain::cmd {

bool teach(const std::vector<plan::Measurement>& speeds,
           const std::vector<plan::LearnedGrowth>& growths) {
  const Path measurements = plan::measurements_file(""), learned = plan::learned_file("");
  if (measurements.empty()) return false;  // no HOME: nowhere to keep it
  try {
    plan::add_measurements(measurements, speeds);
    plan::add_learned(learned, growths);
    return true;
  } catch (const Error& error) {
    tell(fmt::format("nothing was kept for later plans: {}\n", error.what()));
    return false;
  }
}

}  // namespace stagedtrain::cmd
