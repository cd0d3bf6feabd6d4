// Times saving a state against raw writing past the page cache, and against cp and fsync:
// checkpoint_bench [GIGABYTES [ROUNDS [FOLDER]]]. Save and raw writing take turns, each first in
// every other round; the rest is measured once.
#include "base/error.h"
#include "bench/disk_support.h"

using namespace stagedtrain;

namespace {

struct Files {
  explicit Files(const Path& folder)
      : saved(folder / "bench-saved.h5"), raw(folder / "bench-raw"), copy(folder / "bench-copy") {}
  ~Files() { clear(); }
  void clear() const {
    std::error_code none;
    for (const Path& path : {saved, raw, copy}) std::filesystem::remove(path, none);
  }
  Path saved, raw, copy;
};

void print(const char* what, double bytes, double seconds) {
  std::printf("%-34s %8.2f s %8.2f GB/s\n", what, seconds, bytes / seconds * 1e-9);
}

double smallest(const std::vector<double>& values) {
  return *std::min_element(values.begin(), values.end());
}

void measure(double gigabytes, int rounds, const Path& folder) {
  const state::TrainingState state = bench::noisy_state(bench::model_of_bytes(gigabytes * 1e9));
  const Files files(folder);
  state::save(files.saved, state);
  const std::uint64_t bytes = std::filesystem::file_size(files.saved);
  const auto size = static_cast<double>(bytes);
  const bench::Noise noise(bytes), little(16 << 20);
  std::vector<double> saves, raws, shares;
  for (int round = 0; round < rounds; ++round) {
    files.clear();
    const auto save = [&] {
      saves.push_back(bench::seconds_of([&] { state::save(files.saved, state); }));
    };
    if (round % 2 == 0) save();
    raws.push_back(bench::seconds_of([&] { bench::write_raw(files.raw, bytes, noise); }));
    if (round % 2 == 1) save();
    shares.push_back(100 * raws.back() / saves.back());
  }
  std::printf("state of %.2f GB, %d rounds, medians\n", size * 1e-9, rounds);
  print("save", size, bench::median(saves));
  print("raw O_DIRECT + fsync", size, bench::median(raws));
  std::printf("save reaches %.0f%% of raw (aim: 80%%); fastest of each %.2f and %.2f s, %.0f%%\n",
              bench::median(shares), smallest(saves), smallest(raws),
              100 * smallest(raws) / smallest(saves));
  files.clear();
  print("raw, the same 16 MiB over and over", size,
        bench::seconds_of([&] { bench::write_raw(files.raw, bytes, little); }));
  state::save(files.saved, state);
  print("reading back the whole, once", size,
        bench::seconds_of([&] { bench::read_back(files.saved); }));
  bench::forget(files.saved);
  print("cp + fsync (cold), once", size, bench::copy_and_sync(files.saved, files.copy));
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
