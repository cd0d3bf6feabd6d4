// What carries bytes between ranks, behind two small interfaces; c10d.cc implements both.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dist/place.h"

namespace stagedtrain::dist {

// A table of texts that all ranks see. Every call throws Error(peer) where the store has gone.
// For one thread.
class Store {
 public:
  virtual ~Store() = default;
  virtual void set(const std::string& key, const std::string& text) = 0;
  // Sets it if nobody has yet. Returns what it is now.
  virtual std::string set_once(const std::string& key, const std::string& text) = 0;
  virtual std::optional<std::string> get(const std::string& key) = 0;
  virtual std::int64_t add(const std::string& key, std::int64_t number) = 0;
  // Another connection to the same table, for another thread.
  virtual std::unique_ptr<Store> another() = 0;
};

// Rank 0 makes the store, unless the launcher keeps one; the others wait for it as long as seconds
// says. Throws Error(resource) if the port is taken, Error(peer) if nothing answers in time.
std::unique_ptr<Store> connect(const Place& place, double seconds);

// Collective calls: every rank makes the same ones in the same order. Tensors are contiguous, 1-D,
// on this backend's device, and of one type. Each call returns when the result is there (on a GPU:
// is ordered before what the current stream does next), and throws Error(peer) if a rank is lost.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual const char* name() const = 0;
  // Piece r of `in`, which is in_counts[r] long, goes to rank r; `out` is what came, in the order
  // of ranks.
  virtual void all_to_all(at::Tensor out, at::Tensor in, std::vector<std::int64_t> out_counts,
                          std::vector<std::int64_t> in_counts) = 0;
  // `whole` becomes the equal parts of all ranks, in order.
  virtual void all_gather(at::Tensor whole, at::Tensor part) = 0;
  virtual void sum(at::Tensor values) = 0;
  // Rank 0's values everywhere.
  virtual void broadcast(at::Tensor values) = 0;
};

// NCCL for a GPU where LibTorch has it, else Gloo. key: of this group within the store.
std::unique_ptr<Backend> make_backend(const Place& place, at::Device device, const std::string& key,
                                      Store& store);

}  // namespace stagedtrain::dist
