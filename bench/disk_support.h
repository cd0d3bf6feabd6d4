// What the benchmarks of the disk share: raw writing, cp, cold caches, children and their memory.
#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "arch/architectures.h"
#include "base/crc32c.h"
#include "base/parallel.h"
#include "checkpoint/checkpoint.h"
#include "io/direct_input.h"
#include "io/file.h"
#include "io/memory_advice.h"
#include "io/stream_output.h"
#include "text/text.h"

namespace stagedtrain::bench {

inline double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

inline void sync_file(const Path& path) { OutputFile(path, OutputFile::Mode::existing).sync(); }

// The next reader finds nothing of this file in memory.
inline void forget(const Path& path) {
  sync_file(path);
  const OutputFile file(path, OutputFile::Mode::existing);
  ::posix_fadvise(file.descriptor(), 0, 0, POSIX_FADV_DONTNEED);
}

// Numbers of no meaning, cheap to make; no two pages alike.
inline void fill_with_noise(std::span<float> values, std::uint64_t seed) {
  std::uint64_t x = seed * 2 + 1;
  for (float& value : values) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    value = static_cast<float>(x >> 40) * 0x1.0p-24f;
  }
}

// Huge pages of noise.
struct Noise {
  explicit Noise(std::uint64_t bytes)
      : size(bytes / kHugePage * kHugePage),
        memory(static_cast<std::byte*>(std::aligned_alloc(kHugePage, size))) {
    prefer_huge_pages(memory, size);
    fill_with_noise({reinterpret_cast<float*>(memory), size / sizeof(float)}, 1);
  }
  ~Noise() { std::free(memory); }
  Noise(const Noise&) = delete;
  std::uint64_t size;
  std::byte* memory;
};

// As fast as this disk takes bytes: by as many threads and in pieces as large as a save's, past the
// page cache, synced. The bytes are those of the noise, over and over where it is short.
inline void write_raw(const Path& path, std::uint64_t bytes, const Noise& noise) {
  constexpr std::uint64_t kPiece = StreamOutput::kPiece;
  { OutputFile(path, OutputFile::Mode::truncate).allocate(bytes); }
  const int fd = ::open(path.c_str(), O_WRONLY | O_DIRECT);
  if (fd < 0) throw resource_error("{}: no direct writing here", path.string());
  std::atomic<std::uint64_t> next{0};
  const auto work = [&] {
    for (std::uint64_t i; (i = next.fetch_add(kPiece)) + kPiece <= bytes;)
      if (::pwrite(fd, noise.memory + i % (noise.size / kPiece * kPiece), kPiece,
                   static_cast<off_t>(i)) != static_cast<ssize_t>(kPiece))
        break;
  };
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < StreamOutput::kThreads; ++i) threads.emplace_back(work);
  }
  ::close(fd);
  sync_file(path);
}

// Reads the whole file past the page cache and takes its checksums; four threads.
inline void read_back(const Path& path) {
  constexpr std::int64_t kPiece = 4 << 20;
  const DirectInput input(path);
  const auto bytes = static_cast<std::int64_t>(std::filesystem::file_size(path));
  in_parallel(bytes, kPiece, 4, [&](std::int64_t begin, std::int64_t end) {
    thread_local DirectInput::Buffer buffer(kPiece);
    const auto size = static_cast<std::size_t>(end - begin);
    static std::atomic<std::uint32_t> unused;
    unused += crc32c(input.read(static_cast<std::uint64_t>(begin), size, buffer));
  });
}

struct Child {
  double seconds = 0, peak_mib = 0;
};
// Runs a program to its end, its output unseen. Throws if that is a bad one. Its peak is at least
// what this process holds in memory when it starts the child, since the system counts from the fork
// on.
inline Child run_child(const std::vector<std::string>& words) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  Child child;
  rusage used{};
  int status = -1;
  child.seconds = seconds_of([&] {
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);
      ::execvp(arguments[0], arguments.data());
      ::_exit(127);
    }
    ::wait4(pid, &status, 0, &used);
  });
  if (status != 0) throw resource_error("{} ended badly ({})", join(words, " "), status);
  child.peak_mib = static_cast<double>(used.ru_maxrss) / 1024;
  return child;
}

inline double copy_and_sync(const Path& from, const Path& to) {
  return seconds_of([&] {
    run_child({"cp", from.string(), to.string()});
    sync_file(to);
  });
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// A GPT-2 whose state takes about so many bytes: 24 layers, as wide as it must be.
inline arch::ModelConfig model_of_bytes(double bytes) {
  arch::ModelConfig model;
  model.layers = 24;
  model.vocab = 32768;
  model.context = 1024;
  model.heads = 8;
  for (model.width = 64;; model.width += 64) {
    const arch::ModelConfig whole = arch::resolved(model);
    if (static_cast<double>(state::checkpoint_bytes(whole)) >= bytes) return whole;
  }
}

inline state::HostTensor noise(const arch::ParamSpec& spec, std::uint64_t seed) {
  state::HostTensor tensor(state::DType::f32, spec.shape());
  fill_with_noise(tensor.as<float>(), seed);
  return tensor;
}

// A checkpoint of noise, made one tensor at a time.
inline void save_noise(const Path& path, const arch::ModelConfig& model) {
  const arch::ParamTable table = arch::param_table(model);
  state::StateHeader header;
  header.model = model;
  header.histories.resize(table.size());
  state::CheckpointWriter writer(path, header);
  std::uint64_t seed = 0;
  for (const state::TensorKind kind : state::kTensorKinds)
    for (std::size_t i = 0; i < table.size(); ++i) writer.write(kind, i, noise(table[i], ++seed));
  writer.commit();
}

inline state::TrainingState noisy_state(const arch::ModelConfig& model) {
  state::TrainingState state;
  state.model = model;
  std::uint64_t seed = 0;
  for (const state::TensorKind kind : state::kTensorKinds)
    for (const arch::ParamSpec& spec : arch::param_table(model)) {
      state.of(kind).push_back(noise(spec, ++seed));
      if (kind == state::TensorKind::weights) state.histories.emplace_back();
    }
  return state;
}

}  // namespace stagedtrain::bench
