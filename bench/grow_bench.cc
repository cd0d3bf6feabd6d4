// Times `stagedtrain grow` against cp and fsync of as many bytes, both from a cold cache:
// grow_bench PROGRAM [GIGABYTES [ROUNDS [FOLDER]]]. GIGABYTES: of what is written. They take turns.
#include "base/error.h"
#include "bench/disk_support.h"

using namespace stagedtrain;

namespace {

struct Growth {
  const char* name;
  double share;  // of the source's bytes in the target's
  std::vector<std::string> options;
};

void measure(const std::string& program, const Growth& growth, double bytes, int rounds,
             const Path& folder) {
  const Path small = folder / "bench-small.h5", large = folder / "bench-large.h5",
             copy = folder / "bench-copy.h5";
  const arch::ModelConfig model = bench::model_of_bytes(growth.share * bytes);
  bench::save_noise(small, model);
  std::vector<std::string> command = {program, "grow", small.string(), large.string(), "--force"};
  command.insert(command.end(), growth.options.begin(), growth.options.end());
  std::vector<double> grow, cp, ratios;
  double peak = 0;
  for (int round = 0; round < rounds; ++round) {
    for (const Path& path : {large, copy}) std::filesystem::remove(path);
    bench::forget(small);
    const bench::Child child = bench::run_child(command);
    peak = std::max(peak, child.peak_mib);
    bench::forget(large);
    grow.push_back(child.seconds);
    cp.push_back(bench::copy_and_sync(large, copy));
    ratios.push_back(cp.back() / grow.back());
  }
  const auto written = static_cast<double>(std::filesystem::file_size(large));
  std::uint64_t largest = 0;
  for (const arch::ParamSpec& spec :
       arch::param_table(state::CheckpointReader(large).header().model))
    largest = std::max<std::uint64_t>(largest, 4 * static_cast<std::uint64_t>(spec.count()));
  std::printf(
      "%-22s %6.2f GB  grow %6.2f s  cp + fsync %6.2f s  speed %5.2f x cp  peak %5.0f MiB "
      "(largest tensor %.0f MiB)\n",
      growth.name, written * 1e-9, bench::median(grow), bench::median(cp), bench::median(ratios),
      peak, static_cast<double>(largest) / (1 << 20));
  for (const Path& path : {small, large, copy}) std::filesystem::remove(path);
}

}  // namespace

int main(int argc, char** argv) try {
  const double gigabytes = argc > 2 ? std::atof(argv[2]) : 4;
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 3;
  if (argc < 2 || gigabytes <= 0 || rounds < 1) {
    std::fprintf(stderr, "usage: grow_bench PROGRAM [GIGABYTES [ROUNDS [FOLDER]]]\n");
    return 2;
  }
  const Growth growths[] = {
      {"width 2x", 0.25, {"--operator", "width"}},
      {"depth 24 to 48", 0.52, {"--operator", "depth", "--layers", "48"}},
  };
  for (const Growth& growth : growths)
    measure(argv[1], growth, gigabytes * 1e9, rounds, argc > 4 ? argv[4] : ".");
} catch (const Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return error.exit_code();
}
