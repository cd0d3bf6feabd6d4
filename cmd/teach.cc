// Adding to the files of measurements and of what was learnt.
#include "cmd/teach.h"

#include <cstdio>

namespace stagedtrain::cmd {

void teach(const std::vector<plan::Measurement>& speeds,
           const std::vector<plan::LearnedGrowth>& growths) {
  const Path measurements = plan::measurements_file(""), learned = plan::learned_file("");
  if (measurements.empty()) return;  // no HOME: nowhere to keep it
  try {
    plan::add_measurements(measurements, speeds);
    plan::add_learned(learned, growths);
  } catch (const Error& error) {
    std::fprintf(stderr, "nothing was kept for later plans: %s\n", error.what());
  }
}

}  // namespace stagedtrain::cmd
