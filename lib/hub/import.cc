// Imports a foreign model, tensor by tensor, from mapped files into a checkpoint.
#include "hub/import.h"

#include <algorithm>
#include <map>

#include "arch/architectures.h"
#include "base/error.h"
#include "base/signals.h"
#include "checkpoint/checkpoint.h"
#include "foreign/tensor_layout.h"
#include "state/finite.h"
#include "text/printable.h"

namespace stagedtrain::hub {
namespace {

using state::DType;
using state::HostTensor;
using state::TensorKind;

// Where a tensor of the parameter table comes from.
struct Origin {
  std::size_t mapped = 0, part = 0;
};

std::vector<Origin> origins(const std::vector<MappedTensor>& mapped, std::size_t count) {
  std::vector<Origin> found(count);
  for (std::size_t m = 0; m < mapped.size(); ++m)
    for (std::size_t part = 0; part < mapped[m].own.size(); ++part)
      found[mapped[m].own[part]] = {m, part};
  return found;
}

HostTensor widened(const HostTensor& tensor) {
  HostTensor wide(DType::f64, tensor.shape());
  std::ranges::copy(tensor.as<float>(), wide.as<double>().begin());
  return wide;
}

void write_weights(const ForeignModel& source, const arch::ParamTable& table, DType dtype,
                   state::CheckpointWriter& writer) {
  const std::vector<MappedTensor> mapped = map_tensors(*source.names, source.model);
  const std::vector<Origin> from = origins(mapped, table.size());
  for (std::size_t i = 0; i < table.size(); ++i) {
    stop_point("importing");
    const MappedTensor& map = mapped[from[i].mapped];
    const StoredTensor& stored = source.tensors.at(map.name);
    HostTensor tensor(DType::f32, table[i].shape());
    read_part(stored, map, from[i].part, Matrix(table[i]), source.model.head_dim,
              tensor.as<float>());
    if (!state::all_finite(tensor.bytes(), DType::f32))
      throw input_error("{}: tensor {} holds a NaN or an infinity, expected finite numbers",
                        source.tensors.where(), printable(map.name));
    if (dtype == DType::f64) tensor = widened(tensor);
    if (from[i].part + 1 == map.own.size()) source.tensors.release(stored);
    writer.write(TensorKind::weights, i, std::move(tensor));
  }
}

// All moments share one zeroed tensor whose pages are never touched, so they take no memory.
void write_moments(const arch::ParamTable& table, DType dtype, state::CheckpointWriter& writer) {
  std::int64_t most = 0;
  for (const arch::ParamSpec& spec : table) most = std::max(most, spec.count());
  const auto zeros = std::make_shared<const HostTensor>(dtype, std::vector<std::int64_t>{most});
  for (const TensorKind kind : {TensorKind::exp_avg, TensorKind::exp_avg_sq})
    for (std::size_t i = 0; i < table.size(); ++i) {
      stop_point("importing");
      const std::size_t bytes = static_cast<std::size_t>(table[i].count()) * dtype_size(dtype);
      writer.write(kind, i, zeros->bytes().first(bytes), zeros);
    }
}

}  // namespace

void import_model(const ForeignModel& source, const Path& target, Replace replace, DType dtype) {
  const arch::ParamTable table = arch::param_table(source.model);
  state::StateHeader header;
  header.model = source.model;
  header.dtype = dtype;
  header.histories.resize(table.size());
  header.run.tokenizer = source.tokenizer;
  state::CheckpointWriter writer(target, header, replace);
  write_weights(source, table, dtype, writer);
  write_moments(table, dtype, writer);
  writer.commit();
}

}  // namespace stagedtrain::hub
