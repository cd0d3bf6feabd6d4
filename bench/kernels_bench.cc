// Times every CPU kernel on one model's shapes, GPT-2's with a feed-forward of four widths:
// kernels_bench [width heads context rows vocab threads layers]. The last line adds up what a step
// of such a model uses: what it would take if no thread ever waited, for another or for memory that
// a kernel alone does not wait for.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <new>
#include <random>
#include <vector>

#include "io/memory_advice.h"
#include "kernels/adamw.h"
#include "products/attention.h"
#include "kernels/bias.h"
#include "kernels/embedding.h"
#include "kernels/gelu.h"
#include "kernels/layer_norm.h"
#include "products/packed_product.h"
#include "kernels/softmax_cross_entropy.h"

namespace {

using namespace stagedtrain::kernels;
// Large arrays lie on huge pages, as a model's do, and small ones start on a cache line.
template <class T>
struct OnPages {
  using value_type = T;
  static std::align_val_t start(std::size_t n) {
    return std::align_val_t{n * sizeof(T) < stagedtrain::kHugePage ? 64 : stagedtrain::kHugePage};
  }
  T* allocate(std::size_t n) {
    void* memory = ::operator new(n * sizeof(T), start(n));
    stagedtrain::prefer_huge_pages(memory, n * sizeof(T));
    return static_cast<T*>(memory);
  }
  void deallocate(T* p, std::size_t n) { ::operator delete(p, start(n)); }
  bool operator==(const OnPages&) const = default;
};
using Floats = std::vector<float, OnPages<float>>;
using Range = std::function<void(std::int64_t thread, std::int64_t begin, std::int64_t end)>;

int g_threads = 2;
double g_step = 0;  // seconds of all kernels that a step runs

Floats floats(std::int64_t size) {
  static std::mt19937 engine(1);
  std::normal_distribution<float> normal;
  Floats values(size);
  for (float& value : values) value = normal(engine);
  return values;
}

void in_parallel(std::int64_t units, const Range& work) {
#pragma omp parallel for num_threads(g_threads) schedule(static, 1)
  for (int t = 0; t < g_threads; ++t) work(t, units * t / g_threads, units * (t + 1) / g_threads);
}

// Seconds of one call: the fastest of 40 times, each at least a millisecond long, so that other
// work on the machine counts little.
double seconds(std::int64_t units, const Range& work) {
  using Clock = std::chrono::steady_clock;
  const auto run = [&](int count) {
    const auto start = Clock::now();
    for (int i = 0; i < count; ++i) in_parallel(units, work);
    return std::chrono::duration<double>(Clock::now() - start).count() / count;
  };
  int count = 1;
  while (count < 1000 && run(count) * count < 1e-3) count *= 2;
  double best = run(count);
  for (int i = 1; i < 40; ++i) best = std::min(best, run(count));
  return best;
}

// As many rows, but always the same few: those that a step before has left in the cache.
Range in_cache(std::int64_t rows, const Range& work) {
  const std::int64_t chunk = std::clamp<std::int64_t>(rows / g_threads, 1, 24);
  return [=](std::int64_t thread, std::int64_t begin, std::int64_t end) {
    for (std::int64_t first = thread * chunk; begin < end; begin += chunk)
      work(thread, first, first + std::min(chunk, end - begin));
  };
}

// bytes: moved between the kernel and memory, if nothing stayed in a cache. uses: in a step.
void report(const char* name, std::int64_t elements, double bytes, double flops, double uses,
            double time) {
  g_step += uses * time;
  std::printf("%-24s %9.1f us  %7.3f ns/element", name, time * 1e6, time * 1e9 / elements);
  if (bytes > 0) std::printf("  %7.1f GB/s", bytes / time * 1e-9);
  if (flops > 0) std::printf("  %7.1f GFLOP/s", flops / time * 1e-9);
  std::printf("\n");
}

struct Sizes {
  std::int64_t width, heads, context, rows, vocab, layers;
  double in_layers(double uses) const { return uses * static_cast<double>(layers); }
};

void norms(const Sizes& z) {
  const std::int64_t n = z.rows * z.width, C = z.width;
  Floats x = floats(n), branch = floats(n), sum(n), y(n), gamma = floats(C), beta = floats(C);
  Floats mean(z.rows), rstd(z.rows), dres = floats(n), sums(g_threads * 3 * C);
  double t =
      seconds(z.rows, in_cache(z.rows, [&](auto, auto b, auto e) {
                residual_layer_norm(x.data(), branch.data(), beta.data(), gamma.data(), beta.data(),
                                    1e-5f, b, e, C, sum.data(), y.data(), mean.data(), rstd.data());
              }));
  report("residual_layer_norm", n, 16.0 * n, 0, z.in_layers(2), t);
  t = seconds(z.rows, in_cache(z.rows, [&](auto thread, auto b, auto e) {
                float* s = sums.data() + thread * 3 * C;
                layer_norm_backward(y.data(), sum.data(), mean.data(), rstd.data(), gamma.data(), b,
                                    e, C, false, dres.data(), {s, s + C, s + 2 * C});
              }));
  report("layer_norm_backward", n, 16.0 * n, 0, z.in_layers(2) + 1, t);
  t = seconds(z.rows, in_cache(z.rows, [&](auto thread, auto b, auto e) {
                bias_backward(x.data(), b, e, C, sums.data() + thread * 3 * C);
              }));
  report("bias_backward", n, 4.0 * n, 0, z.in_layers(3), t);
}

void gelus(const Sizes& z) {
  const std::int64_t F = 4 * z.width, n = z.rows * F;
  Floats h = floats(n), u(n), a(n), du(n), da = floats(n), bias = floats(F), dbias(g_threads * F);
  double t = seconds(z.rows, in_cache(z.rows, [&](auto, auto b, auto e) {
                       bias_gelu(h.data(), bias.data(), b, e, F, u.data(), a.data());
                     }));
  report("bias_gelu", n, 12.0 * n, 0, 0, t);
  t = seconds(z.rows, in_cache(z.rows, [&](auto thread, auto b, auto e) {
                gelu_backward(da.data(), u.data(), b, e, F, du.data(), dbias.data() + thread * F,
                              a.data());
              }));
  report("gelu_backward", n, 16.0 * n, 0, z.in_layers(1), t);
}

// The up projection of a block, its input gradient and its weight gradient: a third of the products
// of its block, and the classifier's are counted by its size.
void products(const Sizes& z) {
  const std::int64_t C = z.width, F = 4 * C, n = z.rows * F;
  Floats x = floats(z.rows * C), w = floats(F * C), y(n), gelu(n), bias = floats(F), dw(F * C);
  Floats packed(packed_size(C, F) + packed_size(F, C)),
      scratch(g_threads * outer_product_scratch());
  const double flops = 2.0 * n * C;
  const double classifier = static_cast<double>(z.vocab) / static_cast<double>(F);
  const double uses = z.in_layers(3) + classifier;
  double t = seconds(F / kPackGrain, [&](auto, auto b, auto e) {
    pack({w.data(), C, true}, C, b * kPackGrain, e * kPackGrain, packed.data());
  });
  report("pack transposed", C * F, 8.0 * C * F, 0, uses, t);
  t = seconds(z.rows, [&](auto, auto b, auto e) {
    multiply({C, F, x.data(), C, packed.data(), y.data(), F}, b, e);
  });
  report("multiply", n, 0, flops, z.in_layers(2) + classifier, t);
  t = seconds(z.rows, [&](auto, auto b, auto e) {
    multiply({C, F, x.data(), C, packed.data(), y.data(), F, 1, false, bias.data(), gelu.data()}, b,
             e);
  });
  report("multiply, bias, gelu", n, 0, flops, z.in_layers(1), t);
  t = seconds(C / kPackGrain, [&](auto, auto b, auto e) {
    pack({w.data(), C, false}, F, b * kPackGrain, e * kPackGrain, packed.data());
  });
  report("pack", C * F, 8.0 * C * F, 0, uses, t);
  t = seconds(z.rows, [&](auto, auto b, auto e) {
    multiply({F, C, y.data(), F, packed.data(), x.data(), C}, b, e);
  });
  report("multiply back", n, 0, flops, uses, t);
  t = seconds(F, [&](auto thread, auto b, auto e) {
    for (std::int64_t i = 0; i < C; i += kMostIns)
      add_outer_product({z.rows, y.data(), F, x.data(), C, dw.data()}, {b, e},
                        {i, std::min(C, i + kMostIns)},
                        scratch.data() + thread * outer_product_scratch());
  });
  report("add_outer_product", n, 0, flops, uses, t);
}

void losses(const Sizes& z) {
  const std::int64_t rows = std::min<std::int64_t>(z.rows, (std::int64_t{1} << 26) / z.vocab);
  Floats logits = floats(rows * z.vocab);
  std::vector<std::int32_t> ids(rows);
  std::vector<double> loss(rows);
  for (std::int64_t i = 0; i < rows; ++i) ids[i] = static_cast<std::int32_t>(i * 7919 % z.vocab);
  const LogitChunk chunk{logits.data(), z.vocab, z.vocab, {ids.data(), rows, rows}, 0};
  const double t = seconds(rows, [&](auto, auto b, auto e) {
    softmax_cross_entropy(chunk, b, e, 1e-3f, 0, loss.data());
  });
  report("softmax_cross_entropy", rows * z.vocab, 8.0 * rows * z.vocab, 0,
         static_cast<double>(z.rows) / static_cast<double>(rows), t);
}

void embeddings(const Sizes& z) {
  const std::int64_t n = z.rows * z.width;
  Floats table = floats(z.vocab * z.width), positions = floats(z.context * z.width), x = floats(n);
  std::vector<std::int32_t> ids(z.rows);
  for (std::int64_t i = 0; i < z.rows; ++i) ids[i] = static_cast<std::int32_t>(i * 7919 % z.vocab);
  const TokenView tokens{ids.data(), z.context, z.context};
  double t = seconds(z.rows, [&](auto, auto b, auto e) {
    embed(tokens, table.data(), positions.data(), b, e, z.width, x.data());
  });
  report("embed", n, 12.0 * n, 0, 1, t);
  t = seconds(z.width, [&](auto, auto b, auto e) {
    token_embedding_backward(tokens, x.data(), z.rows, z.width, b, e, table.data());
  });
  report("token_embedding_backward", n, 12.0 * n, 0, 1, t);
}

void optimiser(const Sizes& z) {
  const std::int64_t n = (12 * z.layers * z.width + z.vocab + z.context) * z.width;
  Floats w = floats(n), g = floats(n), m = floats(n), v(n, 1.0f);
  const AdamWStep step{1e-6, 0.9, 0.95, 1e-8, 0.1, 0.5, 0.5, 1};
  double t = seconds(n, [&](auto, auto b, auto e) {
    adamw(step, b, e, true, w.data(), g.data(), m.data(), v.data());
  });
  report("adamw", n, 32.0 * n, 0, 1, t);
  std::vector<double> partials(num_sum_blocks(n));
  t = seconds(num_sum_blocks(n),
              [&](auto, auto b, auto e) { sum_of_squares(g.data(), n, b, e, partials.data()); });
  report("sum_of_squares", n, 4.0 * n, 0, 1, t);
}

// FLOPs: of the causal half only, 2 products forward and 5 backward.
void attentions(const Sizes& z) {
  const AttentionShape s{z.rows / z.context, z.context, z.heads, z.heads, z.width / z.heads, 0.2f};
  const std::int64_t n = z.rows * z.width;
  Floats qkv = floats(3 * n), dqkv(3 * n), out(n), dout = floats(n), lse(z.rows * z.heads);
  const std::int64_t stride = attention_backward_scratch(s);
  Floats scratch(g_threads * stride);
  const double product = static_cast<double>(n) * (z.context + 1);
  double t = seconds(s.forward_units(), [&](auto thread, auto b, auto e) {
    attention_forward(s, qkv.data(), b, e, out.data(), lse.data(),
                      scratch.data() + thread * stride);
  });
  report("attention_forward", n, 0, 2 * product, z.in_layers(1), t);
  t = seconds(s.backward_units(), [&](auto thread, auto b, auto e) {
    attention_backward(s, qkv.data(), out.data(), lse.data(), dout.data(), b, e, dqkv.data(),
                       scratch.data() + thread * stride);
  });
  report("attention_backward", n, 0, 5 * product, z.in_layers(1), t);
}

}  // namespace

int main(int argc, char** argv) {
  const auto argument = [&](int i, std::int64_t usual) {
    return argc > i ? std::atoll(argv[i]) : usual;
  };
  const Sizes z{argument(1, 128),  argument(2, 4),   argument(3, 128),
                argument(4, 2048), argument(5, 256), argument(7, 4)};
  g_threads = static_cast<int>(argument(6, 2));
  if (z.heads < 1 || z.width % z.heads || z.context < 1 || z.rows % z.context || z.vocab < 1 ||
      z.layers < 1 || g_threads < 1) {
    std::fprintf(stderr, "usage: kernels_bench [width heads context rows vocab threads layers]\n");
    return 2;
  }
  std::printf("width %ld, heads %ld, context %ld, rows %ld, vocab %ld, %d threads\n", z.width,
              z.heads, z.context, z.rows, z.vocab, g_threads);
  norms(z);
  products(z);
  gelus(z);
  losses(z);
  embeddings(z);
  optimiser(z);
  attentions(z);
  std::printf("%-24s %9.1f us, %ld layers\n", "all of a step", g_step * 1e6, z.layers);
}
