// Implements store and backends with c10d, LibTorch's communication library. Only this file
// includes c10d, whose signatures change between releases.
#define USE_C10D_GLOO
#include <ATen/ATen.h>
#include <c10/util/Logging.h>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#if defined(STAGEDTRAIN_NCCL)
#define USE_C10D_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

#include <chrono>
#include <cstdlib>

#include "base/error.h"
#include "dist/backend.h"

namespace stagedtrain::dist {
namespace {

using Milliseconds = std::chrono::milliseconds;
using C10dStore = c10::intrusive_ptr<c10d::Store>;

// The watch finds lost ranks by their heartbeats long before this (watch.h).
constexpr std::chrono::hours kCollectiveTimeout{24};

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// Runs f and turns LibTorch's exceptions into Error(peer).
template <class F>
auto as_peer_error(const char* what, F f) {
  try {
    return f();
  } catch (const Error&) {
    throw;
  } catch (const c10::Error& error) {
    throw make_error(ErrorKind::peer, "{}: {}", what, first_line(error.what_without_backtrace()));
  } catch (const std::exception& error) {  // thrown by Gloo itself
    throw make_error(ErrorKind::peer, "{}: {}", what, first_line(error.what()));
  }
}

class StoreOfC10d : public Store {
 public:
  explicit StoreOfC10d(C10dStore store) : store_(std::move(store)) {}

  void set(const std::string& key, const std::string& text) override {
    as_peer_error("store", [&] { store_->set(key, text); });
  }
  std::string set_once(const std::string& key, const std::string& text) override {
    return as_peer_error("store", [&] { return store_->compareSet(key, std::string(), text); });
  }
  std::optional<std::string> get(const std::string& key) override {
    return as_peer_error("store", [&]() -> std::optional<std::string> {
      if (!store_->check({key})) return {};
      return store_->get_to_str(key);
    });
  }
  std::int64_t add(const std::string& key, std::int64_t number) override {
    return as_peer_error("store", [&] { return store_->add(key, number); });
  }
  std::unique_ptr<Store> another() override {
    return as_peer_error("store", [&] { return std::make_unique<StoreOfC10d>(store_->clone()); });
  }
  const C10dStore& c10d() const { return store_; }

 private:
  C10dStore store_;
};

// Gloo exchanges host memory only, so GPU tensors are copied to the host and back.
class Gloo : public Backend {
 public:
  Gloo(const Place& place, const C10dStore& store) {
    const auto options = c10d::ProcessGroupGloo::Options::create(kCollectiveTimeout);
    options->devices.push_back(device_of(place));
    group_ = c10::make_intrusive<c10d::ProcessGroupGloo>(store, place.rank, place.size, options);
  }

  const char* name() const override { return "gloo"; }

  void all_to_all(at::Tensor out, at::Tensor in, std::vector<std::int64_t> out_counts,
                  std::vector<std::int64_t> in_counts) override {
    at::Tensor there = on_host(out), here = on_host(in);
    as_peer_error("all-to-all",
                  [&] { group_->alltoall_base(there, here, out_counts, in_counts)->wait(); });
    bring_back(out, there);
  }
  void all_gather(at::Tensor whole, at::Tensor part) override {
    at::Tensor there = on_host(whole), here = on_host(part);
    as_peer_error("all-gather", [&] { group_->_allgather_base(there, here)->wait(); });
    bring_back(whole, there);
  }
  void sum(at::Tensor values) override {
    std::vector<at::Tensor> there{on_host(values)};
    as_peer_error("all-reduce", [&] { group_->allreduce(there)->wait(); });
    bring_back(values, there[0]);
  }
  void broadcast(at::Tensor values) override {
    std::vector<at::Tensor> there{on_host(values)};
    as_peer_error("broadcast", [&] { group_->broadcast(there)->wait(); });
    bring_back(values, there[0]);
  }

 private:
  static std::shared_ptr<::gloo::transport::Device> device_of(const Place& place) {
    if (const char* interface = std::getenv("GLOO_SOCKET_IFNAME"))
      return c10d::ProcessGroupGloo::createDeviceForInterface(interface);
    if (place.local_size == place.size)
      return c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1");
    return c10d::ProcessGroupGloo::createDefaultDevice();
  }
  static at::Tensor on_host(const at::Tensor& tensor) { return tensor.to(at::kCPU); }
  static void bring_back(at::Tensor& tensor, const at::Tensor& host) {
    if (!tensor.is_cpu()) tensor.copy_(host);
  }

