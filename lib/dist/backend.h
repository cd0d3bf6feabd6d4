// Declares the two interfaces through which ranks exchange data. c10d.cc implements both.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dist/place.h"

namespace stagedtrain::dist {

// A key-value store of strings that all ranks share. Every call throws Error(peer) if the store is
// gone. Each object is for one thread.
class Store {
 public:
  virtual ~Store() = default;
  virtual void set(const std::string& key, const std::string& text) = 0;
  // Sets the key if it has no value yet. Returns its value after the call.
  virtual std::string set_once(const std::string& key, const std::string& text) = 0;
  virtual std::optional<std::string> get(const std::string& key) = 0;
  virtual std::int64_t add(const std::string& key, std::int64_t number) = 0;
  // Opens another connection to the same store, for another thread.
  virtual std::unique_ptr<Store> another() = 0;
};

// Connects to the store. Rank 0 creates it unless the launcher keeps one, and the others wait for
// it for at most this many seconds. Throws Error(resource) if the port is taken, and Error(peer) if
// nothing answers in time.
std::unique_ptr<Store> connect(const Place& place, double seconds);

// Collective calls: every rank makes the same ones in the same order. Tensors are contiguous, 1-D,
// on this backend's device, and of one type. Each call returns when its result is ready (on a GPU:
// when it is ordered before later work on the current stream), and throws Error(peer) if a rank is
// lost.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual const char* name() const = 0;
  // Sends piece r of `in`, which has in_counts[r] elements, to rank r. `out` receives the pieces
  // for this rank, out_counts[r] elements from rank r, in the order of ranks.
  virtual void all_to_all(at::Tensor out, at::Tensor in, std::vector<std::int64_t> out_counts,
                          std::vector<std::int64_t> in_counts) = 0;
  // `whole` receives the equally large parts of all ranks, in their order.
  virtual void all_gather(at::Tensor whole, at::Tensor part) = 0;
  virtual void sum(at::Tensor values) = 0;
  // Copies rank 0's values to all ranks.
  virtual void broadcast(at::Tensor values) = 0;
};

// Returns NCCL for a GPU if LibTorch has it, else Gloo. key separates this group's entries in the
// store from those of others.
std::unique_ptr<Backend> make_backend(const Place& place, at::Device device, const std::string& key,
                                      Store& store);

}  // namespace stagedtrain::dist
