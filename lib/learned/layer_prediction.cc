// Decomposes the matrices of all layers together, and trains the network on their right factors.
#include "learned/layer_prediction.h"

#include <Eigen/SVD>
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/rng.h"
#include "base/signals.h"

namespace stagedtrain::grow {
namespace {

using Matrix = Eigen::MatrixXd;
using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr std::int64_t kHidden = 256, kBatch = 64, kEpochs = 10;
constexpr double kRate = 1e-3, kNormShare = 5e-4;

// U S, and V_i^T of every layer, multiplied by sqrt(L columns).
struct Factors {
  Matrix shared;
  std::vector<Matrix> own;
  double scale = 1;
};

// Returns the sign for each column that makes its largest entry positive. A decomposition leaves
// the signs open, but the network does not treat them alike.
Eigen::VectorXd signs_of(const Matrix& directions) {
  Eigen::VectorXd signs(directions.cols());
  for (Eigen::Index k = 0; k < directions.cols(); ++k) {
    Eigen::Index largest = 0;
    directions.col(k).cwiseAbs().maxCoeff(&largest);
    signs[k] = directions(largest, k) < 0 ? -1 : 1;
  }
  return signs;
}

Factors factors_of(const LayerMatrices& m, double epsilon) {
  const auto layers = static_cast<std::int64_t>(m.layers.size());
  Matrix tall(layers * m.columns, m.rows);  // the transpose of [W_1 ... W_L]
  for (std::int64_t i = 0; i < layers; ++i)
    tall.middleRows(i * m.columns, m.columns) =
        Eigen::Map<const RowMajor>(m.layers[static_cast<std::size_t>(i)].data(), m.rows, m.columns)
            .transpose();
  stop_point("decomposing layers");
  const Eigen::BDCSVD<Matrix> svd(tall, Eigen::ComputeThinU | Eigen::ComputeThinV);
  const Eigen::VectorXd& values = svd.singularValues();
  const double least =
      values.size() == 0
          ? 0
          : values[0] * epsilon * static_cast<double>(std::max(tall.rows(), tall.cols()));
  const auto rank = (values.array() > least).count();
  Factors factors;
  factors.scale = std::sqrt(static_cast<double>(tall.rows()));
  const Eigen::VectorXd signs = signs_of(svd.matrixV().leftCols(rank));
  factors.shared = svd.matrixV().leftCols(rank) *
                   (signs.cwiseProduct(values.head(rank)) / factors.scale).asDiagonal();
  const Matrix own = svd.matrixU().leftCols(rank) * (signs * factors.scale).asDiagonal();
  for (std::int64_t i = 0; i < layers; ++i)
    factors.own.emplace_back(own.middleRows(i * m.columns, m.columns).transpose());
  return factors;
}

// A matrix of parameters, with its gradient and the moments of Adam.
struct Parameters {
  Matrix values, gradient, exp_avg, exp_avg_sq;

  // Uniform numbers from -bound to bound.
  Parameters(std::int64_t rows, std::int64_t columns, double bound, std::uint64_t stream) {
    const CounterRng rng(stream, 0);
    values = Matrix::NullaryExpr(rows, columns, [&](Eigen::Index r, Eigen::Index c) {
      return bound * (2 * rng.uniform(static_cast<std::uint64_t>(r * columns + c)) - 1);
    });
    gradient = exp_avg = exp_avg_sq = Matrix::Zero(rows, columns);
  }
  void step(std::int64_t steps) {
    constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEps = 1e-8;
    const double correction1 = 1 - std::pow(kBeta1, steps),
                 correction2 = 1 - std::pow(kBeta2, steps);
    exp_avg += (1 - kBeta1) * (gradient - exp_avg);
    exp_avg_sq += (1 - kBeta2) * (gradient.cwiseAbs2() - exp_avg_sq);
    values.array() -= kRate * (exp_avg.array() / correction1) /
                      ((exp_avg_sq.array() / correction2).sqrt() + kEps);
  }
};

// y = W x + b for each column x.
struct Linear {
  Parameters weight, bias;
  Linear(std::int64_t in, std::int64_t out, double size, std::uint64_t stream)
      : weight(out, in, size / std::sqrt(static_cast<double>(in)), stream),
        bias(out, 1, size / std::sqrt(static_cast<double>(in)), stream + 1) {}
  Matrix operator()(const Matrix& x) const {
    return (weight.values * x).colwise() + bias.values.col(0);
  }
  // Sets the gradients, and returns that of x.
  Matrix back(const Matrix& x, const Matrix& dy) {
    weight.gradient = dy * x.transpose();
    bias.gradient = dy.rowwise().sum();
    return weight.values.transpose() * dy;
  }
  void step(std::int64_t steps) {
    weight.step(steps);
    bias.step(steps);
  }
};

// Predicts rows from pairs of rows. One pair is a column of `pairs`: the row of the layer below and
// then that of the layer above.
class Network {
 public:
  Network(std::int64_t columns, std::uint64_t seed)
      : columns_(columns),
        first_(2 * columns, kHidden, 1, hash_name(fmt::format("prediction 1 {}", seed))),
        second_(kHidden, kHidden, 1, hash_name(fmt::format("prediction 2 {}", seed))),
        last_(kHidden, columns, 0, 0) {}

