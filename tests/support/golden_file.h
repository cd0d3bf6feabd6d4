// Reads the files of scripts/make_golden.py, which describes their format: results of PyTorch.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "arch/model_config.h"
#include "io/file.h"

namespace stagedtrain::test {

// One array, whatever its stored type. scale is what a relative difference is relative to (0 for
// inputs); fp32_deviation how far PyTorch's own float32 run strayed, relative to scale.
struct GoldenTensor {
  std::vector<std::int64_t> shape;
  std::vector<double> values;
  double scale = 0, fp32_deviation = 0;
};

struct GoldenOptimizer {
  double rate = 0, beta1 = 0, beta2 = 0, eps = 0, decay = 0, clip = 0;
};

class GoldenFile {
 public:
  // Throws Error(input) if the file is not whole and of the known format.
  explicit GoldenFile(const Path& path);

  const arch::ModelConfig& model() const { return model_; }  // resolved
  const GoldenOptimizer& optimizer() const { return optimizer_; }
  // Throws Error(input) naming the tensor if there is none.
  const GoldenTensor& operator[](const std::string& name) const;
  bool contains(const std::string& name) const { return tensors_.contains(name); }

 private:
  Path path_;
  arch::ModelConfig model_;
  GoldenOptimizer optimizer_;
  std::map<std::string, GoldenTensor> tensors_;
};

// A file of tests/golden by its name, "gpt2_small.golden".
GoldenFile open_golden(const std::string& name);

}  // namespace stagedtrain::test
