// Converts the weights of a checkpoint to a foreign layout, block by block.
//
// The threads of an export take blocks of whatever tensor comes next in the file, so that none of
// them waits at the end of a tensor or is started again. Each block is verified, converted and put
// where it is written from before the next one, so that its numbers come from memory only once.
#include "hub/foreign_weights.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "arch/architectures.h"
#include "base/error.h"
#include "base/parallel.h"
#include "base/signals.h"
#include "checkpoint/layout.h"
#include "foreign/tensor_layout.h"

namespace stagedtrain::hub {
namespace {

using state::DType;
using state::kBlockBytes;
using state::TensorKind;

// Blocks that the disk is asked for ahead of the one that is read.
constexpr std::size_t kAhead = 16;

// Encodes numbers, which fill whole blocks of the element, straight into the output's memory,
// except a block that lies across the border of two of its pieces.
void put(std::uint64_t offset, std::span<const float> numbers, Element element, PieceOutput& out) {
  const auto in_block = static_cast<std::size_t>(block_numbers(element));
  const auto size = static_cast<std::uint64_t>(block_bytes(element));
  while (!numbers.empty()) {
    const std::uint64_t blocks = std::max<std::uint64_t>(1, out.contiguous(offset) / size);
    const auto now = numbers.first(std::min<std::uint64_t>(numbers.size(), blocks * in_block));
    const std::size_t bytes = now.size() / in_block * size;
    out.write(offset, bytes, [&](std::span<std::byte> to) { encode(element, now, to); });
    offset += bytes;
    numbers = numbers.subspan(now.size());
  }
}

}  // namespace

// A block of a part of a tensor, or for Layout::transposed the whole tensor.
struct ForeignWeights::Task {
  const PlacedTensor* placed = nullptr;
  std::size_t part = 0;
  std::uint64_t block = 0;
  bool last = false;  // whether it ends the tensor
};

ForeignWeights::ForeignWeights(const state::CheckpointReader& from, TensorKind kind,
                               const NameTable& names, const arch::ModelConfig& model)
    : from_(from),
      kind_(kind),
      model_(model),
      table_(arch::param_table(model)),
      mapped_(map_tensors(names, model)) {}

void ForeignWeights::write(const std::vector<PlacedTensor>& placed, PieceOutput& out) const {
  const std::vector<Task> tasks = tasks_of(placed);
  const auto threads = static_cast<std::int64_t>(std::thread::hardware_concurrency());
  std::atomic<std::size_t> next = 0;
  in_parallel(threads, 1, threads, [&](std::int64_t, std::int64_t) {
    std::vector<float> buffer;
    try {
      for (std::size_t i; (i = next++) < tasks.size();) {
        stop_point("exporting");
        if (i + kAhead < tasks.size()) {
          const Task& ahead = tasks[i + kAhead];
          from_.prefetch_block(kind_, ahead.placed->tensor->own[ahead.part], ahead.block);
        }
        write_task(tasks[i], buffer, out);
      }
    } catch (...) {
      next = tasks.size();
      throw;
    }
  });
}

std::vector<ForeignWeights::Task> ForeignWeights::tasks_of(
    const std::vector<PlacedTensor>& placed) const {
  std::vector<Task> tasks;
  for (const PlacedTensor& each : placed) {
    const bool whole = each.tensor->layout == Layout::transposed;
    for (std::size_t part = 0; part < (whole ? 1 : each.tensor->own.size()); ++part) {
      const auto count = static_cast<std::uint64_t>(table_[each.tensor->own[part]].count());
      std::uint64_t block = 0;
      do tasks.push_back({&each, part, block});
      while (!whole && first_number(++block) < count);
    }
    tasks.back().last = true;
  }
  return tasks;
}

void ForeignWeights::write_task(const Task& task, std::vector<float>& buffer,
                                PieceOutput& out) const {
  const PlacedTensor& placed = *task.placed;
  if (placed.tensor->layout == Layout::transposed) {
    write_transposed(placed, buffer, out);
  } else {
    write_block(placed, task.part, task.block, buffer, out);
  }
  if (!task.last) return;
  std::uint64_t numbers = 0;
  for (const std::size_t own : placed.tensor->own)
    numbers += static_cast<std::uint64_t>(table_[own].count());
  out.write_zeros(placed.offset + *encoded_bytes(placed.element, numbers), placed.end);
}

std::uint64_t ForeignWeights::first_number(std::uint64_t block) const {
  return block * kBlockBytes / dtype_size(from_.header().dtype);
}

std::span<const float> ForeignWeights::read_numbers(std::size_t own, std::uint64_t block,
                                                    std::vector<float>& buffer) const {
  const std::span<const std::byte> bytes = from_.view_block(kind_, own, block);
  const auto wanted = static_cast<std::uint64_t>(table_[own].count()) - first_number(block);
  const bool wide = from_.header().dtype == DType::f64;
  const bool scaled = table_[own].role == arch::Role::final_norm;
  const std::size_t count = std::min<std::uint64_t>(wanted, bytes.size() / (wide ? 8 : 4));
  if (!wide && !scaled) return {reinterpret_cast<const float*>(bytes.data()), count};
  buffer.resize(count);
  decode(wide ? Element::f64 : Element::f32, bytes.first(count * (wide ? 8 : 4)), buffer);
  if (scaled)
    for (float& number : buffer)
      number = static_cast<float>(number * from_.header().model.logit_scale);
  return buffer;
}

void ForeignWeights::write_block(const PlacedTensor& placed, std::size_t part, std::uint64_t block,
                                 std::vector<float>& buffer, PieceOutput& out) const {
  const MappedTensor& tensor = *placed.tensor;
  const std::size_t own = tensor.own[part];
  const Matrix matrix(table_[own]);
  // Rows of a plain layout stay together, so a block is one run of numbers.
  const auto count = static_cast<std::uint64_t>(table_[own].count());
  const bool plain = tensor.layout == Layout::plain;
  const auto row_length = plain ? count : static_cast<std::uint64_t>(matrix.columns);
  std::uint64_t number = first_number(block);
  std::span<const float> numbers = read_numbers(own, block, buffer);
  while (!numbers.empty()) {
    const std::uint64_t row = number / row_length, column = number % row_length;
    const auto run = numbers.first(std::min<std::uint64_t>(numbers.size(), row_length - column));
    const std::uint64_t to =
        plain ? part
              : static_cast<std::uint64_t>(foreign_row(tensor, static_cast<std::int64_t>(row), part,
                                                       matrix, model_.head_dim));
    put(placed.offset + *encoded_bytes(placed.element, to * row_length + column), run,
        placed.element, out);
    numbers = numbers.subspan(run.size());
    number += run.size();
  }
  from_.release_block(kind_, own, block);
}

void ForeignWeights::write_transposed(const PlacedTensor& placed, std::vector<float>& buffer,
                                      PieceOutput& out) const {
  const std::lock_guard lock(transposing_);
  const MappedTensor& tensor = *placed.tensor;
  const Matrix matrix(table_[tensor.own.front()]);
  const auto size = static_cast<std::size_t>(matrix.rows * matrix.columns);
  std::vector<float> all(size * tensor.own.size());
  for (std::size_t part = 0; part < tensor.own.size(); ++part) {
    const std::size_t own = tensor.own[part];
    for (std::uint64_t block = 0, first = 0; first < size; first = first_number(++block)) {
      transpose_into(read_numbers(own, block, buffer), first, part, tensor, matrix, all);
      from_.release_block(kind_, own, block);
    }
  }
  put(placed.offset, all, placed.element, out);
}

}  // namespace stagedtrain::hub
