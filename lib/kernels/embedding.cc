// Looks up embeddings, and adds their gradients in the order of the rows.
#include "kernels/embedding.h"

#include "kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/embedding.cc"
#include <hwy/foreach_target.h>

#include "kernels/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace stagedtrain::kernels::HWY_NAMESPACE {

void embed_rows(const TokenView& tokens, const float* token_table, const float* position_table,
                std::int64_t begin, std::int64_t end, std::int64_t width, float* x) {
  for (std::int64_t r = begin; r < end; ++r) {
    const float* token = token_table + tokens[r] * width;
    const float* position = position_table ? position_table + tokens.position(r) * width : nullptr;
    float* row = x + r * width;
    for_vectors(0, width, [&](std::int64_t c, auto io) HWY_ATTR {
      Vec v = io.load(token + c);
      if (position != nullptr) v = hn::Add(v, io.load(position + c));
      io.store(v, row + c);
    });
  }
}

// Adds columns [begin, end) of one row of a gradient to one row of a table.
HWY_INLINE void add_columns(const float* from, std::int64_t begin, std::int64_t end, float* to) {
  for_vectors(begin, end, [&](std::int64_t c, auto io) HWY_ATTR {
    io.store(hn::Add(io.load(to + c), io.load(from + c)), to + c);
  });
}

void add_to_tokens(const TokenView& tokens, const float* dx, std::int64_t rows, std::int64_t width,
                   std::int64_t begin, std::int64_t end, float* dtoken_table) {
  for (std::int64_t r = 0; r < rows; ++r)
    add_columns(dx + r * width, begin, end, dtoken_table + tokens[r] * width);
}

void add_to_positions(const float* dx, std::int64_t sequences, std::int64_t length,
                      std::int64_t width, std::int64_t begin, std::int64_t end,
                      float* dposition_table) {
  for (std::int64_t b = 0; b < sequences; ++b)
    add_columns(dx + b * length * width, begin * width, end * width, dposition_table);
}

}  // namespace stagedtrain::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace stagedtrain::kernels {

HWY_EXPORT(embed_rows);
HWY_EXPORT(add_to_tokens);
HWY_EXPORT(add_to_positions);

void embed(const TokenView& tokens, const float* token_table, const float* position_table,
           std::int64_t begin, std::int64_t end, std::int64_t width, float* x) {
  HWY_DYNAMIC_DISPATCH(embed_rows)(tokens, token_table, position_table, begin, end, width, x);
}

void token_embedding_backward(const TokenView& tokens, const float* dx, std::int64_t rows,
                              std::int64_t width, std::int64_t begin, std::int64_t end,
                              float* dtoken_table) {
  HWY_DYNAMIC_DISPATCH(add_to_tokens)(tokens, dx, rows, width, begin, end, dtoken_table);
}

void position_embedding_backward(const float* dx, std::int64_t sequences, std::int64_t length,
                                 std::int64_t width, std::int64_t begin, std::int64_t end,
                                 float* dposition_table) {
  HWY_DYNAMIC_DISPATCH(add_to_positions)
  (dx, sequences, length, width, begin, end, dposition_table);
}

}  // namespace stagedtrain::kernels
#endif  // HWY_ONCE