  c10::intrusive_ptr<c10d::ProcessGroupGloo> group_;
};

#if defined(STAGEDTRAIN_NCCL)
class Nccl : public Backend {
 public:
  Nccl(const Place& place, const C10dStore& store)
      : group_(c10::make_intrusive<c10d::ProcessGroupNCCL>(store, place.rank, place.size)) {}

  const char* name() const override { return "nccl"; }

  void all_to_all(at::Tensor out, at::Tensor in, std::vector<std::int64_t> out_counts,
                  std::vector<std::int64_t> in_counts) override {
    as_peer_error("all-to-all",
                  [&] { group_->alltoall_base(out, in, out_counts, in_counts)->wait(); });
  }
  void all_gather(at::Tensor whole, at::Tensor part) override {
    as_peer_error("all-gather", [&] { group_->_allgather_base(whole, part)->wait(); });
  }
  void sum(at::Tensor values) override {
    std::vector<at::Tensor> all{values};
    as_peer_error("all-reduce", [&] { group_->allreduce(all)->wait(); });
  }
  void broadcast(at::Tensor values) override {
    std::vector<at::Tensor> all{values};
    as_peer_error("broadcast", [&] { group_->broadcast(all)->wait(); });
  }

 private:
  c10::intrusive_ptr<c10d::ProcessGroupNCCL> group_;
};
#endif

c10d::TCPStoreOptions options_of(const Place& place, double seconds) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<std::uint16_t>(place.port);
  options.isServer = place.rank == 0 && !place.others_store;
  // Ranks::meet waits instead, since it can name those that are missing
  options.waitWorkers = false;
  options.timeout = Milliseconds(static_cast<std::int64_t>(seconds * 1000));
  if (options.isServer && place.listening >= 0) options.masterListenFd = place.listening;
  return options;
}

[[noreturn]] void refuse_to_meet(const Place& place, double seconds, const std::string& what) {
  if (what.find("EADDRINUSE") != std::string::npos ||
      what.find("address already in use") != std::string::npos)
    throw resource_error("rank 0: port {} of this host is in use by another program (MASTER_PORT)",
                         place.port)
        .with_hint("set MASTER_PORT to a free port, the same for all ranks");
  throw make_error(ErrorKind::peer,
                   "rank {}: waited {:.3g} s for rank 0 at {}:{} (MASTER_ADDR, MASTER_PORT), and "
                   "nothing answered: {}",
                   place.rank, seconds, place.address, place.port, what)
      .with_hint(
          "check that rank 0 was started, that the address is its host's, and that no firewall "
          "blocks the port; --join-timeout sets how long to wait");
}

}  // namespace

std::unique_ptr<Store> connect(const Place& place, double seconds) {
  // Reads TORCH_CPP_LOG_LEVEL, which only Python's start reads otherwise. Without it, c10d prints a
  // stack trace for every connection that a lost rank leaves.
  c10::initLogging();
  try {
    const C10dStore store =
        c10::make_intrusive<c10d::TCPStore>(place.address, options_of(place, seconds));
    return std::make_unique<StoreOfC10d>(
        c10::make_intrusive<c10d::PrefixStore>("stagedtrain/" + place.attempt, store));
  } catch (const std::exception& error) {
    const auto* own = dynamic_cast<const c10::Error*>(&error);
    refuse_to_meet(place, seconds, first_line(own ? own->what_without_backtrace() : error.what()));
  }
}

std::unique_ptr<Backend> make_backend(const Place& place, at::Device device, const std::string& key,
                                      Store& store) {
  const C10dStore inner =
      c10::make_intrusive<c10d::PrefixStore>(key, dynamic_cast<StoreOfC10d&>(store).c10d());
  return as_peer_error("connecting all ranks", [&]() -> std::unique_ptr<Backend> {
#if defined(STAGEDTRAIN_NCCL)
    if (device.is_cuda()) return std::make_unique<Nccl>(place, inner);
#else
    static_cast<void>(device);
#endif
    return std::make_unique<Gloo>(place, inner);
  });
}

}  // namespace stagedtrain::dist
