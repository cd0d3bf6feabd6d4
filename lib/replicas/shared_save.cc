// Distributes the tensors of a checkpoint among ranks that write them into one file.
#include "replicas/shared_save.h"

#include <cstring>

#include "checkpoint/layout.h"
#include "state/finite.h"
#include "text/text.h"

namespace stagedtrain::train {
namespace {

using state::TensorKind;

struct TensorId {
  TensorKind kind;
  std::size_t index;
};

std::string text_of(const state::CheckpointFile& file) {
  return fmt::format("{} {} {}", file.metadata_bytes, file.tokenizer_bytes, file.path.string());
}

state::CheckpointFile file_of(const std::string& text) {
  const std::size_t first = text.find(' '), second = text.find(' ', first + 1);
  return {text.substr(second + 1), std::stoull(text.substr(0, first)),
          std::stoull(text.substr(first + 1, second - first - 1))};
}

// One rank's side of a save.
class SharedSave {
 public:
  SharedSave(const Path& path, DeviceState& live, dist::Ranks& ranks)
      : live_(live), ranks_(ranks), written_(static_cast<std::size_t>(ranks.size())) {
    if (ranks.first()) writer_.emplace(path, live.header);
    const std::string file = ranks.from_first(writer_ ? text_of(writer_->file()) : "");
    if (!writer_) open_part(file_of(file));
    std::vector<double> without{writer_ || part_ ? 0.0 : 1.0};
    ranks.sum(without);
    all_write_ = without[0] == 0;
  }

  void run() {
    for (const TensorKind kind : live_.header.kinds())
      for (std::size_t i = 0; i < live_.model->params().table().size(); ++i) move({kind, i});
    const std::vector<std::string> reports = ranks_.gather(report());
    if (!writer_) return;
    for (std::size_t rank = 0; rank < reports.size(); ++rank) adopt(rank, reports[rank]);
    writer_->commit();
  }

 private:
  void open_part(const state::CheckpointFile& file) try {
    part_.emplace(file, live_.header);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::resource) throw;  // another file system: see all_write_
  }

  // Collects a tensor on the rank that writes it.
  void move(const TensorId& tensor) {
    const auto buffer = std::make_shared<at::Tensor>();
    const bool shared = all_write_ && state::CheckpointPart::may_write(bytes_of(tensor));
    const int rank = shared ? turn_++ % ranks_.size() : 0;
    std::vector<TensorId>& written = written_[static_cast<std::size_t>(rank)];
    written.push_back(tensor);
    const auto values = live_.model->params().get(tensor.kind, tensor.index, *buffer, rank);
    if (rank != ranks_.rank() || not_finite_) return;
    if (!state::all_finite(values, live_.header.dtype)) {
      not_finite_ = written.size() - 1;
    } else if (writer_) {
      writer_->write(tensor.kind, tensor.index, values, buffer);
    } else {
      part_->write(tensor.kind, tensor.index, values, buffer);
    }
  }

  // Returns the bytes of the checksums of what this rank has written, after a '+', or the place in
  // written_ of the tensor that it refused to write, after a '!'.
  std::string report() {
    if (not_finite_) return fmt::format("!{}", *not_finite_);
    std::string text = "+";
    if (!part_) return text;
    const std::vector<std::uint32_t> sums = part_->finish();
    return text.append(reinterpret_cast<const char*>(sums.data()), sums.size() * sizeof(sums[0]));
  }

  void adopt(std::size_t rank, const std::string& report) {
    const std::vector<TensorId>& written = written_[rank];
    if (report[0] == '!') {
      const TensorId& bad = written.at(std::stoull(report.substr(1)));
      refuse_not_finite(live_, bad.kind, bad.index);
    }
    if (rank == 0) return;
    std::vector<std::uint32_t> sums((report.size() - 1) / sizeof(std::uint32_t));
    std::memcpy(sums.data(), report.data() + 1, report.size() - 1);
    std::span<const std::uint32_t> left(sums);
    for (const TensorId& tensor : written) {
      const auto blocks = state::num_blocks(bytes_of(tensor));
      writer_->adopt(tensor.kind, tensor.index, left.first(blocks));
      left = left.subspan(blocks);
    }
  }

  std::uint64_t bytes_of(const TensorId& tensor) const {
    model::ParamBuffer& params = live_.model->params();
    return static_cast<std::uint64_t>(params.table()[tensor.index].count() *
                                      params.weights().element_size());
  }

  DeviceState& live_;
  dist::Ranks& ranks_;
  std::optional<state::CheckpointWriter> writer_;  // on the first rank
  std::optional<state::CheckpointPart> part_;      // on the others, if they see the file
  bool all_write_ = false;
  int turn_ = 0;
  std::vector<std::vector<TensorId>> written_;  // by each rank, in this order
  std::optional<std::size_t> not_finite_;       // the place of the first in written_
};

}  // namespace

void save_shared(const Path& path, DeviceState& live, dist::Ranks& ranks) {
  SharedSave(path, live, ranks).run();
}

}  // namespace stagedtrain::train
