// What does training cost on a real machine? Measured seconds per token and memory, in a file that
// `plan --measure` and the end of every run of `train` write, and that later plans read.
//
// Usage:
//   const Measurements known = read_measurements(measurements_file(given));
//   if (const Measurement* m = known.find(measurement_key(run_plan, stage))) ...
//   m->seconds_per_token
// For another machine than this one, set key.device to its name (see device_name). An empty device
// or 0 threads match any; find() returns the newest match.
#pragma once

#include <string>
#include <vector>

#include "plan/run_plan.h"

namespace stagedtrain::plan {

// Everything that the cost of a token depends on.
struct MeasurementKey {
  arch::ModelConfig model;
  double micro = 0;                      // sequences in one pass
  double sequences = 0;                  // sequences in one optimizer step
  std::string precision;                 // fp32, bf16 or fp64
  std::string device;                    // from device_name(); empty: any
  double threads = 0;                    // on the CPU; 0: any
  std::optional<std::string> recompute;  // norms or blocks; missing means none
  std::optional<std::string> optimizer;  // missing means adamw
};

struct Measurement {
  MeasurementKey key;
  std::string kernels;           // reference or fused
  double seconds_per_token = 0;  // the median over whole optimizer steps
  double peak_bytes = 0;         // memory of the process or of the GPU; NaN: not known
  double steps = 0;              // how many steps were measured
  std::string time, source;      // UTC, and "plan --measure" or the name of a run
};

class Measurements {
 public:
  // Returns the newest match, or null. The pointer is valid until the next put().
  const Measurement* find(const MeasurementKey& key) const;
  // Adds a measurement, or replaces an earlier one of the same key, whose peak_bytes and kernels it
  // keeps if it does not know them itself.
  void put(Measurement measurement);
  const std::vector<Measurement>& all() const { return all_; }  // oldest first

 private:
  std::vector<Measurement> all_;
};

// Returns the key of a stage, for any device and any number of threads.
MeasurementKey measurement_key(const RunPlan& plan, const StagePlan& stage);

// Returns the hardware's own name: "Intel(R) Xeon(R) ..." for "cpu", "NVIDIA H100 80GB HBM3" for
// "cuda:0". If the system does not report a name, returns `device`. GPUs are counted in bus order.
std::string device_name(const std::string& device);

// Returns the present time in UTC, as "2026-11-25T18:42:40Z".
std::string time_now();

// Returns `given` if it is not empty; else $XDG_CACHE_HOME/stagedtrain/NAME or, if that is not set,
// ~/.cache/stagedtrain/NAME. Returns an empty path if HOME is not set either.
Path cache_file(const std::string& given, const char* name);
inline Path measurements_file(const std::string& given) {
  return cache_file(given, "measurements.json");
}

// Returns no measurements for an empty path and for a file that does not exist. Throws Error(input)
// for a damaged file.
Measurements read_measurements(const Path& path);
// Reads the file, adds these measurements and writes it atomically; creates its folder. If two
// programs do so at the same time, the additions of one may be lost. Throws Error(usage) for an
// empty path, Error(input) for a damaged file, and Error(resource) if the file cannot be written.
void add_measurements(const Path& path, const std::vector<Measurement>& measured);

Json to_json(const std::vector<Measurement>& measured);
std::string to_text(const std::vector<Measurement>& measured);

}  // namespace stagedtrain::plan
