// Token and position embeddings: gathered and added, and their gradients without scatter races.
#pragma once

#include <cstdint>

#include "kernels/token_view.h"

namespace stagedtrain::kernels {

// x[r] = token_table[tokens[r]] + position_table[r % length] for rows [begin, end). x: [rows,
// width], tables: [vocab, width] and [context, width]. position_table may be null.
void embed(const TokenView& tokens, const float* token_table, const float* position_table,
           std::int64_t begin, std::int64_t end, std::int64_t width, float* x);

// dtoken_table[tokens[r], c] += dx[r, c] for all rows [0, rows) in order and columns [begin, end):
// threads share columns, so nothing collides and the result does not depend on how they are split.
// Split only where it pays: measured on two cores, one call for all columns was the faster below
// about 512 columns with a vocabulary of 256 (by 1.4 to 5 times), two calls from there on. Splits
// at multiples of 16 columns, of tables that start on a cache line, keep threads off each other's
// lines.
void token_embedding_backward(const TokenView& tokens, const float* dx, std::int64_t rows,
                              std::int64_t width, std::int64_t begin, std::int64_t end,
                              float* dtoken_table);

// dposition_table[t] += sum of dx[b * length + t] over sequences b = 0, 1, ... for positions
// [begin, end). dx: [sequences * length, width]. The result does not depend on the split.
void position_embedding_backward(const float* dx, std::int64_t sequences, std::int64_t length,
                                 std::int64_t width, std::int64_t begin, std::int64_t end,
                                 float* dposition_table);

}  // namespace stagedtrain::kernels
