// Converts the weights of a mapped checkpoint to a foreign layout and writes them piece by piece.
#include "hub/foreign_weights.h"

#include <algorithm>
#include <cstring>

#include "arch/architectures.h"
#include "base/signals.h"
#include "hub/tensor_layout.h"

namespace stagedtrain::hub {
namespace {

using state::DType;
using state::TensorKind;

constexpr std::size_t kPiece = std::size_t{1} << 23;  // numbers encoded and written at a time

std::uint64_t write_numbers(std::span<const float> numbers, Element element, SequentialOutput& out,
                            std::uint64_t offset) {
  std::uint64_t written = 0;
  std::vector<std::byte> bytes;
  while (!numbers.empty()) {
    const std::span<const float> piece = numbers.first(std::min(kPiece, numbers.size()));
    numbers = numbers.subspan(piece.size());
    if (element == Element::f32) {
      out.write_at(offset + written, std::as_bytes(piece));
      written += piece.size_bytes();
      continue;
    }
    bytes.resize(*encoded_bytes(element, piece.size()));
    encode(element, piece, bytes);
    out.write_at(offset + written, bytes);
    written += bytes.size();
  }
  return written;
}

}  // namespace

ForeignWeights::ForeignWeights(const state::CheckpointReader& from, TensorKind kind,
                               const NameTable& names, const arch::ModelConfig& model)
    : from_(from),
      kind_(kind),
      model_(model),
      table_(arch::param_table(model)),
      mapped_(map_tensors(names, model)) {}

std::vector<float> ForeignWeights::floats(std::size_t own) const {
  const std::span<const std::byte> bytes = from_.view(kind_, own);
  std::vector<float> numbers(static_cast<std::size_t>(table_[own].count()));
  const bool wide = from_.header().dtype == DType::f64;
  decode(wide ? Element::f64 : Element::f32, bytes.first(numbers.size() * (wide ? 8 : 4)), numbers);
  if (table_[own].role == arch::Role::final_norm)
    for (float& number : numbers)
      number = static_cast<float>(number * from_.header().model.logit_scale);
  return numbers;
}

std::uint64_t ForeignWeights::write(const MappedTensor& tensor, Element element,
                                    SequentialOutput& out, std::uint64_t offset) const {
  stop_point("exporting");
  std::uint64_t written = 0;
  if (tensor.layout == Layout::plain) {
    for (const std::size_t own : tensor.own) {
      const bool as_stored = from_.header().dtype == DType::f32 &&
                             table_[own].role != arch::Role::final_norm;
      if (as_stored) {
        const auto* numbers = reinterpret_cast<const float*>(from_.view(kind_, own).data());
        written += write_numbers({numbers, static_cast<std::size_t>(table_[own].count())}, element,
                                 out, offset + written);
      } else {
        written += write_numbers(floats(own), element, out, offset + written);
      }
    }
  } else {
    std::vector<std::vector<float>> parts;
    for (const std::size_t own : tensor.own) parts.push_back(floats(own));
    const std::vector<std::span<const float>> views(parts.begin(), parts.end());
    const Matrix matrix(table_[tensor.own.front()]);
    written = write_numbers(stack_parts(tensor, views, matrix, model_.head_dim), element, out,
                            offset);
  }
  for (const std::size_t own : tensor.own) from_.release(kind_, own);
  return written;
}

}  // namespace stagedtrain::hub
