// Opens the LibTorch module with dlopen.
#include "cmd/engine.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <thread>

#include "base/error.h"
#include "base/signals.h"
#include "text/text.h"

namespace stagedtrain::cmd {
namespace {

constexpr const char* kModule = "libstagedtrain_torch.so";
constexpr const char* kHint =
    "train, eval and grow --verify need LibTorch: run scripts/setup.sh to install it, then build "
    "again";

std::vector<Path> candidates() {
  if (const char* given = std::getenv("STAGEDTRAIN_MODULE")) return {given};
  std::error_code none;
  const Path folder = std::filesystem::read_symlink("/proc/self/exe", none).parent_path();
  return {folder / kModule, folder / "../lib" / kModule, folder / "../lib/stagedtrain" / kModule};
}

// LibTorch allocates while it is being loaded, and no caller can catch what it throws then.
[[noreturn]] void end_for_want_of_memory() {
  say_and_leave({"stagedtrain: out of memory while loading LibTorch\n  it needs about 0.5 GB of "
                 "address space and 0.2 GB of memory (ulimit -v, cgroups)\n"},
                static_cast<int>(ErrorKind::resource));
}

// What the module exports.
struct Module {
  const train::Engine* engine;
  const train::RanksInterface* ranks;
};

Module open_module(const Path& path) {
  const std::terminate_handler before = std::set_terminate(end_for_want_of_memory);
  void* module = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  std::set_terminate(before);
  const std::string why = module ? "" : ::dlerror();
  if (!module && (why.find("cannot allocate memory") != why.npos || why.find("failed to map") != why.npos))
    throw resource_error("{}: cannot be loaded: {}", path.string(), why)
        .with_hint("there is too little memory or address space (ulimit -v) for LibTorch");
  if (!module)
    throw resource_error("{}: cannot be loaded: {}", path.string(), why).with_hint(kHint);
  const auto engine =
      reinterpret_cast<decltype(&stagedtrain_engine)>(::dlsym(module, "stagedtrain_engine"));
  const auto ranks =
      reinterpret_cast<decltype(&stagedtrain_ranks)>(::dlsym(module, "stagedtrain_ranks"));
  if (!engine)
    throw resource_error("{}: is not a module of stagedtrain", path.string()).with_hint(kHint);
  if (!ranks || engine()->stamp != train::interface_stamp())
    throw resource_error("{}: is from a different build than this stagedtrain", path.string())
        .with_hint("build both again, or remove the older one");
  return {engine(), ranks()};
}

// oneMKL ends the process if it cannot determine the current folder.
void require_current_folder() {
  std::error_code error;
  const Path folder = std::filesystem::current_path(error);
  if (error)
    throw resource_error("the current folder cannot be used: {}", error.message())
        .with_hint("it was removed or moved: cd to a folder that exists, and run this again");
}

// Rejects more threads than a few times the number of cores: they only wait for each other, and
// thousands take minutes to start.
std::string check_threads(const std::string& text) {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  const int most = std::max(16, 4 * cores);
  const auto count = parse_count(text);
  if (count && *count >= 1 && *count <= most) return "";
  return fmt::format("found '{}'; expected 1 to {} (this machine has {} cores)", text, most, cores);
}

Module find_module() {
  require_current_folder();

  for (const Path& path : candidates()) {
    std::error_code none;
    if (std::filesystem::exists(path, none)) return open_module(path);
  }
  throw resource_error("{}: not found", candidates().front().string()).with_hint(kHint);
}

// Checks a device's name. Whether the device exists is known only to LibTorch.
std::string known_device(const std::string& name) {
  if (name == "auto" || name == "cpu" || name == "cuda" || name.starts_with("cuda:")) return "";
  const std::string said = lower(name);
  const bool graphics = said.starts_with("gpu") || said.starts_with("nvidia") || said == "cuda";
  return fmt::format("found '{}'; expected auto, cpu, cuda or cuda:N{}", name,
                     graphics ? " (write cuda for the GPU)" : "");
}

const Module& module() {
  static const Module opened = find_module();
  return opened;
}

}  // namespace

const train::Engine& engine() { return *module().engine; }
const train::RanksInterface& ranks_interface() { return *module().ranks; }

std::vector<CLI::Option*> add_device_options(CLI::App& command, train::DeviceRequest& device) {
  return {
      command.add_option("--device", device.device, "auto, cpu, cuda or cuda:N (default: auto)")
          ->type_name("DEVICE")
          ->check(known_device),
      command
          .add_option("--threads", device.threads,
                      "CPU threads (default: OMP_NUM_THREADS, or the number of cores)")
          ->type_name("N")
          ->check(check_threads),
      command
          .add_option("--kernels", device.kernels,
                      "auto, fused (stagedtrain's) or reference (LibTorch's) (default: auto)")
          ->type_name("KIND")};
}

}  // namespace stagedtrain::cmd
