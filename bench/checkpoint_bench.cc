// Times saving a state against raw writing past the page cache, and against cp and fsync:
// checkpoint_bench [GIGABYTES [ROUNDS [FOLDER]]]. They take turns; medians of the rounds.
#include "base/error.h"
#include "bench/disk_support.h"

using namespace stagedtrain;

namespace {

struct Times {
  std::vector<double> save, raw, copy;
};

void print(const char* what, double bytes, double seconds, double save) {
  std::printf("%-22s %8.2f s %8.2f GB/s", what, seconds, bytes / seconds * 1e-9);
  if (save > 0) std::printf("   save reaches %3.0f%%", 100 * seconds / save);
  std::printf("\n");
}

void measure(double gigabytes, int rounds, const Path& folder) {
  const state::TrainingState state = bench::noisy_state(bench::model_of_bytes(gigabytes * 1e9));
  const Path saved = folder / "bench-saved.h5", raw = folder / "bench-raw",
             copy = folder / "bench-copy";
  Times times;
  double bytes = 0;
  for (int round = 0; round < rounds; ++round) {
    for (const Path& path : {saved, raw, copy}) std::filesystem::remove(path);
    times.save.push_back(bench::seconds_of([&] { state::save(saved, state); }));
    bytes = static_cast<double>(std::filesystem::file_size(saved));
    times.raw.push_back(
        bench::seconds_of([&] { bench::write_raw(raw, static_cast<std::uint64_t>(bytes)); }));
    bench::forget(saved);
    times.copy.push_back(bench::copy_and_sync(saved, copy));
  }
  for (const Path& path : {saved, raw, copy}) std::filesystem::remove(path);
  const double save = bench::median(times.save);
  std::printf("state of %.2f GB, %d rounds\n", bytes * 1e-9, rounds);
  print("save", bytes, save, 0);
  print("raw O_DIRECT + fsync", bytes, bench::median(times.raw), save);
  print("cp + fsync (cold)", bytes, bench::median(times.copy), save);
}

}  // namespace

int main(int argc, char** argv) try {
  const double gigabytes = argc > 1 ? std::atof(argv[1]) : 2;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  if (gigabytes <= 0 || rounds < 1) {
    std::fprintf(stderr, "usage: checkpoint_bench [GIGABYTES [ROUNDS [FOLDER]]]\n");
    return 2;
  }
  measure(gigabytes, rounds, argc > 3 ? argv[3] : ".");
} catch (const Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return error.exit_code();
}