  Matrix predict(const Matrix& pairs) const {
    return mean(pairs) + last_(second_(first_(pairs).cwiseMax(0)).cwiseMax(0));
  }

  void train(const Matrix& pairs, const Matrix& targets) {
    const Matrix hidden_1 = first_(pairs).cwiseMax(0), hidden_2 = second_(hidden_1).cwiseMax(0);
    const Matrix made = mean(pairs) + last_(hidden_2);
    Matrix back = last_.back(hidden_2, gradient(made, targets));
    back = second_.back(hidden_1, through_relu(back, hidden_2));
    first_.back(pairs, through_relu(back, hidden_1));
    ++steps_;
    for (Linear* layer : {&first_, &second_, &last_}) layer->step(steps_);
  }

 private:
  Matrix mean(const Matrix& pairs) const {
    return (pairs.topRows(columns_) + pairs.bottomRows(columns_)) / 2;
  }
  static Matrix gradient(const Matrix& made, const Matrix& targets) {
    const double norm = made.norm(), beyond = norm - targets.norm();
    return 2 * (1 - kNormShare) / static_cast<double>(made.size()) * (made - targets) +
           (norm > 0 ? 2 * kNormShare * beyond / norm : 0.0) * made;
  }
  static Matrix through_relu(const Matrix& back, const Matrix& hidden) {
    return (hidden.array() > 0).select(back, 0);
  }

  std::int64_t columns_, steps_ = 0;
  Linear first_, second_, last_;
};

Matrix pairs_of(const Matrix& below, const Matrix& above) {
  Matrix pairs(2 * below.cols(), below.rows());
  pairs << below.transpose(), above.transpose();
  return pairs;
}

// Every layer that has two neighbours, with the rows of all of them.
struct Examples {
  Matrix pairs, targets;
};
Examples examples_of(const std::vector<Matrix>& own) {
  const auto inner = static_cast<std::int64_t>(own.size()) - 2;
  const Eigen::Index rank = own[0].rows(), columns = own[0].cols();
  Examples all{Matrix(2 * columns, inner * rank), Matrix(columns, inner * rank)};
  for (std::int64_t i = 0; i < inner; ++i) {
    const auto at = static_cast<std::size_t>(i);
    all.pairs.middleCols(i * rank, rank) = pairs_of(own[at], own[at + 2]);
    all.targets.middleCols(i * rank, rank) = own[at + 1].transpose();
  }
  return all;
}

// Returns the numbers below `count` in the random order of an epoch.
std::vector<Eigen::Index> shuffled(std::int64_t count, std::int64_t epoch, const CounterRng& rng) {
  std::vector<Eigen::Index> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](Eigen::Index i) {
    return rng.bits(static_cast<std::uint64_t>(epoch * count + i));
  });
  return order;
}

void train(Network& network, const Examples& all, std::uint64_t seed) {
  const CounterRng rng(hash_name(fmt::format("prediction order {}", seed)), 0);
  const std::int64_t count = all.targets.cols();
  for (std::int64_t epoch = 0; epoch < kEpochs; ++epoch) {
    const std::vector<Eigen::Index> order = shuffled(count, epoch, rng);
    for (std::int64_t first = 0; first < count; first += kBatch) {
      stop_point("predicting layers");
      const auto begin = order.begin() + first;
      const std::vector<Eigen::Index> batch(begin, begin + std::min(kBatch, count - first));
      network.train(all.pairs(Eigen::all, batch), all.targets(Eigen::all, batch));
    }
  }
}

// Whether the mean of the neighbours, which the network predicts before it is trained, is wrong by
// more than rounding explains. Adam would make full steps along the rounding errors otherwise.
bool is_to_learn(const Network& network, const Examples& all, double epsilon) {
  const double squares = (network.predict(all.pairs) - all.targets).squaredNorm();
  return squares > epsilon * static_cast<double>(all.targets.size());
}

std::vector<double> row_major(const Matrix& x) {
  std::vector<double> entries(static_cast<std::size_t>(x.size()));
  Eigen::Map<RowMajor>(entries.data(), x.rows(), x.cols()) = x;
  return entries;
}

}  // namespace

std::vector<std::vector<double>> predicted_layers(const LayerMatrices& matrices,
                                                  std::span<const std::int64_t> below,
                                                  double epsilon, std::uint64_t seed) {
  const Factors factors = factors_of(matrices, epsilon);
  Network network(matrices.columns, seed);
  if (matrices.layers.size() > 2 && factors.shared.cols() > 0) {
    const Examples all = examples_of(factors.own);
    if (is_to_learn(network, all, epsilon)) train(network, all, seed);
  }
  std::vector<std::vector<double>> made;
  for (const std::int64_t layer : below) {
    const auto at = static_cast<std::size_t>(layer);
    const Matrix rows = network.predict(pairs_of(factors.own[at], factors.own[at + 1])).transpose();
    made.push_back(row_major(factors.shared * rows));
  }
  return made;
}

}  // namespace stagedtrain::grow
