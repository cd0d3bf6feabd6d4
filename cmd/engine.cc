// Opening the LibTorch module with dlopen.
#include "cmd/engine.h"

#include <dlfcn.h>

#include <cstdlib>

#include "base/error.h"

namespace stagedtrain::cmd {
namespace {

constexpr const char* kModule = "libstagedtrain_torch.so";
constexpr const char* kHint =
    "train, eval and grow --verify need LibTorch: scripts/setup.sh installs it, then build again";

std::vector<Path> candidates() {
  if (const char* given = std::getenv("STAGEDTRAIN_MODULE")) return {given};
  std::error_code none;
  const Path folder = std::filesystem::read_symlink("/proc/self/exe", none).parent_path();
  return {folder / kModule, folder / "../lib" / kModule, folder / "../lib/stagedtrain" / kModule};
}

const train::Engine* open_module(const Path& path) {
  void* module = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!module)
    throw resource_error("{}: cannot be loaded: {}", path.string(), ::dlerror()).with_hint(kHint);
  using Entry = const train::Engine* (*)();
  const auto entry = reinterpret_cast<Entry>(::dlsym(module, "stagedtrain_engine"));
  if (!entry)
    throw resource_error("{}: is not a module of stagedtrain", path.string()).with_hint(kHint);
  if (entry()->stamp != train::door_stamp())
    throw resource_error("{}: is of another build than this stagedtrain", path.string())
        .with_hint("build both anew, or remove the older one");
  return entry();
}

const train::Engine* find_module() {
  for (const Path& path : candidates()) {
    std::error_code none;
    if (std::filesystem::exists(path, none)) return open_module(path);
  }
  throw resource_error("{}: not found", candidates().front().string()).with_hint(kHint);
}

}  // namespace

const train::Engine& engine() {
  static const train::Engine* const opened = find_module();
  return *opened;
}

std::vector<CLI::Option*> add_device_options(CLI::App& command, train::DeviceRequest& device) {
  return {
      command.add_option("--device", device.device, "auto, cpu, cuda or cuda:N (default: auto)")
          ->type_name("DEVICE"),
      command
          .add_option("--threads", device.threads,
                      "threads on the CPU (default: OMP_NUM_THREADS, or the cores)")
          ->type_name("N")
          ->check(CLI::Range(1, 4096)),
      command
          .add_option("--kernels", device.kernels,
                      "auto, fused (own code) or reference (LibTorch's) (default: auto)")
          ->type_name("KIND")};
}

}  // namespace stagedtrain::cmd
