// What training costs on real machines, measured: seconds for a token and memory, kept in a file
// that later plans read. `plan --measure` and the end of every run of `train` write it.
//
// A plan asks so:
//   const Measurements known = read_measurements(measurements_file(given));
//   if (const Measurement* m = known.find(measurement_key(run_plan, stage))) ...
//   m->seconds_per_token
// For another machine than this one set key.device (device_name says how one is called); an empty
// device or 0 threads mean any, and the newest measurement is the answer.
#pragma once

#include <string>
#include <vector>

#include "plan/run_plan.h"

namespace stagedtrain::plan {

// What the cost of a token depends on.
struct MeasurementKey {
  arch::ModelConfig model;
  double micro = 0;                      // sequences in one pass
  double sequences = 0;                  // in one optimizer step
  std::string precision;                 // fp32, bf16 or fp64
  std::string device;                    // as device_name() says it; empty: any
  double threads = 0;                    // on the CPU; 0: any
  std::optional<std::string> recompute;  // norms or blocks; none where it is missing
  std::optional<std::string> optimizer;  // adamw where it is missing
};

struct Measurement {
  MeasurementKey key;
  std::string kernels;           // reference or fused
  double seconds_per_token = 0;  // median over the steps, whole optimizer steps
  double peak_bytes = 0;         // of the process or of the GPU; NaN: not known
  double steps = 0;              // that the median is of
  std::string time, source;      // when, UTC; by "plan --measure" or by which run
};

class Measurements {
 public:
  // The newest one that fits, or null; it lives until the next put.
  const Measurement* find(const MeasurementKey& key) const;
  // Replaces an earlier one of the same key, of which it keeps a memory that it does not know
  // itself.
  void put(Measurement measurement);
  const std::vector<Measurement>& all() const { return all_; }  // oldest first

 private:
  std::vector<Measurement> all_;
};

// Of a stage, on any device with any threads.
MeasurementKey measurement_key(const RunPlan& plan, const StagePlan& stage);

// The hardware's own name: "cpu", "cuda:0" -> "Intel(R) Xeon(R) ...", "NVIDIA H100 80GB HBM3".
// Where the system does not tell, the word itself. GPUs are taken in the order of their bus.
std::string device_name(const std::string& device);

// UTC, as "2026-11-25T18:42:40Z".
std::string time_now();

// given, or else $XDG_CACHE_HOME/stagedtrain/NAME, ~/.cache/stagedtrain/NAME; empty without a HOME.
Path cache_file(const std::string& given, const char* name);
inline Path measurements_file(const std::string& given) {
  return cache_file(given, "measurements.json");
}

// None for an empty path and for a file that is not there. Throws Error(input) for a bad one.
Measurements read_measurements(const Path& path);
// Reads the file anew, puts these into it and writes it whole; makes its folder. Of two programs
// that do so in the same moment, one may be lost.
void add_measurements(const Path& path, const std::vector<Measurement>& measured);

Json to_json(const std::vector<Measurement>& measured);
std::string to_text(const std::vector<Measurement>& measured);

}  // namespace stagedtrain::plan
